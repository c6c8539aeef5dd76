"""Figures of networks as functions of relaxed choices: a table over all networks, or a sum of tables of a few choices.

They, and products of two sums, are multilinear in the weights of the candidates. At one-hot weights they are the figure
of that network; at probabilities they are its exact expectation over networks drawn with them; the gradient is that of
the expectation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Table", "TableProduct", "TableSum", "whole_table"]


@dataclass(frozen=True, eq=False)
class Table:
    """A figure that depends on some of the choices: `values` has an axis for each of `choices`."""

    choices: tuple[int, ...]
    values: Tensor

    def __call__(self, weights: Sequence[Tensor]) -> Tensor:
        """Return the figure at weights of all choices' candidates."""
        left = self.values
        for choice in reversed(self.choices):
            left = left @ weights[choice]
        return left

    def at(self, indices: Sequence[int]) -> float:
        """The figure of a network, given as candidate indices of all choices."""
        return float(self.values[tuple(indices[choice] for choice in self.choices)])


@dataclass(frozen=True, eq=False)
class TableSum:
    """A sum of tables, and a constant."""

    tables: tuple[Table, ...]
    constant: float = 0.0

    def __call__(self, weights: Sequence[Tensor]) -> Tensor:
        """Return the figure at weights of all choices' candidates."""
        total = torch.tensor(self.constant, dtype=torch.float64)
        for table in self.tables:
            total = total + table(weights)
        return total

    def at(self, indices: Sequence[int]) -> float:
        """The figure of a network."""
        return self.constant + sum(table.at(indices) for table in self.tables)


@dataclass(frozen=True, eq=False)
class TableProduct:
    """The product of two sums of tables.

    Tables that share no choice are independent, so the expectation of their product is that of their expectations; of
    two that share one the product is a table over the choices of both.
    """

    left: TableSum
    right: TableSum

    def __call__(self, weights: Sequence[Tensor]) -> Tensor:
        """Return the figure at weights of all choices' candidates."""
        left, right = ([table(weights) for table in one.tables] for one in (self.left, self.right))
        total = self.left.constant * self.right.constant + sum(right) * self.left.constant
        total = total + sum(left) * self.right.constant
        for i, one in enumerate(left):
            for j, other in enumerate(right):
                joint = self._joint.get((i, j))
                total = total + (one * other if joint is None else joint(weights))
        return torch.as_tensor(total, dtype=torch.float64)

    def at(self, indices: Sequence[int]) -> float:
        """The figure of a network."""
        return self.left.at(indices) * self.right.at(indices)

    @cached_property
    def _joint(self) -> dict[tuple[int, int], Table]:
        """Products of the tables that share a choice, by their places."""
        found: dict[tuple[int, int], Table] = {}
        for i, one in enumerate(self.left.tables):
            for j, other in enumerate(self.right.tables):
                if set(one.choices) & set(other.choices):
                    every = tuple(sorted({*one.choices, *other.choices}))
                    found[i, j] = Table(every, _spread(one, every) * _spread(other, every))
        return found


def _spread(table: Table, choices: Sequence[int]) -> Tensor:
    """A table's values with an axis for each of `choices`, which hold its own; of length 1 where it has none."""
    order = sorted(range(len(table.choices)), key=lambda axis: table.choices[axis])
    values = table.values.permute(order)
    sizes = iter(values.shape)
    return values.reshape([next(sizes) if choice in table.choices else 1 for choice in choices])


def whole_table(values: NDArray[np.float64], sizes: Sequence[int]) -> Table:
    """Return the table of a figure given for every point of a space by number (the first choice changes fastest)."""
    cube = np.asarray(values, dtype=np.float64).reshape(tuple(reversed(sizes))).transpose()
    return Table(tuple(range(len(sizes))), torch.from_numpy(np.ascontiguousarray(cube)))
