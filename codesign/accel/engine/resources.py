"""What an engine takes of a device: block RAMs and DSP blocks exactly, LUTs and flip-flops by calibrated estimate.

The terms come from `structure`; what one unit of each costs was fitted to synthesised points of the device's family
(accel_space/calibration/engine_<family>.yaml, made by `cods calibrate engine`; docs/engine_model.md shows the errors).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from codesign.accel.devices import Device
from codesign.accel.engine.point import EnginePoint, Violation
from codesign.accel.engine.structure import GROUPS, columns_of, structure
from codesign.config import Section, parse_model
from codesign.errors import ConfigError
from codesign.resources import resource_dir

__all__ = [
    "RESOURCES",
    "Calibration",
    "EngineResources",
    "ResourceColumns",
    "calibration",
    "read_calibration",
    "resource_columns",
    "resource_violations",
    "resources",
]

RESOURCES = ("luts", "ffs", "brams", "dsps")
"""What a device has of, and the names of the rules that say when it is too little."""


@dataclass(frozen=True)
class EngineResources:
    """What one engine takes. `luts` and `ffs` are estimates; `brams` and `dsps` are counts, exact by law.

    brams:     block RAMs of the device's full size, `half_brams` of them as halves (two make one, AMD's families).
    bram_bits: bits that a program can use in block RAM.
    luts_by_group, ffs_by_group: the estimates by part, before rounding.
    calibration: what the estimates were fitted to, with date and tool.
    """

    luts: int
    ffs: int
    brams: int
    dsps: int
    bram_bits: int
    half_brams: int
    luts_by_group: Mapping[str, float] = field(default_factory=dict[str, float])
    ffs_by_group: Mapping[str, float] = field(default_factory=dict[str, float])
    calibration: str = ""
    origin: Literal["estimated"] = "estimated"

    def as_dict(self) -> dict[str, int]:
        """The four counts by name."""
        return {name: getattr(self, name) for name in RESOURCES}


ResourceColumns = dict[str, NDArray[Any]]
"""For each of `RESOURCES` an array, one entry a point."""


class Errors(Section):
    """Relative errors of an estimate over a set of points, as fractions of what was measured."""

    points: Annotated[int, Field(ge=0)]
    median: Annotated[float, Field(ge=0)]
    mean: Annotated[float, Field(ge=0)]
    worst: Annotated[float, Field(ge=0)]


class Fitted(Section):
    """One estimate: what a unit of each term costs, and its errors on the points fitted to and on the others."""

    coefficients: dict[str, Annotated[float, Field(ge=0)]]
    fit: Errors
    held_out: Errors


class Calibration(Section):
    """A calibration file of one family.

    table: the synthesised points that the seed draws, beside the file; also: tables of points that were synthesised
    for other ends, which join them. The seed halves all of them, too.
    exact_brams, exact_dsps: points whose block RAMs and DSP blocks the law gives exactly, of all points.
    """

    family: str
    date: str
    tool: str
    tool_version: str
    command: str
    table: str
    also: list[str] = []
    seed: int
    exact_brams: Annotated[int, Field(ge=0)]
    exact_dsps: Annotated[int, Field(ge=0)]
    of_points: Annotated[int, Field(ge=1)]
    luts: Fitted
    ffs: Fitted

    @property
    def text(self) -> str:
        """What the estimates rest on, for reports."""
        luts, ffs = (f"{100 * one.held_out.median:.1f} %" for one in (self.luts, self.ffs))
        return (
            f"fitted to {self.luts.fit.points} points of {self.family} by {self.tool} {self.tool_version}, "
            f"{self.date}; median error on {self.luts.held_out.points} others: LUTs {luts}, flip-flops {ffs}"
        )


def read_calibration(path: Path) -> Calibration:
    """Read a calibration file; every problem is a ConfigError with file and line."""
    return parse_model(Calibration, path)


@lru_cache
def calibration(family: str) -> Calibration:
    """Return the calibration of a device family; a ConfigError says how to make one that does not exist."""
    folder = resource_dir("accel_space") / "calibration"
    path = folder / f"engine_{family}.yaml"
    if not path.is_file():
        known = sorted(
            one.stem.removeprefix("engine_") for one in folder.glob("engine_*.yaml") if not one.stem.endswith("_fmax")
        )
        raise ConfigError(
            f"the engine's resources are not calibrated for family {family!r} (known: {', '.join(known)}); "
            f"`cods calibrate engine --family {family}` makes {path.name} where yosys can synthesise for it"
        )
    return read_calibration(path)


def estimate(terms: Mapping[str, NDArray[np.float64]], coefficients: Mapping[str, float]) -> NDArray[np.float64]:
    """Return the sum over all terms, each times its coefficient; a term without one is a ConfigError."""
    if missing := sorted(set(terms) ^ set(coefficients)):
        raise ConfigError(
            f"the calibration does not match the model's terms ({', '.join(missing)}); "
            "run `cods calibrate engine` again"
        )
    total = np.zeros(len(next(iter(terms.values()))))
    for name, values in terms.items():
        if weight := coefficients[name]:
            total += weight * values
    return total


def resource_columns(columns: Mapping[str, NDArray[Any]], family: str) -> ResourceColumns:
    """Return what many points take: the columns are those of `Space.columns`, every setting of `EnginePoint`."""
    found, known = structure(columns, family), calibration(family)
    return {
        "luts": _whole(estimate(found.lut_terms, known.luts.coefficients)),
        "ffs": _whole(estimate(found.ff_terms, known.ffs.coefficients)),
        "brams": found.brams,
        "dsps": found.dsps,
    }


def resources(point: EnginePoint, device: Device) -> EngineResources:
    """Return what the engine of `point` takes on `device`; ConfigError where its family is not calibrated."""
    point.check()
    known = calibration(device.family)
    found = structure(columns_of(point), device.family)
    luts = _whole(estimate(found.lut_terms, known.luts.coefficients))
    ffs = _whole(estimate(found.ff_terms, known.ffs.coefficients))
    return EngineResources(
        int(luts[0]),
        int(ffs[0]),
        int(found.brams[0]),
        int(found.dsps[0]),
        int(found.bram_bits[0]),
        int(found.half_brams[0]),
        _by_group(found.lut_terms, known.luts.coefficients),
        _by_group(found.ff_terms, known.ffs.coefficients),
        known.text,
    )


def resource_violations(point: EnginePoint, device: Device, *, share: float = 0.9) -> tuple[Violation, ...]:
    """Return which resources the point takes more of than `share` of what the device has, with the numbers."""
    taken = resources(point, device).as_dict()
    found: list[Violation] = []
    for name, needed in taken.items():
        total = getattr(device, name)
        allowed = _allowed(total, share)
        if needed > allowed:
            how = "exact by law" if name in ("brams", "dsps") else "estimated"
            text = f"needs {needed} ({how}); {device.name} has {total}, of which {share:g} may be used: {allowed}"
            found.append(Violation(name, "", text))
    return tuple(found)


def resource_broken(
    columns: Mapping[str, NDArray[Any]], device: Device, *, share: float = 0.9
) -> dict[str, NDArray[np.bool_]]:
    """Return, for each of `RESOURCES`, which of many points take too much of it."""
    taken = resource_columns(columns, device.family)
    return {name: np.asarray(taken[name] > _allowed(getattr(device, name), share)) for name in RESOURCES}


def _allowed(total: int, share: float) -> int:
    if not 0 < share <= 1:
        raise ConfigError(f"share must be more than 0 and at most 1, not {share:g}")
    return int(total * share + 1e-9)


def _whole(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(values).astype(np.int64)


def _by_group(terms: Mapping[str, NDArray[np.float64]], coefficients: Mapping[str, float]) -> dict[str, float]:
    found: dict[str, float] = dict.fromkeys(GROUPS, 0.0)
    for name, values in terms.items():
        found[name.split(".")[0]] += coefficients[name] * float(values[0])
    return {name: round(value, 1) for name, value in found.items()}
