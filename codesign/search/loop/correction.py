"""Measured costs brought back into the model: how far its estimates were off, and designs that are out for good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from codesign.search.loop.designs import Design
from codesign.search.objective import Objective

__all__ = ["Correction"]

_CORRECTED = ("luts", "ffs")


@dataclass
class Correction:
    """Ratios of what was synthesised to what was estimated, from all designs realised so far.

    ratios:   by figure, in the order in which they were met.
    excluded: designs that can never win, by network label: numbers of hardware points, each with its reason.
    """

    ratios: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    excluded: dict[str, dict[int, str]] = field(default_factory=dict[str, dict[int, str]])

    def learn(self, design: Design, number: int | None) -> None:
        """Take a realised design; number: of its hardware point in the space, None where it is in none."""
        for name in _CORRECTED:
            said, counted = design.predicted.get(name), design.figures.get(name)
            if said is not None and counted is not None and counted.origin == "synthesised" and said.value > 0:
                self.ratios.setdefault(name, []).append(counted.value / said.value)
        if not design.done and number is not None and design.state != "not accurate":
            self.excluded.setdefault(design.candidate.label, {})[number] = f"{design.state}: {design.reason}"

    @property
    def factors(self) -> Mapping[str, float]:
        """Median ratio of each figure."""
        return {name: float(np.median(ratios)) for name, ratios in self.ratios.items()}

    def objective(self, objective: Objective) -> Objective:
        """The objective with its limits as the model must keep them, so that what is measured keeps the true ones."""
        factors = self.factors
        limits = {name: most / factors.get(name, 1.0) for name, most in objective.limits.items()}
        return replace(objective, limits=limits)
