"""Runs a compiled harness on the vectors of a folder and reads its report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesign.errors import MALFORMED, DataError, ToolFailed
from codesign.simulate.result import FieldDifference, FirstMismatch
from codesign.tools import run

__all__ = ["HarnessReport", "read_report", "run_harness"]


@dataclass(frozen=True)
class HarnessReport:
    """What one run of the harness said. status: "exact", "mismatch", "protocol", "timing" or "no_answer"."""

    status: str
    message: str
    vectors_checked: int
    vectors_mismatched: int
    first_mismatch: FirstMismatch | None
    protocol_errors: int
    latency_cycles: int | None
    initiation_interval: int | None
    cycles: int
    seconds: float
    output: str


def run_harness(
    program: Path,
    vectors: Path,
    work: Path,
    *,
    name: str,
    timeout_s: float,
    count: int | None = None,
    gaps: int = 0,
    stalls: int = 0,
    seed: int = 1,
    trace: Path | None = None,
    trace_from: int = 0,
) -> HarnessReport:
    """Stream the vectors of the folder `vectors` through `program`; `work` gets `name`.json and `name`.log.

    count: at most so many vectors. gaps, stalls: percent of cycles without an input, and without a ready receiver.
    trace: where a program that was compiled for it writes the waveform, from cycle `trace_from` after reset on.
    Vectors that do not fit the design are a DataError; a program that hangs, crashes or reports rubbish a ToolFailed.
    """
    report = work.resolve() / f"{name}.json"
    report.unlink(missing_ok=True)
    command: list[str | Path] = [program.resolve(), "--vectors", vectors.resolve(), "--report", report]
    command += ["--gaps", str(gaps), "--stalls", str(stalls), "--seed", str(seed)]
    if count is not None:
        command += ["--count", str(count)]
    if trace is not None:
        command += ["--trace", trace.resolve(), "--trace-from", str(trace_from)]
    try:
        output = run(command, work, log=f"{name}.log", timeout_s=timeout_s).output
    except ToolFailed as problem:
        if problem.status == 2:
            raise DataError(f"the golden vectors do not fit the design: {problem.tail.strip()}") from None
        if problem.status not in (1, 3) or not report.is_file():
            raise
        output = (work / f"{name}.log").read_text(encoding="utf-8", errors="replace")
    return read_report(report, output, program=program, log=work / f"{name}.log")


def read_report(report: Path, output: str, *, program: Path, log: Path) -> HarnessReport:
    """Read the JSON file of a harness that printed `output`; a missing or foreign one is a ToolFailed with the log."""
    try:
        value: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return _report(value, output)
    except MALFORMED as problem:
        raise ToolFailed(
            f"`{program}` ended without a report that can be read ({report}: {problem!r}); log: {log}",
            command=str(program),
            log=log,
            tail=output[-2000:],
        ) from None


def _report(value: dict[str, Any], output: str) -> HarnessReport:
    first = value["first_mismatch"]
    mismatch = first and FirstMismatch(
        first["vector"],
        first["wanted"],
        first["got"],
        tuple(FieldDifference(f["name"], f["wanted"], f["got"]) for f in first["fields"]),
    )
    return HarnessReport(
        value["status"],
        value["message"],
        value["vectors_checked"],
        value["vectors_mismatched"],
        mismatch,
        value["protocol_errors"],
        value["latency_cycles"],
        value["initiation_interval"],
        value["cycles"],
        float(value["seconds"]),
        output,
    )
