"""nextpnr, the open place-and-route tool for ECP5 and iCE40: finding it, running it, reading its JSON report."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from codesign.errors import MALFORMED, ConfigError, ToolFailed
from codesign.tools.find import Found, Tool, find
from codesign.tools.process import Finished, run

__all__ = ["NEXTPNR_ECP5", "NEXTPNR_ICE40", "Routed", "find_nextpnr", "no_room", "parse_routed", "run_nextpnr"]


def _tool(family: str) -> Tool:
    return Tool(
        name=f"nextpnr-{family}",
        programs=(f"nextpnr-{family}", f"yowasp-nextpnr-{family}"),
        variable=f"CODESIGN_NEXTPNR_{family.upper()}",
        pip="codesign[synth]",
        adds="placed-and-routed clock frequency on " + {"ecp5": "ECP5", "ice40": "iCE40"}[family],
        wheel=f"yowasp-nextpnr-{family}",
        wheel_first=False,
        minimum=(0, 4),
        pattern=r"nextpnr-(\d+(?:\.\d+)+)",
    )


NEXTPNR_ECP5 = _tool("ecp5")
NEXTPNR_ICE40 = _tool("ice40")

_NO_ROOM = re.compile(
    r"no BELs remaining|[Uu]nable to place|[Uu]nable to find a placement|[Ff]ailed to place|too many|"
    r"more .* than available|does not fit|Unable to find legal placement"
)


@dataclass(frozen=True)
class Routed:
    """What nextpnr reached after routing.

    fmax_mhz: of the design's one clock; None where no path lies between two registers.
    used, available: cells of each type.
    """

    fmax_mhz: float | None
    used: Mapping[str, int]
    available: Mapping[str, int]


def find_nextpnr(family: str) -> Found:
    """Return the nextpnr of "ecp5" or "ice40"; ToolNotFound or ToolTooOld with the pip line, ConfigError otherwise."""
    tools = {"ecp5": NEXTPNR_ECP5, "ice40": NEXTPNR_ICE40}
    if family not in tools:
        raise ConfigError(f"nextpnr places ecp5 and ice40 devices, not family {family!r}")
    return find(tools[family])


def run_nextpnr(
    found: Found, arguments: Sequence[str], folder: Path, *, log: str, timeout_s: float, memory_gb: float | None
) -> Finished:
    """Run nextpnr in `folder`. The memory limit holds for native programs (see `run_yosys`). Raises ToolFailed."""
    memory = None if found.path.name.startswith("yowasp") else memory_gb
    command = [found.path, *arguments]
    return run(command, folder, log=log, timeout_s=timeout_s, memory_gb=memory, environment=found.environment)


def no_room(log_text: str) -> str | None:
    """Return the line by which nextpnr says that the design does not fit the device, or None for other errors."""
    for line in log_text.splitlines():
        if line.startswith("ERROR:") and _NO_ROOM.search(line):
            return line.removeprefix("ERROR:").strip()
    return None


def parse_routed(report: Path, *, log: Path) -> Routed:
    """Read the file of nextpnr's `--report`. A missing, truncated or foreign one is a ToolFailed naming the log."""
    try:
        value: Any = json.loads(report.read_text(encoding="utf-8"))
        clocks = cast("dict[str, dict[str, float]]", value["fmax"])
        cells = cast("dict[str, dict[str, int]]", value["utilization"])
        speeds = [float(clock["achieved"]) for clock in clocks.values()]
        if not all(math.isfinite(speed) and speed > 0 for speed in speeds):
            raise ValueError(f"clock frequencies {speeds}")
        used = {name: int(cell["used"]) for name, cell in cells.items()}
        available = {name: int(cell["available"]) for name, cell in cells.items()}
        if not used:
            raise ValueError("no utilization")
    except FileNotFoundError:
        raise ToolFailed(f"nextpnr wrote no report {report}; log: {log}", log=log) from None
    except MALFORMED as problem:
        raise ToolFailed(f"nextpnr's report {report} cannot be read ({problem!r}); log: {log}", log=log) from None
    if len(speeds) > 1:
        raise ToolFailed(f"nextpnr's report {report} must have one clock, not {sorted(clocks)}; log: {log}", log=log)
    return Routed(speeds[0] if speeds else None, used, available)
