"""What a search looks for: one figure, made small or large, under limits on others; every figure keeps its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from codesign.accel import Cost, Figure
from codesign.errors import ConfigError, SpaceError, did_you_mean

__all__ = ["OBJECTIVES", "Objective", "Outcome"]

OBJECTIVES = {
    "latency": "latency_us",
    "energy": "energy_nj",
    "edp": "edp",
    "cycles": "cycles",
    "interval": "interval",
    "luts": "luts",
}
"""Short names of objectives, and the figure that each is; any other word is the name of a figure itself."""


@dataclass(frozen=True)
class Outcome:
    """What an objective makes of one point's figures.

    value:   of the objective's figure, in its own unit.
    score:   for learning, less is better: the logarithm of the value (its negative where it is to be large), and for
             each limit that is exceeded `penalty` times the logarithm of how often it is exceeded, plus 1.
    over:    limits that are exceeded, by name, and the values met; empty for a point that may win.
    """

    value: float
    score: float
    over: Mapping[str, float]


@dataclass(frozen=True)
class Objective:
    """One figure to be made small (or large) while others stay at or under their limits.

    name:    a key of `OBJECTIVES`, or the name of any figure that the family gives; it must be positive.
    limits:  the most that a figure may be, by figure: {"luts": 20000, "latency_us": 500}. They hold beside the family's
             own rules, and no point that exceeds one can win.
    penalty: how much an exceeded limit weighs in the score.
    """

    name: str
    limits: Mapping[str, float] = field(default_factory=dict[str, float])
    direction: Literal["minimise", "maximise"] = "minimise"
    penalty: float = 5.0

    def __post_init__(self) -> None:
        if self.direction not in ("minimise", "maximise"):
            raise ConfigError(f"direction must be minimise or maximise, not {self.direction!r}")
        if not self.penalty > 0:
            raise ConfigError(f"penalty must be more than 0, not {self.penalty:g}")
        for name, most in self.limits.items():
            if not (np.isfinite(most) and most > 0):
                raise ConfigError(f"the limit of {name!r} must be a number greater than 0, not {most:g}")

    @property
    def figure(self) -> str:
        """Name of the figure."""
        return OBJECTIVES.get(self.name, self.name)

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of all figures that it reads."""
        return (self.figure, *(name for name in self.limits if name != self.figure))

    def require(self, known: Mapping[str, Any]) -> None:
        """Raise a SpaceError where a figure that is read is not among those that the family gives."""
        for name in self.figures:
            if name not in known:
                given = ", ".join(sorted(known))
                raise SpaceError(f"the family gives no figure {name!r}.{did_you_mean(name, known)} It gives: {given}")

    def outcome(self, cost: Cost) -> Outcome:
        """Judge one point; a SpaceError says which figure is missing, not a number, or not positive."""
        self.require(cost)
        try:
            values = {name: np.array([cost[name].value], dtype=np.float64) for name in self.figures}
        except (TypeError, ValueError) as problem:
            raise SpaceError(f"figures must be numbers ({problem})") from None
        value = float(values[self.figure][0])
        for name, found in values.items():
            if not np.isfinite(found[0]) or (name == self.figure and found[0] <= 0):
                raise SpaceError(f"figure {name!r} must be a number greater than 0, not {float(found[0]):g}")
        over = {n: float(values[n][0]) for n, most in self.limits.items() if values[n][0] > most}
        return Outcome(value, float(self.scores(values)[0]), over)

    def scores(self, costs: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Return the scores of many points, NaN where the value is not a positive number."""
        value = np.asarray(costs[self.figure], dtype=np.float64)
        score = np.log(np.where(value > 0, value, np.nan))
        if self.direction == "maximise":
            score = -score
        for name, most in self.limits.items():
            ratio = np.asarray(costs[name], dtype=np.float64) / most
            score = score + np.where(ratio > 1, self.penalty * (1 + np.log(np.maximum(ratio, 1))), 0.0)
        return score

    def within(self, costs: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
        """Return which of many points exceed no limit and have a value."""
        fine = np.isfinite(np.asarray(costs[self.figure], dtype=np.float64))
        for name, most in self.limits.items():
            fine &= np.asarray(costs[name]) <= most
        return fine

    def explain(self, costs: Mapping[str, NDArray[Any]]) -> str:
        """Say of points none of which is within the limits which limit stands in the way, and the least of each figure.

        Where each limit is met by some points, it says what the least is among those that meet all others. Points
        without a number (NaN) meet nothing.
        """
        values = {name: np.asarray(costs[name], dtype=np.float64) for name in self.limits}
        over = {name: ~(values[name] <= most) for name, most in self.limits.items()}
        said: list[str] = []
        for name, most in self.limits.items():
            found = values[name][np.isfinite(values[name])]
            if not len(found):
                said.append(f"{name} at most {most:g}, which is not known of any")
                continue
            text = f"{name} at most {most:g}, the least met is {found.min():g}"
            others = np.all([~mask for key, mask in over.items() if key != name], axis=0) if len(over) > 1 else None
            if found.min() <= most and others is not None:
                with_them = values[name][others & np.isfinite(values[name])]
                kept = f"{with_them.min():g} where the others are kept" if len(with_them) else "none keeps the others"
                text += f" ({kept})"
            said.append(text)
        return ", ".join(said)

    def ratio(self, value: float, best: float) -> float:
        """How many times worse `value` is than `best`, 1 or more where `best` is the optimum."""
        return value / best if self.direction == "minimise" else best / value

    def describe(self, found: Figure) -> str:
        """The figure as a line of a report, with unit and origin."""
        return f"{self.name} {found.value:,.6g} {found.unit} ({found.origin})"
