"""Which networks a search may go to, and the most probable one of them: in spaces that are listed, and in any other."""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.errors import SpaceError
from codesign.search.gradient.tables import Table

__all__ = ["Function", "Legality", "Limit", "Limited", "Listed", "nearest_legal"]

Logs = Sequence[NDArray[np.float64]]
"""Log-probabilities of the candidates, choice by choice."""

_LISTED = 500
"""Networks, the most probable first, that are looked at before a legal one is made by changing choices one by one."""


class Function(Protocol):
    """A figure of a network: of relaxed weights, differentiable, and of a network itself."""

    def __call__(self, weights: Sequence[Tensor]) -> Tensor:
        """The figure at weights of all choices' candidates."""
        ...

    def at(self, indices: Sequence[int]) -> float:
        """The figure of one network."""
        ...


class Legality(ABC):
    """What is legal in a space whose choices have `sizes` candidates."""

    sizes: tuple[int, ...]

    @abstractmethod
    def holds(self, indices: Sequence[int]) -> bool:
        """Whether a network is legal."""

    @abstractmethod
    def nearest(self, logs: Logs) -> tuple[int, ...]:
        """Return a legal network that is as probable as can be found; a SpaceError where there is none."""

    @abstractmethod
    def penalty(self, weights: Sequence[Tensor]) -> Tensor:
        """How far relaxed choices are from legal, differentiable; 0 where nothing is exceeded."""

    def share(self, probabilities: Sequence[Tensor]) -> Tensor | None:
        """How probable a legal network is; None where that is not known."""
        return None


class Listed(Legality):
    """A space that is small enough to be listed: an array of truth values, an axis a choice."""

    def __init__(self, legal: NDArray[np.bool_]):
        """An array without a legal network is a SpaceError."""
        if not legal.any():
            raise SpaceError("no network of the space keeps the limits; raise them, or choose a larger hardware point")
        self.legal, self.sizes = legal, tuple(legal.shape)
        self.table = Table(tuple(range(legal.ndim)), torch.from_numpy(legal.astype(np.float64)))

    def holds(self, indices: Sequence[int]) -> bool:
        """Whether a network is legal."""
        return bool(self.legal[tuple(indices)])

    def nearest(self, logs: Logs) -> tuple[int, ...]:
        """Return the most probable legal network."""
        return nearest_legal(logs, self.legal)

    def penalty(self, weights: Sequence[Tensor]) -> Tensor:
        """How probable it is that a network is not legal."""
        return 1 - self.table(weights)

    def share(self, probabilities: Sequence[Tensor]) -> Tensor:
        """How probable a legal network is."""
        return self.table(probabilities)


@dataclass(frozen=True, eq=False)
class Limit:
    """A figure, greater than 0, and the most that it may be."""

    name: str
    figure: Function
    most: float


class Limited(Legality):
    """A space of any size: limits on figures, and a rule of its own (`refusal`: why a network is illegal, or "")."""

    def __init__(
        self, sizes: Sequence[int], limits: Sequence[Limit], *, refusal: Callable[[tuple[int, ...]], str] | None = None
    ):
        self.sizes, self.limits, self.refusal = tuple(sizes), tuple(limits), refusal

    def holds(self, indices: Sequence[int]) -> bool:
        """Whether a network keeps all limits and its own rule."""
        fine = all(limit.figure.at(indices) <= limit.most for limit in self.limits)
        return fine and (self.refusal is None or not self.refusal(tuple(indices)))

    def penalty(self, weights: Sequence[Tensor]) -> Tensor:
        """Sum of the logarithms of how often limits are exceeded."""
        total = torch.zeros((), dtype=torch.float64)
        for limit in self.limits:
            total = total + torch.relu(torch.log(limit.figure(weights) / limit.most))
        return total

    def nearest(self, logs: Logs) -> tuple[int, ...]:
        """Return the most probable legal network of the 500 most probable ones, else one near to the most probable.

        That one is made by the changes of single choices that bring most for their probability.
        """
        for indices in _by_probability(logs, _LISTED):
            if self.holds(indices):
                return indices
        at = tuple(int(one.argmax()) for one in logs)
        while not self.holds(at):
            excess = self._excess(at)
            best: tuple[float, tuple[int, ...]] | None = None
            for choice, one in enumerate(logs):
                for candidate in range(self.sizes[choice]):
                    other = (*at[:choice], candidate, *at[choice + 1 :])
                    gain = excess - self._excess(other)
                    worth = gain / (0.1 + max(0.0, float(one[at[choice]] - one[candidate])))
                    if gain > 1e-12 and (best is None or worth > best[0]):
                        best = (worth, other)
            if best is None:
                raise SpaceError(f"no network near {at} keeps the limits: {self._told(at)}; raise them")
            at = best[1]
        return at

    def _excess(self, indices: tuple[int, ...]) -> float:
        """0 for a legal network; else how far it is from one."""
        over = sum(max(0.0, float(np.log(limit.figure.at(indices) / limit.most))) for limit in self.limits)
        return over + (1.0 if self.refusal is not None and self.refusal(indices) else 0.0)

    def _told(self, indices: tuple[int, ...]) -> str:
        said = [f"{limit.name} {limit.figure.at(indices):g}, at most {limit.most:g}" for limit in self.limits]
        return "; ".join([*said, *([self.refusal(indices)] if self.refusal is not None else [])])


def nearest_legal(logs: Logs, legal: NDArray[np.bool_]) -> tuple[int, ...]:
    """Return the most probable legal network; legal: truth values, an axis a choice."""
    total = np.zeros(legal.shape)
    for axis, one in enumerate(logs):
        total = total + one.reshape([-1 if i == axis else 1 for i in range(legal.ndim)])
    best = int(np.where(legal, total, -np.inf).argmax())
    return tuple(int(i) for i in np.unravel_index(best, legal.shape))


def _by_probability(logs: Logs, count: int) -> list[tuple[int, ...]]:
    """Return up to `count` networks, the most probable first."""
    orders = [np.argsort(-one, kind="stable") for one in logs]
    losses = [one[order[0]] - one[order] for one, order in zip(logs, orders, strict=True)]
    first: tuple[int, ...] = tuple(0 for _ in logs)
    heap: list[tuple[float, tuple[int, ...]]] = [(0.0, first)]
    seen: set[tuple[int, ...]] = {first}
    found: list[tuple[int, ...]] = []
    while heap and len(found) < count:
        loss, ranks = heapq.heappop(heap)
        found.append(tuple(int(order[rank]) for order, rank in zip(orders, ranks, strict=True)))
        for choice, rank in enumerate(ranks):
            if rank + 1 < len(losses[choice]):
                other = (*ranks[:choice], rank + 1, *ranks[choice + 1 :])
                if other not in seen:
                    seen.add(other)
                    heapq.heappush(heap, (loss + float(losses[choice][rank + 1] - losses[choice][rank]), other))
    return found
