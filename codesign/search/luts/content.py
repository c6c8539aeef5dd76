"""What a network of tables holds, beyond its shape, that decides how many LUTs are left of it: seen while it trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from codesign.accel import worst_case_luts
from codesign.errors import UnsupportedModel
from codesign.ir import Encode, LutNetwork, Sums, Tables, encode, trace
from codesign.rtl.compare import at_least

__all__ = ["Content", "LayerContent", "RawLayer", "TableCodes", "encoder_luts", "network_layers", "read_content"]

TableCodes = NDArray[np.int32]
"""Codes that enter a layer, (rows, signals)."""


@dataclass(frozen=True, eq=False)
class RawLayer:
    """Tables of one shape, before any pass: sources (tables, pins), codes (tables, 2**address_bits), bits of both."""

    name: str
    sources: NDArray[np.int64]
    tables: NDArray[np.int32]
    source_bits: int
    bits: int


@dataclass(frozen=True)
class LayerContent:
    """One layer of tables. Shares are 0 to 1.

    tables, address_bits, bits: its shape. shape_luts: the worst case of that shape.
    live: tables that are not constant, not equal to another one, and lead to the answer.
    live_luts: the worst case of those, by the address bits that they depend on and the code bits that change.
    entropy:   mean entropy of the live tables' codes on the rows, over their bits.
    reach:     mean over the live tables of log2(addresses met on the rows) over their address bits.
    signals:   different signals before the layer that live tables depend on.
    """

    name: str
    tables: int
    address_bits: int
    bits: int
    shape_luts: int
    live: int
    live_luts: int
    entropy: float
    reach: float
    signals: int


@dataclass(frozen=True)
class Content:
    """A whole network: its layers of tables, how many operands of how many bits each answer adds up, and answers.

    encoder_luts: comparators of the signals that are read, in hardware (`encoder_luts`).
    """

    layers: tuple[LayerContent, ...]
    terms: int
    term_bits: int
    answers: int
    input_bits: int
    encoder_luts: float = 0.0


def encoder_luts(stage: Encode | None, *, lut_inputs: int = 6) -> NDArray[np.float64] | None:
    """LUTs that each signal of an encoder in hardware takes by itself: its comparators, as they are emitted, and what
    joins them to a code. None where the encoder stands outside.
    """
    if stage is None or not stage.in_hardware:
        return None
    found: list[float] = []
    for feature in stage.features:
        assert feature.word is not None
        each: list[int] = []
        for threshold in feature.word_thresholds():
            bits = len(at_least([str(i) for i in range(feature.word.bits)], threshold, feature.word.format)[1])
            each.append(0 if bits <= 1 else -(-(bits - 1) // (lut_inputs - 1)))
        if stage.coding == "thermometer":
            found += [float(one) for one in each]
        elif feature.word.bits <= lut_inputs:
            found.append(float(len(each).bit_length() if any(each) else 0))
        else:
            found.append(float(sum(each) + (len(each).bit_length() if len(each) > 1 and any(each) else 0)))
    return np.array(found)


def read_content(
    layers: Sequence[RawLayer],
    codes: Sequence[TableCodes],
    *,
    answers: int,
    encoder: NDArray[np.float64] | None = None,
    lut_inputs: int = 6,
) -> Content:
    """Return what a network of `layers` holds, given the codes that enter each of them on some rows.

    A pin counts where its table depends on it and its source is not constant on the rows; a table counts where its
    code changes, no earlier table of its layer equals it, and a table that counts reads it (the last layer's all do).
    encoder: see `encoder_luts`.
    """
    live = [_live_pins(layer, given) for layer, given in zip(layers, codes, strict=True)]
    needed: list[NDArray[np.bool_]] = []
    read = np.ones(len(layers[-1].sources), dtype=np.bool_)
    for index in range(len(layers) - 1, -1, -1):
        layer, pins = layers[index], live[index]
        count = read & pins.any(axis=1)
        if index < len(layers) - 1:
            count &= _different(layer, pins)
        needed.insert(0, count)
        read = np.zeros(codes[index].shape[1], dtype=np.bool_)
        read[layer.sources[count[:, None] & pins]] = True
    found = [_layer(*parts, lut_inputs=lut_inputs) for parts in zip(layers, live, needed, codes, strict=True)]
    last = layers[-1]
    ends = 0.0 if encoder is None else float(encoder[read].sum())
    return Content(tuple(found), len(last.sources) // answers, last.bits, answers, layers[0].source_bits, ends)


def network_layers(network: LutNetwork, features: NDArray) -> tuple[list[RawLayer], list[TableCodes], int]:
    """Return the layers of an extracted network, before any pass, the codes that enter each on real rows, and answers.

    Tables of a stage must be of one shape, as those of an extracted network are; else it is an UnsupportedModel.
    """
    given = np.asarray(features if network.encode is None else encode(network.encode, features), dtype=np.int32)
    outs = trace(network, given)
    layers: list[RawLayer] = []
    codes: list[TableCodes] = []
    answers = 1
    first = 0 if network.encode is None else 1
    for index, stage in enumerate(network.core):
        if not isinstance(stage, Tables):
            continue
        formats = network.stage_inputs(index + first)
        bits = {formats[s].bits for neuron in stage.neurons for s in neuron.sources}
        fans = {len(neuron.sources) for neuron in stage.neurons}
        if len(bits) != 1 or len(fans) != 1:
            raise UnsupportedModel(
                f"stage {stage.name!r} has tables of several shapes; read a network as it was extracted"
            )
        sources = np.array([neuron.sources for neuron in stage.neurons], dtype=np.int64)
        tables = np.stack([neuron.table for neuron in stage.neurons]).astype(np.int32)
        layers.append(RawLayer(stage.name, sources, tables, bits.pop(), stage.neurons[0].format.bits))
        codes.append(outs[index - 1] if index else given)
        answers = len(stage.neurons)
    sums = [stage for stage in network.core if isinstance(stage, Sums)]
    return layers, codes, len(sums[-1].sums) if sums else answers


def _live_pins(layer: RawLayer, codes: TableCodes) -> NDArray[np.bool_]:
    """Which pins matter, (tables, pins): the table depends on them, and their sources take more than one code."""
    count, pins = layer.sources.shape
    depends = np.empty((count, pins), dtype=np.bool_)
    width = 1 << layer.source_bits
    for pin in range(pins):
        view = layer.tables.reshape(count, -1, width, width**pin)
        depends[:, pin] = (view != view[:, :, :1]).any(axis=(1, 2, 3))
    moves = (codes != codes[:1]).any(axis=0)
    return depends & moves[layer.sources]


def _different(layer: RawLayer, pins: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which tables are the first of their kind: equal codes of equal sources count once."""
    seen: set[bytes] = set()
    first = np.empty(len(layer.sources), dtype=np.bool_)
    for row in range(len(first)):
        key = np.where(pins[row], layer.sources[row], -1).tobytes() + layer.tables[row].tobytes()
        first[row] = key not in seen
        seen.add(key)
    return first


def _layer(
    layer: RawLayer,
    pins: NDArray[np.bool_],
    needed: NDArray[np.bool_],
    codes: TableCodes,
    *,
    lut_inputs: int,
) -> LayerContent:
    address = layer.sources.shape[1] * layer.source_bits
    shape_luts = len(layer.sources) * worst_case_luts(address, layer.bits, lut_inputs=lut_inputs)
    rows = np.flatnonzero(needed)
    blank = LayerContent(layer.name, len(layer.sources), address, layer.bits, shape_luts, 0, 0, 0.0, 0.0, 0)
    if not len(rows):
        return blank
    luts, entropy, reach = 0, 0.0, 0.0
    for row in rows:
        used = layer.sources[row][pins[row]]
        at = np.zeros(len(codes), dtype=np.int64)
        full = np.zeros(len(codes), dtype=np.int64)
        for pin, source in enumerate(layer.sources[row]):
            full |= codes[:, source].astype(np.int64) << (pin * layer.source_bits)
        for place, source in enumerate(used):
            at |= codes[:, source].astype(np.int64) << (place * layer.source_bits)
        out = layer.tables[row][full]
        changing = int(np.bitwise_or.reduce(out ^ out[0])).bit_count()
        mine = len(used) * layer.source_bits
        luts += worst_case_luts(mine, max(1, changing), lut_inputs=lut_inputs)
        share = np.unique(out, return_counts=True)[1] / len(out)
        entropy += float(-(share * np.log2(share)).sum()) / layer.bits
        reach += float(np.log2(len(np.unique(at)))) / max(1, mine)
    signals = len(np.unique(layer.sources[rows][pins[rows]]))
    return replace(
        blank,
        live=len(rows),
        live_luts=luts,
        entropy=entropy / len(rows),
        reach=reach / len(rows),
        signals=signals,
    )
