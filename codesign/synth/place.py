"""Places and routes a synthesised design with nextpnr, inside a harness of registers, and completes its report."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from codesign.accel import Device
from codesign.config import SynthConfig
from codesign.errors import ToolFailed
from codesign.synth.netlist import count_cells, read_cell_types
from codesign.synth.report import SynthReport
from codesign.synth.scripts import nextpnr_arguments
from codesign.synth.subject import AnyDesign, latency_of
from codesign.tools.find import Found
from codesign.tools.nextpnr import no_room, parse_routed, run_nextpnr
from codesign.tools.process import Finished

__all__ = ["latency_ns", "place_and_route"]

_SOURCE = re.compile(r"\.v:\d+\.\d+-\d+\.\d+\s*$")
"""Lines that say where in which Verilog file a wire stands; long, and full of paths."""


def place_and_route(
    report: SynthReport,
    design: AnyDesign,
    device: Device,
    nextpnr: Found,
    *,
    config: SynthConfig,
    work: Path,
    log: Path,
) -> tuple[SynthReport, tuple[Finished, ...]]:
    """Run nextpnr on `work`/placeable.json for every seed; return the completed report and the runs.

    The best seed's clock is the report's. Where the harness is what does not fit, the report stays "done" with the
    reason and no clock; where nextpnr finds no room, it becomes "does not fit". `log` is yosys' log.
    """
    types = read_cell_types(work / "harness.json", log=log).get(f"{design.top}_harness")
    if types is None:
        raise ToolFailed(f"yosys' {work / 'harness.json'} holds no module {design.top}_harness; log: {log}", log=log)
    around = count_cells({kind: number for kind, number in types.items() if kind != design.top}, log=log)
    report = replace(report, harness={"luts": around.luts, "ffs": around.ffs})
    assert report.luts is not None and report.ffs is not None
    if report.luts + around.luts > device.luts or report.ffs + around.ffs > device.ffs:
        reason = (
            f"no clock: the design alone fits {device.name!r} ({report.luts} of {device.luts} LUTs, {report.ffs} of "
            f"{device.ffs} flip-flops), but not with the {around.ffs} flip-flops and {around.luts} LUTs of the harness "
            "that place and route needs. Choose a larger device or a narrower interface."
        )
        return replace(report, reason=reason), ()
    runs: list[Finished] = []
    reached: dict[str, float] = {}
    used: dict[str, int] = {}
    best: Path | None = None
    for seed in range(1, config.seeds + 1):
        arguments = nextpnr_arguments(device, out=".", seed=seed, target_mhz=config.target_mhz)
        file, own_log = work / f"routed_seed{seed}.json", f"nextpnr_seed{seed}.log"
        file.unlink(missing_ok=True)
        try:
            done = run_nextpnr(
                nextpnr, arguments, work, log=own_log, timeout_s=config.timeout_s, memory_gb=config.memory_gb
            )
        except ToolFailed as problem:
            said = no_room((work / own_log).read_text(encoding="utf-8", errors="replace"))
            if said is None or not isinstance(problem.status, int):
                raise
            reason = (
                f"device {device.name!r} has {device.luts} LUT{device.lut_inputs}s; the design needs {report.luts} and "
                f"nextpnr found no place for all of it ({said}). Choose a larger device, or lower fan_in or bits (an "
                "engine's pe, simd or depths)."
            )
            return replace(report, status="does not fit", reason=reason), tuple(runs)
        runs.append(done)
        routed = parse_routed(file, log=done.log)
        if routed.fmax_mhz is None:
            return replace(report, reason="no clock: no path lies between two registers"), tuple(runs)
        reached[str(seed)] = round(routed.fmax_mhz, 3)
        if reached[str(seed)] == max(reached.values()):
            used, best = {name: number for name, number in routed.used.items() if number}, done.log
    assert best is not None
    fmax = max(reached.values())
    delay = latency_ns(design, fmax)
    return (
        replace(
            report,
            fmax_mhz=fmax,
            fmax_origin="routed",
            latency_ns=delay,
            area_delay_lut_ns=None if delay is None else round(report.luts * delay, 1),
            router=f"{nextpnr.tool.name} {nextpnr.version_text}",
            routed_cells=used,
            seeds_mhz=reached,
            raw=f"{report.raw}\n{_critical_path(best)}",
        ),
        tuple(runs),
    )


def latency_ns(design: AnyDesign, fmax_mhz: float) -> float | None:
    """Return the latency at the given clock; a design without registers takes one period, an engine has none itself."""
    cycles = latency_of(design)
    return None if cycles is None else round(max(cycles, 1) * 1000 / fmax_mhz, 3)


def _critical_path(log: Path) -> str:
    """Return nextpnr's own words on the clock: the last critical path between registers, and the frequency."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    starts = [i for i, line in enumerate(lines) if "Critical path report for clock" in line]
    path: list[str] = []
    for line in lines[starts[-1] :] if starts else []:
        if not line.strip():
            break
        if "Defined in:" not in line and not _SOURCE.search(line):
            path.append(line)
    speed = [line for line in lines if "Max frequency for clock" in line][-1:]
    return "\n".join([*path, *speed]) + "\n"
