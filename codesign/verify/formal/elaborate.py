"""Reads Verilog through yosys: modules as gates, small constant tables, flip-flops and instances, put into graphs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from codesign.errors import MALFORMED, ToolFailed
from codesign.resources import resource_dir
from codesign.tools.yosys import find_yosys, run_yosys
from codesign.verify.formal.aig import FALSE, TRUE, Aig

__all__ = ["LUT_CELLS", "Instance", "Memory", "Module", "Register", "elaborate", "gates", "run_script"]

MEMORY_GB = 12.0
"""Address space that one run of yosys may take."""

Bit = int | str
"""A wire's number in yosys' JSON, or the text of a constant."""


@dataclass(frozen=True)
class Instance:
    """An instance of another module: what its ports are connected to, lowest bit first."""

    name: str
    module: str
    ports: Mapping[str, tuple[Bit, ...]]


@dataclass(frozen=True)
class Register:
    """One flip-flop, on the rising edge of `clock` (the falling one where `falls`): its input and output wire."""

    name: str
    data: Bit
    output: int
    clock: Bit
    falls: bool


@dataclass(frozen=True)
class Memory:
    """A memory of `size` words with one write port, on a rising clock edge, and one read port without a clock.

    What a read gives is no logic of the module: who builds a circuit must say what `read_data` is.
    """

    name: str
    size: int
    clock: Bit
    write: tuple[Bit, ...]
    write_address: tuple[Bit, ...]
    write_data: tuple[Bit, ...]
    read_address: tuple[Bit, ...]
    read_data: tuple[Bit, ...]


class Module:
    """One module as yosys wrote it, after `proc` and technology mapping to gates."""

    def __init__(self, name: str, module: Mapping[str, Any], *, log: Path):
        """`module` is one entry of "modules" in yosys' JSON."""
        self.name = name
        self.log = log
        self.directions: dict[str, str] = {n: p["direction"] for n, p in module["ports"].items()}
        self.ports: dict[str, tuple[Bit, ...]] = {n: _bits(p["bits"]) for n, p in module["ports"].items()}
        self.names: dict[str, tuple[Bit, ...]] = {n: _bits(v["bits"]) for n, v in module["netnames"].items()}
        self.instances: list[Instance] = []
        self.registers: list[Register] = []
        self.memories: list[Memory] = []
        self._cells: dict[int, tuple[str, Mapping[str, Any], int]] = {}
        for cell_name, cell in module["cells"].items():
            self._add(cell_name, cell)

    def _add(self, name: str, cell: Mapping[str, Any]) -> None:
        kind: str = cell["type"]
        wires: dict[str, Any] = {port: _bits(bits) for port, bits in cell["connections"].items()}
        if kind in ("$scopeinfo", "$specify2", "$specify3", "$specrule"):
            return
        if kind in ("$_DFF_P_", "$_DFF_N_"):
            self.registers.append(Register(name, wires["D"][0], wires["Q"][0], wires["C"][0], kind == "$_DFF_N_"))
        elif kind in LUT_CELLS:
            self._cells[wires["Z" if "Z" in wires else "O"][0]] = (kind, cell, 0)
        elif not kind.startswith("$") or kind.startswith("$paramod"):
            self.instances.append(Instance(name, kind, {port: tuple(bits) for port, bits in wires.items()}))
        elif kind in _GATES or kind == "$lut":
            self._cells[wires["Y"][0]] = (kind, cell, 0)
        elif kind == "$mem_v2" and not int(cell["parameters"]["WR_PORTS"], 2):
            for place, bit in enumerate(wires["RD_DATA"]):
                if isinstance(bit, int):
                    self._cells[bit] = (kind, cell, place)
        elif kind == "$mem_v2" and _is_plain(cell):
            ports = ("WR_CLK", "WR_EN", "WR_ADDR", "WR_DATA", "RD_ADDR", "RD_DATA")
            clock, *others = (tuple(wires[port]) for port in ports)
            self.memories.append(Memory(name, int(cell["parameters"]["SIZE"], 2), clock[0], *others))
        else:
            raise ToolFailed(
                f"module {self.name}: yosys left a cell {name!r} of type {kind!r}, which proofs cannot read; "
                f"log: {self.log}",
                log=self.log,
            )

    @property
    def file_name(self) -> str:
        """The module's name before yosys wrote its parameters into it."""
        match = re.match(r"\$paramod(?:\$[0-9a-f]+)?\\([^\\]+)", self.name)
        return match[1] if match else self.name

    @cached_property
    def register_outputs(self) -> frozenset[int]:
        """The wires that flip-flops drive."""
        return frozenset(register.output for register in self.registers)

    def build(self, aig: Aig, wanted: Sequence[Bit], known: dict[Bit, int]) -> list[int]:
        """Return the wanted wires' literals in `aig`, built from the wires in `known`, which takes what was built.

        A wire that is neither known nor driven by logic is a ToolFailed, and so is a combinational loop. A constant x
        or z stands for a new free input: nothing may depend on it.
        """
        stack: list[Bit] = [bit for bit in wanted if bit not in known]
        under_way: set[Bit] = set()
        while stack:
            bit = stack[-1]
            if bit in known:
                stack.pop()
                continue
            if isinstance(bit, str):
                known[bit] = {"0": FALSE, "1": TRUE}.get(bit, -1)
                if known[bit] < 0:
                    del known[bit]
                    known[bit] = aig.input()
                continue
            if bit not in self._cells:
                raise ToolFailed(
                    f"module {self.name}: no logic drives {self.name_of(bit)}; log: {self.log}", log=self.log
                )
            kind, cell, place = self._cells[bit]
            with self._readable(bit, kind):
                inputs = _inputs(kind, cell, place)
            missing = [one for one in inputs if one not in known]
            if missing:
                if bit in under_way:
                    raise ToolFailed(
                        f"module {self.name}: {self.name_of(bit)} lies in a combinational loop; log: {self.log}",
                        log=self.log,
                    )
                under_way.add(bit)
                stack += missing
                continue
            under_way.discard(bit)
            literals = [known[one] for one in inputs]
            with self._readable(bit, kind):
                if kind == "$lut" or kind in LUT_CELLS:
                    text = cell["parameters"]["LUT" if kind == "$lut" else LUT_CELLS[kind]]
                    known[bit] = aig.table(_column(text, 1 << len(literals)), literals)
                elif kind == "$mem_v2":
                    known[bit] = _rom_bit(aig, cell, place, literals)
                else:
                    known[bit] = _GATES[kind](aig, *literals)
            stack.pop()
        return [known[bit] for bit in wanted]

    @contextmanager
    def _readable(self, bit: int, kind: str) -> Iterator[None]:
        """Say of a cell that is not as yosys writes it where it stands."""
        try:
            yield
        except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, MemoryError) as problem:
            raise ToolFailed(
                f"module {self.name}: the cell of type {kind!r} that drives {self.name_of(bit)} cannot be read "
                f"({problem!r}); log: {self.log}",
                log=self.log,
            ) from None

    def word(self, name: str) -> tuple[Bit, ...]:
        """The wires of a port or a named net, lowest bit first; an absent one is a ToolFailed."""
        found = self.ports.get(name) or self.names.get(name)
        if found is None:
            raise ToolFailed(f"module {self.name} has no net {name!r}; log: {self.log}", log=self.log)
        return found

    def name_of(self, bit: Bit) -> str:
        """A name of a wire, for messages."""
        for name, bits in self.names.items():
            if bit in bits and not name.startswith("$"):
                return f"{name}[{bits.index(bit)}]" if len(bits) > 1 else name
        return f"wire {bit}"


LUT_CELLS = {**{f"LUT{k}": "INIT" for k in range(1, 7)}, "SB_LUT4": "LUT_INIT"}
"""Look-up tables of the device families, read whole, and the parameter that holds their contents (AMD's and Lattice's
LUT4 differ in the names of their pins). That their simulation models mean the same is proven in netlist.py."""

_GATES: dict[str, Callable[..., int]] = {
    "$_BUF_": lambda g, a: a,
    "$_NOT_": lambda g, a: a ^ 1,
    "$_AND_": lambda g, a, b: g.and_(a, b),
    "$_NAND_": lambda g, a, b: g.and_(a, b) ^ 1,
    "$_OR_": lambda g, a, b: g.or_(a, b),
    "$_NOR_": lambda g, a, b: g.or_(a, b) ^ 1,
    "$_XOR_": lambda g, a, b: g.xor_(a, b),
    "$_XNOR_": lambda g, a, b: g.xor_(a, b) ^ 1,
    "$_ANDNOT_": lambda g, a, b: g.and_(a, b ^ 1),
    "$_ORNOT_": lambda g, a, b: g.or_(a, b ^ 1),
    "$_MUX_": lambda g, a, b, s: g.mux(s, b, a),
    "$_NMUX_": lambda g, a, b, s: g.mux(s, b, a) ^ 1,
}


def _bits(value: Any) -> tuple[Bit, ...]:
    """A list of wires and constants, as it stands in yosys' JSON; anything else is a TypeError."""
    if not isinstance(value, list) or not all(isinstance(bit, int | str) for bit in value):
        raise TypeError(f"bits must be numbers and texts, not {value!r}")
    return tuple(value)


def _inputs(kind: str, cell: Mapping[str, Any], place: int) -> list[Bit]:
    wires = cell["connections"]
    if kind == "$lut":
        return list(wires["A"])
    if kind in LUT_CELLS:
        pins = "ABCD" if "Z" in wires else [f"I{k}" for k in range(4 if kind == "SB_LUT4" else int(kind[-1]))]
        return [wires[pin][0] if wires.get(pin) else "x" for pin in pins]
    if kind == "$mem_v2":
        bits = int(cell["parameters"]["ABITS"], 2)
        port = place // int(cell["parameters"]["WIDTH"], 2)
        return list(wires["RD_ADDR"][port * bits : (port + 1) * bits])
    return [wires[port][0] for port in ("A", "B", "S") if port in wires]


def _is_plain(cell: Mapping[str, Any]) -> bool:
    """Whether a memory is what `Memory` says."""
    wanted = {"WR_PORTS": 1, "RD_PORTS": 1, "WR_CLK_ENABLE": 1, "WR_CLK_POLARITY": 1, "RD_CLK_ENABLE": 0, "OFFSET": 0}
    return cell["connections"]["RD_EN"] == ["1"] and all(
        int(cell["parameters"][name], 2) == value for name, value in wanted.items()
    )


def _column(text: str, rows: int) -> np.ndarray:
    """Return a constant's bits, row 0 first; rows past its end are 0."""
    bits = np.frombuffer(text[::-1].encode(), np.uint8) == ord("1")
    return np.resize(np.concatenate([bits, np.zeros(max(0, rows - len(bits)), np.bool_)]), rows).astype(np.uint8)


def _rom_bit(aig: Aig, cell: Mapping[str, Any], place: int, address: list[int]) -> int:
    """Return one bit of a read port of a memory without a write port; what lies outside the memory is a free input."""
    value = {name: text for name, text in cell["parameters"].items()}
    width, size, offset = int(value["WIDTH"], 2), int(value["SIZE"], 2), int(value["OFFSET"], 2)
    port, bit = divmod(place, width)
    if int(value["RD_CLK_ENABLE"][::-1][port]) or cell["connections"]["RD_EN"][port] != "1":
        raise ValueError("a table was read as a memory with a clock or an enable")
    rows = 1 << len(address)
    contents = value["INIT"][::-1]
    column = np.zeros(rows, np.uint8)
    outside = np.ones(rows, np.uint8)
    bits = np.frombuffer(contents.encode(), np.uint8)[bit::width][:size]
    column[offset : offset + len(bits)] = bits == ord("1")
    outside[offset : offset + len(bits)] = (bits != ord("0")) & (bits != ord("1"))
    inside = aig.table(column, address)
    return aig.mux(aig.table(outside, address), aig.input(), inside) if outside.any() else inside


def elaborate(folder: Path, sources: Sequence[str], top: str, *, work: Path, timeout_s: float) -> dict[str, Module]:
    """Read Verilog files (relative to `folder`) with yosys; return every module under `top`, by name, gates only.

    Hierarchy is kept. Tables stay whole: a constant that is indexed by a signal is one cell, and so is a `case`
    statement that yosys takes as a read-only memory.
    """
    files: list[str] = []
    work.mkdir(parents=True, exist_ok=True)
    for number, source in enumerate(sources):
        copy = work / f"source_{number}.v"
        copy.write_bytes((folder / source).read_bytes())
        files.append(f"read_verilog {copy.name}")
    return run_script([*files, *gates(top)], work=work, timeout_s=timeout_s)


def gates(top: str, *, flatten: bool = False) -> list[str]:
    """The yosys commands from a design that was read to gates."""
    return [
        f"hierarchy -check -top {top}",
        "proc",
        *(["flatten"] if flatten else []),
        "opt_expr -keepdc",
        "opt_clean",
        "memory_collect",
        "techmap -map constant_index.v",
        "techmap -D NOLUT",
        "dffunmap",
        "simplemap t:$dff",
        "opt_clean",
        "setattr -unset src */c:*",
    ]


def run_script(commands: Sequence[str], *, work: Path, timeout_s: float) -> dict[str, Module]:
    """Run yosys commands in `work`; return the modules that they leave. Raises ToolFailed."""
    work.mkdir(parents=True, exist_ok=True)
    techmap = (resource_dir("flows") / "yosys" / "constant_index.v").read_text(encoding="utf-8")
    (work / "constant_index.v").write_text(techmap, encoding="utf-8")
    (work / "read.ys").write_text("\n".join([*commands, "write_json modules.json", ""]), encoding="utf-8")
    path = work / "modules.json"
    path.unlink(missing_ok=True)
    done = run_yosys(find_yosys(), "read.ys", work, log="read.log", timeout_s=timeout_s, memory_gb=MEMORY_GB)
    return read_modules(path, log=done.log)


def read_modules(path: Path, *, log: Path) -> dict[str, Module]:
    """Read the JSON that yosys' write_json writes; a missing, truncated or foreign file is a ToolFailed."""
    try:
        modules = json.loads(path.read_text(encoding="utf-8"))["modules"]
        return {name: Module(name, value, log=log) for name, value in modules.items()}
    except FileNotFoundError:
        raise ToolFailed(f"yosys wrote no {path}; log: {log}", log=log) from None
    except MALFORMED as problem:
        raise ToolFailed(f"yosys' {path} cannot be read ({problem!r}); log: {log}", log=log) from None
