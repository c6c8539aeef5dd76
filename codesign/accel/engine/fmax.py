"""The clock that an engine reaches, estimated from place-and-route runs of its family, where there were any."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from codesign.accel.devices import Device
from codesign.accel.engine.point import EnginePoint
from codesign.accel.engine.structure import columns_of
from codesign.config import Section, parse_model
from codesign.errors import ConfigError
from codesign.resources import resource_dir

__all__ = ["Fmax", "FmaxCalibration", "fmax", "fmax_calibration", "fmax_columns", "fmax_terms", "read_fmax_calibration"]


@dataclass(frozen=True)
class Fmax:
    """An estimated clock.

    mhz:    the estimate, or None where there is none; reason then says why.
    error, worst: median and largest relative error on points that it was not fitted to (leave one out).
    source: the runs that it rests on.
    """

    mhz: float | None
    error: float | None = None
    reason: str = ""
    source: str = ""
    worst: float | None = None
    origin: Literal["estimated"] = "estimated"


class FmaxCalibration(Section):
    """A calibration file: the logarithm of the clock in MHz is a sum over `fmax_terms`, each times its coefficient.

    speed: the speed grade that was timed. median_error, worst_error: relative, each point estimated from the others.
    constant_error: the median error of taking the others' mean clock instead, for comparison.
    """

    family: str
    device: str
    speed: str
    date: str
    tool: str
    tool_version: str
    command: str
    table: str
    seed: int
    points: Annotated[int, Field(ge=2)]
    lowest_mhz: Annotated[float, Field(gt=0)]
    highest_mhz: Annotated[float, Field(gt=0)]
    median_error: Annotated[float, Field(ge=0)]
    worst_error: Annotated[float, Field(ge=0)]
    constant_error: Annotated[float, Field(ge=0)]
    coefficients: dict[str, float]

    @property
    def text(self) -> str:
        """What an estimate rests on, for reports."""
        return (
            f"fitted to {self.points} points placed and routed on {self.device} by {self.tool} {self.tool_version}, "
            f"{self.date}; each point estimated from the others: median error {100 * self.median_error:.1f} %, "
            f"worst {100 * self.worst_error:.1f} %"
        )


def read_fmax_calibration(path: Path) -> FmaxCalibration:
    """Read a calibration file; every problem is a ConfigError with file and line."""
    return parse_model(FmaxCalibration, path)


@lru_cache
def fmax_calibration(family: str) -> FmaxCalibration | None:
    """Return the calibration of a device family, or None where none was made."""
    path = resource_dir("accel_space") / "calibration" / f"engine_{family}_fmax.yaml"
    return read_fmax_calibration(path) if path.is_file() else None


def fmax_terms(columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
    """Return the terms of the estimate for many points, by name, an array each."""
    c = columns
    rows, lanes = np.log2(c["pe"].astype(float)), np.log2(c["simd"].astype(float))
    # Levels of logic from the memories to the accumulator, cut by the registers between: the product, by the bits of
    # its narrower factor, and the adder tree.
    product = np.log2(1.0 + np.minimum(c["weight_bits"], c["activation_bits"]))
    return {
        "one": np.ones(len(rows)),
        "levels_per_stage": (product + lanes + 1.0) / (1.0 + c["pipeline"].astype(float)),
        "log2_products": rows + lanes,
        "accumulator_bits": c["accumulator_bits"].astype(float),
        "multiplier_in_luts": (c["multiplier"] == "lut").astype(float),
    }


def fmax_columns(columns: Mapping[str, NDArray[Any]], device: Device) -> NDArray[np.float64]:
    """Return the estimated clocks of many points in MHz; NaN where there is no estimate for the device."""
    known = fmax_calibration(device.family)
    if known is None or known.speed != device.speed:
        return np.full(len(columns["pe"]), np.nan)
    return _estimate(fmax_terms(columns), known)


def _estimate(terms: Mapping[str, NDArray[np.float64]], known: FmaxCalibration) -> NDArray[np.float64]:
    if missing := sorted(set(terms) ^ set(known.coefficients)):
        raise ConfigError(
            f"the clock's calibration does not match the model's terms ({', '.join(missing)}); run "
            "`cods calibrate engine --fmax` again"
        )
    total = sum((known.coefficients[name] * values for name, values in terms.items()), np.zeros(1))
    return np.clip(np.exp(total), known.lowest_mhz, known.highest_mhz)


def fmax(point: EnginePoint, device: Device) -> Fmax:
    """Return the clock that `point`'s engine is estimated to reach on `device`, or that there is no estimate.

    An estimate stays within what was met in calibration.
    """
    point.check()
    known = fmax_calibration(device.family)
    if known is None:
        return Fmax(None, reason=f"no place-and-route runs were made for family {device.family!r}")
    if known.speed != device.speed:
        return Fmax(None, reason=f"speed grade {known.speed} was timed, {device.name} is of grade {device.speed}")
    mhz = float(_estimate(fmax_terms(columns_of(point)), known)[0])
    assert math.isfinite(mhz)
    return Fmax(round(mhz, 2), known.median_error, "", known.text, known.worst_error)
