"""Adds many weighted bits with small counters: plans, level by level, which bits each counter takes.

A sum is a heap of bits, one column a power of two. A counter takes up to six bits of a column (and of the next) and
gives their count in three, so that on 6-input LUTs one LUT removes one bit. When two bits a column are left, one adder
ends the sum. The heap method is Dadda's (Alta Frequenza 34, 1965); generalised counters on LUTs are described by
Parandeh-Afshar, Brisk and Ienne (FPL 2008).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codesign.ir import Format, Sum

__all__ = ["Bit", "Counter", "Heap", "plan_heap"]


@dataclass(frozen=True)
class Bit:
    """One bit of a heap: bit `index` of the stage's input word, or output `index` of counter `counter`.

    inverted: the heap counts the complement; only inputs are inverted.
    """

    counter: int
    index: int
    inverted: bool = False


@dataclass(frozen=True)
class Counter:
    """Counts bits: `low` weigh 1, `high` weigh 2 (times 2**column), `constant` is added; the result has `outputs`
    bits.
    """

    level: int
    column: int
    low: tuple[Bit, ...]
    high: tuple[Bit, ...]
    constant: int
    outputs: int


@dataclass(frozen=True)
class Heap:
    """How one sum is added: counters by level, then at most two bits (and a constant one) a column for the adder.

    rows: for each bit of the result, lowest first, the bits left in that column.
    ones: for each bit of the result, True where a constant one is left in that column.
    """

    bits: int
    counters: tuple[Counter, ...]
    rows: tuple[tuple[Bit, ...], ...]
    ones: tuple[bool, ...]

    @property
    def levels(self) -> int:
        """Levels of counters before the adder."""
        return 1 + max((c.level for c in self.counters), default=-1)


def plan_heap(total: Sum, inputs: Sequence[Format], low: Sequence[int], *, counter_inputs: int) -> Heap:
    """Plan one exact sum modulo 2**bits of its format, which holds every value it can take.

    inputs, low: formats of the stage's input signals, and the lowest bit of each in the packed word.
    A bit that weighs less than nothing is counted inverted, and what that adds is taken off the constant.
    """
    width = total.format.bits
    columns: list[list[Bit]] = [[] for _ in range(width)]
    constant = total.bias
    for source, sign in zip(total.sources, total.signs, strict=True):
        fmt = inputs[source]
        for bit in range(fmt.bits):
            top = fmt.signed and bit == fmt.bits - 1
            negative = (sign < 0) != top
            if negative:
                constant -= 1 << bit
            if bit < width:
                columns[bit].append(Bit(-1, low[source] + bit, negative))
    ones = [bool(constant >> bit & 1) for bit in range(width)]
    counters: list[Counter] = []
    level = 0
    while max(map(len, columns)) > 2:
        columns = _one_level(columns, ones, counters, level, counter_inputs)
        level += 1
    return Heap(width, tuple(counters), tuple(map(tuple, columns)), tuple(ones))


def _one_level(
    columns: list[list[Bit]], ones: list[bool], counters: list[Counter], level: int, most: int
) -> list[list[Bit]]:
    """Place one level of counters; return the columns after it. Constants that cost nothing leave `ones`."""
    width = len(columns)
    waiting = [list(column) for column in columns]
    counted: list[list[Bit]] = [[] for _ in range(width)]
    kept: list[list[Bit]] = [[] for _ in range(width)]
    tall = max(map(len, waiting)) >= most

    def place(column: int, low: int, high: int = 0) -> None:
        lows = tuple(waiting[column][:low])
        highs = tuple(waiting[column + 1][:high]) if high else ()
        del waiting[column][:low]
        if high:
            del waiting[column + 1][:high]
        largest = low + 2 * high
        outputs = largest.bit_length()
        constant = int(ones[column] and largest + 1 < 1 << outputs)
        if constant:
            ones[column] = False
        outputs = min(outputs, width - column)
        for bit in range(outputs):
            counted[column + bit].append(Bit(len(counters), bit))
        counters.append(Counter(level, column, lows, highs, constant, outputs))

    for column in range(width):
        while len(waiting[column]) >= most:
            place(column, most)
        left = len(waiting[column])
        above = len(waiting[column + 1]) if column + 1 < width else 0
        if most == 6 and left == 5:
            place(column, 5, int(above % 6 == 1))
        elif left == 3 or (left > 3 and not tall):
            place(column, left)
        kept[column] = waiting[column]
        waiting[column] = []
    return [old + new for old, new in zip(kept, counted, strict=True)]  # bits that waited go first
