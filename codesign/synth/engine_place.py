"""Places and routes engine points on ECP5 with nextpnr, and fits the estimate of their clock."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.accel import Device
from codesign.accel.engine.fmax import FmaxCalibration, fmax_terms
from codesign.accel.engine.structure import columns_of
from codesign.config import dump_yaml
from codesign.errors import ConfigError, DataError, ToolFailed
from codesign.rtl.engine import EngineDesign, generate
from codesign.synth.engine_sample import csv_rows, draw_point, synthesize_engine
from codesign.synth.scripts import harness_ports, nextpnr_arguments, render_harness
from codesign.tools.find import Found
from codesign.tools.nextpnr import no_room, parse_routed, run_nextpnr
from codesign.tools.yosys import Yosys, run_yosys

__all__ = ["Timed", "fit_fmax", "place_engine", "read_fmax_table", "time_points", "write_fmax_calibration"]


@dataclass(frozen=True)
class Timed:
    """One placed and routed point of the draw: its clock, or 0 where the device has no room for it."""

    index: int
    mhz: float
    tool: str


def place_engine(
    design: EngineDesign, folder: Path, device: Device, nextpnr: Found, *, yosys: Yosys, timeout_s: float = 1800
) -> float:
    """Place and route the engine of `folder`, registers at every port; return its clock in MHz, 0 if it does not fit.

    folder: also holds the netlist netlist.json (see `synthesize_engine`), and gets all scripts and logs.
    """
    if device.family != "ecp5":
        raise ConfigError(f"engines are timed on ecp5 devices, not on {device.name!r} of family {device.family!r}")
    inputs, outputs = harness_ports(design)
    (folder / "harness.v").write_text(render_harness(design.top, "aclk", inputs, outputs), encoding="ascii")
    top = f"{design.top}_harness"
    lines = [
        "read_json netlist.json",
        f"setattr -mod -set blackbox 1 {design.top}",
        "read_verilog harness.v",
        f"synth_ecp5 -nobram -nolutram -nodsp -top {top}",
        f"setattr -mod -unset blackbox ={design.top}",
        f"hierarchy -top {top}",
        "flatten",
        "clean",
        f"select {top}",
        "write_json -selected placeable.json",
    ]
    (folder / "harness.ys").write_text("\n".join(lines) + "\n", encoding="ascii")
    run_yosys(yosys, "harness.ys", folder, log="harness.log", timeout_s=timeout_s, memory_gb=None)
    arguments = nextpnr_arguments(device, out=".", seed=1, target_mhz=None)
    log = folder / "nextpnr.log"
    try:
        run_nextpnr(nextpnr, arguments, folder, log=log.name, timeout_s=timeout_s, memory_gb=None)
    except ToolFailed:
        if no_room(log.read_text(encoding="utf-8", errors="replace")) is None:
            raise
        return 0.0
    found = parse_routed(folder / "routed_seed1.json", log=log).fmax_mhz
    return round(found or 0.0, 3)


def read_fmax_table(path: Path) -> tuple[Timed, ...]:
    """Read a table of timed points; a malformed line is a DataError naming it."""
    found: list[Timed] = []
    with path.open(encoding="ascii", errors="replace", newline="") as stream:
        for number, row in enumerate(csv_rows(path, stream), start=2):
            try:
                found.append(Timed(int(row["index"]), float(row["mhz"]), row["tool"]))
            except (KeyError, ValueError, TypeError) as problem:
                raise DataError(f"{path}:{number}: is not a timed point ({problem!r})") from None
    return tuple(found)


def write_fmax_table(path: Path, timed: Sequence[Timed]) -> None:
    """Write the table, in the order of the points' numbers."""
    with path.open("w", encoding="ascii", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["index", "mhz", "tool"])
        for one in sorted(timed, key=lambda each: each.index):
            writer.writerow([one.index, f"{one.mhz:.3f}", one.tool])


def time_points(
    device: Device,
    *,
    points: int,
    seed: int,
    table: Path,
    work: Path,
    yosys: Yosys,
    nextpnr: Found,
    progress: Callable[[str], None] | None = None,
) -> tuple[Timed, ...]:
    """Place and route points 0 to `points` - 1 of the draw; the table is written after each, what is in it is kept."""
    known = {one.index: one for one in read_fmax_table(table)} if table.is_file() else {}
    table.parent.mkdir(parents=True, exist_ok=True)
    tool = f"{nextpnr.tool.name} {nextpnr.version_text}"
    for index in range(points):
        if index in known:
            continue
        folder = work / f"fmax_{index}"
        design = generate(draw_point(seed, index), folder)
        synthesize_engine(design, folder, device.family, yosys=yosys, netlist="netlist.json")
        known[index] = Timed(index, place_engine(design, folder, device, nextpnr, yosys=yosys), tool)
        write_fmax_table(table, list(known.values()))
        shutil.rmtree(folder)
        if progress is not None:
            progress(f"{device.name} point {index + 1} of {points}: {known[index].mhz:.1f} MHz")
    return tuple(known[index] for index in range(points))


def fit_fmax(timed: Sequence[Timed], device: Device, *, seed: int, command: str, table: str) -> FmaxCalibration:
    """Fit the logarithm of the clock to `fmax_terms` by least squares; errors by leaving each point out.

    Points for which the device has no room are left out. A term is fitted for every three points, in their order; the
    others' coefficients are 0, so that a few points give no more than their mean.
    """
    placed = [one for one in timed if one.mhz > 0]
    if len(placed) < _FEWEST:
        raise ConfigError(f"{len(placed)} timed points are too few to estimate a clock; time at least {_FEWEST}")
    terms = fmax_terms(columns_of(*(draw_point(seed, one.index) for one in placed)))
    matrix = np.stack(list(terms.values()), axis=1)
    matrix[:, max(1, (len(placed) + 1) // 3) :] = 0.0
    mhz = np.array([one.mhz for one in placed])
    estimates, constants = np.empty(len(placed)), np.empty(len(placed))
    for index in range(len(placed)):
        others = np.arange(len(placed)) != index
        low, high = mhz[others].min(), mhz[others].max()
        weights = _least_squares(matrix[others], np.log(mhz[others]))
        estimates[index] = np.clip(np.exp(matrix[index] @ weights), low, high)
        constants[index] = np.exp(np.log(mhz[others]).mean())
    errors = np.abs(estimates - mhz) / mhz
    weights = _least_squares(matrix, np.log(mhz))
    name, _, version = placed[0].tool.partition(" ")
    return FmaxCalibration(
        family=device.family,
        device=device.name,
        speed=device.speed,
        date=date.today().isoformat(),
        tool=name,
        tool_version=version,
        command=command,
        table=table,
        seed=seed,
        points=len(placed),
        lowest_mhz=float(mhz.min()),
        highest_mhz=float(mhz.max()),
        median_error=round(float(np.median(errors)), 4),
        worst_error=round(float(errors.max()), 4),
        constant_error=round(float(np.median(np.abs(constants - mhz) / mhz)), 4),
        coefficients={name: float(f"{w:.5g}") for name, w in zip(terms, weights, strict=True)},
    )


_FEWEST = 3
_RIDGE = 0.05


def _least_squares(matrix: NDArray[np.float64], goal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares about the mean, with a slight pull of all slopes to 0: few points, terms that go together."""
    centre, mean = matrix.mean(axis=0), goal.mean()
    spread = matrix.std(axis=0)
    live = spread > 0
    scaled = (matrix[:, live] - centre[live]) / spread[live]
    gram = scaled.T @ scaled + _RIDGE * len(goal) * np.eye(int(live.sum()))
    weights = np.zeros(matrix.shape[1])
    weights[live] = np.linalg.solve(gram, scaled.T @ (goal - mean)) / spread[live]
    weights[0] = mean - weights[1:] @ centre[1:]  # the constant term is the first
    return weights


def write_fmax_calibration(value: FmaxCalibration, path: Path) -> None:
    """Write the calibration as YAML."""
    head = (
        f"# The folded engine's clock on {value.family}, speed grade {value.speed}: the logarithm of MHz as a sum of\n"
        f"# terms. Made from {value.table} by `{value.command}`; see docs/engine_model.md.\n"
    )
    path.write_text(head + dump_yaml(value.model_dump()), encoding="utf-8")
