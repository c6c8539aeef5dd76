"""A multi-objective evolutionary search over a predictor: evaluate, refit, evolve, evaluate the front, again.

NSGA-II (Deb et al., 2002; pymoo's) evolves thousands of networks on what the predictor says of them, and only a few of
its front are trained or looked up. The predictor's uncertainty is part of its word: a network is judged by its mean
plus `optimism` deviations, so that what is not known is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.errors import ConfigError, SpaceError
from codesign.search.networks.predictor import Predictor

__all__ = ["Evaluated", "Front", "Round", "evolve_front", "non_dominated", "one_hot"]

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

_DRAWS = 200
"""Draws a network wanted, after which legal ones are said to be too rare."""


@dataclass(frozen=True)
class Evaluated:
    """A network whose accuracy was asked for: candidate indices, accuracy in percent, cost, and in which round.

    predicted, deviation: score and uncertainty before it was asked for; NaN for the networks of the first round.
    """

    indices: tuple[int, ...]
    accuracy: float
    cost: float
    round: int
    predicted: float
    deviation: float


@dataclass(frozen=True)
class Round:
    """How well the predictor did on what was evaluated in a round.

    rank: Spearman's correlation of prediction and accuracy (NaN for fewer than 3 networks); front: size of the front so
    far.
    """

    number: int
    evaluated: int
    rank: float
    front: int


@dataclass(frozen=True)
class Front:
    """All networks evaluated, those that no other beats in both accuracy and cost (cheapest first), and the rounds."""

    evaluated: tuple[Evaluated, ...]
    front: tuple[Evaluated, ...]
    rounds: tuple[Round, ...]


def evolve_front(
    sizes: Sequence[int],
    *,
    accuracy: Callable[[tuple[int, ...]], float],
    cost: Callable[[Indices], Numbers],
    legal: Callable[[Indices], NDArray[np.bool_]],
    features: Callable[[Indices], Numbers] | None = None,
    known: Mapping[tuple[int, ...], float] | None = None,
    first: int = 30,
    rounds: int = 3,
    each: int = 10,
    population: int = 40,
    generations: int = 25,
    optimism: float = 0.5,
    seed: int = 0,
) -> Front:
    """Return the front of accuracy against cost that at most `first + rounds * each` evaluations found.

    sizes: how many candidates each choice has; a network is its candidate indices. accuracy: trains a network or looks
    it up, in percent; cost, legal and features take indices (networks, choices), and no network that is not legal is
    evaluated. features: one-hot candidates where not given. known: accuracies from before, which the predictor learns
    from, too; they are not asked for again, and are of round -1. A space in which legal networks are too rare to be
    drawn is a SpaceError.
    """
    given = dict(known or {})
    if first + len(given) < 5 or rounds < 1 or each < 1:
        raise ConfigError(
            f"first, with what is known, must be 5 or more, rounds and each 1 or more, not {first + len(given)}, "
            f"{rounds} and {each}"
        )
    rng = np.random.default_rng(seed)
    describe = features or (lambda indices: one_hot(indices, sizes))
    prices = cost(np.array(list(given), dtype=np.int64)) if given else ()
    nan = float("nan")
    found = {
        key: Evaluated(key, value, float(price), -1, nan, nan)
        for (key, value), price in zip(given.items(), prices, strict=True)
    }

    def evaluate(chosen: Indices, number: int, means: Numbers, deviations: Numbers) -> None:
        for one, price, mean, deviation in zip(chosen, cost(chosen), means, deviations, strict=True):
            key = tuple(int(i) for i in one)
            found[key] = Evaluated(key, float(accuracy(key)), float(price), number, float(mean), float(deviation))

    drawn = (
        _fresh(_draw(sizes, legal, first + len(given), rng), found)[:first]
        if first
        else np.empty((0, len(sizes)), dtype=np.int64)
    )
    if len(drawn):
        nothing = np.full(len(drawn), np.nan)
        evaluate(drawn, 0, nothing, nothing)
    said = [Round(0, len(drawn), nan, len(non_dominated(list(found.values()))))]
    for number in range(1, rounds + 1):
        rows = np.array(list(found))
        predictor = Predictor.fit(describe(rows), np.array([one.accuracy for one in found.values()]), seed=seed)

        def objectives(indices: Indices, predictor: Predictor = predictor) -> Numbers:
            mean, deviation = predictor.predict(describe(indices))
            return np.stack([-(mean + optimism * deviation), np.log(cost(indices))], axis=1)

        evolved = _evolve(sizes, objectives, legal, rows, population, generations, int(rng.integers(1 << 31)))
        fresh = _fresh(evolved, found)
        if not len(fresh):
            break
        order = fresh[np.argsort(cost(fresh), kind="stable")]
        picked = order[np.unique(np.linspace(0, len(order) - 1, min(each, len(order))).round().astype(int))]
        mean, deviation = predictor.predict(describe(picked))
        evaluate(picked, number, mean, deviation)
        own = [one for one in found.values() if one.round == number]
        rank = _rank([one.predicted for one in own], [one.accuracy for one in own])
        said.append(Round(number, len(own), rank, len(non_dominated(list(found.values())))))
    every = tuple(found.values())
    return Front(every, tuple(non_dominated(every)), tuple(said))


def non_dominated(networks: Sequence[Evaluated]) -> list[Evaluated]:
    """Return the networks that none is both as cheap and as accurate as, and better in one of them; cheapest first."""
    best, found = -np.inf, list[Evaluated]()
    for one in sorted(networks, key=lambda one: (one.cost, -one.accuracy)):
        if one.accuracy > best:
            best = one.accuracy
            found.append(one)
    return found


def one_hot(indices: Indices, sizes: Sequence[int]) -> Numbers:
    """Return candidate indices (networks, choices) as ones and zeros (networks, candidates)."""
    return np.concatenate([np.eye(size)[indices[:, i]] for i, size in enumerate(sizes)], axis=1)


def _fresh(networks: Indices, known: Container[tuple[int, ...]]) -> Indices:
    """The networks that are not known yet."""
    return np.array([one for one in networks if tuple(int(i) for i in one) not in known], dtype=np.int64)


def _draw(
    sizes: Sequence[int], legal: Callable[[Indices], NDArray[np.bool_]], count: int, rng: np.random.Generator
) -> Indices:
    """Draw different legal networks, fewer where there are no more."""
    found: dict[tuple[int, ...], None] = {}
    for _ in range(_DRAWS):
        some = np.stack([rng.integers(size, size=count) for size in sizes], axis=1)
        for one in some[legal(some)]:
            found.setdefault(tuple(int(i) for i in one))
        if len(found) >= count:
            break
    if len(found) < 5:
        drawn = _DRAWS * count
        raise SpaceError(f"of {drawn:,} networks drawn only {len(found)} are legal; widen the space or its limits")
    return np.array(list(found)[:count], dtype=np.int64)


def _evolve(
    sizes: Sequence[int],
    objectives: Callable[[Indices], Numbers],
    legal: Callable[[Indices], NDArray[np.bool_]],
    start: Indices,
    population: int,
    generations: int,
    seed: int,
) -> Indices:
    """Return the different legal networks of the front that NSGA-II ends with."""
    try:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.core.problem import Problem
        from pymoo.operators.crossover.ux import UX
        from pymoo.operators.mutation.pm import PM
        from pymoo.operators.repair.rounding import RoundingRepair
        from pymoo.optimize import minimize
    except ImportError:
        raise ConfigError("the evolutionary search needs pymoo: pip install 'codesign[search]'") from None

    class Networks(Problem):
        def __init__(self) -> None:
            super().__init__(n_var=len(sizes), n_obj=2, n_ieq_constr=1, xl=0, xu=np.array(sizes) - 1, vtype=int)

        def _evaluate(self, x: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            indices = np.asarray(x, dtype=np.int64)
            out["F"], out["G"] = objectives(indices), np.where(legal(indices), -1.0, 1.0)[:, None]

    rng = np.random.default_rng(seed)
    more = _draw(sizes, legal, max(5, population - len(start)), rng)
    options: dict[str, Any] = {
        "sampling": np.concatenate([start, more])[:population],
        "crossover": UX(),
        "mutation": PM(prob=1.0, prob_var=1 / len(sizes), eta=3, vtype=float, repair=RoundingRepair()),
    }
    algorithm = NSGA2(pop_size=population, eliminate_duplicates=True, **options)
    result: Any = minimize(Networks(), algorithm, ("n_gen", generations), seed=seed, verbose=False)
    found = np.asarray(result.pop.get("X"), dtype=np.int64)
    fronts = np.unique(found[legal(found)], axis=0)
    values = objectives(fronts)
    kept = [
        i
        for i in range(len(fronts))
        if not ((values <= values[i]).all(axis=1) & (values < values[i]).any(axis=1)).any()
    ]
    return fronts[kept]


def _rank(first: Sequence[float], second: Sequence[float]) -> float:
    from scipy.stats import rankdata

    if len(first) < 3 or len(set(first)) < 2 or len(set(second)) < 2:
        return float("nan")
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])
