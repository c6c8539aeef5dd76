"""Successive halving over epochs (Jamieson and Talwalkar, 2016): many networks for few, the better ones for more."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from codesign.errors import ConfigError

__all__ = ["Halving", "Rung", "successive_halving"]

T = TypeVar("T")


@dataclass(frozen=True)
class Rung(Generic[T]):
    """One rung: every candidate that was on it with its validation accuracy after so many epochs in all."""

    epochs: int
    accuracies: tuple[tuple[T, float], ...]


@dataclass(frozen=True)
class Halving(Generic[T]):
    """The candidate that is left, its accuracy, the rungs, and the epochs that all of it took."""

    best: T
    accuracy: float
    rungs: tuple[Rung[T], ...]
    epochs: int


def successive_halving(
    candidates: Sequence[T],
    train: Callable[[T, int, int], float],
    *,
    epochs: Sequence[int] = (1, 3, 9),
    keep: float = 1 / 3,
) -> Halving[T]:
    """Train all candidates to the first of `epochs`, the better share `keep` of them to the next, and so on.

    train(candidate, start, end): goes on from epoch `start` (0: anew) to `end`, and returns validation accuracy; a
    candidate that gives no number is dropped. Epochs are counted as trained, so going on costs the difference alone.
    """
    if not candidates:
        raise ConfigError("successive halving needs at least one candidate")
    if not epochs or list(epochs) != sorted(set(epochs)) or epochs[0] < 1:
        raise ConfigError(f"epochs must be 1 or more and grow from rung to rung, not {list(epochs)}")
    if not 0 < keep < 1:
        raise ConfigError(f"keep must be a share between 0 and 1, not {keep:g}")
    left, spent, start = list(candidates), 0, 0
    rungs: list[Rung[T]] = []
    for end in epochs:
        found = [(one, float(train(one, start, end))) for one in left]
        spent += len(left) * (end - start)
        rungs.append(Rung(end, tuple(found)))
        fine = sorted((pair for pair in found if math.isfinite(pair[1])), key=lambda pair: -pair[1])
        if not fine:
            raise ConfigError(f"none of the {len(found)} candidates gave an accuracy after {end} epochs")
        left, start = [one for one, _ in fine[: max(1, math.ceil(len(fine) * keep))]], end
    return Halving(fine[0][0], fine[0][1], tuple(rungs), spent)
