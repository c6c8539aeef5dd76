"""Simulates a generated engine with its program: lint; golden images bit for bit; cycles against the law, by layer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from codesign.accel.engine import Cycles, Program
from codesign.config import EngineSimulateConfig
from codesign.errors import MALFORMED, DataError, MismatchError
from codesign.ir.integer import Integers
from codesign.rtl.engine import EngineDesign
from codesign.simulate.build import source_files
from codesign.simulate.coverage import Coverage, merge
from codesign.simulate.engine import EngineJob, EngineRun, Replies, build_engine, play, read_runs, script_of
from codesign.simulate.engine_bench import WATCHED, run_engine_bench
from codesign.simulate.engine_coverage import EngineFacts, engine_facts, read_watch
from codesign.simulate.engine_failure import Failed, explain_failure
from codesign.simulate.engine_pairs import draw_waits, law_of, run_differences
from codesign.simulate.protocol import cocotb_version
from codesign.simulate.result import ProtocolResult
from codesign.tools.verilator import find_verilator
from codesign.tools.verilator import lint as run_lint

__all__ = ["CycleCount", "EngineSimResult", "bench_coverage", "lint_engine", "simulate_engine"]


@dataclass(frozen=True)
class CycleCount:
    """Clock cycles of something: by the law, and as the hardware's register counted them (None: it gave no answer)."""

    name: str
    predicted: int
    counted: int | None


@dataclass(frozen=True)
class EngineSimResult:
    """One program on one engine in Verilator. Every figure but the predicted cycles is simulated.

    vectors_checked, vectors_mismatched: images compared at full rate, and those with a wrong answer.
    layers: of the last image; load: of LOAD; one_image, all_images: of a run over so many (`vectors_checked`).
    stress_vectors, stress_mismatched, stress: the same with gaps and stalls on the streams, whose cycles the law gives.
    cycles, run_s: clocks of all runs and loads, and the simulator's wall seconds for them, its script included.
    build_s: compiling, also where an earlier build was used (build_cached).
    problems: everything that is not as it must be, one sentence each; after a wrong answer or count, also what differs
        first and where its waveform is. raw: what the cocotb bench printed.
    coverage: states, transitions, layers, options and events that the runs and the cocotb bench reached.
    """

    design: str
    program: str
    vectors_checked: int
    vectors_mismatched: int
    layers: tuple[CycleCount, ...]
    load: CycleCount
    one_image: CycleCount
    all_images: CycleCount
    stress_vectors: int
    stress_mismatched: int
    stress: CycleCount | None
    cycles: int
    build_s: float
    build_cached: bool
    run_s: float
    tool: str
    tool_version: str
    cocotb: ProtocolResult | None
    problems: tuple[str, ...]
    raw: str = ""
    coverage: Coverage | None = None

    @property
    def cycles_per_s(self) -> float:
        """Clock cycles simulated in a second."""
        return self.cycles / max(self.run_s, 1e-9)

    def as_dict(self) -> dict[str, Any]:
        """All figures as plain values, for JSON."""
        coverage = self.coverage.as_dict() if self.coverage is not None else None
        return {**asdict(self), "coverage": coverage, "cycles_per_s": self.cycles_per_s}

    def require_exact(self) -> None:
        """Raise a MismatchError that lists every problem, unless there is none."""
        if self.problems:
            listed = "\n".join(f"- {problem}" for problem in self.problems)
            raise MismatchError(f"the Verilog of {self.program!r} is not what it must be:\n{listed}")


def lint_engine(folder: Path, *, work: Path) -> dict[str, Any]:
    """Lint the engine of `folder` with `verilator --lint-only -Wall`; the log goes to `work`.

    Returns tool, version and wall seconds for an engine without a warning; raises ToolFailed with the warnings.
    """
    design = EngineDesign.load(folder)
    verilator = find_verilator()
    done = run_lint(source_files(design, folder), design.top, work, verilator=verilator)
    return {"tool": "verilator", "version": verilator.version, "warnings": 0, "wall_s": round(done.wall_s, 3)}


def simulate_engine(
    folder: Path,
    program: Program,
    images: ArrayLike,
    answers: ArrayLike,
    *,
    config: EngineSimulateConfig | None = None,
    work: Path,
    waves: Path | None = None,
) -> EngineSimResult:
    """Run `program` on the engine of `folder`: one image, all images, and some with gaps and stalls; compare all.

    images: (samples, channels, height, width) of the program's input; answers: maps that must come back, which must
    be those of the folder's golden vectors. The folder is only read; `work` gets programs and logs, `waves` (where
    given) the waveform of the first thing that is wrong. Differences are counted, not raised: see
    `EngineSimResult.require_exact`. Raises DataError, ToolNotFound, ToolTooOld, ToolFailed.
    """
    settings = config or EngineSimulateConfig()
    if settings.cocotb:
        cocotb_version()  # before anything is compiled
    values, wanted = np.asarray(images, dtype=np.int64), np.asarray(answers, dtype=np.int64)
    _check_golden(folder, program, wanted)
    verilator = find_verilator()
    built = build_engine(folder, work=work, verilator=verilator, timeout_s=settings.timeout_s, jobs=2)
    some = min(settings.stress_vectors, len(values))
    waits = draw_waits(np.random.default_rng(settings.seed), program, some)
    jobs = [EngineJob(program, values[:1]), EngineJob(program, values)]
    jobs += [EngineJob(program, values[:some], *waits)] if some else []
    script = [line for job in jobs for line in script_of(job)]
    watch = work / WATCHED
    replies = play(built.program, script, work=work, seed=settings.seed, timeout_s=settings.timeout_s, watch=watch)
    facts = engine_facts(folder)
    reached = [read_watch(watch, facts, origin="full rate, gaps and stalls")]
    runs = read_runs(jobs, replies)
    laws = [law_of(job) for job in jobs]
    names = ("one image", "full rate", "gaps and stalls")
    problems = [
        f"{name}: {problem}"
        for name, job, law, run in zip(names, jobs, laws, runs, strict=False)
        for problem in run_differences(run, job=job, answers=wanted[: len(job.images)], law=law)
    ]
    if problems and waves is not None:
        failed = _failed(work / "script.txt", jobs, laws, runs, replies, wanted)
        problems += explain_failure(
            folder, failed, built.program, work=waves, seed=settings.seed, timeout_s=settings.timeout_s
        )
    protocol, text = None, ""
    if settings.cocotb:
        protocol, text = run_engine_bench(
            folder, verilator=verilator, work=work / "cocotb", timeout_s=settings.timeout_s, seed=settings.seed
        )
        problems += [f"cocotb test failed: {name}" for name in protocol.failed]
        reached += bench_coverage(work / "cocotb", facts)
    one, full = runs[0], runs[1]
    layers = zip(program.layers, laws[1].layers, full.layer_cycles, strict=True)
    return EngineSimResult(
        design=EngineDesign.load(folder).top,
        program=program.name,
        vectors_checked=len(values),
        vectors_mismatched=_wrong(full, wanted),
        layers=tuple(CycleCount(layer.name, law, counted) for layer, law, counted in layers),
        load=CycleCount("load", laws[1].load, full.load_cycles),
        one_image=CycleCount("one image", laws[0].total, one.cycles),
        all_images=CycleCount(f"{len(values)} images", laws[1].total, full.cycles),
        stress_vectors=some,
        stress_mismatched=_wrong(runs[2], wanted[:some]) if some else 0,
        stress=CycleCount(f"{some} images", laws[2].total, runs[2].cycles) if some else None,
        cycles=sum(run.cycles + run.load_cycles for run in runs),
        build_s=built.seconds,
        build_cached=built.cached,
        run_s=replies.seconds,
        tool="verilator",
        tool_version=verilator.version,
        cocotb=protocol,
        problems=tuple(problems),
        raw=text,
        coverage=merge(reached),
    )


def bench_coverage(work: Path, facts: EngineFacts) -> list[Coverage]:
    """Read what the cocotb bench that ran in `work` reached; nothing where its simulator did not come to its end."""
    watch = work / WATCHED
    return [read_watch(watch, facts, origin="protocol bench")] if watch.is_file() else []


def _failed(
    script: Path,
    jobs: list[EngineJob],
    laws: list[Cycles],
    runs: tuple[EngineRun, ...],
    replies: Replies,
    wanted: Integers,
) -> Failed:
    """Say which image of which job went wrong first: its answers, or, where all are right, its cycles."""
    before = 0
    for index, (job, law, run) in enumerate(zip(jobs, laws, runs, strict=True)):
        count, right = len(job.images), wanted[: len(job.images)]
        if run.answers.shape != right.shape:
            beats = len(replies.beats[index]) if index < len(replies.beats) else 0
            whole = beats // job.program.point.answer_beats(job.program.answers)
            return Failed(script, before + min(whole, count - 1), min(whole, count - 1))
        wrong = (run.answers != right).reshape(count, -1).any(axis=1)
        if wrong.any():
            image = int(wrong.argmax())
            return Failed(script, before + image, image)
        pairs = enumerate(zip(law.layers, run.layer_cycles, strict=True))
        late = next((number for number, (a, b) in pairs if a != b), None)
        if late is not None or run_differences(run, job=job, answers=right, law=law):
            return Failed(script, before + count - 1, count - 1, late)
        before += count
    return Failed(script, 0, 0)


def _wrong(run: EngineRun, wanted: Integers) -> int:
    """How many images have a wrong answer, or none."""
    if run.answers.shape != wanted.shape:
        return len(wanted)
    return int((run.answers != wanted).reshape(len(wanted), -1).any(axis=1).sum())


def _check_golden(folder: Path, program: Program, answers: Integers) -> None:
    """Refuse a folder whose golden vectors are not those answers, or are damaged."""
    path = folder / "vectors" / "program.json"
    try:
        golden: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        given = golden["answers"]
    except FileNotFoundError:
        raise DataError(f"{path} is missing; emit the design again") from None
    except MALFORMED as problem:
        raise DataError(f"{path} does not hold golden vectors ({problem!r}); emit the design again") from None
    listed = np.moveaxis(answers, 1, 3).reshape(len(answers), -1).tolist()
    if given != listed:
        row = next((i for i, (a, b) in enumerate(zip(given, listed, strict=False)) if a != b), len(given))
        raise MismatchError(
            f"{path}: image {row} of {program.name!r}: the golden answers are not the network's; emit the design again"
        )
