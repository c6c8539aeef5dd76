"""Searches by ask and tell: one interface for all methods, one way to count evaluations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from codesign.errors import ConfigError
from codesign.search.problem import Problem, Trial

__all__ = ["History", "Searcher", "search"]

PATIENCE = 50
"""Batches in a row without a new point after which a method has nothing more to ask."""


@dataclass
class History:
    """The trials of a search, each point once, in the order of their evaluation."""

    trials: list[Trial] = field(default_factory=list[Trial])
    known: dict[int, Trial] = field(default_factory=dict[int, Trial])

    def add(self, trial: Trial) -> None:
        """Take a new trial."""
        self.trials.append(trial)
        self.known[trial.number] = trial

    @property
    def evaluations(self) -> int:
        """Distinct points evaluated: what a budget counts. A point that is not valid counts too."""
        return len(self.trials)

    @property
    def best(self) -> Trial | None:
        """The best trial that may win; the first of equals; None where there is none yet."""
        done = [trial for trial in self.trials if trial.done]
        return min(done, key=lambda trial: trial.score, default=None)

    def states(self) -> dict[str, int]:
        """How many trials ended in which way."""
        return {
            state: sum(t.state == state for t in self.trials) for state in ("done", "over limit", "invalid", "failed")
        }

    def best_values(self) -> NDArray[np.float64]:
        """After each evaluation, the value of the best trial so far (NaN while there is none)."""
        found = np.full(len(self.trials), np.nan)
        best: Trial | None = None
        for index, trial in enumerate(self.trials):
            if trial.done and (best is None or trial.score < best.score):
                best = trial
            found[index] = best.value if best is not None else np.nan
        return found

    def front(self, figures: Sequence[str]) -> list[Trial]:
        """Trials that may win and that no other one beats in all figures, less being better, by the first figure."""
        done = [trial for trial in self.trials if trial.done]
        values = np.array([[trial.figures[name].value for name in figures] for trial in done]).reshape(len(done), -1)
        kept = [
            i
            for i in range(len(done))
            if not ((values <= values[i]).all(axis=1) & (values < values[i]).any(axis=1)).any()
        ]
        return sorted((done[i] for i in kept), key=lambda trial: trial.figures[figures[0]].value)


class Searcher(ABC):
    """A method that proposes points by number, and is told what became of them."""

    name = ""

    def __init__(self, problem: Problem, *, seed: int, raw: bool = False):
        """`raw`: the method does not know which points are valid, and finds out by evaluating them."""
        self.problem, self.raw = problem, raw
        self.rng = np.random.default_rng(seed)

    @abstractmethod
    def ask(self) -> list[int]:
        """Propose points, at least one; an empty list says that there is none left. Known ones may come again."""

    @abstractmethod
    def tell(self, trials: Sequence[Trial]) -> None:
        """Take the trials of the points that were asked for, in their order; fewer where the budget ended."""


def search(
    searcher: Searcher,
    *,
    budget: int,
    history: History | None = None,
    progress: Callable[[Trial], None] | None = None,
) -> History:
    """Evaluate what `searcher` proposes until `budget` distinct points are evaluated, or it has nothing new to propose.

    history: of an earlier part of the same search, to go on with; its trials are told first.
    """
    if budget < 1:
        raise ConfigError(f"a budget is 1 evaluation or more, not {budget}")
    found = history or History()
    if found.trials:
        searcher.tell(found.trials)
    idle = 0
    while found.evaluations < budget and idle < PATIENCE:
        asked = searcher.ask()
        if not asked:
            break
        new = list(dict.fromkeys(number for number in asked if number not in found.known))[: budget - found.evaluations]
        idle = 0 if new else idle + 1
        for trial in searcher.problem.evaluate(new) if new else []:
            found.add(trial)
            if progress is not None:
                progress(trial)
        searcher.tell([found.known[number] for number in asked if number in found.known])
    return found
