"""Rewrites the readers of signals that were folded, merged, narrowed or renumbered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from codesign.ir import Codes, Decide, Encode, Format, LutNetwork, Neuron, Stage, Sum, Sums, Tables

__all__ = ["Carried", "affine", "keep", "rebuild", "rewire", "sum_range"]


@dataclass(frozen=True, eq=False)
class Carried:
    """Where a reader finds a signal of old.

    signal: the new signal that carries it, or None where it is constant.
    codes:  for each code of the new signal, the code of old that it stands for, or -1 where it cannot occur;
            one entry for a constant; None where both codes and format are as they were.
    """

    signal: int | None
    codes: Codes | None = None


def keep(count: int) -> list[Carried]:
    """Return the map that changes nothing."""
    return [Carried(i) for i in range(count)]


def rewire(stage: Stage, carried: Sequence[Carried], old: tuple[Format, ...], new: tuple[Format, ...]) -> Stage:
    """Return a stage that reads signals in formats `new` and does what `stage` did on those in formats `old`."""
    if isinstance(stage, Tables):
        return Tables(stage.name, tuple(_rewire_neuron(n, carried, old, new) for n in stage.neurons))
    if isinstance(stage, Sums):
        return Sums(stage.name, tuple(_rewire_sum(s, carried, old, new) for s in stage.sums))
    if isinstance(stage, Decide):
        return replace(stage, inputs=new)
    return stage


def _rewire_neuron(
    neuron: Neuron, carried: Sequence[Carried], old: tuple[Format, ...], new: tuple[Format, ...]
) -> Neuron:
    links = [carried[s] for s in neuron.sources]
    sources = tuple(dict.fromkeys(link.signal for link in links if link.signal is not None))
    if all(link.codes is None for link in links) and len(sources) == len(links):
        return neuron if sources == neuron.sources else replace(neuron, sources=sources)
    # Axis i of `row` runs over the codes of new source i, last first, so that flattening puts source 0 lowest.
    axes = {s: len(sources) - 1 - i for i, s in enumerate(sources)}
    row = np.zeros([new[s].count for s in reversed(sources)], dtype=np.int32)
    occurs = np.ones(row.shape, dtype=np.bool_)
    shift = 0
    for s, link in zip(neuron.sources, links, strict=True):
        codes = np.arange(old[s].count, dtype=np.int32) if link.codes is None else link.codes
        shape = [1] * row.ndim
        if link.signal is not None:
            shape[axes[link.signal]] = -1
        row = row | (np.maximum(codes, 0) << shift).reshape(shape)
        occurs = occurs & (codes >= 0).reshape(shape)
        shift += old[s].bits
    row, occurs = row.ravel(), occurs.ravel()
    care = occurs if neuron.care is None else occurs & neuron.care[row]
    return Neuron(sources, neuron.table[row], neuron.format, None if care.all() else care)


def affine(codes: Codes, old: Format, new: Format | None) -> tuple[Literal[1, -1], int] | None:
    """Return (sign, offset) with value of old = sign * value of new + offset wherever the new code can occur.

    None where no such pair exists. For a constant (`new` None) the offset is its value.
    """
    valid = np.flatnonzero(codes >= 0)
    before = old.values(codes[valid])
    after = new.values(valid) if new is not None else np.zeros(valid.size, dtype=np.int64)
    if not valid.size:
        return None
    if (before - after == before[0] - after[0]).all():
        return 1, int(before[0] - after[0])
    if (before + after == before[0] + after[0]).all():
        return -1, int(before[0] + after[0])
    return None


def _rewire_sum(total: Sum, carried: Sequence[Carried], old: tuple[Format, ...], new: tuple[Format, ...]) -> Sum:
    bias = total.bias
    weights: dict[int, int] = {}
    for s, sign in zip(total.sources, total.signs, strict=True):
        link = carried[s]
        turn, offset = 1, 0
        if link.codes is not None:
            found = affine(link.codes, old[s], None if link.signal is None else new[link.signal])
            assert found is not None, "a signal that sums read must keep its value up to sign and offset"
            turn, offset = found
        bias += sign * offset
        if link.signal is not None:
            weights[link.signal] = weights.get(link.signal, 0) + sign * turn
    # A signal that was added and subtracted is gone.
    sources = tuple(s for s, weight in weights.items() for _ in range(abs(weight)))
    signs: tuple[Literal[1, -1], ...] = tuple(1 if weights[s] > 0 else -1 for s in sources)
    return Sum(sources, signs, total.format, bias)


def sum_range(total: Sum, formats: Sequence[Format]) -> tuple[int, int]:
    """Return the least and the greatest value of a sum, as the formats of its sources allow."""
    low = high = total.bias
    for s, sign in zip(total.sources, total.signs, strict=True):
        ends = (sign * formats[s].low, sign * formats[s].high)
        low, high = low + min(ends), high + max(ends)
    return low, high


def rebuild(network: LutNetwork, core: Sequence[Stage], *, encode: Encode | None = None) -> LutNetwork:
    """Return the network with another core, and another encoder where one is given."""
    first = encode or network.encode
    return LutNetwork(network.name, (*([first] if first else []), *core), network.inputs)


def cared(neuron: Neuron) -> NDArray[np.bool_]:
    """Return a neuron's care set, all True where it has none."""
    return np.ones(neuron.table.size, dtype=np.bool_) if neuron.care is None else neuron.care
