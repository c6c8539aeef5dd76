"""Turns every table of a network into a few small nodes, each proven equal to its table on all cared-for rows."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from codesign.accel import worst_case_luts
from codesign.errors import MismatchError, ToolNotFound, ToolTooOld
from codesign.ir import Format, LutNetwork, Neuron, Tables
from codesign.rtl import map_cache
from codesign.rtl.logic import low_bits
from codesign.rtl.map_abc import EFFORTS, RECIPE, Effort, map_with_abc, size
from codesign.rtl.map_builder import Builder
from codesign.rtl.map_direct import Problem, map_direct, map_structural, reduce_support
from codesign.rtl.mapped import (
    MappedNetwork,
    MappedStage,
    Mapper,
    Netlist,
    Node,
    address_rows,
    evaluate_netlist,
    netlist_depths,
    table_codes,
)
from codesign.tools.abc import ABC
from codesign.tools.find import Found, find, wheel_version

__all__ = ["check_mapped", "map_network"]


def map_network(
    network: LutNetwork,
    *,
    lut_inputs: int = 6,
    workers: int | None = None,
    effort: Effort = "normal",
    cache: bool = True,
    timeout_s: float | None = None,
) -> MappedNetwork:
    """Return `network` with every stage of tables as a netlist of nodes of at most `lut_inputs` (6 or 4) inputs.

    Equal tables are mapped once; equal nodes of a stage are one. Don't-cares are used. No table takes more nodes than
    `codesign.accel.worst_case_luts`. Equal arguments give equal netlists, whatever `workers` (None: all processors;
    ABC processes at a time). effort: in how many ways ABC tries each table. cache: keep results in
    ~/.cache/codesign/map (or CODESIGN_CACHE). timeout_s: limit of each ABC process; None sets it by the tables' size.

    Without ABC (and CODESIGN_ABC unset) the tables are built structurally and the result says so in `mapper` and
    `note`. Raises ToolFailed when ABC hangs or writes what cannot be read, MismatchError when a netlist is wrong.
    """
    if lut_inputs not in (4, 6):
        raise ValueError(f"lut_inputs must be 4 or 6, not {lut_inputs!r}")
    if effort not in EFFORTS:
        raise ValueError(f"effort must be one of {', '.join(EFFORTS)}, not {effort!r}")
    program, note = _program()
    mapper: Mapper = "structural" if program is None else "abc"
    recipe = f"recipe {RECIPE}, {note}, {lut_inputs} inputs, effort {effort}" if program else "structural"
    tables = {
        stage.name: [_table(neuron, recipe) for neuron in stage.neurons]
        for stage in network.stages
        if isinstance(stage, Tables)
    }
    different = {table.name: table.problem for part in tables.values() for table in part}
    folder = map_cache.cache_folder() if cache and program is not None else None
    solver = _Solver(lut_inputs, program, effort, workers or os.cpu_count() or 1, folder, timeout_s)
    done = solver.solve(different)
    stages: dict[str, MappedStage] = {}
    for number, stage in enumerate(network.stages):
        if isinstance(stage, Tables):
            parts = [(table, done[table.name]) for table in tables[stage.name]]
            stages[stage.name] = _stage(stage, parts, network.stage_inputs(number))
    result = MappedNetwork(network, stages, lut_inputs, mapper, note, len(different), solver.reused)
    check_mapped(result)
    return result


def check_mapped(mapped: MappedNetwork) -> int:
    """Compare every neuron's nodes with its table on all cared-for rows; return the rows compared.

    A difference is a MismatchError that names stage, neuron, address, wanted and got. What is checked are the nodes of
    the merged stage, as they are written to Verilog; equal nodes for equal tables are run once.
    """
    rows = 0
    proven: set[tuple[Netlist, bytes, bytes]] = set()
    for number, stage in enumerate(mapped.network.stages):
        if not isinstance(stage, Tables):
            continue
        inputs = mapped.network.stage_inputs(number)
        for j, neuron in enumerate(stage.neurons):
            part = _cone(mapped.stages[stage.name], j, neuron, inputs)
            rows += len(neuron.table) if neuron.care is None else int(np.count_nonzero(neuron.care))
            key = (part, neuron.table.tobytes(), b"" if neuron.care is None else neuron.care.tobytes())
            if key not in proven:
                _check_neuron(stage.name, j, neuron, part)
                proven.add(key)
    return rows


def _check_neuron(stage: str, j: int, neuron: Neuron, netlist: Netlist) -> None:
    got = table_codes(netlist, neuron)
    wrong = got != neuron.table
    if neuron.care is not None:
        wrong &= neuron.care
    if wrong.any():
        address = int(np.flatnonzero(wrong)[0])
        raise MismatchError(
            f"mapped stage {stage!r}, neuron {j}, address {address}: wanted code {int(neuron.table[address])}, "
            f"got {int(got[address])} ({int(np.count_nonzero(wrong))} rows differ); the mapper is at fault, "
            "use `rtl.form: table` and report it"
        )


def _cone(stage: MappedStage, j: int, neuron: Neuron, inputs: Sequence[Format]) -> Netlist:
    """Return one neuron's part of a stage, over its address bits instead of the stage's input bits."""
    number = {bit: k for k, bit in enumerate(_address(neuron, inputs))}
    needed: set[int] = set()
    stack = [s for s in stage.outputs[j] if s >= stage.input_bits]
    while stack:
        signal = stack.pop()
        if signal not in needed:
            needed.add(signal)
            stack += [s for s in stage.nodes[signal - stage.input_bits].inputs if s >= stage.input_bits]
    nodes: list[Node] = []
    width = len(number)
    try:
        for signal in sorted(needed):
            node = stage.nodes[signal - stage.input_bits]
            nodes.append(Node(tuple(number[s] for s in node.inputs), node.mask))
            number[signal] = width + len(nodes) - 1
        outputs = tuple(s if s < 0 else number[s] for s in stage.outputs[j])
    except KeyError as problem:
        raise MismatchError(
            f"mapped stage {stage.name!r}, neuron {j} reads input bit {problem}, which is not one of its sources'"
        ) from None
    return Netlist(width, tuple(nodes), outputs)


def _address(neuron: Neuron, inputs: Sequence[Format]) -> list[int]:
    """Return for every address bit of a neuron its bit of the stage's packed input word."""
    low = low_bits(inputs)
    return [low[s] + bit for s in neuron.sources for bit in range(inputs[s].bits)]


def _program() -> tuple[Found | None, str]:
    """Find ABC; without it (and without CODESIGN_ABC, which must be right where it is set) return why."""
    try:
        found = find(ABC)
    except (ToolNotFound, ToolTooOld) as problem:
        if os.environ.get(ABC.variable):
            raise
        return None, str(problem)
    wheel = f", pyosys {wheel_version('pyosys')}" if found.origin == "wheel" else ""
    return found, f"ABC {found.version_text} ({found.origin}{wheel})"


@dataclass(frozen=True)
class _Table:
    """A neuron's table over the address bits that it needs; `kept` says which."""

    name: str
    kept: tuple[int, ...]
    problem: Problem


def _table(neuron: Neuron, recipe: str) -> _Table:
    """Drop the address bits that no output bit needs; name the table by its content."""
    bits = np.arange(neuron.format.bits)[:, None]
    columns = (neuron.table >> bits & 1).astype(np.uint8)
    kept, columns, care = reduce_support(columns, neuron.care)
    problem = Problem(columns, care)
    return _Table(map_cache.key(problem, recipe), tuple(kept), problem)


@dataclass
class _Solver:
    """Maps different tables, each once."""

    lut_inputs: int
    program: Found | None
    effort: Effort
    workers: int
    cache: Path | None
    timeout_s: float | None
    reused: int = 0

    def solve(self, tables: Mapping[str, Problem]) -> dict[str, Netlist]:
        """Return a netlist for every table, from the shortest way that gives the fewest nodes."""
        done: dict[str, Netlist] = {}
        hard: dict[str, Problem] = {}
        for name, problem in tables.items():
            direct = map_direct(problem, self.lut_inputs)
            if direct is not None:
                done[name] = direct
            elif (kept := self._kept(name, problem)) is not None:
                done[name] = kept
                self.reused += 1
            else:
                hard[name] = problem
        for name, netlist in self._minimise(hard).items():
            done[name] = netlist
            if self.cache is not None:
                map_cache.store(self.cache, name, netlist)
        return done

    def _kept(self, name: str, problem: Problem) -> Netlist | None:
        if self.cache is None:
            return None
        netlist = map_cache.load(self.cache, name)
        if netlist is None or netlist.input_bits != problem.address_bits:
            return None
        return netlist if _same(netlist, problem) else None

    def _minimise(self, problems: Mapping[str, Problem]) -> dict[str, Netlist]:
        found: list[list[Netlist]] = [[] for _ in problems]
        if self.program is not None and problems:
            found = map_with_abc(
                list(problems.values()),
                lut_inputs=self.lut_inputs,
                effort=self.effort,
                program=self.program,
                workers=self.workers,
                timeout_s=self.timeout_s,
            )
        out: dict[str, Netlist] = {}
        for (name, problem), netlists in zip(problems.items(), found, strict=True):
            bound = worst_case_luts(problem.address_bits, problem.output_bits, lut_inputs=self.lut_inputs)
            if not netlists or 2 * len(netlists[0].nodes) > bound:
                netlists = [*netlists, map_structural(problem, self.lut_inputs)]
            out[name] = min(netlists, key=size)
        return out


def _same(netlist: Netlist, problem: Problem) -> bool:
    got = evaluate_netlist(netlist, address_rows(problem.address_bits))
    if got.shape != problem.columns.shape:
        return False
    wrong = (got != problem.columns).any(axis=0)
    return not (wrong if problem.care is None else wrong & problem.care).any()


def _stage(stage: Tables, parts: Sequence[tuple[_Table, Netlist]], inputs: Sequence[Format]) -> MappedStage:
    """Join the netlists of a stage's neurons; equal nodes over equal signals become one."""
    builder = Builder(low_bits(inputs)[-1])
    literals: list[int] = []
    for j, (neuron, (table, netlist)) in enumerate(zip(stage.neurons, parts, strict=True)):
        address = _address(neuron, inputs)
        literals += builder.include(netlist, [builder.input(address[bit]) for bit in table.kept], owner=j)
    netlist, owners = builder.finish(literals)
    levels = iter(netlist_depths(netlist))
    ends = iter(netlist.outputs)
    outputs = tuple(tuple(islice(ends, n.format.bits)) for n in stage.neurons)
    depths = tuple(max(islice(levels, n.format.bits)) for n in stage.neurons)
    return MappedStage(stage.name, netlist.input_bits, netlist.nodes, owners, outputs, depths)
