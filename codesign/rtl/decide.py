"""The decision in hardware: a tree of comparators for argmax, comparisons with a constant for thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from codesign.ir import Decide, Format, bits_for_range
from codesign.rtl.compare import at_least, comparator_depth
from codesign.rtl.logic import low_bits, slice_of, unused_wire
from codesign.rtl.templates import render

__all__ = ["ArgmaxLogic", "ThresholdLogic"]


@dataclass(frozen=True)
class _Candidate:
    """A value in the tree, the names of its index's bits (lowest first), and the signals it was chosen from."""

    value: str
    index: tuple[str, ...]


@dataclass(frozen=True)
class ArgmaxLogic:
    """An argmax as a binary tree: at each level neighbours are compared, the left one (lower index) wins a tie.

    Level k decides bit k of the answer, so that no index is ever stored: the lower bits follow the winner.
    """

    stage: Decide
    lut_inputs: int

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.stage.name

    @property
    def part(self) -> str:
        """What the stage is for."""
        return "decide"

    @cached_property
    def common(self) -> Format:
        """The narrowest format that holds every input."""
        return bits_for_range(min(f.low for f in self.stage.inputs), max(f.high for f in self.stage.inputs))

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Candidates before each level, and 1 after the last."""
        out = [len(self.stage.inputs)]
        while out[-1] > 1:
            out.append(-(-out[-1] // 2))
        return tuple(out) if len(out) > 1 else (1, 1)

    @property
    def depths(self) -> tuple[int, ...]:
        """A comparison (its groups of bits, then their joining) and a choice, at each level."""
        compare = 1 if 2 * self.common.bits <= self.lut_inputs else 2
        return (compare + 1,) * (len(self.counts) - 1)

    @property
    def widths(self) -> tuple[int, ...]:
        """Bits at each boundary."""
        return self._widths

    @cached_property
    def _widths(self) -> tuple[int, ...]:
        """Inputs as they come, then value and index bits of every candidate, then the index alone."""
        inside = [count * (self.common.bits + level) for level, count in enumerate(self.counts[1:-1], start=1)]
        return (low_bits(self.stage.inputs)[-1], *inside, self.stage.formats[0].bits)

    def signals(self) -> dict[str, int]:
        """None: the answer is put together from choices of different levels."""
        return {}

    def verilog(self, module: str, start: int, stop: int) -> str:
        """Return levels `start` to `stop` of the tree as one module."""
        stage, width = self.stage.name, self.common.bits
        wires: list[tuple[int, bool, str, str]] = []
        candidates = self._entry(start, wires)
        last = stop == len(self.depths)
        compared = len(self.stage.inputs) > 1
        for level in range(start, stop if compared else start):
            after: list[_Candidate] = []
            for j in range(0, len(candidates), 2):
                left = candidates[j]
                if j + 1 == len(candidates):
                    after.append(_Candidate(left.value, (*left.index, "1'b0")))
                    continue
                right, name = candidates[j + 1], f"{stage}_l{level}_{j // 2}"
                wires.append((1, False, f"{name}_right", f"{right.value} > {left.value}"))
                if level + 1 < len(self.depths):
                    wires.append((width, self.common.signed, name, f"{name}_right ? {right.value} : {left.value}"))
                index: list[str] = []
                for bit, (a, b) in enumerate(zip(left.index, right.index, strict=True)):
                    if a == b:
                        index.append(a)
                        continue
                    wires.append((1, False, f"{name}_i{bit}", f"{name}_right ? {b} : {a}"))
                    index.append(f"{name}_i{bit}")
                after.append(_Candidate(name, (*index, f"{name}_right")))
            candidates = after
        if not last:
            outputs = [name for c in candidates for name in (c.value, *c.index)]
        else:
            outputs = list(candidates[0].index) if compared else ["1'b0"]
        return render(
            "argmax.v.j2",
            stage=stage,
            module=module,
            signals=len(self.stage.inputs),
            first=start == 0,
            last=last,
            input_bits=self.widths[start],
            output_bits=self.widths[stop],
            wires=wires,
            outputs=outputs[::-1],
            unused="" if compared else slice_of("in_data", 0, self.widths[0]),
        )

    def _entry(self, start: int, wires: list[tuple[int, bool, str, str]]) -> list[_Candidate]:
        """Name the candidates that enter level `start`; appends their wires."""
        if len(self.stage.inputs) == 1:
            return []
        stage, width = self.stage.name, self.common.bits
        out: list[_Candidate] = []
        low = low_bits(self.stage.inputs)
        for j in range(self.counts[start]):
            name = f"{stage}_v{j}"
            if start == 0:
                fmt = self.stage.inputs[j]
                value = slice_of("in_data", low[j], fmt.bits)
                if fmt.bits < width:
                    fill = f"in_data[{low[j + 1] - 1}]" if fmt.signed else "1'b0"
                    value = f"{{{{{width - fmt.bits}{{{fill}}}}}, {value}}}"
                index: tuple[str, ...] = ()
            else:
                base = j * (width + start)
                value = slice_of("in_data", base, width)
                index = tuple(f"in_data[{base + width + bit}]" for bit in range(start))
            wires.append((width, self.common.signed, name, value))
            out.append(_Candidate(name, index))
        return out


@dataclass(frozen=True)
class ThresholdLogic:
    """One comparison `value >= threshold` for each signal."""

    stage: Decide
    lut_inputs: int

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.stage.name

    @property
    def part(self) -> str:
        """What the stage is for."""
        return "decide"

    @property
    def depths(self) -> tuple[int, ...]:
        """The widest comparison."""
        return (max(comparator_depth(f.bits, self.lut_inputs) for f in self.stage.inputs),)

    @property
    def widths(self) -> tuple[int, ...]:
        """Signals in, one bit each out."""
        return (low_bits(self.stage.inputs)[-1], len(self.stage.inputs))

    def signals(self) -> dict[str, int]:
        """One wire an output signal."""
        return {f"{self.stage.name}_n{j}": 1 for j in range(len(self.stage.inputs))}

    def verilog(self, module: str, start: int, stop: int) -> str:
        """Return the comparisons; there is one level only."""
        assert (start, stop) == (0, 1)
        low = low_bits(self.stage.inputs)
        used: set[int] = set()
        outputs: list[tuple[str, str]] = []
        for j, fmt in enumerate(self.stage.inputs):
            bits = [f"in_data[{low[j] + bit}]" for bit in range(fmt.bits)]
            expression, read = at_least(bits, self.stage.threshold, fmt)
            used.update(low[j] + bit for bit in read)
            outputs.append((f"{self.stage.name}_n{j}", expression))
        return render(
            "threshold.v.j2",
            stage=self.stage.name,
            module=module,
            threshold=self.stage.threshold,
            input_bits=self.widths[0],
            outputs=outputs,
            unused=unused_wire("in_data", self.widths[0], used),
        )
