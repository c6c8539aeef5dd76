"""What an accelerator family is: a space, rules with named violations, a cost with origins, and hardware on request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codesign.accel.devices import Device
from codesign.accel.space import Columns, Space, Value
from codesign.errors import SpaceError, UnsupportedModel

__all__ = ["AcceleratorFamily", "Cost", "Figure", "Origin", "Point", "Refusal", "Simulated", "Violation", "refuse"]

Point = Mapping[str, Value]
"""The setting of every knob of a space."""

Origin = Literal["exact", "estimated", "model energy", "synthesised", "routed", "simulated"]
"""Where a figure comes from; origins never share a field."""


@dataclass(frozen=True)
class Violation:
    """One broken rule: its name, the layer it concerns ("" for the point itself), and the numbers that clash."""

    rule: str
    layer: str
    message: str

    def __str__(self) -> str:
        where = f"layer {self.layer!r}: " if self.layer else ""
        return f"{self.rule}: {where}{self.message}"


class Refusal(SpaceError):
    """A point, or a program for it, that breaks rules; `violations` holds them, at least one."""

    def __init__(self, *violations: Violation):
        listed = "\n- ".join(map(str, violations))
        super().__init__(listed if len(violations) == 1 else f"{len(violations)} rules are broken:\n- {listed}")
        self.violations = violations


def refuse(rule: str, layer: str, message: str) -> Refusal:
    """Return the error of one violation."""
    return Refusal(Violation(rule, layer, message))


@dataclass(frozen=True)
class Figure:
    """A number with its unit and its origin."""

    value: float
    unit: str
    origin: Origin


Cost = Mapping[str, Figure]
"""Figures of one point with one network on one device. A family gives what it knows, under these names:
`cycles` (of one input, by itself), `interval` (cycles between inputs), `luts`, `ffs`, `brams`, `dsps`, `fmax_mhz`,
`latency_us`, `energy_nj`, `edp` (energy times latency, nJ us)."""


@dataclass(frozen=True)
class Simulated:
    """What a simulation of generated hardware said: inputs played, those with a wrong answer, cycles of one input."""

    inputs: int
    mismatched: int
    cycles: int


class AcceleratorFamily(ABC):
    """A kind of accelerator that a search can configure.

    Three methods and the space are all that a search needs. `valid` and `costs` do the same for many points at once;
    here they ask point by point, and a family that can compute on arrays overrides them. `generate` and `simulate`
    make hardware; a family without them can be searched, but not built. `network` is whatever the family runs.
    """

    def __init__(self, space: Space):
        """`space`: the family's own, or a narrower one that names this family."""
        self.space = space

    @abstractmethod
    def read_network(self, path: Path) -> Any:
        """Read a network that this family runs; a ConfigError or DataError says what is wrong with the file."""

    @abstractmethod
    def validate(self, point: Point, network: Any, device: Device | None = None) -> tuple[Violation, ...]:
        """Return every rule that the point breaks, by itself, with the network, or on the device; empty if none."""

    @abstractmethod
    def cost(self, point: Point, network: Any, device: Device) -> Cost:
        """Return the figures of a valid point; a Refusal otherwise."""

    def valid(self, columns: Columns, network: Any, device: Device | None = None) -> NDArray[np.bool_]:
        """Return, for each of many points, whether it breaks no rule."""
        return np.array([not self.validate(point, network, device) for point in points_of(columns)], dtype=np.bool_)

    def costs(self, columns: Columns, network: Any, device: Device) -> dict[str, NDArray[np.float64]]:
        """Return the figures of many points, NaN where a point is not valid."""
        rows: list[dict[str, float]] = []
        for point in points_of(columns):
            bad = self.validate(point, network, device)
            rows.append({} if bad else {k: f.value for k, f in self.cost(point, network, device).items()})
        names = sorted({name for row in rows for name in row})
        return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}

    def sensitivity(self, points: Sequence[Point], network: Any, device: Device) -> list[list[str]]:
        """Say whether the ranking of the best ten of some valid points survives each assumed coefficient moved by 2.

        A table of text, headings first; empty where the family's figures rest on no such coefficients.
        """
        return []

    def generate(self, point: Point, network: Any, folder: Path) -> None:
        """Write the hardware of a valid point to `folder`; a Refusal where it breaks a rule."""
        raise UnsupportedModel(f"family {self.space.family!r} has no hardware generator; it can only be costed")

    def simulate(self, folder: Path, network: Any, inputs: ArrayLike, *, work: Path) -> Simulated:
        """Play inputs through generated hardware and compare every answer with the network's own arithmetic."""
        raise UnsupportedModel(f"family {self.space.family!r} has no simulation; it can only be costed")

    def check(self, point: Point, network: Any, device: Device | None = None) -> dict[str, Value]:
        """Return the point's settings in the order of the knobs; a Refusal lists every rule that it breaks."""
        settings = self.space.check(point)
        if found := self.validate(settings, network, device):
            raise Refusal(*found)
        return settings


def points_of(columns: Columns) -> list[dict[str, Value]]:
    """Turn columns into a list of points of plain values."""
    plain: dict[str, list[Value]] = {name: values.tolist() for name, values in columns.items()}
    count = min((len(values) for values in plain.values()), default=0)
    return [{name: values[row] for name, values in plain.items()} for row in range(count)]
