"""Runs Vivado where it is found, and reports what it said; else says why not."""

from __future__ import annotations

import os
from pathlib import Path

from codesign.accel import Device
from codesign.config import SynthConfig
from codesign.errors import ToolNotFound, ToolTooOld
from codesign.synth.place import latency_ns
from codesign.synth.report import SynthReport
from codesign.synth.subject import AnyDesign
from codesign.tools.vivado import VIVADO, find_vivado, parse_timing, parse_utilization, run_vivado

__all__ = ["vivado_report"]

_REPORTS = ("vivado_utilization.rpt", "vivado_timing.rpt", "vivado_hierarchy.rpt")


def vivado_report(design: AnyDesign, device: Device, *, config: SynthConfig, work: Path, fits: bool) -> SynthReport:
    """Return Vivado's report on the design whose sources and vivado.tcl lie in `work`.

    Skipped, with the reason, where Vivado is switched off, absent or too old, or where the design does not fit. Where
    CODESIGN_VIVADO is set, an absent or too old Vivado is an error instead. Raises ToolFailed where Vivado fails or
    writes no report.
    """
    if config.vivado == "never":
        return _skipped(device, "synth.vivado is `never`; the scripts are written")
    if not fits:
        return _skipped(device, "the design does not fit the device")
    try:
        found = find_vivado()
    except (ToolNotFound, ToolTooOld) as problem:
        if os.environ.get(VIVADO.variable):
            raise
        return _skipped(device, f"{problem} The scripts are written.")
    for name in _REPORTS:
        (work / name).unlink(missing_ok=True)
    done = run_vivado(
        found, "vivado.tcl", work, log="vivado.log", timeout_s=config.timeout_s, memory_gb=config.memory_gb
    )
    cells = parse_utilization(work / _REPORTS[0], log=done.log)
    timing = parse_timing(work / _REPORTS[1], log=done.log)
    fmax = timing.fmax_mhz
    delay = None if fmax is None else latency_ns(design, fmax)
    return SynthReport(
        device=device.name,
        status="done",
        reason="" if fmax else "no clock: no path is timed",
        tool="vivado",
        tool_version=found.version_text,
        luts=cells.luts,
        luts_by_size=cells.luts_by_size,
        ffs=cells.ffs,
        muxes=cells.muxes,
        carries=cells.carries,
        brams=cells.brams,
        dsps=cells.dsps,
        fmax_mhz=fmax and round(fmax, 3),
        fmax_origin="routed" if fmax else None,
        latency_ns=delay,
        area_delay_lut_ns=None if delay is None else round(cells.luts * delay, 1),
        router="vivado" if fmax else None,
        wall_s=round(done.wall_s, 3),
        peak_bytes=done.peak_bytes,
        raw="\n".join((work / name).read_text(encoding="utf-8", errors="replace") for name in _REPORTS[:2]),
    )


def _skipped(device: Device, reason: str) -> SynthReport:
    return SynthReport(device=device.name, status="skipped", reason=reason, tool="vivado", tool_version="")
