"""Simulates an emitted folder: lint, bit-exact runs of the golden vectors, protocol checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codesign.config import SimulateConfig
from codesign.errors import DataError
from codesign.rtl import Design
from codesign.simulate.addresses import table_coverage
from codesign.simulate.bench import STRESS_GAPS, stress_stalls
from codesign.simulate.build import build_harness, source_files
from codesign.simulate.harness import HarnessReport, run_harness
from codesign.simulate.protocol import cocotb_version, run_protocol
from codesign.simulate.result import ProtocolResult, SimResult
from codesign.tools.verilator import find_verilator
from codesign.tools.verilator import lint as run_lint

__all__ = ["lint", "simulate"]


def lint(folder: Path, *, work: Path) -> dict[str, Any]:
    """Lint the design of an emitted `folder` with `verilator --lint-only -Wall`; the log goes to `work`.

    Returns tool, version and wall seconds for a design without a warning; raises ToolFailed with the warnings.
    """
    design = Design.load(folder)
    verilator = find_verilator()
    done = run_lint(source_files(design, folder), design.top, work, verilator=verilator)
    return {"tool": "verilator", "version": verilator.version, "warnings": 0, "wall_s": round(done.wall_s, 3)}


def simulate(folder: Path, *, config: SimulateConfig | None = None, work: Path) -> SimResult:
    """Run the golden vectors of an emitted `folder` through its Verilog, and the protocol bench where asked for.

    The folder is only read; `work` gets programs, logs and reports. Differences are counted, not raised: see
    `require_exact`. Raises DataError (folder damaged), ToolNotFound, ToolTooOld, ToolFailed.
    """
    config = config or SimulateConfig()
    design = Design.load(folder)
    verilator = find_verilator()
    if config.cocotb:
        cocotb_version()  # before anything is compiled
    work.mkdir(parents=True, exist_ok=True)
    built = build_harness(design, folder, verilator=verilator, work=work, timeout_s=config.timeout_s)

    def stream(name: str, count: int | None, gaps: int = 0, stalls: int = 0) -> HarnessReport:
        return run_harness(
            built.program,
            folder / "vectors",
            work,
            name=name,
            timeout_s=config.timeout_s,
            count=count,
            gaps=gaps,
            stalls=stalls,
            seed=config.seed,
        )

    full = stream("full_rate", config.vectors)
    _check_count(design, full, config)
    stress = None
    if full.status != "no_answer" and config.stress_vectors:
        count = min(config.stress_vectors, config.vectors or config.stress_vectors)
        stress = stream("stress", count, STRESS_GAPS, stress_stalls(design))
    protocol, text = None, ""
    if config.cocotb:
        protocol, text = run_protocol(
            design, folder, verilator=verilator, work=work / "cocotb", timeout_s=config.timeout_s, seed=config.seed
        )
    tables = table_coverage(folder, vectors=full.vectors_checked) if full.vectors_checked else None
    return SimResult(
        design=design.name,
        interface=design.interface,
        vectors_checked=full.vectors_checked,
        vectors_mismatched=full.vectors_mismatched,
        first_mismatch=full.first_mismatch,
        latency_cycles=full.latency_cycles,
        latency_cycles_stated=design.latency_cycles,
        initiation_interval=full.initiation_interval,
        initiation_interval_stated=design.initiation_interval,
        protocol_errors=full.protocol_errors + (stress.protocol_errors if stress else 0),
        stress_vectors=stress.vectors_checked if stress else 0,
        stress_mismatched=stress.vectors_mismatched if stress else 0,
        cycles=full.cycles,
        build_s=built.seconds,
        build_cached=built.cached,
        run_s=full.seconds,
        tool="verilator",
        tool_version=verilator.version,
        cocotb=protocol,
        problems=(*_problems(design, full, stress, protocol), *(tables.problems if tables else ())),
        unanswered=full.status == "no_answer",
        stress_wrong=_first_wrong(stress) if stress else None,
        tables=tables,
        raw="\n".join(part for part in (full.output, stress.output if stress else "", text) if part),
    )


def _check_count(design: Design, full: HarnessReport, config: SimulateConfig) -> None:
    """Raise a DataError where vectors are missing from the folder."""
    stated = min(design.vectors, config.vectors or design.vectors)
    if full.status != "no_answer" and full.vectors_checked < stated:
        raise DataError(
            f"vectors/ must hold {design.vectors} samples, as design.json states, but holds {full.vectors_checked}; "
            "emit the design again"
        )


def _first_wrong(report: HarnessReport) -> int | None:
    if report.first_mismatch is not None:
        return report.first_mismatch.vector
    return report.vectors_checked if report.status == "no_answer" else None


def _problems(
    design: Design, full: HarnessReport, stress: HarnessReport | None, protocol: ProtocolResult | None
) -> tuple[str, ...]:
    out: list[str] = []
    if full.first_mismatch is not None:
        out.append(
            f"{full.vectors_mismatched} of {full.vectors_checked} answers differ from the golden vectors; "
            f"first {full.first_mismatch}"
        )
    elif full.status != "exact":
        out.append(f"at full rate: {full.message}")
    for what, counted, stated in (
        ("latency", full.latency_cycles, design.latency_cycles),
        ("initiation interval", full.initiation_interval, design.initiation_interval),
    ):
        sentence = f"counted {what} of {counted} cycles, but design.json states {stated}"
        if counted is not None and counted != stated and not any(sentence in known for known in out):
            out.append(sentence)
    if stress is not None and stress.first_mismatch is not None:
        out.append(f"with gaps and back-pressure: {stress.message}: {stress.first_mismatch}")
    elif stress is not None and stress.status != "exact":
        out.append(f"with gaps and back-pressure: {stress.message}")
    if protocol is not None:
        out += [f"cocotb test failed: {name}" for name in protocol.failed]
    return tuple(out)
