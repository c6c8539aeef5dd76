"""NAS-Bench-201 cells as the network half: accuracies from the table, exact costs of all cells, random weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal, cast

import numpy as np
import torch
import yaml

from codesign.accel import Device, device
from codesign.accel.engine import EnginePoint
from codesign.config.search import SearchConfig
from codesign.errors import ConfigError, SpaceError
from codesign.ir.integer_random import random_network
from codesign.search.evolution import evolve_front
from codesign.search.gradient import Step
from codesign.search.gradient.cells import FIGURES, explore_cells, legal_cells
from codesign.search.jobs import Job
from codesign.search.loop.designs import Candidate
from codesign.search.loop.networks import NetworkDrop, Networks, Point, gradient_options, network_figure, widest
from codesign.search.loop.screen import Screen
from codesign.search.networks import CellSpace, load_accuracies
from codesign.search.networks.cell_cost import CellCosts, CellFigures
from codesign.search.networks.cells import CellSpaceFile
from codesign.search.networks.predictor import cell_features

__all__ = ["CellNetworks", "reference_cell"]

_STEPS, _ROUNDS = 60, 2
_GENERATIONS, _ENOUGH = 3, 5
"""Of evolution: generations of its predictor, and the accuracies that the first one needs."""
_FEWEST = 20
"""Look-ups that a predictor of accuracies needs."""


def reference_cell(figures: CellFigures, validation: np.ndarray) -> int:
    """The rule of the reference, written before any search: the cell of best validation accuracy (12 epochs, the first
    of equals) among those that the default accelerator runs. A SpaceError says which rule kills most if it runs none.
    """
    if not figures.valid.any():
        worst = max(figures.broken, key=lambda rule: int(figures.broken[rule].sum()))
        count = int(figures.broken[worst].sum())
        raise SpaceError(
            f"the default accelerator runs none of the {len(figures.valid):,} cells, so there is no reference; rule "
            f"{worst!r} is broken by {count:,} of them. Give `network.reference` and `hardware.default`, or a smaller "
            "network space"
        )
    return int(np.where(figures.valid, validation, -1.0).argmax())


@lru_cache(maxsize=4)
def _known_of(text: str) -> tuple[CellCosts, tuple[str, ...]]:
    """The costs of a space's cells, and their architectures by number: the same for every search of that space."""
    space = CellSpace(CellSpaceFile.model_validate(yaml.safe_load(text)))
    return CellCosts(space), tuple(space.arch(space.choices.point(n)) for n in range(space.choices.size))


class CellNetworks(Networks):
    """Cells of one space with the accuracies of one data set.

    What `network.evaluations` counts are validation accuracies that were looked up, each cell once, the reference's
    included. The test accuracy of the result is read at the end.
    """

    cost_unit = "the median cell's"

    def __init__(self, config: SearchConfig, space: CellSpace, **options: Any):
        super().__init__(config, **options)
        if config.network.method != "reference" and config.network.evaluations < _FEWEST:
            raise ConfigError(
                f"network.evaluations: must be {_FEWEST} or more for a space of cells, not {config.network.evaluations}"
            )
        self.gradient = gradient_options(config, {"steps": _STEPS}, also=("screen",))
        torch.set_num_threads(1)  # so that the same search is the same on every machine
        if config.network.accuracy is None:
            raise ConfigError("network.accuracy: a space of cells needs the data set of its accuracies, e.g. cifar10")
        self.figure = network_figure(config, FIGURES, what="cells")
        self.space, self.target = space, device(config.device)
        self.table = load_accuracies(config.network.accuracy)
        self.costs, archs = _known_of(space.text())
        self._rows = np.array([self.table.row(arch) for arch in archs])
        self.known: dict[int, float] = {}
        self.screen = self._screen(config.network.options.get("screen"))
        self.steps: list[Step] = []
        self.violations = 0

    def _screen(self, name: Any) -> Screen | None:
        if name is None:
            return None
        if self.config.network.method != "gradient":
            raise ConfigError(
                f"network.options.screen: is for method gradient, whose first look-ups are drawn, not "
                f"{self.config.network.method!r}"
            )
        return Screen(str(name), self.space, config=self.config, folder=self.folder, seed=self.seed)

    def figures(self, point: Point, target: Device | None = None) -> CellFigures:
        """Figures of all cells at a hardware point."""
        return self.costs.figures(EnginePoint.from_dict(dict(point)), target or self.target)

    def reference(self, default: Point | None) -> Candidate:
        """The cell that the file names, or that of `reference_cell`."""
        given = self.config.network.reference
        if given is not None:
            point = self.space.point(given) if isinstance(given, str) else self.space.choices.check(given)
            number = self.space.choices.number(point)
        elif default is None:
            raise ConfigError("network.reference: without a default accelerator the reference must be given")
        else:
            number = reference_cell(self.figures(default), self.table.validation[self._rows])
        return self.candidate(number)

    def least(self) -> Candidate | None:
        """A cell that passes on what it gets: its layers are in every network, and every cost is a sum over layers."""
        empty = [number for number, one in enumerate(self.costs.sequences) if not one]
        same = np.flatnonzero(np.isin(self.costs.sequence_of, empty) & ~self.costs.zero)
        return self._bare(int(same[0])) if len(same) else None

    def least_figures(self, point: Point) -> Mapping[str, float]:
        """By enumeration."""
        figures = self.figures(point)
        if not figures.valid.any():
            return {}
        return {name: float(np.asarray(getattr(figures, name))[figures.valid].min()) for name in FIGURES}

    def candidate(self, number: int) -> Candidate:
        """The cell of a number, its validation accuracy looked up."""
        self._look_up(number)
        return replace(self._bare(number), accuracy=self.known[number], origin=self._origin)

    @property
    def _origin(self) -> str:
        return f"NAS-Bench-201, {self.table.data_set}, validation after 12 epochs"

    def _bare(self, number: int) -> Candidate:
        point = self.space.choices.point(number)
        network = widest(random_network(self.space.topology(point), seed=0))
        return Candidate(self.space.arch(point), self.space.canonical(point), network)

    def _look_up(self, number: int) -> None:
        if number not in self.known:
            self.known[number] = float(self.table.validation[self._rows[number]])
            self._told(number)

    def _told(self, number: int) -> None:
        self.used += 1
        arch = self.space.arch(self.space.choices.point(number))
        self.log.look_up(arch, self.known[number], arm=self.arm, round=self.round, origin=self._origin)

    def draw(self, rng: np.random.Generator) -> Candidate:
        """A cell, drawn uniformly from those that are networks for an engine."""
        return self._bare(self.space.choices.number(self.space.draw(rng=rng)))

    def search(
        self, point: Point, *, share: float, limits: Mapping[str, float], least: float | None
    ) -> list[Candidate]:
        """The cheapest cell, at this hardware, that is known to be accurate enough.

        Where the look-ups that are due met none, all that are left are made.
        """
        figures = self.figures(point)
        budget = self.config.network.evaluations
        kept = {name: most for name, most in limits.items() if name in FIGURES}
        legal = legal_cells(figures, kept)
        due = min(budget, max(_FEWEST, math.floor(share * budget)))
        for queries in dict.fromkeys((due, budget)):
            before = set(self.known)
            self._look_around(figures, queries, kept, least)
            for number in self.known:
                if number not in before:
                    self._told(number)
            fine = [n for n, accuracy in self.known.items() if legal[n] and (least is None or accuracy >= least)]
            if fine:
                costs = np.asarray(getattr(figures, self.figure))
                return [self.candidate(min(fine, key=lambda n: (costs[n], -self.known[n])))]
        raise SpaceError(self._why_none(figures, legal, kept, least))

    def _look_around(
        self, figures: CellFigures, queries: int, limits: Mapping[str, float], least: float | None
    ) -> None:
        """Look up accuracies by the method asked for, until `queries` are known."""
        if self.config.network.method != "gradient":
            self._other(figures, queries, limits)
            return
        found = explore_cells(
            self.space,
            figures,
            self.table,
            figure=cast(Literal["cycles", "latency_us", "energy_nj", "edp"], self.figure),
            limits=limits,
            queries=queries,
            rounds=_ROUNDS,
            least_accuracy=least,
            known=self.known,
            draw=self.screen,
            config=self.gradient,
            seed=self.seed + 1000 * self.round,
        )
        self.steps += [step for one in found.searches for step in one.steps]
        self.violations += found.violations
        for one in found.searches:
            last = one.steps[-1]
            unit = "predicted" if least is None else "log-probability to be accurate enough"
            self.drops.append(
                NetworkDrop(self.round, unit, last.score, last.found_score, self.figure, one.drop.relative)
            )
        self.known |= found.known

    def _why_none(
        self, figures: CellFigures, legal: np.ndarray, limits: Mapping[str, float], least: float | None
    ) -> str:
        """Say which of the limits and the accuracy stands in the way, with the best that was met of each."""
        known = np.array(sorted(self.known))
        accurate = np.array([least is None or self.known[int(n)] >= least for n in known], dtype=np.bool_)
        said: list[str] = []
        for name, most in limits.items():
            values = np.asarray(getattr(figures, name), dtype=np.float64)
            met = values[known[accurate & figures.valid[known]]]
            among = f"{met.min():g} among those accurate enough" if len(met) else "none of them is accurate enough"
            said.append(f"{name} at most {most:g} ({among}; any cell: {values[figures.valid].min():g})")
        if least is not None:
            best = max((self.known[int(n)] for n in known[legal[known]]), default=None)
            among = "no cell looked up keeps the limits" if best is None else f"{best:.2f} % the best that keeps them"
            said.append(f"validation accuracy at least {least:.2f} % ({among})")
        return (
            f"of {len(self.known)} cells looked up none is within the limits at this hardware and accurate enough: "
            f"{', '.join(said)}. Raise network.within, the limits, or network.evaluations"
        )

    def _other(self, figures: CellFigures, queries: int, limits: Mapping[str, float]) -> None:
        """Evolution over a predictor; what is left, and all of method `random`, is drawn from the legal cells."""
        legal, costs = legal_cells(figures, limits), np.asarray(getattr(figures, self.figure), dtype=np.float64)
        validation = self.table.validation[self._rows]
        if self.config.network.method == "evolution":
            self._evolve(legal, costs, validation, queries)
        fresh = queries - len(self.known)
        if fresh > 0:
            left = np.array([n for n in np.flatnonzero(legal) if int(n) not in self.known], dtype=np.int64)
            rng = np.random.default_rng([self.seed, self.round, 2])
            drawn = rng.choice(left, size=min(fresh, len(left)), replace=False)
            self.known |= {int(number): float(validation[number]) for number in drawn}

    def _evolve(self, legal: np.ndarray, costs: np.ndarray, validation: np.ndarray, queries: int) -> None:
        """Half of the look-ups are drawn, the rest are of the fronts of three generations of the predictor."""
        sizes = [len(knob.values) for knob in self.space.choices.knobs]
        strides = np.cumprod([1, *sizes[:-1]])
        features = cell_features(self.space.all_operations())
        numbers = list(self.known)
        keys = self.space.choices.indices(np.array(numbers, dtype=np.int64)).tolist()
        first = max(0, queries // 2 - len(numbers))
        each = (queries - len(numbers) - first) // _GENERATIONS
        if each < 1 or first + len(numbers) < _ENOUGH:
            return
        found = evolve_front(
            sizes,
            accuracy=lambda indices: float(validation[np.array(indices) @ strides]),
            cost=lambda indices: costs[indices @ strides],
            legal=lambda indices: legal[indices @ strides],
            features=lambda indices: features[indices @ strides],
            known={tuple(key): self.known[number] for key, number in zip(keys, numbers, strict=True)},
            first=first,
            rounds=_GENERATIONS,
            each=each,
            seed=self.seed + self.round,
        )
        self.known |= {int(np.array(one.indices) @ strides): one.accuracy for one in found.evaluated}

    def job(self, candidate: Candidate, point: Point) -> Job:
        """Random weights on the generated engine."""
        realise = self.config.realise
        return Job(
            "random_engine",
            {
                "topology": self.space.config(candidate.point).model_dump(mode="json"),
                "classes": self.space.file.classes,
                "point": EnginePoint.from_dict(dict(point)).as_dict(),
                "device": self.config.device,
                "seed": 0,
                "images": realise.images,
                "synth": realise.synth,
                "route": realise.route,
                "stress": 1,
            },
        )

    def test_accuracy(self, candidate: Candidate) -> tuple[float, str] | None:
        """The table's, after 200 epochs."""
        row = self.table.row(candidate.label)
        return float(self.table.test[row]), f"NAS-Bench-201, {self.table.data_set}, test after 200 epochs"

    def facts(self) -> dict[str, Any]:
        """Look-ups, how many logged steps of the gradient exceeded a limit, and how well a proxy screened."""
        told = {"looked up": self.used, "logged steps": len(self.steps), "over a limit": self.violations}
        if self.screen is None:
            return told
        return told | {"screened with": self.screen.origin} | self.screen.ranks(self.known)
