"""Says in one place what a legal LutNetwork is."""

from __future__ import annotations

import re

import numpy as np

from codesign.errors import DataError
from codesign.ir.formats import MAX_SIGNAL_BITS, Format
from codesign.ir.network import Decide, Encode, LutNetwork, Sums, Tables, address_bits

__all__ = ["MAX_ADDRESS_BITS", "check"]

MAX_ADDRESS_BITS = 24
"""Hard limit of the representation; training has its own, lower cap (default 15)."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


def check(network: LutNetwork) -> LutNetwork:
    """Return the network if it is legal, else raise a DataError that names stage, neuron and rule."""
    if not _NAME.match(network.name):
        raise DataError(
            f"a network's name must be letters, digits and '_', starting with a letter, not {network.name!r}"
        )
    if not network.stages:
        raise DataError(f"network {network.name!r} must have at least one stage")
    if network.encode is not None and network.inputs:
        raise DataError(f"network {network.name!r} has an encoder, so its input formats must be empty")
    names = [stage.name for stage in network.stages]
    for name in names:
        if not _NAME.match(name):
            raise DataError(f"a stage's name must be letters, digits and '_', starting with a letter, not {name!r}")
    if len(set(names)) != len(names):
        raise DataError(f"stage names must differ, not {names}")
    for index, stage in enumerate(network.stages):
        inputs = network.stage_inputs(index)
        for source, fmt in enumerate(inputs):
            _check_format(fmt, f"input {source} of stage {stage.name!r}")
        if isinstance(stage, Encode):
            if index:
                raise DataError(f"encoder {stage.name!r} must be the first stage, not stage {index}")
            _check_encode(stage)
        elif isinstance(stage, Tables):
            _check_tables(stage, inputs)
        elif isinstance(stage, Sums):
            _check_sums(stage, inputs)
        else:
            _check_decide(stage, inputs, last=index == len(network.stages) - 1)
        if not stage.formats:
            raise DataError(f"stage {stage.name!r} must have at least one output")
    return network


def _check_format(fmt: Format, where: str) -> None:
    if not 1 <= fmt.bits <= MAX_SIGNAL_BITS:
        raise DataError(f"{where}: a signal must have 1 to {MAX_SIGNAL_BITS} bits, not {fmt.bits}")


def _check_sources(sources: tuple[int, ...], inputs: tuple[Format, ...], where: str) -> None:
    for source in sources:
        if not 0 <= source < len(inputs):
            raise DataError(f"{where}: source must be 0 to {len(inputs) - 1}, not {source}")


def _check_encode(stage: Encode) -> None:
    words = [f.word is not None for f in stage.features]
    if any(words) and not all(words):
        raise DataError(f"encoder {stage.name!r}: either all features have a fixed-point word or none has")
    for feature in stage.features:
        where = f"encoder {stage.name!r}, feature {feature.name!r}"
        t = np.asarray(feature.thresholds, dtype=np.float64)
        if not np.isfinite(t).all():
            raise DataError(f"{where}: thresholds must be finite")
        if (np.diff(t) < 0).any():
            raise DataError(f"{where}: thresholds must ascend")
        if stage.coding == "binary" and not feature.thresholds:
            raise DataError(f"{where}: a binary code needs at least one threshold")
        if feature.word is not None:
            _check_format(feature.word.format, where)
            scaled = np.ldexp(t, feature.word.fraction_bits)
            if (scaled != np.round(scaled)).any():
                raise DataError(f"{where}: every threshold must lie on the grid of its word {feature.word}")


def _check_tables(stage: Tables, inputs: tuple[Format, ...]) -> None:
    for j, neuron in enumerate(stage.neurons):
        where = f"stage {stage.name!r}, neuron {j}"
        _check_format(neuron.format, where)
        _check_sources(neuron.sources, inputs, where)
        if len(set(neuron.sources)) != len(neuron.sources):
            raise DataError(f"{where}: a neuron's sources must differ, not {neuron.sources}")
        bits = address_bits(neuron.sources, inputs)
        if bits > MAX_ADDRESS_BITS:
            raise DataError(f"{where}: {bits} address bits exceed {MAX_ADDRESS_BITS}")
        if neuron.table.shape != (1 << bits,):
            raise DataError(
                f"{where}: the table must have {1 << bits} rows for {bits} address bits, not {neuron.table.shape}"
            )
        if neuron.care is not None and neuron.care.shape != neuron.table.shape:
            raise DataError(f"{where}: the care set must have {1 << bits} rows, not {neuron.care.shape}")
        if neuron.table.min() < 0 or neuron.table.max() >= neuron.format.count:
            raise DataError(f"{where}: table codes must be 0 to {neuron.format.count - 1} for format {neuron.format}")


def _check_sums(stage: Sums, inputs: tuple[Format, ...]) -> None:
    for j, total in enumerate(stage.sums):
        where = f"stage {stage.name!r}, sum {j}"
        _check_format(total.format, where)
        _check_sources(total.sources, inputs, where)
        if len(total.signs) != len(total.sources) or any(s not in (1, -1) for s in total.signs):
            raise DataError(f"{where}: signs must be one of +1, -1 a source")
        low = high = total.bias
        for source, sign in zip(total.sources, total.signs, strict=True):
            ends = (sign * inputs[source].low, sign * inputs[source].high)
            low, high = low + min(ends), high + max(ends)
        # A pass may prove that the extremes cannot occur together, but then it must narrow the sources too.
        if low < total.format.low or high > total.format.high:
            raise DataError(f"{where}: format {total.format} must hold every sum in [{low}, {high}]")


def _check_decide(stage: Decide, inputs: tuple[Format, ...], *, last: bool) -> None:
    if not last:
        raise DataError(f"decision {stage.name!r} must be the last stage")
    if stage.inputs != inputs:
        raise DataError(f"decision {stage.name!r}: its input formats must be those of the stage before it")
    if stage.kind not in ("argmax", "threshold", "none"):
        raise DataError(f"decision {stage.name!r}: kind must be argmax, threshold or none, not {stage.kind!r}")
