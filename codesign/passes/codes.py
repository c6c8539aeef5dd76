"""Which codes each signal can take: exact for the encoder, chained through tables and sums signal by signal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.ir import Codes, Encode, Feature, Format, LutNetwork, Neuron, Sum, Sums, Tables

__all__ = [
    "Reached",
    "all_codes",
    "cared_rows",
    "input_codes",
    "neuron_codes",
    "product_rows",
    "reachable_codes",
    "reachable_levels",
    "stage_codes",
    "sum_codes",
    "total_codes",
]

Reached = list[Codes]
"""For each signal of a stage, the codes it can take, ascending; empty where they are too many to list (any code)."""

_MAX_SUM_STEPS = 1 << 24
"""Work spent on the exact set of a sum; past it the whole range of the sum counts as reachable."""

_MAX_LISTED = 1 << 18
"""Codes listed for one signal at most; a wider signal may take any code, as far as the passes know."""


def all_codes(fmt: Format) -> Codes:
    """Return every code of a format, or an empty array where they are too many to list."""
    if fmt.count > _MAX_LISTED:
        return np.zeros(0, dtype=np.int32)
    return np.arange(fmt.count, dtype=np.int32)


def reachable_levels(feature: Feature) -> Codes:
    """Return the counts of thresholds that some input passes, ascending: equal thresholds are passed together,
    and thresholds outside the range of the feature's word always or never."""
    if feature.word is None:
        thresholds = np.asarray(feature.thresholds, dtype=np.float64)
        return np.unique(np.concatenate([[0], np.searchsorted(thresholds, thresholds, side="right")])).astype(np.int32)
    words = np.asarray(feature.word_thresholds(), dtype=np.int64)
    low, high = feature.word.format.low, feature.word.format.high
    tried = np.concatenate([[low], words[(words > low) & (words <= high)]])
    return np.unique(np.searchsorted(words, tried, side="right")).astype(np.int32)


def _encoder_codes(stage: Encode) -> Reached:
    out: Reached = []
    for feature in stage.features:
        levels = reachable_levels(feature)
        if stage.coding == "binary":
            out.append(levels)
        else:
            out += [np.unique(levels > t).astype(np.int32) for t in range(len(feature.thresholds))]
    return out


def product_rows(sources: Sequence[int], formats: Sequence[Format], reached: Reached) -> NDArray[np.bool_]:
    """Return which addresses (2**address_bits,) are made of codes that each source can take."""
    rows = np.ones(1, dtype=np.bool_)
    for s in sources:
        mask = np.full(formats[s].count, not len(reached[s]), dtype=np.bool_)
        mask[reached[s]] = True
        rows = (mask[:, None] & rows[None, :]).ravel()
    return rows


def cared_rows(neuron: Neuron, formats: Sequence[Format], reached: Reached) -> NDArray[np.bool_]:
    """Return which rows of a table can occur, as far as its care set and its sources' codes say."""
    if all(len(reached[s]) in (0, formats[s].count) for s in neuron.sources):
        return np.ones(neuron.table.size, dtype=np.bool_) if neuron.care is None else neuron.care
    rows = product_rows(neuron.sources, formats, reached)
    return rows if neuron.care is None else rows & neuron.care


def neuron_codes(neuron: Neuron, rows: NDArray[np.bool_]) -> Codes:
    """Return the codes that a neuron gives on the cared rows; its code at row 0 where no row is cared for."""
    if neuron.format.count > 4 * neuron.table.size:
        codes = np.unique(neuron.table[rows])
    else:
        seen = np.zeros(neuron.format.count, dtype=np.bool_)
        seen[neuron.table[rows]] = True
        codes = np.flatnonzero(seen).astype(np.int32)
    return codes if codes.size else neuron.table[:1]


def sum_codes(total: Sum, formats: Sequence[Format], reached: Reached) -> Codes:
    """Return the codes that a sum can take when its sources vary independently, by exact set arithmetic."""
    if any(not len(reached[s]) for s in total.sources):
        return all_codes(total.format)
    weights: dict[int, int] = {}
    for s, sign in zip(total.sources, total.signs, strict=True):
        weights[s] = weights.get(s, 0) + sign
    return total_codes(total, [g * formats[s].values(reached[s]) for s, g in weights.items()])


def total_codes(total: Sum, parts: Sequence[NDArray[np.int64]]) -> Codes:
    """Return the codes of a sum of independent parts, each given by the values (n,) that it can take."""
    values = [np.unique(part) for part in parts]
    low = total.bias + sum(int(v[0]) for v in values)
    high = total.bias + sum(int(v[-1]) for v in values)
    span = high - low + 1
    if span > _MAX_LISTED:
        return all_codes(total.format)
    # Bit i of `sums`: low + i is reached by the parts added so far.
    sums = np.zeros(span, dtype=np.bool_)
    sums[0] = True
    for v in values:
        steps = (v - v[0]).tolist()
        if len(steps) * span > _MAX_SUM_STEPS:
            return np.sort(total.format.codes(np.arange(low, high + 1)))
        more = np.zeros(span, dtype=np.bool_)
        for step in steps:
            more[step:] |= sums[: span - step]
        sums = more
    return np.sort(total.format.codes(np.flatnonzero(sums) + low))


def stage_codes(stage: Tables | Sums, formats: tuple[Format, ...], reached: Reached) -> Reached:
    """Return the codes that leave a stage, given those that enter it."""
    if isinstance(stage, Tables):
        return [neuron_codes(n, cared_rows(n, formats, reached)) for n in stage.neurons]
    return [sum_codes(s, formats, reached) for s in stage.sums]


def input_codes(network: LutNetwork) -> Reached:
    """Return the codes of the signals that enter the core."""
    return _encoder_codes(network.encode) if network.encode else [all_codes(f) for f in network.inputs]


def reachable_codes(network: LutNetwork) -> list[Reached]:
    """Return the codes of the signals that enter the core, then of those that leave each of its Tables and Sums.

    An empty list means: too many to list, any code.
    """
    reached = input_codes(network)
    out = [reached]
    formats = network.code_inputs
    for stage in network.core:
        if isinstance(stage, Tables | Sums):
            reached = stage_codes(stage, formats, reached)
            out.append(reached)
            formats = stage.formats
    return out
