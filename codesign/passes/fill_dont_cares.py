"""Chooses the codes of rows that cannot occur so that tables become simpler circuits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.ir import LutNetwork, Neuron, Stage, Tables
from codesign.passes.base import Details, lossless
from codesign.passes.rewrite import rebuild

__all__ = ["decision_nodes", "fill", "fill_dont_cares"]


@lossless("fills rows that cannot occur so that tables depend on less and repeat more")
def fill_dont_cares(network: LutNetwork) -> tuple[LutNetwork, Details]:
    """Fill the rows outside each care set (see `fill`), where that makes the table's decision diagram smaller.

    The care sets stay, for a mapper that can use them itself. Idempotent.

    Details: rows_filled (rows outside the care sets whose code changed), neurons_changed, nodes_before, nodes_after
    (nodes of the decision diagrams of the tables that have don't-cares).
    """
    details: Details = {"rows_filled": 0, "neurons_changed": 0, "nodes_before": 0, "nodes_after": 0}
    core: list[Stage] = []
    for stage in network.core:
        if isinstance(stage, Tables):
            stage = Tables(stage.name, tuple(_simplified(n, details) for n in stage.neurons))
        core.append(stage)
    return rebuild(network, core), details


def _simplified(neuron: Neuron, details: Details) -> Neuron:
    if neuron.care is None:
        return neuron
    filled = fill(neuron.table, neuron.care, neuron.format.bits)
    before, after = (decision_nodes(table, neuron.format.bits) for table in (neuron.table, filled))
    details["nodes_before"] += before
    details["nodes_after"] += min(before, after)
    if after >= before:
        return neuron
    details["rows_filled"] += int((filled != neuron.table).sum())
    details["neurons_changed"] += 1
    return Neuron(neuron.sources, filled, neuron.format, neuron.care)


def fill(table: NDArray[np.int32], care: NDArray[np.bool_], bits: int) -> NDArray[np.int32]:
    """Return a table (rows,) equal to `table` where cared for, with the other rows chosen; rows a power of two.

    Each output bit is treated by itself. First it is made independent of every address bit that the cared-for rows
    allow. Then, from the highest address bit down, two halves of the table that do not contradict one another
    are made equal (two-sided matching of cofactors; Shiple et al., "Heuristic minimization of BDDs using don't
    cares", DAC 1994). Rows that nothing decides, in a table with no cared-for row, become 0.
    """
    levels = max(1, table.size).bit_length() - 1
    value = (table[None, :] >> np.arange(bits)[:, None] & 1).astype(np.bool_)
    value &= care
    known = np.broadcast_to(care, value.shape).copy()
    for level in reversed(range(levels)):
        _match(value.reshape(bits, 1, -1, 2, 1 << level), known.reshape(bits, 1, -1, 2, 1 << level))
    for level in reversed(range(levels)):
        _match(value.reshape(bits, -1, 1, 2, 1 << level), known.reshape(bits, -1, 1, 2, 1 << level))
    return (value.astype(np.int32) << np.arange(bits, dtype=np.int32)[:, None]).sum(axis=0, dtype=np.int32)


def _match(value: NDArray[np.bool_], known: NDArray[np.bool_]) -> None:
    """Make halves equal in place, for each (output bit, node) whose halves agree in all blocks.

    Arrays (output bits, nodes, blocks, 2, rows). An unknown value is False.
    """
    first, second = value[:, :, :, 0], value[:, :, :, 1]
    first_known, second_known = known[:, :, :, 0], known[:, :, :, 1]
    differ: NDArray[np.bool_] = np.any((first ^ second) & first_known & second_known, axis=(2, 3), keepdims=True)
    agree = ~differ[..., None]
    joined = (first | second)[:, :, :, None]
    joined_known = (first_known | second_known)[:, :, :, None]
    np.copyto(value, joined, where=agree)
    np.copyto(known, joined_known, where=agree)


def decision_nodes(table: NDArray[np.int32], bits: int) -> int:
    """Return the nodes of the shared, reduced, ordered decision diagram of a table's output bits.

    The highest address bit is at the root; a measure of how simple a table is that asks for no mapper.
    """
    # Names of equal sub-tables: 0 and 1 for the constants, then one for every new pair of halves.
    names = (table[None, :] >> np.arange(bits)[:, None] & 1).astype(np.int64)
    count = 2
    while names.shape[1] > 1:
        low, high = names[:, 0::2], names[:, 1::2]
        differ = low != high
        pairs, place = np.unique(low[differ] * count + high[differ], return_inverse=True)
        names = low.copy()
        names[differ] = place + count
        count += pairs.size
    return count - 2
