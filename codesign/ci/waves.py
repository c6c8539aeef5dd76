"""Writes the waveform of a wrong answer, so that a hardware engineer sees it without running anything."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from codesign.errors import CodesignError, ToolFailed
from codesign.rtl import Design
from codesign.simulate.build import build_harness
from codesign.simulate.harness import run_harness
from codesign.tools.verilator import find_verilator

__all__ = ["pipeline_waves"]


def pipeline_waves(folder: Path, vector: int, *, work: Path, seed: int, timeout_s: float) -> str:
    """Simulate up to golden vector `vector` with every signal traced; say where its waveform is, or why it is not.

    The harness is compiled once more with tracing: waves.fst, or waves.vcd where lz4's headers are absent. The run is
    that of the full rate, so cycle for cycle what failed.
    """
    work.mkdir(parents=True, exist_ok=True)
    try:
        design, verilator = Design.load(folder), find_verilator()
        kind: Literal["fst", "vcd"] = "fst"
        try:
            built = build_harness(design, folder, verilator=verilator, work=work, timeout_s=timeout_s, trace=kind)
        except ToolFailed:
            kind = "vcd"
            built = build_harness(design, folder, verilator=verilator, work=work, timeout_s=timeout_s, trace=kind)
        waves = work / f"waves.{kind}"
        run_harness(
            built.program,
            folder / "vectors",
            work,
            name="traced",
            timeout_s=timeout_s,
            count=vector + 1,
            seed=seed,
            trace=waves,
        )
    except CodesignError as problem:
        return f"no waveform: {problem}"
    return f"waveform up to vector {vector}: {waves}"
