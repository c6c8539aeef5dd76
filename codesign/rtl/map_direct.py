"""Maps tables without a minimiser: one node an output bit where the address is short, else sub-tables and multiplexers.

The structure is Shannon's: the top address bits choose among sub-tables of one node each. It never takes more nodes
than `codesign.accel.worst_case_luts`; equal sub-tables and constants make it fewer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.rtl.map_builder import Builder
from codesign.rtl.mapped import Netlist

__all__ = ["Problem", "map_direct", "map_structural", "reduce_support"]

Bits = NDArray[np.uint8]
Care = NDArray[np.bool_]

_MUX2_MASK = sum(1 << row for row in range(8) if row >> (row >> 2) & 1)
_MUX4_MASK = sum(1 << row for row in range(64) if row >> (row >> 4) & 1)
# A 4:1 multiplexer of 4-input nodes: f(s0, s1, d0, d1) = s1 ? s0 : (s0 ? d1 : d0); then s1 ? (f ? d3 : d2) : f.
_LOW_HALF_MASK = sum(
    1 << row for row in range(16) if (row & 1 if row >> 1 & 1 else (row >> 3 & 1 if row & 1 else row >> 2 & 1))
)
_HIGH_HALF_MASK = sum(
    1 << row for row in range(16) if ((row >> 3 & 1 if row & 1 else row >> 2 & 1) if row >> 1 & 1 else row & 1)
)


class Problem:
    """One table to be mapped: `columns` (output bits, rows) of 0 and 1, and the rows that matter (None: all)."""

    def __init__(self, columns: Bits, care: Care | None):
        self.columns = columns
        self.care = None if care is None or bool(care.all()) else care

    @property
    def address_bits(self) -> int:
        """Width of the address."""
        return self.columns.shape[1].bit_length() - 1

    @property
    def output_bits(self) -> int:
        """Bits of the code."""
        return len(self.columns)


def reduce_support(columns: Bits, care: Care | None) -> tuple[list[int], Bits, Care | None]:
    """Drop every address bit that is not needed on the cared-for rows, the highest first.

    Returns the bits kept (ascending), the columns over them and their care set; rows that no longer matter take the
    value of the row that does.
    """
    width = columns.shape[1].bit_length() - 1
    kept = list(range(width))
    for bit in reversed(range(width)):
        at = kept.index(bit)
        halves = columns.reshape(len(columns), -1, 2, 1 << at)
        low, high = halves[:, :, 0], halves[:, :, 1]
        if care is None:
            if not np.array_equal(low, high):
                continue
            columns = low.reshape(len(columns), -1)
        else:
            cares = care.reshape(-1, 2, 1 << at)
            care_low, care_high = cares[:, 0], cares[:, 1]
            if ((low != high) & (care_low & care_high)).any():
                continue
            columns = np.where(care_low, low, high).reshape(len(columns), -1)
            care = (care_low | care_high).reshape(-1)
        kept.remove(bit)
    return kept, np.ascontiguousarray(columns), care


def map_direct(problem: Problem, lut_inputs: int) -> Netlist | None:
    """Return one node an output bit, or None where some output bit needs more than `lut_inputs` address bits."""
    builder = Builder(problem.address_bits)
    outputs: list[int] = []
    for column in problem.columns:
        kept, reduced, _ = reduce_support(column[None], problem.care)
        if len(kept) > lut_inputs:
            return None
        outputs.append(builder.node([builder.input(bit) for bit in kept], _mask(reduced[0])))
    return builder.finish(outputs)[0]


def map_structural(problem: Problem, lut_inputs: int) -> Netlist:
    """Return sub-tables of `lut_inputs` address bits joined by multiplexers, all address bits in their given order."""
    builder = Builder(problem.address_bits)
    outputs = [_shannon(builder, column, problem.address_bits, lut_inputs) for column in problem.columns]
    return builder.finish(outputs)[0]


def _shannon(builder: Builder, column: Bits, width: int, lut_inputs: int) -> int:
    if width <= lut_inputs:
        return builder.node([builder.input(bit) for bit in range(width)], _mask(column))
    # 6-input nodes take away two address bits with one multiplexer, 4-input nodes two with two; an odd bit goes first.
    ways = 2 if (width - lut_inputs) % 2 else 4
    top = [builder.input(bit) for bit in range(width - (ways // 2), width)]
    parts = [_shannon(builder, p, width - ways // 2, lut_inputs) for p in np.split(column, ways)]
    return _multiplex(builder, parts, top, lut_inputs)


def _multiplex(builder: Builder, data: Sequence[int], select: Sequence[int], lut_inputs: int) -> int:
    if len(data) == 2:
        return builder.node([*data, *select], _MUX2_MASK)
    if lut_inputs >= 6:
        return builder.node([*data, *select], _MUX4_MASK)
    if data[0] == data[1] and data[2] == data[3]:
        return builder.node([data[0], data[2], select[1]], _MUX2_MASK)
    low = builder.node([*select, data[0], data[1]], _LOW_HALF_MASK)
    return builder.node([low, select[1], data[2], data[3]], _HIGH_HALF_MASK)


def _mask(column: Bits) -> int:
    return int.from_bytes(np.packbits(column, bitorder="little").tobytes(), "little")
