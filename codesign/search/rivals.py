"""What the agent is measured against: random points, a genetic search, NSGA-II (pymoo), TPE (Optuna), a whole sweep."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.search.problem import Problem, Trial
from codesign.search.search import Searcher

__all__ = ["Exhaustive", "Genetic", "Nsga2", "RandomSearch", "Tpe"]

Indices = NDArray[np.int64]

_TRIES = 20
"""Litters of candidates that are drawn for one generation before what is missing is repaired."""


class RandomSearch(Searcher):
    """Points drawn uniformly, each once: from the valid ones, or (raw) from all."""

    name = "random"

    def __init__(self, problem: Problem, *, seed: int, raw: bool = False, batch: int = 50):
        super().__init__(problem, seed=seed, raw=raw)
        self.batch = batch
        self._left = None if raw else np.flatnonzero(problem.valid)
        self._asked: set[int] = set()

    def ask(self) -> list[int]:
        """Draw a batch."""
        if self._left is None:
            drawn = self.rng.integers(self.problem.space.size, size=self.batch)
            return [int(number) for number in drawn]
        taken = self.rng.choice(len(self._left), size=min(self.batch, len(self._left)), replace=False)
        numbers = self._left[taken]
        self._left = np.delete(self._left, taken)
        return [int(number) for number in numbers]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn nothing."""


class Exhaustive(Searcher):
    """Every valid point (raw: every point) in the order of its number."""

    name = "exhaustive"

    def __init__(self, problem: Problem, *, seed: int = 0, raw: bool = False, batch: int = 1000):
        super().__init__(problem, seed=seed, raw=raw)
        self._numbers = np.arange(problem.space.size) if raw else np.flatnonzero(problem.valid)
        self._at, self.batch = 0, batch

    def ask(self) -> list[int]:
        """The next batch."""
        found = self._numbers[self._at : self._at + self.batch]
        self._at += len(found)
        return [int(number) for number in found]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn nothing."""


class Genetic(Searcher):
    """A genetic search on points: tournaments, uniform crossover, mutation of single knobs, the best survive.

    It is valid-only: a child that is not valid is never evaluated, but drawn again, and if that fails too often
    repaired to the nearest valid point. Raw, invalid children are evaluated, and rank behind all others.
    """

    name = "genetic"

    def __init__(self, problem: Problem, *, seed: int, raw: bool = False, population: int = 32, children: int = 16):
        super().__init__(problem, seed=seed, raw=raw)
        self.population, self.children = population, children
        self.sizes = np.array([len(knob.values) for knob in problem.space.knobs])
        self._free = np.flatnonzero(self.sizes > 1)
        self._strides = np.array(_strides(self.sizes))
        self._alive: list[Trial] = []
        self._seen: set[int] = set()

    def ask(self) -> list[int]:
        """The first population at random, then children."""
        if not self._alive:
            if self.raw:
                return [int(n) for n in self.rng.integers(self.problem.space.size, size=self.population)]
            numbers = np.flatnonzero(self.problem.valid)
            return [int(n) for n in self.rng.choice(numbers, size=min(self.population, len(numbers)), replace=False)]
        parents = self.problem.space.indices(np.array([trial.number for trial in self._alive]))
        found: list[int] = []
        for _ in range(_TRIES):
            numbers = self._drawn(parents) @ self._strides
            fine = numbers if self.raw else numbers[self.problem.valid[numbers]]
            found += [n for n in dict.fromkeys(fine.tolist()) if n not in self._seen and n not in found]
            if len(found) >= self.children:
                return found[: self.children]
        if not self.raw:
            repaired = self.problem.completions.repair(self._drawn(parents)) @ self._strides
            found += [int(number) for number in repaired[: self.children - len(found)]]
        return found or [self._alive[0].number]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Keep the best of the old and the new, each point once."""
        self._seen.update(trial.number for trial in trials)
        pool = {trial.number: trial for trial in (*self._alive, *trials)}
        self._alive = sorted(pool.values(), key=lambda trial: trial.score)[: self.population]

    def _drawn(self, parents: Indices) -> Indices:
        """Return (candidates, knobs) children, valid or not. Parents are sorted, so the lower of two is the fitter."""
        count, knobs = 4 * self.children, len(self.sizes)
        first, second = (self.rng.integers(len(parents), size=(count, 2)).min(axis=1) for _ in range(2))
        child = np.where(self.rng.random((count, knobs)) < 0.5, parents[first], parents[second])
        changed = self.rng.random((count, knobs)) < 1.0 / len(self._free)
        changed[np.arange(count), self.rng.choice(self._free, size=count)] |= first == second
        return np.where(changed, self.rng.integers(self.sizes, size=(count, knobs)), child)


class Nsga2(Searcher):
    """NSGA-II (Deb et al., 2002; pymoo's) over the values' positions, for one or several figures.

    figures: to be made small; the objective's score alone where there are none. Children are repaired to the nearest
    valid point, known ones give their places to points drawn at random; raw, invalid ones are evaluated and take the
    worst values met.
    """

    name = "nsga2"

    def __init__(
        self, problem: Problem, *, seed: int, raw: bool = False, figures: Sequence[str] = (), population: int = 32
    ):
        super().__init__(problem, seed=seed, raw=raw)
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.core.problem import Problem as PymooProblem
        from pymoo.operators.crossover.sbx import SBX
        from pymoo.operators.mutation.pm import PM
        from pymoo.operators.repair.rounding import RoundingRepair
        from pymoo.operators.sampling.rnd import IntegerRandomSampling

        self.figures = tuple(figures)
        sizes = np.array([len(knob.values) for knob in problem.space.knobs])
        stated: Any = PymooProblem(
            n_var=len(sizes), n_obj=max(1, len(self.figures)), xl=np.zeros(len(sizes)), xu=sizes - 1, vtype=int
        )
        rounded = RoundingRepair()
        self._algorithm: Any = NSGA2(
            pop_size=population,
            n_offsprings=population // 2,
            sampling=IntegerRandomSampling(),
            crossover=SBX(prob=0.9, eta=3, vtype=float, repair=rounded),
            mutation=PM(eta=3, vtype=float, repair=rounded),
            eliminate_duplicates=False,
        )
        self._algorithm.setup(stated, termination=("n_gen", 10**9), seed=int(self.rng.integers(2**31)), verbose=False)
        self._asked: Any = None
        self._strides = np.array(_strides(sizes))
        self._worst = np.zeros(max(1, len(self.figures)))
        self._seen: set[int] = set()

    def ask(self) -> list[int]:
        """The next generation."""
        self._asked = self._algorithm.ask()
        if self._asked is None:
            return []
        chosen = np.rint(self._asked.get("X")).astype(np.int64)
        if not self.raw:
            chosen = self.problem.completions.repair(chosen)
        known = np.isin(chosen @ self._strides, list(self._seen))
        chosen[known] = _uniform(self.problem, self.rng, raw=self.raw, count=int(known.sum()))
        self._asked.set("X", chosen)
        return [int(number) for number in chosen @ self._strides]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Bring the generation's values to pymoo."""
        self._seen.update(trial.number for trial in trials)
        if self._asked is None:  # of an earlier part of the search: this method starts anew
            return
        found = {trial.number: self._values(trial) for trial in trials}
        known = [values for values in found.values() if np.isfinite(values).all()]
        if known:
            self._worst = np.maximum(self._worst, np.max(known, axis=0) + 1)
        chosen = np.rint(self._asked.get("X")).astype(np.int64) @ self._strides
        missing = np.full(len(self._worst), np.inf)
        values = np.array([found.get(int(number), missing) for number in chosen])
        self._asked.set("F", np.where(np.isfinite(values), values, self._worst))
        self._algorithm.tell(infills=self._asked)
        self._asked = None

    def _values(self, trial: Trial) -> NDArray[np.float64]:
        if not self.figures:
            return np.array([trial.score])
        if trial.state != "done":
            return np.full(len(self.figures), np.inf)
        return np.array([np.log(max(trial.figures[name].value, 1e-300)) for name in self.figures])


class Tpe(Searcher):
    """Optuna's tree-structured Parzen estimator, multivariate, over the values' positions.

    What it suggests is repaired to the nearest valid point, and it is told of that one; raw, it is told of invalid
    points as failed trials. A known point gives its place to one drawn at random.
    """

    name = "tpe"

    def __init__(self, problem: Problem, *, seed: int, raw: bool = False, batch: int = 8):
        super().__init__(problem, seed=seed, raw=raw)
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sizes = [len(knob.values) for knob in problem.space.knobs]
        self._names = problem.space.names
        self._ranges: dict[str, optuna.distributions.BaseDistribution] = {
            name: optuna.distributions.IntDistribution(0, size - 1)
            for name, size in zip(self._names, sizes, strict=True)
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # multivariate is marked experimental
            sampler = optuna.samplers.TPESampler(seed=int(self.rng.integers(2**31)), multivariate=True)
        self._study = optuna.create_study(sampler=sampler)
        self._strides, self.batch = np.array(_strides(np.array(sizes))), batch
        self._open: dict[int, list[Any]] = {}
        self._seen: set[int] = set()

    def ask(self) -> list[int]:
        """Suggest a batch."""
        self._open = {}
        asked: list[int] = []
        for _ in range(self.batch):
            trial = self._study.ask(self._ranges)
            chosen = np.array([[trial.params[name] for name in self._names]], dtype=np.int64)
            repaired = chosen if self.raw else self.problem.completions.repair(chosen)
            number = int(repaired[0] @ self._strides)
            if number in self._seen or number in self._open:
                repaired = _uniform(self.problem, self.rng, raw=self.raw, count=1)
                number = int(repaired[0] @ self._strides)
            self._open.setdefault(number, []).append((trial, bool((repaired == chosen).all())))
            asked.append(number)
        return asked

    def tell(self, trials: Sequence[Trial]) -> None:
        """Bring the values to Optuna."""
        import optuna

        failed, complete = optuna.trial.TrialState.FAIL, optuna.trial.TrialState.COMPLETE
        for trial in {trial.number: trial for trial in trials if trial.number not in self._seen}.values():
            self._seen.add(trial.number)
            told = False
            for asked, same in self._open.pop(trial.number, []):
                usable = same and np.isfinite(trial.score)
                self._study.tell(asked, trial.score if usable else None, state=complete if usable else failed)
                told = told or usable
            if not told and np.isfinite(trial.score):
                indices = self.problem.space.indices(np.array([trial.number]))[0]
                params = {name: int(i) for name, i in zip(self._names, indices, strict=True)}
                made = optuna.trial.create_trial(params=params, distributions=self._ranges, value=trial.score)
                self._study.add_trial(made)


def _uniform(problem: Problem, rng: np.random.Generator, *, raw: bool, count: int) -> Indices:
    """Return (count, knobs) points drawn uniformly, valid ones unless raw."""
    numbers = rng.integers(problem.space.size, size=count) if raw else rng.choice(problem.completions.valid, size=count)
    return problem.space.indices(numbers)


def _strides(sizes: Indices) -> tuple[int, ...]:
    return (1, *(int(n) for n in np.cumprod(sizes[:-1])))
