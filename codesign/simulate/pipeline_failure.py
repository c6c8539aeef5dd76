"""Writes the waveform of a pipeline's wrong answer, so that a hardware engineer sees it without running anything."""

from __future__ import annotations

from pathlib import Path

from codesign.errors import CodesignError, ToolFailed
from codesign.rtl import Design
from codesign.simulate.bench import STRESS_GAPS, stress_stalls
from codesign.simulate.build import Built, build_harness
from codesign.simulate.harness import run_harness
from codesign.simulate.pipeline_signals import WATCH, Watch, watch_pipeline
from codesign.simulate.traced import Trace, build_traced
from codesign.tools.verilator import find_verilator

__all__ = ["CYCLES_BEFORE", "pipeline_waves"]

CYCLES_BEFORE = 2000
"""Cycles of the waveform before the wrong answer; where the run up to it is shorter, all of it."""


def pipeline_waves(
    folder: Path, vector: int, *, work: Path, seed: int, timeout_s: float, stressed: bool = False
) -> str:
    """Simulate up to golden vector `vector` with every signal traced; say what differs first and where the waveform is.

    What differs is looked for in the codes after each stage and register, where the folder holds its network. The
    harness is compiled once more with tracing: `work`/waves.fst (.vcd where Verilator cannot write FST), from
    `CYCLES_BEFORE` cycles before the answer was due. The run is that of the full rate, or where it is `stressed` that
    with gaps and back-pressure, so cycle for cycle what failed. Where there is no waveform, the reason is told.
    """
    work.mkdir(parents=True, exist_ok=True)
    try:
        design = Design.load(folder)
        watch = watch_pipeline(design, folder, vector)
        try:
            built, kind = _build(design, folder, watch, work, timeout_s)
        except ToolFailed as problem:
            if watch is None or problem.status == "timeout":
                raise
            watch = None  # a top that was changed by hand may have other wires
            built, kind = _build(design, folder, watch, work, timeout_s)
        waves = work / f"waves.{kind}"
        waves.unlink(missing_ok=True)
        # What is drawn changes once the last vector is sent, so that there are more until the answer is out.
        after = min(design.vectors - vector - 1, 2 * design.latency_cycles + 8) if stressed else 0
        first = max(0, vector * design.initiation_interval + design.latency_cycles - CYCLES_BEFORE)
        ran = run_harness(
            built.program,
            folder / "vectors",
            work,
            name="traced",
            timeout_s=timeout_s,
            count=vector + 1 + after,
            gaps=STRESS_GAPS if stressed else 0,
            stalls=stress_stalls(design) if stressed else 0,
            seed=seed,
            trace=waves,
            trace_from=first,
        )
    except CodesignError as problem:
        return f"no waveform: {problem}"
    said = f"{watch.explain(ran.output)}\n" if watch is not None else ""
    how = ", with gaps and back-pressure" if stressed else ""
    return f"{said}waveform up to vector {vector}{how}, from cycle {first:,} after reset: {waves}"


def _build(design: Design, folder: Path, watch: Watch | None, work: Path, timeout_s: float) -> tuple[Built, Trace]:
    files = None if watch is None else {WATCH: watch.source.encode()}

    def build(kind: Trace) -> Built:
        return build_harness(
            design, folder, verilator=find_verilator(), work=work, timeout_s=timeout_s, trace=kind, watch=files
        )

    return build_traced(build)
