"""Gives each signal as few bits as its readers and its reachable codes need."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from codesign.ir import Codes, Decide, Encode, Feature, Format, LutNetwork, Neuron, Stage, Sum, Sums, Tables
from codesign.ir import bits_for_range as narrowest
from codesign.passes.base import Details, lossless
from codesign.passes.codes import Reached, reachable_codes
from codesign.passes.recode import Readers
from codesign.passes.rewrite import Carried, keep, rebuild, rewire, sum_range

__all__ = ["narrow_signals"]

_MAX_BITS = 20
"""Widest signal whose codes are mapped one by one; wider ones stay as they are."""


@lossless("re-codes signals in fewer bits: unused bits, codes that no reader tells apart, unreached codes")
def narrow_signals(network: LutNetwork) -> tuple[LutNetwork, Details]:
    """Give every signal the fewest bits its readers allow, from the last stage to the first.

    * Read by tables: codes that no reader tells apart on the addresses that can occur become one; if that saves
      bits, the signal is coded anew (by dropping bits where that is enough, else by counting), and the readers'
      tables follow.
    * Read by sums: the values are shifted to start at 0, where that saves bits, and the sums' biases follow.
    * Read by argmax or threshold: the values stay, in the narrowest format that holds them.
    * Sums: the narrowest format for the formats of their sources; where tables read them, a bias that costs bits goes.
    * A binary encoder in hardware loses the thresholds that no reader needs. Where the encoding happens outside,
      and for the inputs and the answer of a network, codes and formats stay.

    Details: bits_saved, signals_recoded, thresholds_removed.
    """
    details: Details = {"bits_saved": 0, "signals_recoded": 0, "thresholds_removed": 0}
    core = list(network.core)
    reached = reachable_codes(network)
    before = [f for s in network.stages for f in s.formats]
    # A stage's sums are narrowed once their sources are, so they are left to the forward sweep below.
    for index in range(len(core) - 1, 0, -1):
        producer = core[index - 1]
        if isinstance(producer, Tables):
            core[index - 1], core[index] = _narrow_tables(producer, core[index], reached[index], details)
    encode = network.encode
    if encode is not None and encode.in_hardware and encode.coding == "binary" and core and isinstance(core[0], Tables):
        encode, core[0] = _narrow_encoder(encode, core[0], reached[0], details)
    formats = encode.formats if encode else network.inputs
    for index in range(len(core) - 1):
        stage = core[index]
        if isinstance(stage, Sums):
            core[index], core[index + 1] = _narrow_sums(stage, core[index + 1], formats, details)
        formats = core[index].formats
    result = rebuild(network, core, encode=encode)
    details["bits_saved"] = sum(f.bits for f in before) - sum(f.bits for s in result.stages for f in s.formats)
    return result, details


def _narrow_tables(stage: Tables, reader: Stage, reached: Reached, details: Details) -> tuple[Stage, Stage]:
    neurons: list[Neuron] = []
    carried = keep(len(stage.neurons))
    readers = Readers(reader, stage.formats, reached) if isinstance(reader, Tables) else None
    for j, neuron in enumerate(stage.neurons):
        if readers is not None:
            found = readers.recode(j, reached[j])
        elif isinstance(reader, Sums):
            found = _shifted(neuron.format, reached[j])
        else:
            found = _same_values(neuron.format, reached[j], reader)
        if found is None:
            neurons.append(neuron)
            continue
        fmt, forward, backward = found
        details["signals_recoded"] += 1
        neurons.append(Neuron(neuron.sources, forward[neuron.table], fmt, neuron.care))
        carried[j] = Carried(j, backward)
    new = Tables(stage.name, tuple(neurons))
    return new, rewire(readers.result() if readers else reader, carried, stage.formats, new.formats)


def _recoded(old: Format, new: Format, reached: Codes, offset: int) -> tuple[Format, Codes, Codes]:
    """Return the maps old code -> new and new -> old (-1: cannot occur) that take `offset` off each value."""
    forward = np.zeros(old.count, dtype=np.int32)
    forward[reached] = new.codes(old.values(reached) - offset)
    backward = np.full(new.count, -1, dtype=np.int32)
    backward[forward[reached]] = reached
    return new, forward, backward


def _shifted(fmt: Format, reached: Codes) -> tuple[Format, Codes, Codes] | None:
    if fmt.bits > _MAX_BITS:
        return None
    values = fmt.values(reached)
    new = narrowest(0, int(values.max() - values.min()))
    # What the sums may read as values stays within the old format, so that they stay within theirs.
    offset = min(int(values.min()), fmt.high - new.high)
    return None if new.bits >= fmt.bits else _recoded(fmt, new, reached, offset)


def _same_values(fmt: Format, reached: Codes, reader: Stage) -> tuple[Format, Codes, Codes] | None:
    if not isinstance(reader, Decide) or reader.kind == "none" or fmt.bits > _MAX_BITS:
        return None
    values = fmt.values(reached)
    new = narrowest(int(values.min()), int(values.max()))
    return None if new.bits >= fmt.bits else _recoded(fmt, new, reached, 0)


def _narrow_encoder(stage: Encode, reader: Tables, reached: Reached, details: Details) -> tuple[Encode, Stage]:
    features: list[Feature] = []
    carried = keep(len(stage.features))
    readers = Readers(reader, stage.formats, reached)
    for i, feature in enumerate(stage.features):
        count = len(feature.thresholds)
        # A binary code keeps at least one threshold.
        levels = readers.intervals(i, reached[i], lambda left, count=count: max(1, left - 1) < count)
        if max(1, len(levels) - 1) == count:
            features.append(feature)
            continue
        # levels[k] is the lowest old level of the new level k.
        thresholds = tuple(feature.thresholds[int(level) - 1] for level in levels[1:]) or feature.thresholds[:1]
        details["thresholds_removed"] += count - len(thresholds)
        features.append(replace(feature, thresholds=thresholds))
        codes = np.full(narrowest(0, len(thresholds)).count, -1, dtype=np.int32)
        codes[: len(levels)] = levels
        if len(levels) == 1:
            # Whatever the one threshold that stays may say, it stands for the only level.
            codes[1] = levels[0]
        carried[i] = Carried(i, codes)
    new = replace(stage, features=tuple(features))
    return new, rewire(readers.result(), carried, stage.formats, new.formats)


def _narrow_sums(stage: Sums, reader: Stage, inputs: tuple[Format, ...], details: Details) -> tuple[Stage, Stage]:
    sums: list[Sum] = []
    carried = keep(len(stage.sums))
    for j, total in enumerate(stage.sums):
        low, high = sum_range(total, inputs)
        fmt, bias = _sum_format(total, reader, low, high)
        if (fmt, bias) == (total.format, total.bias):
            sums.append(total)
            continue
        details["signals_recoded"] += 1
        sums.append(replace(total, format=fmt, bias=bias))
        if not isinstance(reader, Decide):
            carried[j] = Carried(j, _shifted_codes(total, fmt, bias, low, high))
    new = Sums(stage.name, tuple(sums))
    return new, rewire(reader, carried, stage.formats, new.formats)


def _sum_format(total: Sum, reader: Stage, low: int, high: int) -> tuple[Format, int]:
    """Return the format and the bias of a sum with values in [low, high] that cost its reader the fewest bits."""
    old = total.format
    options: list[tuple[Format, int]] = []
    if old.bits > _MAX_BITS and not isinstance(reader, Decide):
        return old, total.bias
    if isinstance(reader, Tables):
        # Without a bias there is nothing to add; shifted to start at 0 no code is wasted on a sign.
        options = [(narrowest(low - total.bias, high - total.bias), 0), (narrowest(0, high - low), total.bias - low)]
    elif isinstance(reader, Sums):
        new = narrowest(0, high - low)
        # What the readers may read as values stays within the old format, so that they stay within theirs.
        options = [(new, total.bias - min(low, old.high - new.high))]
    elif isinstance(reader, Decide) and reader.kind != "none":
        options = [(narrowest(low, high), total.bias)]
    best = min(options, key=lambda option: option[0].bits, default=(old, total.bias))
    dropped_bias = best[0].bits == old.bits and total.bias != 0 and best[1] == 0 and isinstance(reader, Tables)
    return best if best[0].bits < old.bits or dropped_bias else (old, total.bias)


def _shifted_codes(total: Sum, fmt: Format, bias: int, low: int, high: int) -> Codes:
    """Return the old code for each code of the new format, -1 outside of the sum's range."""
    values = fmt.values(np.arange(fmt.count)) - bias + total.bias
    within = (values >= low) & (values <= high)
    codes = np.full(fmt.count, -1, dtype=np.int32)
    codes[within] = total.format.codes(values[within])
    return codes
