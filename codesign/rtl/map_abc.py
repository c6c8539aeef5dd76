"""Maps tables with ABC: many tables a process, several starts a table, the smallest result kept."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from codesign.errors import ToolFailed
from codesign.rtl.map_builder import Builder
from codesign.rtl.map_direct import Problem
from codesign.rtl.mapped import CONSTANT, Netlist, netlist_depths
from codesign.tools.abc import Blif, parse_blif, run_abc, truth_text
from codesign.tools.find import Found

__all__ = ["EFFORTS", "RECIPE", "Effort", "map_with_abc", "size"]

Effort = Literal["low", "normal", "high"]

RECIPE = 2
"""Version of everything in this file that decides a netlist; part of the cache's key."""

_BATCH_COST = 1 << 17  # table bits a process: long enough to hide its start, short enough to spread over workers


@dataclass(frozen=True)
class _Start:
    """One way to map a table.

    rounds:     of variable reordering.
    care:       True uses the don't-cares, False maps the table as it stands: either may end smaller.
    order_seed: of the order in which the address bits are given; None for their own.
    finish:     commands after the diagram is made.
    """

    rounds: int
    care: bool
    order_seed: int | None
    finish: str


# `&ttopt` (Miyasaka et al., IWLS 2022) makes a shared decision diagram over the best variable order it finds. Mapping
# for depth and back to an AIG flattens it; the last mapping is for area. `mfs2 -L 2` may deepen a path by two.
_FLATTEN = "if -K {k}; mfs2 -a -L 2; strash; "
_ONCE = _FLATTEN + "if -K {k} -a; mfs2; strash; if -K {k} -a; mfs2 -a"
_TWICE = _FLATTEN + _ONCE

_NORMAL = (_Start(20, True, None, _ONCE), _Start(1, False, None, _ONCE))

EFFORTS: dict[Effort, tuple[_Start, ...]] = {
    "low": _NORMAL[:1],
    "normal": _NORMAL,
    "high": _NORMAL
    + tuple(
        _Start(rounds, care, seed, _TWICE)
        for rounds, seed in ((20, None), (1, None), (20, 1), (20, 2))
        for care in (False, True)
    ),
}
"""Ways that are tried on every table; the smallest result is kept, so that more effort never gives more nodes.

On a sample of jsc-l's tables a second way saved 1.5 % of the nodes; flattening twice, both with and without
don't-cares, 1 % more in 1.6 times the time.
"""


@dataclass(frozen=True)
class _Task:
    """One start of one table: its files are <number>.tt, <number>.care, <number>.blif."""

    number: int
    problem: int
    columns: NDArray[np.uint8]
    care: NDArray[np.bool_] | None
    order: tuple[int, ...]
    start: _Start


def map_with_abc(
    problems: Sequence[Problem],
    *,
    lut_inputs: int,
    effort: Effort,
    program: Found,
    workers: int,
    timeout_s: float | None = None,
) -> list[list[Netlist]]:
    """Return for every table its netlists, smallest first (then shallowest, then in the order of starts).

    Each table must have more address bits than `lut_inputs`. The result does not depend on `workers`. timeout_s: for
    each process; None sets it by the size of the tables. Raises ToolFailed.
    """
    varying = [np.flatnonzero((problem.columns != problem.columns[:, :1]).any(axis=1)) for problem in problems]
    live = [Problem(problem.columns[outputs], problem.care) for problem, outputs in zip(problems, varying, strict=True)]
    tasks = list(_tasks(live, EFFORTS[effort]))
    folder = Path(tempfile.mkdtemp(prefix="codesign_map_"))
    results: list[list[Netlist]] = [[] for _ in problems]
    failed = True
    try:
        batches = _batches(tasks)

        def work(index: int) -> list[Netlist]:
            place = folder / f"batch{index}"
            return _run(batches[index], place, lut_inputs=lut_inputs, program=program, timeout_s=timeout_s)

        for batch, netlists in zip(batches, _parallel(work, len(batches), workers), strict=True):
            for task, netlist in zip(batch, netlists, strict=True):
                results[task.problem].append(netlist)
        failed = False
    finally:
        if not failed:  # a log that an error names must stay
            shutil.rmtree(folder, ignore_errors=True)
    return [
        sorted((_with_constants(one, problem, outputs) for one in netlists), key=size)
        for netlists, problem, outputs in zip(results, problems, varying, strict=True)
    ]


def _with_constants(netlist: Netlist, problem: Problem, varying: NDArray[np.int64]) -> Netlist:
    """Put back the outputs that never change, which `read_truth` takes for tables without an input."""
    outputs = [CONSTANT[int(bit)] for bit in problem.columns[:, 0]]
    for output, signal in zip(varying.tolist(), netlist.outputs, strict=True):
        outputs[output] = signal
    return dataclasses.replace(netlist, outputs=tuple(outputs))


def size(netlist: Netlist) -> tuple[int, int]:
    """Return what the best netlist has least of: nodes, then depth."""
    return len(netlist.nodes), max(netlist_depths(netlist), default=0)


def _tasks(problems: Sequence[Problem], starts: Sequence[_Start]) -> Iterator[_Task]:
    number = 0
    for index, problem in enumerate(problems):
        for start in starts:
            care = problem.care if start.care else None
            if start.care and care is None and dataclasses.replace(start, care=False) in starts:
                continue  # without don't-cares the two are the same
            order, columns = tuple(range(problem.address_bits)), problem.columns
            if start.order_seed is not None:
                order = tuple(np.random.default_rng(start.order_seed).permutation(problem.address_bits).tolist())
                rows = _reordered(order)
                columns, care = columns[:, rows], None if care is None else care[rows]
            yield _Task(number, index, columns, care, order, start)
            number += 1


def _reordered(order: Sequence[int]) -> NDArray[np.int64]:
    """Return for every row of the reordered table its row in the given one; new bit i is bit order[i]."""
    rows = np.arange(1 << len(order))
    out = np.zeros_like(rows)
    for new, old in enumerate(order):
        out |= (rows >> new & 1) << old
    return out


def _batches(tasks: Sequence[_Task]) -> list[list[_Task]]:
    """Group tasks for one process each, the costly first, so that the last to end are short."""
    ordered = sorted(tasks, key=lambda task: (-task.columns.size, task.number))
    out: list[list[_Task]] = []
    room = 0
    for task in ordered:
        if room < task.columns.size:
            out.append([])
            room = max(_BATCH_COST, task.columns.size)
        out[-1].append(task)
        room -= task.columns.size
    return out


def _parallel(work: Callable[[int], list[Netlist]], count: int, workers: int) -> Iterator[list[Netlist]]:
    """Run work(0) to work(count - 1) in threads (the processes do the work); results in order."""
    pool = ThreadPoolExecutor(max(1, min(workers, count)))
    try:
        yield from pool.map(work, range(count))
    finally:
        pool.shutdown(cancel_futures=True)


def _run(
    batch: Sequence[_Task], folder: Path, *, lut_inputs: int, program: Found, timeout_s: float | None
) -> list[Netlist]:
    folder.mkdir(parents=True)
    lines: list[str] = []
    for task in batch:
        name = f"{task.number}"
        (folder / f"{name}.tt").write_text(truth_text(task.columns), encoding="ascii")
        care = ""
        if task.care is not None:
            (folder / f"{name}.care").write_bytes(_care_patterns(task.care))
            care = f" -R 1 {name}.care"
        inputs, outputs = len(task.order), len(task.columns)
        finish = task.start.finish.format(k=lut_inputs)
        lines.append(
            f"read_truth -f {name}.tt; strash; &get -n; &ttopt -I {inputs} -O {outputs} -X {task.start.rounds}{care}; "
            f"&put; {finish}; write_blif {name}.blif"
        )
    if timeout_s is None:
        timeout_s = 120 + sum(task.columns.size for task in batch) / 500
    done = run_abc("\n".join(lines) + "\n", folder, program=program, timeout_s=timeout_s)
    out: list[Netlist] = []
    for task in batch:
        path = folder / f"{task.number}.blif"
        if not path.exists():
            raise ToolFailed(
                f"ABC at {program.path} ended without writing {path.name}; log: {done.log}",
                command=done.command,
                status="no result",
                log=done.log,
            )
        out.append(_netlist(parse_blif(path.read_text(encoding="utf-8", errors="replace"), source=path), task, path))
    shutil.rmtree(folder, ignore_errors=True)
    return out


def _care_patterns(care: NDArray[np.bool_]) -> bytes:
    """Return the file of input patterns that `&ttopt` counts: a row of 64-bit words an address bit.

    Every cared-for row stands twice or more, so that the rows counted at least once, or more than once, are the same.
    """
    rows = np.repeat(np.flatnonzero(care), 2)
    rows = np.concatenate([rows, np.full(-len(rows) % 64, rows[0])])
    width = len(care).bit_length() - 1
    bits = np.stack([rows >> bit & 1 for bit in range(width)]).astype(np.uint8)
    return np.packbits(bits, axis=1, bitorder="little").tobytes()


def _netlist(blif: Blif, task: _Task, path: Path) -> Netlist:
    """Turn a BLIF model over the task's order of address bits into a netlist over the table's."""
    if len(blif.inputs) != len(task.order) or len(blif.outputs) != len(task.columns):
        raise ToolFailed(
            f"{path}: ABC must write {len(task.order)} inputs and {len(task.columns)} outputs, "
            f"not {len(blif.inputs)} and {len(blif.outputs)}",
            status="unreadable",
            log=path,
        )
    builder = Builder(len(task.order))
    literals = {name: builder.input(bit) for name, bit in zip(blif.inputs, task.order, strict=True)}
    drivers = {node.output: node for node in blif.nodes}
    stack = list(reversed(blif.outputs))
    opened: set[str] = set()
    while stack:
        name = stack[-1]
        if name in literals:
            stack.pop()
            continue
        node = drivers[name]
        missing = [source for source in node.inputs if source not in literals]
        if not missing:
            literals[name] = builder.node([literals[source] for source in node.inputs], node.mask)
        elif name in opened:
            raise ToolFailed(f"{path}: ABC wrote a loop through {name!r}", status="unreadable", log=path)
        else:
            opened.add(name)
            stack += missing
    return builder.finish([literals[name] for name in blif.outputs])[0]
