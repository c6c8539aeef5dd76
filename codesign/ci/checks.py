"""Runs the checks of one emitted folder, one after another, each within what is left of a time limit."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from codesign.config import SimulateConfig
from codesign.errors import MALFORMED, CodesignError, DataError, ToolFailed
from codesign.rtl import Design
from codesign.simulate import lint as lint_pipeline
from codesign.simulate import simulate
from codesign.simulate.coverage import Coverage, merge
from codesign.simulate.engine_bench import run_engine_bench
from codesign.simulate.engine_coverage import engine_facts, read_watch
from codesign.simulate.engine_failure import explain_failure
from codesign.simulate.engine_replay import Replayed, replay_engine
from codesign.simulate.engine_stage import bench_coverage, lint_engine
from codesign.simulate.pipeline_failure import pipeline_waves
from codesign.simulate.protocol import run_protocol
from codesign.simulate.result import ProtocolResult, SimResult
from codesign.tools.verilator import find_verilator

__all__ = ["Check", "State", "check_rtl", "rtl_folder"]

State = Literal["passed", "failed", "error", "skipped"]


@dataclass(frozen=True)
class Check:
    """One check and how it ended.

    state: "failed" where the Verilog is not what it must be, "error" where nobody can say (a tool is absent or hung,
    a file is damaged, time ran out), "skipped" where the check was not asked for or does not apply.
    detail: what was compared, or what differs first. inputs: vectors, images or tests behind it. output: a log's end.
    reached: what the simulation covered, as (what, how much): it is told, and makes no check fail.
    """

    name: str
    state: State
    detail: str
    inputs: int = 0
    seconds: float = 0.0
    output: str = ""
    reached: tuple[tuple[str, str], ...] = ()

    @property
    def good(self) -> bool:
        """Whether it stands in the way of nothing."""
        return self.state in ("passed", "skipped")


def rtl_folder(path: Path) -> Path:
    """Return the emitted folder of `path`: itself, or that of a run. Neither is a DataError."""
    for folder in (path, path / "5_emit" / "design"):
        if (folder / "design.json").is_file():
            return folder
    raise DataError(f"{path} is neither a run with emitted Verilog nor an emitted folder (no design.json)")


def check_rtl(
    path: Path,
    *,
    work: Path,
    time_limit_s: float = 1800,
    vectors: int | None = None,
    cocotb: bool = True,
    seed: int = 1,
    progress: Callable[[Check], None] | None = None,
) -> tuple[Check, ...]:
    """Check the Verilog of a run or an emitted folder against its golden vectors; return every check, in order.

    work: gets programs, logs and, after a wrong answer, waves.fst. vectors: at most so many golden vectors (of a
    pipeline). cocotb: run the protocol bench too. seed: of gaps, stalls and registers before reset. A check that fails
    is returned, not raised, and those after it still run; DataError where `path` holds no design.
    """
    folder = rtl_folder(path)
    job = _Job(folder, work, time.monotonic() + time_limit_s, vectors, cocotb, seed)
    found: list[Check] = []
    for check in _engine_checks(job) if _is_engine(folder) else _pipeline_checks(job):
        found.append(check)
        if progress is not None:
            progress(check)
    return tuple(found)


@dataclass(frozen=True)
class _Job:
    folder: Path
    work: Path
    deadline: float
    vectors: int | None
    cocotb: bool
    seed: int

    def left_s(self) -> float:
        """Seconds that are left; a ToolFailed where there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise ToolFailed("the time limit is over", status="timeout")
        return left


def _is_engine(folder: Path) -> bool:
    try:
        return json.loads((folder / "design.json").read_text(encoding="utf-8")).get("family") == "engine"
    except MALFORMED as problem:
        raise DataError(f"{folder / 'design.json'} cannot be read ({problem})") from None


def _pipeline_checks(job: _Job) -> Iterator[Check]:
    yield _linted(lambda: lint_pipeline(job.folder, work=job.work / "lint"))
    started = time.monotonic()
    try:
        config = SimulateConfig(vectors=job.vectors, seed=job.seed, cocotb=False, timeout_s=job.left_s())
        result = simulate(job.folder, config=config, work=job.work / "sim")
    except CodesignError as problem:
        yield _error("golden vectors", problem, started)
        for name in ("latency and interval", "gaps and back-pressure"):
            yield Check(name, "error", "not known: golden vectors has ended in an error")
    else:
        yield from _simulated(job, result, time.monotonic() - started)
    design = Design.load(job.folder)
    yield from _protocol(
        job,
        lambda limit: run_protocol(
            design,
            job.folder,
            verilator=find_verilator(),
            work=job.work / "cocotb",
            timeout_s=limit,
            seed=job.seed,
        ),
    )


def _simulated(job: _Job, result: SimResult, seconds: float) -> Iterator[Check]:
    """Split what one simulation showed into its checks, and write waves of the first wrong answer."""
    about = [problem for problem in result.problems if "latency" in problem or "initiation interval" in problem]
    stress = [problem for problem in result.problems if problem.startswith("with gaps")]
    answers = [problem for problem in result.problems if problem not in about and problem not in stress]
    count = result.vectors_checked
    detail = f"{count:,} golden vectors at full rate, bit for bit"
    stressed = result.first_wrong is None
    vector = result.stress_wrong if stressed else result.first_wrong
    if vector is not None:
        left = max(1.0, job.deadline - time.monotonic())
        said = pipeline_waves(
            job.folder, vector, work=job.work / "waves", seed=job.seed, timeout_s=left, stressed=stressed
        )
        (stress if stressed else answers).append(said)
    golden = _verdict("golden vectors", answers, detail, inputs=count, seconds=seconds, output=result.raw)
    yield replace(golden, reached=result.tables.lines() if result.tables is not None else ())
    counted = f"latency {result.latency_cycles} cycles, initiation interval {result.initiation_interval}"
    yield _verdict("latency and interval", about, f"{counted}, as design.json states", inputs=count)
    detail = f"{result.stress_vectors:,} golden vectors with gaps and back-pressure"
    yield _verdict("gaps and back-pressure", stress, detail, inputs=result.stress_vectors)


def _engine_checks(job: _Job) -> Iterator[Check]:
    yield _linted(lambda: lint_engine(job.folder, work=job.work / "lint"))
    started = time.monotonic()
    reached: list[Coverage] = []
    try:
        replayed = replay_engine(job.folder, work=job.work / "sim", timeout_s=job.left_s(), seed=job.seed)
        facts = engine_facts(job.folder)
        if replayed.watch is not None:
            reached.append(read_watch(replayed.watch, facts, origin="golden images"))
    except CodesignError as problem:
        yield _error("golden images", problem, started)
        yield Check("cycles", "error", "not known: golden images has ended in an error")
    else:
        yield from _replayed(job, replayed, started, reached)
    bench = job.work / "cocotb"
    for check in _protocol(
        job,
        lambda limit: run_engine_bench(
            job.folder, verilator=find_verilator(), work=bench, timeout_s=limit, seed=job.seed
        ),
    ):
        if check.state in ("passed", "failed") and reached:
            reached += bench_coverage(bench, engine_facts(job.folder))
            check = replace(check, reached=merge(reached).lines())
        yield check


def _replayed(job: _Job, replayed: Replayed, started: float, reached: list[Coverage]) -> Iterator[Check]:
    """Split what the golden run showed into its checks; after a wrong one look where it began, with a waveform."""
    answers, cycles = list(replayed.answers), list(replayed.cycles)
    if replayed.wrong and replayed.program is not None:
        (answers or cycles).extend(
            explain_failure(
                job.folder,
                replayed.failed(job.folder),
                replayed.program,
                work=job.work / "waves",
                seed=job.seed,
                timeout_s=max(1.0, job.deadline - time.monotonic()),
            )
        )
    detail = f"{replayed.images:,} golden images, bit for bit"
    seconds = time.monotonic() - started
    golden = _verdict("golden images", answers, detail, inputs=replayed.images, seconds=seconds)
    yield replace(golden, reached=reached[0].lines() if reached else ())
    detail = f"{replayed.counts} counts of cycles equal the law's"
    yield _verdict("cycles", cycles, detail, inputs=replayed.counts, output=replayed.text)


def _linted(lint: Callable[[], object]) -> Check:
    started = time.monotonic()
    try:
        lint()
    except ToolFailed as problem:
        return Check("lint", "failed", str(problem), 0, time.monotonic() - started, problem.tail)
    except CodesignError as problem:
        return _error("lint", problem, started)
    return Check("lint", "passed", "verilator -Wall has nothing to say", 0, time.monotonic() - started)


def _protocol(job: _Job, bench: Callable[[float], tuple[ProtocolResult, str]]) -> Iterator[Check]:
    if not job.cocotb:
        yield Check("protocol", "skipped", "not asked for")
        return
    started = time.monotonic()
    try:
        result, text = bench(job.left_s())
    except CodesignError as problem:
        yield _error("protocol", problem, started)
        return
    detail = f"{result.passed} cocotb tests of {result.tests} ({result.skipped} do not apply to the interface)"
    yield _verdict(
        "protocol",
        list(result.failed),
        detail,
        inputs=result.tests,
        seconds=time.monotonic() - started,
        output=text if result.failed else "",
    )


def _verdict(
    name: str,
    problems: list[str] | tuple[str, ...],
    detail: str,
    *,
    inputs: int,
    seconds: float = 0.0,
    output: str = "",
) -> Check:
    state: State = "failed" if problems else "passed"
    return Check(name, state, "\n".join(problems) or detail, inputs, seconds, output)


def _error(name: str, problem: CodesignError, started: float) -> Check:
    tail = problem.tail if isinstance(problem, ToolFailed) else ""
    return Check(name, "error", str(problem), 0, time.monotonic() - started, tail)
