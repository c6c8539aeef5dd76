"""Vivado, AMD's synthesis and place-and-route tool: finding it, running it, reading its text reports."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codesign.errors import ToolFailed
from codesign.tools.find import Found, Tool, find
from codesign.tools.process import Finished, run

__all__ = [
    "VIVADO",
    "Timing",
    "Utilization",
    "find_vivado",
    "parse_timing",
    "parse_utilization",
    "run_vivado",
]

VIVADO = Tool(
    name="Vivado",
    programs=("vivado",),
    variable="CODESIGN_VIVADO",
    pip=None,
    adds="vendor synthesis and routed timing on AMD parts",
    minimum=(2019, 1),
    arguments=("-version",),
    pattern=r"[Vv]ivado v(\d{4}\.\d+(?:\.\d+)*)",
)


@dataclass(frozen=True)
class Utilization:
    """Cells of a routed design, from `report_utilization`.

    luts is Vivado's own total ("CLB LUTs" or "Slice LUTs"), where two small functions may share one LUT;
    luts_by_size counts LUT1 to LUT6 before sharing, so that its sum may be larger. brams in 36 Kb blocks.
    """

    luts: int
    ffs: int
    muxes: int
    carries: int
    brams: float
    dsps: int
    luts_by_size: Mapping[str, int]


@dataclass(frozen=True)
class Timing:
    """Setup timing of a routed design, from `report_timing_summary`.

    period_ns: of the one clock. wns_ns: worst slack against it, None where no path is timed.
    """

    period_ns: float
    wns_ns: float | None

    @property
    def fmax_mhz(self) -> float | None:
        """1000 / (period - worst slack)."""
        return None if self.wns_ns is None else 1000 / (self.period_ns - self.wns_ns)


def find_vivado() -> Found:
    """Return Vivado 2019.1 or newer, by CODESIGN_VIVADO or on PATH; else ToolNotFound or ToolTooOld."""
    return find(VIVADO)


def run_vivado(
    found: Found, script: str, folder: Path, *, log: str, timeout_s: float, memory_gb: float | None
) -> Finished:
    """Run the Tcl script `folder`/`script` in batch mode with `folder` as working folder; raises ToolFailed."""
    command = [found.path, "-mode", "batch", "-nojournal", "-nolog", "-notrace", "-source", script]
    return run(command, folder, log=log, timeout_s=timeout_s, memory_gb=memory_gb, environment=found.environment)


def parse_utilization(report: Path, *, log: Path) -> Utilization:
    """Read the text of `report_utilization`; a missing, truncated or foreign file is a ToolFailed naming the log.

    Layouts with and without the "Prohibited" column (added in 2021) are read alike.
    """
    text = _read(report, "utilization", log)
    rows: dict[str, float] = {}
    primitives: dict[str, int] = {}
    header: list[str] = []
    borders = 0  # a table has three: above its header, below it, and at its end
    for line in text.splitlines():
        if line.lstrip().startswith("+-"):
            borders = borders % 3 + 1
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.lstrip().startswith("|") or len(cells) < 3:
            continue
        if cells[0] in ("Site Type", "Ref Name"):
            header = cells
        elif header and len(cells) == len(header) and _NUMBER.fullmatch(cells[1]) and cells[1].isascii():
            name = cells[0].rstrip("*").strip()
            if header[0] == "Ref Name":
                primitives[name] = int(float(cells[1]))
            else:
                rows.setdefault(name, float(cells[1]))
    if borders != 3:
        raise ToolFailed(f"Vivado's utilization report {report} ends within a table, or has none; log: {log}", log=log)

    def need(*names: str) -> float:
        for name in names:
            if name in rows:
                return rows[name]
        raise ToolFailed(
            f"Vivado's utilization report {report} has no row {' or '.join(repr(n) for n in names)}: "
            f"it is truncated or of an unknown layout; log: {log}",
            log=log,
        )

    luts, ffs = need("CLB LUTs", "Slice LUTs"), need("CLB Registers", "Slice Registers")
    muxes = need("F7 Muxes") + need("F8 Muxes") + rows.get("F9 Muxes", 0)
    brams, dsps = need("Block RAM Tile"), need("DSPs")
    if not primitives:
        raise ToolFailed(f"Vivado's utilization report {report} has no table of primitives; log: {log}", log=log)
    sizes = {f"LUT{k}": primitives[f"LUT{k}"] for k in range(1, 7) if f"LUT{k}" in primitives}
    carries = primitives.get("CARRY4", 0) + primitives.get("CARRY8", 0)
    return Utilization(int(luts), int(ffs), int(muxes), carries, brams, int(dsps), sizes)


_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,6})?")
_CLOCK = re.compile(r"^\S+\s+\{\s*[\d.]+\s+[\d.]+\s*\}\s+(\d{1,12}(?:\.\d{1,12})?)\s+([\d.]+)\s*$", re.MULTILINE)


def parse_timing(report: Path, *, log: Path) -> Timing:
    """Read the text of `report_timing_summary`; a missing, truncated or foreign file is a ToolFailed naming the log."""
    text = _read(report, "timing", log)
    lines = text.splitlines()
    heads = [i for i, line in enumerate(lines) if line.split()[:2] == ["WNS(ns)", "TNS(ns)"]]
    clocks = _CLOCK.findall(text)
    if not heads or heads[0] + 2 >= len(lines) or not lines[heads[0] + 2].split():
        raise ToolFailed(
            f"Vivado's timing report {report} has no Design Timing Summary: it is truncated or no report; log: {log}",
            log=log,
        )
    if len(clocks) != 1:
        raise ToolFailed(f"Vivado's timing report {report} must have one clock, not {len(clocks)}; log: {log}", log=log)
    word = lines[heads[0] + 2].split()[0]
    period = float(clocks[0][0])
    if word in ("NA", "inf"):
        return Timing(period, None)
    try:
        slack = float(word)
    except ValueError:
        slack = math.nan
    if not math.isfinite(slack) or slack >= period:
        raise ToolFailed(f"Vivado's timing report {report} gives a worst slack of {word!r}; log: {log}", log=log)
    return Timing(period, slack)


def _read(report: Path, what: str, log: Path) -> str:
    try:
        text = report.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise ToolFailed(f"Vivado wrote no {what} report {report}; log: {log}", log=log) from None
    except OSError as problem:
        raise ToolFailed(f"Vivado's {what} report {report} cannot be read ({problem}); log: {log}", log=log) from None
    if not text.strip():
        raise ToolFailed(f"Vivado's {what} report {report} is empty; log: {log}", log=log)
    return text
