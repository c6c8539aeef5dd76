"""Reads the netlist that yosys wrote: cells by kind, LUT levels, and which block of the design each LUT serves."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesign.errors import MALFORMED, ToolFailed

__all__ = ["Cells", "Netlist", "count_cells", "read_cell_types", "read_netlist"]

_LUTS: dict[str, int] = {
    **{f"LUT{k}": 1 for k in range(1, 7)},
    "INV": 1,
    "SB_LUT4": 1,
    "CCU2C": 2,
    "SRL16E": 1,
    "SRLC32E": 1,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM32X1S": 1,
    "RAM64X1S": 1,
    "RAM128X1S": 2,
    "RAM256X1S": 4,
    "RAM128X1D": 4,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32M16": 8,
    "RAM64M8": 8,
    "TRELLIS_DPR16X4": 6,
}
"""LUTs that a cell takes. yosys writes an inverter of a mapped network as INV: it is a LUT1 here. A
DPR16X4 takes four, and the two of the slice that addresses it."""
_SIZES = {"INV": "LUT1", "SB_LUT4": "LUT4"}
_MUXES = {"MUXF7", "MUXF8", "MUXF9", "PFUMX", "L6MUX21"}
_CARRIES = {"CARRY4", "CARRY8", "CCU2C", "SB_CARRY"}
_FFS = ("FDRE", "FDSE", "FDCE", "FDPE", "TRELLIS_FF", "SB_DFF")
_BRAMS = {
    **dict.fromkeys(("RAMB18E1", "RAMB18E2"), 0.5),
    **dict.fromkeys(("RAMB36E1", "RAMB36E2", "DP16KD", "PDPW16KD", "SB_RAM40_4K"), 1.0),
}
_DSPS = {"DSP48E1", "DSP48E2", "MULT18X18D", "ALU54B", "SB_MAC16"}
_FREE = {"GND", "VCC", "IBUF", "OBUF", "BUFG", "$scopeinfo"}
_MEMORY = {"SRL16E", "SRLC32E", "TRELLIS_DPR16X4", *(kind for kind in _LUTS if kind.startswith("RAM"))}
_AUTONAME = re.compile(r"_(TRELLIS_FF|LUT4|PFUMX|L6MUX21|CCU2C|SB_DFF\w*|SB_LUT4|SB_CARRY)_[A-Z]")
"""Names that yosys makes up from the cells at a wire; they tell nothing of where the wire is."""
_NO_LEVEL = _MUXES | {"CARRY4", "CARRY8", "SB_CARRY"}


@dataclass(frozen=True)
class Cells:
    """Cells by kind. luts_by_size sums to luts; brams in blocks of the device (half blocks count 0.5)."""

    luts: int
    luts_by_size: Mapping[str, int]
    ffs: int
    muxes: int
    carries: int
    brams: float
    dsps: int


def count_cells(types: Mapping[str, int], *, log: Path) -> Cells:
    """Count cells given as type to number. A type that is neither known nor free is a ToolFailed."""
    sizes: Counter[str] = Counter()
    ffs = 0
    for kind, number in types.items():
        if kind in _LUTS:
            sizes[_SIZES.get(kind, kind)] += number * _LUTS[kind]
        elif kind.startswith(_FFS):
            ffs += number
        elif not (kind in _MUXES or kind in _CARRIES or kind in _BRAMS or kind in _DSPS or kind in _FREE):
            raise ToolFailed(
                f"yosys left {number} cells of type {kind!r}, which cannot be counted; log: {log}", log=log
            )
    return Cells(
        sum(sizes.values()),
        dict(sorted(sizes.items())),
        ffs,
        sum(types.get(kind, 0) for kind in _MUXES),
        sum(types.get(kind, 0) for kind in _CARRIES),
        sum(types.get(kind, 0) * size for kind, size in _BRAMS.items()),
        sum(types.get(kind, 0) for kind in _DSPS),
    )


@dataclass(frozen=True)
class _Cell:
    name: str
    kind: str
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[int, ...]

    @property
    def is_register(self) -> bool:
        return self.kind.startswith(_FFS) or self.kind in _BRAMS or self.kind in _DSPS or self.kind in _MEMORY


class Netlist:
    """The flat netlist of one module, after mapping. A wire is a number, as in yosys' JSON."""

    def __init__(self, module: Mapping[str, Any], *, log: Path):
        """`module` is one entry of "modules" in yosys' JSON; foreign structure is a KeyError or TypeError."""
        self.log = log
        self.cells: list[_Cell] = []
        for name, cell in module["cells"].items():
            if not isinstance(cell["type"], str):
                raise TypeError(f"the type of cell {name!r} is {cell['type']!r}")
            if cell["type"] in _FREE:
                continue
            inputs: list[tuple[str, int]] = []
            outputs: list[int] = []
            directions = cell["port_directions"]
            for port, bits in cell["connections"].items():
                wires = [bit for bit in bits if isinstance(bit, int)]  # constants are text
                if directions[port] == "input":
                    inputs += [(port, wire) for wire in wires]
                else:
                    outputs += wires
            self.cells.append(_Cell(name, cell["type"], tuple(inputs), tuple(outputs)))
        self.driver = {wire: cell for cell in self.cells for wire in cell.outputs}
        self._names = {
            name: tuple(bit for bit in net["bits"] if isinstance(bit, int)) for name, net in module["netnames"].items()
        }

    def types(self) -> Counter[str]:
        """Cells by type."""
        return Counter(cell.kind for cell in self.cells)

    def depth(self) -> int:
        """Return the most LUTs in a row on any path between registers or ports.

        Wide multiplexers and the carry chain itself add no level; a combinational loop is a ToolFailed.
        """
        levels: dict[int, int] = {}
        for cell in self._in_order():
            if cell.is_register:
                continue
            level = 0
            for port, wire in cell.inputs:
                step = 0 if cell.kind in _NO_LEVEL or port == "CIN" else 1
                level = max(level, levels.get(wire, 0) + step)
            for wire in cell.outputs:
                levels[wire] = level
        return max(levels.values(), default=0)

    def _in_order(self) -> Iterator[_Cell]:
        """Yield logic cells after the logic that drives them."""
        waiting: dict[int, int] = {}
        readers: defaultdict[int, list[int]] = defaultdict(list)
        logic = [i for i, cell in enumerate(self.cells) if not cell.is_register]
        for i in logic:
            sources = [w for _, w in self.cells[i].inputs if w in self.driver and not self.driver[w].is_register]
            waiting[i] = len(sources)
            for wire in sources:
                readers[wire].append(i)
        ready = [i for i in logic if not waiting[i]]
        done = 0
        while ready:
            i = ready.pop()
            done += 1
            yield self.cells[i]
            for wire in self.cells[i].outputs:
                for reader in readers[wire]:
                    waiting[reader] -= 1
                    if not waiting[reader]:
                        ready.append(reader)
        if done != len(logic):
            raise ToolFailed(f"yosys' netlist has a combinational loop of LUTs; log: {self.log}", log=self.log)

    def luts_by_block(self, blocks: Sequence[str], *, last: Sequence[str]) -> dict[str, int]:
        """Return LUTs by block of the pipeline; what serves no block, or several, stands under "".

        blocks: instances inside the top, in pipeline order, each followed by a register of its own: `<block>_register`,
        which drives `<block>_data`, the next block's `in_data`. last: further names of what the last register drives.
        Nothing but a block lies between two registers, so a LUT belongs to the block whose register its output reaches
        first; one that reaches none, or those of several blocks (an enable), belongs to the interface.
        """
        order = {name: i for i, name in enumerate(blocks)}
        none = len(blocks)
        follows = self._registers(blocks, last)
        readers: defaultdict[int, list[_Cell]] = defaultdict(list)
        for cell in self.cells:
            for _, wire in cell.inputs:
                readers[wire].append(cell)
        place: dict[str, int] = {}
        for cell in reversed(list(self._in_order())):
            ends = {
                follows.get(reader.name, none) if reader.is_register else place[reader.name]
                for wire in cell.outputs
                for reader in readers[wire]
            }
            place[cell.name] = ends.pop() if len(ends) == 1 else none
        counts: Counter[int] = Counter()
        for cell in self.cells:
            counts[place.get(cell.name, none)] += _LUTS.get(cell.kind, 0)
        return {**{name: counts[i] for name, i in order.items()}, "": counts[none]}

    def _registers(self, blocks: Sequence[str], last: Sequence[str]) -> dict[str, int]:
        """Return, by cell name, the block that each flip-flop of a pipeline register follows.

        yosys keeps any one of the names that a wire had: the register's output, or a name inside the next block. Blocks
        hold no flip-flops, so a flip-flop that drives a wire inside a block stands before it.
        """
        order = {block: i for i, block in enumerate(blocks)}
        out: dict[str, int] = {}
        for name, wires in self._names.items():
            instance, dot, rest = name.partition(".")
            if name in last:
                block = len(blocks) - 1
            elif not dot:
                block = order.get(name.removesuffix("_data"), -1)
            elif rest == "out_data" and instance.endswith("_register"):
                block = order.get(instance.removesuffix("_register"), -1)
            else:
                block = order.get(instance, 0) - 1
            if block < 0 or _AUTONAME.search(name):
                continue
            for wire in wires:
                cell = self.driver.get(wire)
                if cell is not None and cell.is_register:
                    out[cell.name] = block
        return out


def read_netlist(path: Path, top: str, *, log: Path) -> Netlist:
    """Read yosys' JSON netlist of module `top`; a missing, truncated or foreign file is a ToolFailed naming the log."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return Netlist(value["modules"][top], log=log)
    except FileNotFoundError:
        raise ToolFailed(f"yosys wrote no netlist {path}; log: {log}", log=log) from None
    except MALFORMED as problem:
        raise ToolFailed(f"yosys' netlist {path} cannot be read ({problem!r}); log: {log}", log=log) from None


def read_cell_types(path: Path, *, log: Path) -> dict[str, dict[str, int]]:
    """Read the file of `stat -json`: module name to cells by type. A missing or foreign file is a ToolFailed."""
    try:
        modules = json.loads(path.read_text(encoding="utf-8"))["modules"]
        return {
            name.removeprefix("\\"): {kind: int(number) for kind, number in module["num_cells_by_type"].items()}
            for name, module in modules.items()
        }
    except FileNotFoundError:
        raise ToolFailed(f"yosys wrote no {path}; log: {log}", log=log) from None
    except MALFORMED as problem:
        raise ToolFailed(f"yosys' {path} cannot be read ({problem!r}); log: {log}", log=log) from None
