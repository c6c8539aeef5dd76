"""Chooses the codes of rows that cannot occur so that tables become simpler circuits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.ir import Codes, LutNetwork, Neuron, Stage, Tables
from codesign.passes.base import Details, lossless
from codesign.passes.rewrite import rebuild

__all__ = ["complexity", "fill", "fill_dont_cares"]

_LEAF_BITS = 4
"""Address bits of the sub-tables that `complexity` counts; 4 ranked fillings best among 3, 4 and 6 when mapped."""


@lossless("fills rows that cannot occur so that tables repeat themselves and depend on less")
def fill_dont_cares(network: LutNetwork) -> tuple[LutNetwork, Details]:
    """Fill the rows outside each care set with whichever codes make the table least complex.

    Tried are the codes as they are, the neuron's most frequent code, and `fill` with each source in turn at the top;
    `complexity` chooses. The care sets stay, for a mapper that can use them itself. Idempotent.

    Details: rows_filled (rows whose code changed), neurons_changed, and complexity_before, complexity_after (summed
    over the tables that have don't-cares).
    """
    details: Details = {"rows_filled": 0, "neurons_changed": 0, "complexity_before": 0, "complexity_after": 0}
    core: list[Stage] = []
    formats = network.code_inputs
    for stage in network.core:
        after = stage.formats
        if isinstance(stage, Tables):
            neurons = [_simplified(n, [formats[s].bits for s in n.sources], details) for n in stage.neurons]
            stage = Tables(stage.name, tuple(neurons))
        core.append(stage)
        formats = after
    return rebuild(network, core), details


def _simplified(neuron: Neuron, widths: Sequence[int], details: Details) -> Neuron:
    if neuron.care is None:
        return neuron
    counts = np.bincount(neuron.table[neuron.care], minlength=1)
    tried = [neuron.table, np.where(neuron.care, neuron.table, np.int32(counts.argmax()))]
    for table, care, order in _rotations(widths, neuron.table, neuron.care):
        tried.append(_restored(fill(table, care), widths, order))
    costs = [complexity(table, neuron.format.bits, widths) for table in tried]
    details["complexity_before"] += costs[0]
    details["complexity_after"] += min(costs)
    best = tried[costs.index(min(costs))]
    if best is neuron.table:
        return neuron
    details["rows_filled"] += int((best != neuron.table).sum())
    details["neurons_changed"] += 1
    return Neuron(neuron.sources, best, neuron.format, neuron.care)


def _rotations(
    widths: Sequence[int], table: Codes, care: NDArray[np.bool_]
) -> Iterator[tuple[Codes, NDArray[np.bool_], tuple[int, ...]]]:
    """Yield the table and its care set with each source in turn at the top of the address, and the axes' order."""
    shape = tuple(1 << bits for bits in reversed(widths))
    for turn in range(max(1, len(shape))):
        order = tuple((axis + turn) % len(shape) for axis in range(len(shape)))
        yield table.reshape(shape).transpose(order).ravel(), care.reshape(shape).transpose(order).ravel(), order


def _restored(table: Codes, widths: Sequence[int], order: tuple[int, ...]) -> Codes:
    shape = tuple(1 << bits for bits in reversed(widths))
    turned = table.reshape(tuple(shape[axis] for axis in order))
    return turned.transpose(tuple(int(axis) for axis in np.argsort(order))).ravel()


def fill(table: Codes, care: NDArray[np.bool_]) -> Codes:
    """Return a table (rows,) equal to `table` where cared for, with the other rows chosen; rows a power of two.

    First the table is made independent of every address bit that the cared-for rows allow, highest first. Then, from
    the highest address bit down, two halves of a sub-table that do not contradict one another are made equal
    (two-sided matching of cofactors; Shiple et al., "Heuristic minimization of BDDs using don't cares", DAC 1994).
    Codes are matched whole, so that all output bits simplify in the same places. A table without any cared-for
    row becomes 0.
    """
    levels = table.size.bit_length() - 1
    # -1: not decided. A code and a -1 agree, and the greater of the two is the code.
    codes = np.where(care, table, np.int32(-1))
    for level in reversed(range(levels)):
        _match(codes.reshape(1, -1, 2, 1 << level))
    for level in reversed(range(levels)):
        _match(codes.reshape(-1, 1, 2, 1 << level))
    return np.maximum(codes, 0)


def _match(codes: Codes) -> None:
    """Make both halves equal, in place, at each node whose halves agree; codes (nodes, blocks, 2, rows)."""
    first, second = codes[:, :, 0], codes[:, :, 1]
    agree = ~((first != second) & (first >= 0) & (second >= 0)).reshape(len(codes), -1).any(axis=1)
    codes[agree] = np.maximum(first[agree], second[agree])[:, :, None]


def complexity(table: Codes, bits: int, widths: Sequence[int]) -> int:
    """Return how complex a table of `bits` output bits is: a measure that asks for no mapper and ranks fillings.

    widths: bits of each source. Counts the different non-constant sub-tables of 4 address bits over all output bits,
    and the different pairs of sub-tables that multiplexers join above them; the least over which source is on top.
    """
    everywhere = np.ones(table.size, dtype=np.bool_)
    return min(_parts(turned, bits) for turned, _, _ in _rotations(widths, table, everywhere))


def _parts(table: Codes, bits: int) -> int:
    rows = min(1 << _LEAF_BITS, table.size)
    planes = (table[None, :] >> np.arange(bits, dtype=np.int32)[:, None]) & 1
    leaves = planes.reshape(bits, -1, rows) @ (1 << np.arange(rows, dtype=np.int64))
    functions, names = np.unique(leaves, return_inverse=True)
    names = names.reshape(leaves.shape)
    constant = int(((functions == 0) | (functions == (1 << rows) - 1)).sum())
    count = functions.size
    for _ in range((table.size // rows).bit_length() - 1):
        low, high = names[:, 0::2], names[:, 1::2]
        differ = low != high
        pairs, place = np.unique(low[differ] * count + high[differ], return_inverse=True)
        names = low.copy()
        names[differ] = place + count
        count += pairs.size
    return count - constant
