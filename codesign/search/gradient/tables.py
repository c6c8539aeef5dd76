"""Figures of networks as functions of relaxed choices: a table over all networks, or a sum of tables of a few choices.

Both are multilinear in the weights of the candidates. At one-hot weights they are the figure of that network; at
probabilities they are its exact expectation over networks drawn with them; the gradient is that of the expectation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Table", "TableSum", "whole_table"]


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


def whole_table(values: NDArray[np.float64], sizes: Sequence[int]) -> Table:
    """Return the table of a figure given for every point of a space by number (the first choice changes fastest)."""
    cube = np.asarray(values, dtype=np.float64).reshape(tuple(reversed(sizes))).transpose()
    return Table(tuple(range(len(sizes))), torch.from_numpy(np.ascontiguousarray(cube)))
