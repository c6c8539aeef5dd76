"""The network search over NAS-Bench-201 cells: a few trained accuracies, a predictor, gradients, exact costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from codesign.errors import ConfigError, SpaceError, did_you_mean
from codesign.search.gradient.search import Found, GradientConfig, Step, gradient_search
from codesign.search.gradient.tables import whole_table
from codesign.search.networks.cell_cost import CellFigures
from codesign.search.networks.cells import CellSpace
from codesign.search.networks.nasbench import Accuracies
from codesign.search.networks.predictor import Predictor, cell_features

__all__ = ["CellResult", "Explored", "FIGURES", "explore_cells", "search_cells"]

FIGURES = ("cycles", "latency_us", "energy_nj", "edp")
"""Figures that can be the cost or be limited."""

Figure = Literal["cycles", "latency_us", "energy_nj", "edp"]

Numbers = NDArray[np.float64]

Draw = Callable[[NDArray[np.int64], Numbers, int, np.random.Generator], Sequence[int]]
"""Takes legal cells, the costs of all cells, how many are wanted, and the source of chance; returns cells."""


@dataclass(frozen=True)
class Explored:
    """The cells that were looked at.

    known: validation accuracies that were looked up, by point number. searches: what each round of the gradient search
    did. predicted: of the cells that the search chose to look up, the predictor's score before, and its deviation.
    """

    known: Mapping[int, float]
    searches: tuple[Found, ...]
    predicted: Mapping[int, tuple[float, float]]

    @property
    def violations(self) -> int:
        """Logged steps, over all rounds, whose network exceeded a limit."""
        return sum(found.violations for found in self.searches)


@dataclass(frozen=True)
class CellResult:
    """The cell that was chosen.

    validation: its accuracy in the table; test: likewise, read once, after the choice. cost: in the unit of its figure.
    predicted, deviation: the predictor's score of the cell before its own accuracy was looked up, and its uncertainty.
    number: of the cell; explored: all that were looked at.
    """

    arch: str
    number: int
    validation: float
    test: float
    cost: float
    predicted: float
    deviation: float
    explored: Explored


def search_cells(
    space: CellSpace,
    figures: CellFigures,
    accuracies: Accuracies,
    *,
    figure: Figure = "edp",
    limits: Mapping[str, float] | None = None,
    least_accuracy: float | None = None,
    config: GradientConfig | None = None,
    **options: Any,
) -> CellResult:
    """Search the cells of a space at one hardware point, and choose one; `options` as of `explore_cells`.

    The cheapest cell known to reach `least_accuracy` is chosen; without it, the best score for its cost. Test accuracy
    is read for that cell alone. A SpaceError where none that was looked up is accurate enough.
    """
    config = config or GradientConfig()
    found = explore_cells(
        space,
        figures,
        accuracies,
        figure=figure,
        limits=limits,
        least_accuracy=least_accuracy,
        config=config,
        **options,
    )
    costs, legal = np.asarray(getattr(figures, figure), dtype=np.float64), legal_cells(figures, limits or {})
    allowed = {number: accuracy for number, accuracy in found.known.items() if legal[number]}
    best = _choose(allowed, costs, least_accuracy, config.cost_weight)
    row = _Archs(space).row(best, accuracies)
    return CellResult(
        accuracies.archs[row],
        best,
        float(accuracies.validation[row]),
        float(accuracies.test[row]),
        float(costs[best]),
        *(found.predicted.get(best) or (float("nan"), float("nan"))),
        found,
    )


def legal_cells(figures: CellFigures, limits: Mapping[str, float]) -> NDArray[np.bool_]:
    """Which cells the point can run within the limits."""
    legal = figures.valid.copy()
    for name, most in limits.items():
        legal &= np.asarray(getattr(figures, name)) <= most
    return legal


def explore_cells(
    space: CellSpace,
    figures: CellFigures,
    accuracies: Accuracies,
    *,
    figure: Figure = "edp",
    limits: Mapping[str, float] | None = None,
    queries: int = 100,
    rounds: int = 4,
    starts: int = 3,
    least_accuracy: float | None = None,
    known: Mapping[int, float] | None = None,
    draw: Draw | None = None,
    config: GradientConfig | None = None,
    seed: int = 0,
    progress: Callable[[Step], None] | None = None,
) -> Explored:
    """Look up the accuracies of the cells that are most worth it at one hardware point.

    figures: of all cells at that point. limits: most that figures may be; cells that the point cannot run are never
    allowed. queries: how many validation accuracies may be looked up; half are spent on cells drawn from the legal
    ones, the rest in `rounds` rounds: fit the predictor, search by gradient from `starts` beginnings, look up what was
    found and its neighbours that look best, fit again. least_accuracy: in percent of validation accuracy; the score of
    the gradient is then the logarithm of the probability to reach it. known: accuracies looked up before, by point
    number; they count among `queries`. draw: chooses the cells of the first half, uniformly where it is None.
    """
    config, limits = config or GradientConfig(), dict(limits or {})
    for name in (figure, *limits):
        if name not in FIGURES:
            raise ConfigError(f"no figure {name!r}.{did_you_mean(name, FIGURES)} Known: {', '.join(FIGURES)}")
    if queries < 20 or rounds < 1 or starts < 1:
        raise ConfigError(
            f"queries must be 20 or more, rounds and starts 1 or more, not {queries}, {rounds} and {starts}"
        )
    costs = np.asarray(getattr(figures, figure), dtype=np.float64)
    legal = legal_cells(figures, limits)
    _require_legal(legal, figures, limits)
    sizes = [len(knob.values) for knob in space.choices.knobs]
    numbers = np.flatnonzero(legal)
    archs = _Archs(space)
    features = cell_features(space.all_operations())
    rng = np.random.default_rng(seed)
    given = dict(known or {})
    first = max(0, queries // 2 - len(given))
    uniform = rng.choice(numbers, min(len(numbers), first), replace=False)
    drawn = uniform if draw is None else draw(numbers, costs, first, rng)
    known = given | {int(number): archs.validation(int(number), accuracies) for number in drawn}
    cost = whole_table(costs / float(np.median(costs[legal])), sizes)
    cube = legal.reshape(tuple(reversed(sizes))).transpose()
    searches: list[Found] = []
    predicted: dict[int, tuple[float, float]] = {}
    for number in range(rounds):
        each = max(0, queries - len(known)) // (rounds - number)
        if not each:
            continue
        mean, deviation, enough = _fit(features, known, seed, least_accuracy)
        # Optimistic, so that what is not known is looked at.
        score = whole_table(mean + deviation if enough is None else enough, sizes)
        # Each round weighs the cost otherwise, so that the rounds walk along the front.
        weight = config.cost_weight * 2.0 ** (number - (rounds - 1) / 2)
        centres: list[int] = []
        for start in range(starts):
            found = gradient_search(
                score,
                cost,
                legal=np.ascontiguousarray(cube),
                config=replace(config, cost_weight=weight, start_spread=config.start_spread if start == 0 else 1.0),
                seed=seed + number * starts + start,
                progress=progress,
            )
            searches.append(found)
            at = {k.name: k.values[i] for k, i in zip(space.choices.knobs, found.found, strict=True)}
            centres.append(space.choices.number(at))
        worth = mean + deviation - weight * np.log(costs)
        if enough is not None and least_accuracy is not None:
            worth = enough + _saving(known, costs, legal, least_accuracy)
        for one in _ask(centres, worth, legal, known, each, space):
            predicted[one] = (float(mean[one]), float(deviation[one]))
            known[one] = archs.validation(one, accuracies)
    return Explored(known, tuple(searches), predicted)


class _Archs:
    """Rows of the table by point number."""

    def __init__(self, space: CellSpace):
        self.space = space

    def row(self, number: int, accuracies: Accuracies) -> int:
        return accuracies.row(self.space.arch(self.space.choices.point(number)))

    def validation(self, number: int, accuracies: Accuracies) -> float:
        return float(accuracies.validation[self.row(number, accuracies)])


def _fit(
    features: Numbers, known: Mapping[int, float], seed: int, least: float | None
) -> tuple[Numbers, Numbers, Numbers | None]:
    """Score and its deviation for every cell, and the log-probability that it reaches `least`."""
    rows = np.array(sorted(known))
    predictor = Predictor.fit(features[rows], np.array([known[int(i)] for i in rows]), seed=seed)
    mean, deviation = predictor.predict(features)
    if least is None:
        return mean, deviation, None
    return mean, deviation, log_ndtr((mean - predictor.score(least)) / np.maximum(deviation, 1e-6))


def _saving(known: Mapping[int, float], costs: Numbers, legal: NDArray[np.bool_], least: float) -> Numbers:
    """Log of the share of cost that a cell would save over the cheapest known one that is accurate enough.

    With the log-probability to be accurate enough it is a constrained expected improvement (Gardner et al., 2014).
    """
    fine = [costs[number] for number, accuracy in known.items() if accuracy >= least and legal[number]]
    bar = min(fine) if fine else float(costs[legal].max())
    return np.log(np.maximum(1 - costs / bar, 1e-6))


def _ask(
    centres: list[int],
    worth: Numbers,
    legal: NDArray[np.bool_],
    known: Mapping[int, float],
    count: int,
    space: CellSpace,
) -> list[int]:
    """The found cells, and those of most worth within two edges of them, that are legal and not known yet."""
    indices = space.choices.indices(np.arange(space.choices.size))
    far = np.min([(indices != indices[centre]).sum(axis=1) for centre in centres], axis=0)
    fresh = np.array([number for number in np.flatnonzero(legal) if int(number) not in known], dtype=np.int64)
    near = fresh[far[fresh] <= 2]
    pool = near if len(near) >= count else fresh
    order = [int(one) for one in pool[np.argsort(-worth[pool], kind="stable")]]
    first = [centre for centre in dict.fromkeys(centres) if legal[centre] and centre not in known]
    return [*first, *(one for one in order[: count + len(first)] if one not in first)][:count]


def _choose(known: Mapping[int, float], costs: Numbers, least: float | None, weight: float) -> int:
    """The cheapest known cell that reaches the accuracy asked for, or the best for its cost."""
    if least is not None:
        fine = [number for number, accuracy in known.items() if accuracy >= least]
        if not fine:
            raise SpaceError(
                f"none of the {len(known)} cells looked up reaches a validation accuracy of {least:g}; the best has "
                f"{max(known.values()):g}. Ask for less, raise the limits, or allow more queries"
            )
        return min(fine, key=lambda number: (costs[number], -known[number]))
    spread = float(np.std(list(known.values()))) or 1.0
    return max(known, key=lambda number: known[number] / spread - weight * float(np.log(costs[number])))


def _require_legal(legal: NDArray[np.bool_], figures: CellFigures, limits: Mapping[str, float]) -> None:
    if legal.any():
        return
    if not figures.valid.any():
        worst = max(figures.broken, key=lambda rule: int(figures.broken[rule].sum()))
        raise SpaceError(
            f"this hardware point can run none of the cells; rule {worst!r} is broken by "
            f"{int(figures.broken[worst].sum()):,} of {len(figures.valid):,}"
        )
    least = {name: float(np.asarray(getattr(figures, name))[figures.valid].min()) for name in limits}
    text = ", ".join(f"{name} at most {most:g}, the least met is {least[name]:g}" for name, most in limits.items())
    raise SpaceError(f"no cell that this hardware point can run stays within the limits: {text}")
