"""The blocks of an emitted pipeline, and how counts by block become counts by part and by stage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from codesign.rtl.design import Design

__all__ = ["Blocks", "by_part", "by_stage"]


@dataclass(frozen=True)
class Blocks:
    """The combinational blocks of a design, in pipeline order.

    names: instances in the top module; parts, stages: what each is for, and the stage it belongs to.
    all_registered: True where a register follows each block, so that each lies alone between two registers.
    last_wires: names, besides its own, of what the last register drives.
    """

    names: tuple[str, ...]
    parts: tuple[str, ...]
    stages: tuple[str, ...]
    all_registered: bool
    last_wires: tuple[str, ...]

    @staticmethod
    def of(design: Design) -> Blocks:
        """Read the blocks from a design: modules `<top>_<block>` in compile order that are not of the interface."""
        modules = [PurePosixPath(source).stem for source in design.sources]
        prefix = f"{design.top}_"
        names = tuple(
            module.removeprefix(prefix)
            for module in modules
            if module.startswith(prefix) and module in design.parts and design.parts[module] != "interface"
        )
        registers = len(design.registers_after) + sum(count for _, count in design.registers_inside)
        return Blocks(
            names,
            tuple(design.parts[prefix + name] for name in names),
            tuple(_stage(name, names) if design.registers_inside else name for name in names),
            registers == len(names),
            ("out_data",) if design.interface == "bare" else ("skid.in_data",),
        )


def _stage(block: str, blocks: tuple[str, ...]) -> str:
    """Return the stage of a block: its name without `_s<k>` where the stage is cut into several."""
    match = re.fullmatch(r"(.*)_s\d+", block)
    return match[1] if match and f"{match[1]}_s0" in blocks and f"{match[1]}_s1" in blocks else block


def by_part(luts: Mapping[str, int], blocks: Blocks) -> dict[str, int]:
    """Sum LUTs by part; what is in no block is "interface"."""
    out = dict.fromkeys((*blocks.parts, "interface"), 0)
    for name, part in zip(blocks.names, blocks.parts, strict=True):
        out[part] += luts[name]
    out["interface"] += luts[""]
    return out


def by_stage(luts: Mapping[str, int], blocks: Blocks) -> dict[str, int]:
    """Sum LUTs by stage; the interface is left out."""
    out = dict.fromkeys(blocks.stages, 0)
    for name, stage in zip(blocks.names, blocks.stages, strict=True):
        out[stage] += luts[name]
    return out
