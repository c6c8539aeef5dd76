"""One search problem: a family's space, a network, a device and an objective; evaluates points as trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from codesign.accel import AcceleratorFamily, Cost, Device, Figure
from codesign.accel.space import Value
from codesign.errors import CodesignError, SpaceError
from codesign.search.encode import encode_network
from codesign.search.guard import Guard, told
from codesign.search.objective import Objective
from codesign.search.table import CHUNK_POINTS, Completions, valid_points

__all__ = ["OverLimits", "Problem", "Sweep", "Trial", "number_of"]

State = Literal["done", "over limit", "invalid", "failed"]


class OverLimits(SpaceError):
    """No point keeps the limits, each of which is named with the least that was met."""


@dataclass(frozen=True)
class Trial:
    """One evaluated point.

    state:  "done" alone can win; "over limit": its figures are known, but exceed a limit of the objective; "invalid":
            it breaks a rule; "failed": its cost function raised, gave no number or took too long.
    value:  of the objective (NaN where there is none); score: for learning, less is better (else infinite).
    figures: what the family said, each with unit and origin. reason: why it is not done.
    """

    number: int
    point: Mapping[str, Value]
    state: State
    value: float
    score: float
    figures: Mapping[str, Figure] = field(default_factory=dict[str, Figure])
    reason: str = ""

    @property
    def done(self) -> bool:
        """Whether it may win."""
        return self.state == "done"


@dataclass(frozen=True)
class Sweep:
    """Every valid point of a space, costed.

    numbers: of the points; values, within: the objective's value of each, and whether it exceeds no limit.
    best: number of the optimum, value: its value.
    """

    numbers: NDArray[np.int64]
    values: NDArray[np.float64]
    within: NDArray[np.bool_]
    costs: Mapping[str, NDArray[np.float64]]
    best: int
    value: float


class Problem:
    """What a search searches: the best point of a family's space for one network on one device.

    time_limit_s: where it is given, points are costed one by one in a process of their own, and a cost function that
    takes longer is a failed trial; without it a cost function that never ends stops the search. `features`: the network
    as numbers for the agent; ours are made from integer networks.
    """

    def __init__(
        self,
        family: AcceleratorFamily,
        network: Any,
        *,
        device: Device,
        objective: Objective,
        name: str = "",
        time_limit_s: float | None = None,
        features: NDArray[np.float32] | None = None,
    ):
        self.family, self.network, self.device, self.objective = family, network, device, objective
        self.space, self.name = family.space, name or str(getattr(network, "name", family.space.name))
        self.features = encode_network(network) if features is None else np.asarray(features, dtype=np.float32)
        self._guard = Guard(self._cost_of, limit_s=time_limit_s) if time_limit_s is not None else None
        self._kinds: dict[str, Figure] = {}
        self._swept: Sweep | None = None
        self._asked: dict[int, tuple[Cost | None, str]] = {}

    @cached_property
    def valid(self) -> NDArray[np.bool_]:
        """Of every point, by number, whether it is valid; a SpaceError where there are too many, or none is."""
        return valid_points(self.family, self.network, self.device)

    @cached_property
    def completions(self) -> Completions:
        """What prefixes of knobs can still become; copy it to remove points."""
        return Completions(self.space, self.valid)

    @property
    def in_columns(self) -> bool:
        """Whether the family costs many points at once."""
        return type(self.family).costs is not AcceleratorFamily.costs and self._guard is None

    def evaluate(self, numbers: Sequence[int]) -> list[Trial]:
        """Validate and cost points by number, a trial a point. Nothing that a cost function does ends the search."""
        if not len(numbers):
            return []
        points = [self.space.point(int(number)) for number in numbers]
        wanted = np.array(numbers, dtype=np.int64)
        if "valid" in self.__dict__:
            fine = self.valid[wanted]
        else:
            fine = self.family.valid(self.space.columns(self.space.indices(wanted)), self.network, self.device)
        found = iter(self._costs_of(wanted[fine], [point for point, valid in zip(points, fine, strict=True) if valid]))
        trials: list[Trial] = []
        for number, point, valid in zip(numbers, points, fine, strict=True):
            if valid:
                cost, problem = next(found)
                trials.append(self._judge(int(number), point, cost, problem))
            else:
                trials.append(Trial(int(number), point, "invalid", np.nan, np.inf, {}, "breaks a rule of the family"))
        return trials

    def sweep(self) -> Sweep:
        """Cost every valid point; `evaluate` reads these figures then. A SpaceError where none is within the limits.

        A point whose cost function fails is no optimum, and does not end the sweep.
        """
        numbers = np.flatnonzero(self.valid)
        costs = self._all_costs(numbers)
        self.objective.require(costs)
        values = np.asarray(costs[self.objective.figure], dtype=np.float64)
        within = self.objective.within(costs) & (values > 0)
        if not within.any():
            raise OverLimits(
                f"none of the {len(numbers):,} valid points of space {self.space.name!r} for {self.name} stays within "
                f"the limits: {self.objective.explain(costs)}"
            )
        scores = np.where(within, self.objective.scores(costs), np.inf)
        best = int(np.nanargmin(scores))
        self._swept = Sweep(numbers, values, within, costs, int(numbers[best]), float(values[best]))
        return self._swept

    def _all_costs(self, numbers: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Figures of many valid points, an array each; NaN where the cost function of a user's own family failed."""
        if not self.in_columns:
            costs = self._costs_of(numbers, [self.space.point(int(number)) for number in numbers])
            names = list(dict.fromkeys(name for cost, _ in costs if cost for name in cost))
            if not names:
                raise SpaceError(f"the cost function failed at all of {len(costs)} valid points: {costs[0][1]}")
            return {name: np.array([number_of(cost, name) for cost, _ in costs]) for name in names}
        parts: list[dict[str, NDArray[np.float64]]] = []
        for start in range(0, len(numbers), CHUNK_POINTS):
            columns = self.space.columns(self.space.indices(numbers[start : start + CHUNK_POINTS]))
            parts.append(self.family.costs(columns, self.network, self.device))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def close(self) -> None:
        """End the process of the time limit, if there is one."""
        if self._guard is not None:
            self._guard.close()

    def _judge(self, number: int, point: Mapping[str, Value], cost: Cost | None, problem: str) -> Trial:
        if cost is None:
            return Trial(number, point, "failed", np.nan, np.inf, {}, problem)
        try:
            outcome = self.objective.outcome(cost)
        except SpaceError as wrong:
            return Trial(number, point, "failed", np.nan, np.inf, dict(cost), str(wrong))
        if outcome.over:
            reason = ", ".join(
                f"{name} {met:g} exceeds {self.objective.limits[name]:g}" for name, met in outcome.over.items()
            )
            return Trial(number, point, "over limit", outcome.value, outcome.score, dict(cost), reason)
        return Trial(number, point, "done", outcome.value, outcome.score, dict(cost))

    def _costs_of(self, numbers: NDArray[np.int64], points: list[dict[str, Value]]) -> list[tuple[Cost | None, str]]:
        """Return each valid point's figures, or None and what went wrong."""
        if not points:
            return []
        if not self.in_columns:  # such a call may take long, so none is made twice
            for number, point in zip(numbers.tolist(), points, strict=True):
                if number not in self._asked:
                    self._asked[number] = self._guard(point) if self._guard is not None else self._one(point)
            return [self._asked[number] for number in numbers.tolist()]
        if not self._kinds:  # columns are values alone; units and origins are those of any point, without its own clock
            self._kinds = {
                name: Figure(0.0, figure.unit.split(" at ")[0], figure.origin)
                for name, figure in self.family.cost(points[0], self.network, self.device).items()
            }
        if self._swept is not None:  # of a family in columns
            rows = np.searchsorted(self._swept.numbers, numbers)
            costs = {name: values[rows] for name, values in self._swept.costs.items()}
        else:
            costs = self.family.costs(self.space.columns(self.space.indices(numbers)), self.network, self.device)
        kinds = self._kinds
        return [
            ({n: Figure(float(v[row]), kinds[n].unit, kinds[n].origin) for n, v in costs.items()}, "")
            for row in range(len(points))
        ]

    def _one(self, point: Mapping[str, Value]) -> tuple[Cost | None, str]:
        try:
            return self._cost_of(point), ""
        except CodesignError as problem:
            return None, str(problem)
        except Exception as problem:  # noqa: BLE001 - whatever a user's own function raises is a failed trial
            return None, told(problem)

    def _cost_of(self, point: Mapping[str, Value]) -> Cost:
        cost = self.family.cost(point, self.network, self.device)
        if not isinstance(cost, Mapping) or not all(isinstance(figure, Figure) for figure in cost.values()):
            raise SpaceError(f"cost must give a mapping of names to Figure(value, unit, origin), not {cost!r}")
        return cost


def number_of(cost: Cost | None, name: str) -> float:
    """A figure as a number; NaN where there is none, or where it is none."""
    try:
        return float(cost[name].value) if cost is not None and name in cost else float("nan")
    except (TypeError, ValueError):
        return float("nan")
