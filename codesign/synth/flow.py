"""Synthesises an emitted design for one device: yosys for counts and levels, nextpnr for the clock, Vivado if found."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from codesign.accel import Device
from codesign.config import SynthConfig
from codesign.errors import DataError, ToolFailed
from codesign.rtl.engine import EngineDesign
from codesign.synth.netlist import Cells, Netlist, count_cells, read_cell_types, read_netlist
from codesign.synth.parts import Blocks, by_part, by_stage
from codesign.synth.place import place_and_route
from codesign.synth.report import PartsOrigin, SynthReport
from codesign.synth.scripts import render_scripts, yosys_script
from codesign.synth.subject import AnyDesign, load_design
from codesign.synth.vendor import vivado_report
from codesign.tools.find import Found
from codesign.tools.nextpnr import find_nextpnr
from codesign.tools.process import Finished
from codesign.tools.yosys import Yosys, find_yosys, run_yosys

__all__ = ["synthesize"]


def synthesize(folder: Path, device: Device, *, config: SynthConfig | None = None, work: Path) -> SynthReport:
    """Synthesise the design in `folder` (as `codesign.rtl.emit` writes it) for `device`; see `SynthReport`.

    work: folder for scripts, logs and raw reports; made if absent. Nothing is written to `folder`.

    Lattice devices are placed and routed too, unless `config.place_and_route` is off; AMD devices get Vivado's report
    where Vivado is found. A design that is too large is a report with status "does not fit". Raises ToolNotFound or
    ToolTooOld before anything runs, ToolFailed where a tool fails or writes nothing, DataError for a damaged folder.
    """
    settings = config or SynthConfig()
    yosys = find_yosys()
    routing = settings.place_and_route and device.vendor == "lattice"
    nextpnr = find_nextpnr(device.family) if routing else None
    design = load_design(folder)
    with _sources(folder, design, work):
        for name, text in render_scripts(design, device, out=".", target_mhz=settings.target_mhz).items():
            (work / name).write_text(text, encoding="utf-8")
        (work / "yosys.ys").write_text(yosys_script(design, device, out=".", harness=routing), encoding="utf-8")
        run = _Run(design, device, settings, work, yosys, nextpnr)
        return run.report()


@contextmanager
def _sources(folder: Path, design: AnyDesign, work: Path) -> Iterator[None]:
    """Copy the sources to `work`, so that scripts name plain relative files whatever the paths; remove them after."""
    work.mkdir(parents=True, exist_ok=True)
    copies = [(folder / source, work / source) for source in design.sources]
    try:
        for source, copy in copies:
            copy.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(source, copy)
            except FileNotFoundError:
                raise DataError(f"{source} is named in design.json but is missing; emit the design again") from None
        yield
    finally:
        for _, copy in copies:
            copy.unlink(missing_ok=True)
        for parent in {copy.parent for _, copy in copies} - {work}:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()


@dataclass
class _Run:
    """One run of the tools in `work`; collects time and memory."""

    design: AnyDesign
    device: Device
    config: SynthConfig
    work: Path
    yosys: Yosys
    nextpnr: Found | None
    wall_s: float = 0.0
    peak_bytes: int = 0

    def report(self) -> SynthReport:
        """Run all tools and return the report."""
        log = self._yosys("yosys.ys", "yosys.log", ("netlist.json", "stat.txt", "placeable.json", "harness.json")).log
        netlist = read_netlist(self.work / "netlist.json", self.design.top, log=log)
        cells = count_cells(netlist.types(), log=log)
        parts, stages, origin = self._split(netlist)
        report = SynthReport(
            device=self.device.name,
            status="done",
            reason="",
            tool=self.yosys.name,
            tool_version=self.yosys.version,
            luts=cells.luts,
            luts_by_size=cells.luts_by_size,
            luts_by_part=parts,
            luts_by_stage=stages,
            parts_origin=origin,
            ffs=cells.ffs,
            muxes=cells.muxes,
            carries=cells.carries,
            brams=cells.brams,
            dsps=cells.dsps,
            depth=netlist.depth(),
            raw=_text(self.work / "stat.txt", log=log),
        )
        excess = _excess(self.device, cells, report)
        if excess:
            report = replace(report, status="does not fit", reason=excess)
        elif self.nextpnr is not None:
            report, routed = place_and_route(
                report, self.design, self.device, self.nextpnr, config=self.config, work=self.work, log=log
            )
            self._add(*routed)
        for name in ("netlist.json", "placeable.json"):  # large, and made again by the scripts that stay
            (self.work / name).unlink(missing_ok=True)
        if self.device.vendor == "amd":
            vendor = vivado_report(self.design, self.device, config=self.config, work=self.work, fits=not excess)
            report = replace(report, vivado=vendor)
        return replace(report, wall_s=round(self.wall_s, 3), peak_bytes=self.peak_bytes)

    def _yosys(self, script: str, log: str, outputs: tuple[str, ...]) -> Finished:
        for name in outputs:
            (self.work / name).unlink(missing_ok=True)
        try:
            done = run_yosys(
                self.yosys,
                script,
                self.work,
                log=log,
                timeout_s=self.config.timeout_s,
                memory_gb=self.config.memory_gb,
            )
        except ToolFailed as problem:
            raise _hinted(problem) from None
        self._add(done)
        return done

    def _add(self, *done: Finished) -> None:
        self.wall_s += sum(one.wall_s for one in done)
        self.peak_bytes = max(self.peak_bytes, *(one.peak_bytes for one in done), 0)

    def _split(self, netlist: Netlist) -> tuple[dict[str, int], dict[str, int], PartsOrigin | None]:
        """Return LUTs by part and by stage, and where the split comes from; an engine has none."""
        if isinstance(self.design, EngineDesign):
            return {}, {}, None
        blocks = Blocks.of(self.design)
        luts, origin = self._luts_by_block(netlist, blocks)
        return by_part(luts, blocks), by_stage(luts, blocks), origin

    def _luts_by_block(self, netlist: Netlist, blocks: Blocks) -> tuple[dict[str, int], PartsOrigin]:
        """Return LUTs by block ("" for the rest), and "flat" or "hierarchical"."""
        if blocks.all_registered:
            return netlist.luts_by_block(blocks.names, last=blocks.last_wires), "flat"
        modules = {block: f"{self.design.top}_{block}" for block in blocks.names}
        script = yosys_script(self.design, self.device, out=".", harness=False, apart=tuple(modules.values()))
        (self.work / "parts.ys").write_text(script, encoding="utf-8")
        log = self._yosys("parts.ys", "parts.log", ("parts.json",)).log
        types = read_cell_types(self.work / "parts.json", log=log)
        top = types.get(self.design.top, {})
        luts = {
            block: count_cells(types.get(module, {}), log=log).luts if module in top else 0
            for block, module in modules.items()
        }
        rest = {kind: number for kind, number in top.items() if kind not in modules.values()}
        return {**luts, "": count_cells(rest, log=log).luts}, "hierarchical"


def _excess(device: Device, cells: Cells, report: SynthReport) -> str:
    """Return what of the device is too small for the design, or an empty text."""
    advice = "Lower fan_in or bits" if report.luts_by_stage else "Lower pe, simd, bits or depths"
    kind = f"LUT{device.lut_inputs}s"
    needs = ((kind, device.luts, cells.luts), ("flip-flops", device.ffs, cells.ffs))
    needs += (("block RAMs", device.brams, cells.brams), ("multiplier blocks", device.dsps, cells.dsps))
    for what, has, wants in needs:
        if wants > has:
            stage, most = max(report.luts_by_stage.items(), key=lambda item: item[1], default=("", 0))
            largest = f" ({stage}: {most})" if what == kind and stage else ""
            return (
                f"device {device.name!r} has {has} {what}; the design needs {wants:g}{largest}. "
                f"{advice}, or choose a larger device."
            )
    return ""


def _hinted(problem: ToolFailed) -> ToolFailed:
    """Add to a failure of yosys what the user can change."""
    hint = ""
    if problem.status == "timeout":
        hint = "\nRaise synth.timeout_s, or use the mapped form, which synthesises fastest."
    elif "bad_alloc" in problem.tail or "out of memory" in problem.tail.lower():
        hint = "\nIt ran out of memory: raise synth.memory_gb, or use the mapped form, which needs least."
    return ToolFailed(
        f"{problem}{hint}", command=problem.command, status=problem.status, log=problem.log, tail=problem.tail
    )


def _text(path: Path, *, log: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise ToolFailed(f"yosys wrote no {path}; log: {log}", log=log) from None
