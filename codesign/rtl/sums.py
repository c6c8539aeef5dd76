"""Exact sums in hardware: counters level by level, then one adder a sum; a register may stand between levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from codesign.ir import Format, Sums
from codesign.rtl.heap import Bit, Counter, Heap, plan_heap
from codesign.rtl.logic import low_bits, unused_wire
from codesign.rtl.templates import render

__all__ = ["SumsLogic"]

ADDER_DEPTH = 2
"""LUT levels that the last adder of a sum counts as: one LUT, and its carry chain."""

_Place = tuple[int, Bit]
"""A bit of the heap of one sum; an input bit belongs to all sums and has sum -1."""


@dataclass(frozen=True)
class SumsLogic:
    """A `Sums` stage: levels of counters shared by all its sums, then a level of adders."""

    stage: Sums
    inputs: tuple[Format, ...]
    lut_inputs: int

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.stage.name

    @property
    def part(self) -> str:
        """What the stage is for."""
        return "sums"

    @cached_property
    def heaps(self) -> tuple[Heap, ...]:
        """The plan of each sum."""
        low = low_bits(self.inputs)
        return tuple(plan_heap(s, self.inputs, low, counter_inputs=self.lut_inputs) for s in self.stage.sums)

    @property
    def depths(self) -> tuple[int, ...]:
        """One LUT level a level of counters, and the adder."""
        return (1,) * max(heap.levels for heap in self.heaps) + (ADDER_DEPTH,)

    @property
    def widths(self) -> tuple[int, ...]:
        """Bits at each boundary."""
        return self._widths

    @cached_property
    def _widths(self) -> tuple[int, ...]:
        """Bits in, bits that live between levels, bits out."""
        inside = [len(self._live(level)) for level in range(1, len(self.depths))]
        return (low_bits(self.inputs)[-1], *inside, low_bits(self.stage.formats)[-1])

    def _live(self, level: int) -> list[_Place]:
        """Return the bits that stand before `level` of counters and are read by it or after it, in a fixed order."""
        found: dict[_Place, None] = {}
        for j, heap in enumerate(self.heaps):
            read = [b for c in heap.counters if c.level >= level for b in (*c.low, *c.high)]
            read += [b for row in heap.rows for b in row]
            for bit in read:
                if bit.counter < 0 or heap.counters[bit.counter].level < level:
                    found[_place(j, bit)] = None
        return list(found)

    def signals(self) -> dict[str, int]:
        """One wire an output signal."""
        return {f"{self.stage.name}_n{j}": f.bits for j, f in enumerate(self.stage.formats)}

    def verilog(self, module: str, start: int, stop: int) -> str:
        """Return levels `start` to `stop` of all sums as one module."""
        names: dict[_Place, str] = {}
        if start:
            names = {place: f"in_data[{i}]" for i, place in enumerate(self._live(start))}
        else:
            for i in range(self.widths[0]):
                names[-1, Bit(-1, i)] = f"in_data[{i}]"
        used: set[int] = set()

        def text(j: int, bit: Bit) -> str:
            name = names[_place(j, bit)]
            if name.startswith("in_data["):
                used.add(int(name[8:-1]))
            return f"~{name}" if bit.inverted else name

        blocks: list[dict[str, object]] = []
        shapes: dict[str, dict[str, object]] = {}
        adders = stop == len(self.depths)
        for j, heap in enumerate(self.heaps):
            counters: list[dict[str, object]] = []
            for k, counter in enumerate(heap.counters):
                if not start <= counter.level < stop:
                    continue
                wire = f"{self.stage.name}_n{j}_c{k}"
                for bit in range(counter.outputs):
                    names[j, Bit(k, bit)] = f"{wire}[{bit}]" if counter.outputs > 1 else wire
                function, shape = _shape(counter)
                shapes[function] = shape
                counted = [text(j, b) for b in (*counter.low, *counter.high)]
                counters.append({"wire": wire, "bits": counter.outputs, "function": function, "inputs": counted[::-1]})
            block: dict[str, object] = {"name": f"{self.stage.name}_n{j}", "bits": heap.bits, "counters": counters}
            block["terms"] = len(self.stage.sums[j].sources)
            block["bias"] = self.stage.sums[j].bias
            if adders:
                block["value"] = _adder(heap, [[text(j, b) for b in row] for row in heap.rows])
            blocks.append(block)
        if adders:
            outputs = [str(block["name"]) for block in blocks]
        else:
            outputs = [text(j, bit) for j, bit in self._live(stop)]
        return render(
            "sums.v.j2",
            stage=self.stage.name,
            module=module,
            input_bits=self.widths[start],
            output_bits=self.widths[stop],
            first=start == 0,
            last=adders,
            signals=len(self.inputs),
            shapes=[shapes[key] for key in sorted(shapes)],
            sums=blocks,
            outputs=outputs[::-1],
            unused=unused_wire("in_data", self.widths[start], used),
        )


def _place(j: int, bit: Bit) -> _Place:
    return (-1, Bit(-1, bit.index)) if bit.counter < 0 else (j, bit)


def _shape(counter: Counter) -> tuple[str, dict[str, object]]:
    """Return the name and the contents of the function that counts as this counter does."""
    low, high = len(counter.low), len(counter.high)
    name = f"count{low}" + (f"_{high}" if high else "") + ("_plus1" if counter.constant else "")
    name += "" if counter.outputs == (low + 2 * high).bit_length() else f"_low{counter.outputs}"
    totals = [
        sum(1 + (i >= low) for i in range(low + high) if address >> i & 1) + counter.constant
        for address in range(1 << (low + high))
    ]
    digits = max(1, len(totals) // 4)
    constants = [
        format(sum((total >> bit & 1) << address for address, total in enumerate(totals)), f"0{digits}x")
        for bit in range(counter.outputs)
    ]
    counted = f"{low} bits" + (f" and twice {high}" if high else "") + (", plus one" if counter.constant else "")
    return name, {
        "name": name,
        "counted": counted,
        "inputs": low + high,
        "outputs": counter.outputs,
        "rows": len(totals),
        "constants": constants,
    }


def _adder(heap: Heap, rows: Sequence[Sequence[str]]) -> str:
    """Return the expression that adds what is left in the columns; columns with one bit at the low end pass through."""
    width = heap.bits
    first = 0
    while first < width and len(rows[first]) + heap.ones[first] <= 1:
        first += 1
    passed = [rows[c][0] if rows[c] else f"1'b{int(heap.ones[c])}" for c in range(first)]
    if first == width:
        return "{" + ", ".join(reversed(passed)) + "}" if width > 1 else passed[0]
    operands: list[list[str]] = [[], [], []]
    for column in range(first, width):
        bits = [*rows[column], *["1'b1"] * heap.ones[column]]
        for k, operand in enumerate(operands):
            operand.append(bits[k] if k < len(bits) else "1'b0")
    if all(bit == "1'b0" for bit in operands[2]):
        operands.pop()
    total = " + ".join("{" + ", ".join(reversed(operand)) + "}" for operand in operands)
    return total if not passed else "{" + total + ", " + ", ".join(reversed(passed)) + "}"
