"""Writes the waveform of a pipeline's wrong answer, so that a hardware engineer sees it without running anything."""

from __future__ import annotations

from pathlib import Path

from codesign.errors import CodesignError
from codesign.rtl import Design
from codesign.simulate.build import Built, build_harness
from codesign.simulate.harness import run_harness
from codesign.simulate.traced import Trace, build_traced
from codesign.tools.verilator import find_verilator

__all__ = ["CYCLES_BEFORE", "pipeline_waves"]

CYCLES_BEFORE = 2000
"""Cycles of the waveform before the wrong answer; where the run up to it is shorter, all of it."""


def pipeline_waves(folder: Path, vector: int, *, work: Path, seed: int, timeout_s: float) -> str:
    """Simulate up to golden vector `vector` with every signal traced; say where its waveform is, or why it is not.

    The harness is compiled once more with tracing: `work`/waves.fst (.vcd where Verilator cannot write FST), from
    `CYCLES_BEFORE` cycles before the answer was due. The run is that of the full rate, so cycle for cycle what failed.
    """
    work.mkdir(parents=True, exist_ok=True)
    try:
        design = Design.load(folder)

        def build(kind: Trace) -> Built:
            return build_harness(design, folder, verilator=find_verilator(), work=work, timeout_s=timeout_s, trace=kind)

        built, kind = build_traced(build)
        waves = work / f"waves.{kind}"
        waves.unlink(missing_ok=True)
        first = max(0, vector * design.initiation_interval + design.latency_cycles - CYCLES_BEFORE)
        run_harness(
            built.program,
            folder / "vectors",
            work,
            name="traced",
            timeout_s=timeout_s,
            count=vector + 1,
            seed=seed,
            trace=waves,
            trace_from=first,
        )
    except CodesignError as problem:
        return f"no waveform: {problem}"
    return f"waveform up to vector {vector}, from cycle {first:,} after reset: {waves}"
