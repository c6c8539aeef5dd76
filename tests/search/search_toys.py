"""A family with a rule across knobs, a known optimum and a cost function that can be told to misbehave."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from codesign.accel import AcceleratorFamily, Figure, Knob, Space, Violation, device
from codesign.search import Objective, Problem

SPACE = Space(
    "toy",
    "toy",
    (
        Knob("rows", (1, 2, 4, 8, 16)),
        Knob("lanes", (1, 2, 4, 8, 16)),
        Knob("settled", (7,)),
        Knob("depth", (16, 32, 64, 128)),
        Knob("order", ("across", "down")),
        Knob("fast", (False, True)),
    ),
)


class Toy(AcceleratorFamily):
    """`network` is the work to do; more multipliers take less time and more energy, and must fit together."""

    def __init__(self, space: Space = SPACE, *, budget: int = 64, misbehave: Callable[[Any], Any] | None = None):
        super().__init__(space)
        self.budget, self.misbehave, self.calls = budget, misbehave, 0

    def read_network(self, path):
        return int(path.read_text())

    def validate(self, point, network, device=None):
        found = []
        if point["rows"] * point["lanes"] > self.budget:
            found.append(Violation("size", "", f"{point['rows']} x {point['lanes']} is more than {self.budget}"))
        if point["depth"] < 4 * point["lanes"] or (point["order"] == "down" and point["rows"] % point["lanes"]):
            found.append(Violation("shape", "", "lanes do not fit"))
        return tuple(found)

    def cost(self, point, network, device):
        self.calls += 1
        if self.misbehave is not None and (answer := self.misbehave(point)) is not None:
            return answer
        units = point["rows"] * point["lanes"]
        cycles = network / units + 3 * point["rows"] + point["depth"] / 16
        clock = (1.5 if point["fast"] else 1.0) * (1.0 if point["order"] == "down" else 0.9)
        energy = network * 0.01 + cycles * units * (0.02 if point["fast"] else 0.01)
        return {
            "cycles": Figure(cycles, "cycles", "exact"),
            "latency_us": Figure(cycles / clock, "us", "estimated"),
            "energy_nj": Figure(energy, "nJ", "model energy"),
            "edp": Figure(energy * cycles / clock, "nJ us", "model energy"),
            "luts": Figure(units * 10, "LUTs", "estimated"),
        }


def toy_problem(network: int = 1000, *, objective: Objective | None = None, **options: Any) -> Problem:
    limit = options.pop("time_limit_s", None)
    family = Toy(**options)
    stated = objective or Objective("edp")
    features = np.array([np.log2(network) / 20], dtype=np.float32)
    return Problem(
        family,
        network,
        device=device("ecp5-25f"),
        objective=stated,
        name=f"work {network}",
        time_limit_s=limit,
        features=features,
    )


def raises(point):
    if point["fast"]:
        raise RuntimeError("no such thing")


def nonsense(point):
    if point["fast"]:
        return {"edp": Figure(float("nan"), "nJ us", "estimated")}
    return {"edp": Figure(-1.0, "nJ us", "estimated")} if point["order"] == "down" else None


def hangs(point):
    if point["rows"] == 8:
        time.sleep(60)
    if point["rows"] == 4:
        os._exit(3)


def optimum(problem: Problem) -> float:
    """By asking point by point, without anything that the search has."""
    best = np.inf
    for number in range(problem.space.size):
        point = problem.space.point(number)
        if not problem.family.validate(point, problem.network):
            cost = problem.family.cost(point, problem.network, problem.device)
            fits = all(cost[name].value <= most for name, most in problem.objective.limits.items())
            best = min(best, cost[problem.objective.figure].value) if fits else best
    return float(best)
