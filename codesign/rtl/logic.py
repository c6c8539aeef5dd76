"""What every stage offers to the pipeline: combinational levels that a register may stand between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from codesign.ir import Format

__all__ = ["StageLogic", "low_bits", "slice_of", "unused_wire"]


class StageLogic(Protocol):
    """One stage of the network as a chain of combinational levels.

    depths: estimated LUT levels of each level; a register may stand after any of them.
    widths: bits before the first level, between levels, and after the last: one more than `depths`.
    """

    @property
    def name(self) -> str:
        """The stage's name."""
        ...

    @property
    def part(self) -> str:
        """What the stage is for, see `Design.parts`."""
        ...

    @property
    def depths(self) -> tuple[int, ...]:
        """LUT levels of each level."""
        ...

    @property
    def widths(self) -> tuple[int, ...]:
        """Bits at each boundary."""
        ...

    def signals(self) -> dict[str, int]:
        """Name and width of the wires that the stage's last level declares for its output signals."""
        ...

    def verilog(self, module: str, start: int, stop: int) -> str:
        """Return levels `start` to `stop` (exclusive) as a combinational module of in_data and out_data."""
        ...


def low_bits(formats: Sequence[Format]) -> list[int]:
    """Return the lowest bit of every signal in a packed word, and the word's width as last item."""
    out = [0]
    for fmt in formats:
        out.append(out[-1] + fmt.bits)
    return out


def slice_of(word: str, low: int, bits: int) -> str:
    """Return the Verilog text of `bits` bits of `word` from bit `low` upwards."""
    return f"{word}[{low + bits - 1}:{low}]" if bits > 1 else f"{word}[{low}]"


def unused_wire(word: str, width: int, used: set[int]) -> str:
    """Return a comma-separated list of the slices of `word` that stand in no expression; empty where there are none."""
    runs: list[str] = []
    bit = 0
    while bit < width:
        if bit in used:
            bit += 1
            continue
        end = bit
        while end < width and end not in used:
            end += 1
        runs.append(slice_of(word, bit, end - bit))
        bit = end
    return ", ".join(runs)
