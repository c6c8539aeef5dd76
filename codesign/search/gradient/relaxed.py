"""Choices made differentiable: a distribution over every choice's candidates, drawn by Gumbel-softmax or as one path.

Jang, Gu and Poole (ICLR 2017) and Maddison, Mnih and Teh (ICLR 2017): softmax((logits + Gumbel noise) / temperature) is
a point of the simplex whose largest entry is distributed as the logits say, and that becomes one-hot as the temperature
goes down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["Mode", "RelaxedChoices", "annealed"]

Mode = Literal["exact", "relaxed", "one_path"]
"""How the network of a step comes about.

exact:    the expectation over all networks of the space, for objectives that can be summed over them; nothing is drawn.
relaxed:  Gumbel-softmax: every candidate takes part, weighted; memory grows with the candidates.
one_path: the candidate with the largest weight alone, the gradient that of the relaxed one (straight-through): memory
          is that of one network.
"""


class RelaxedChoices(nn.Module):
    """Logits, float64, for every choice; `sizes`: how many candidates each one has."""

    def __init__(self, sizes: Sequence[int]):
        super().__init__()
        self.sizes = tuple(sizes)
        self.logits = nn.ParameterList([nn.Parameter(torch.zeros(size, dtype=torch.float64)) for size in sizes])

    def probabilities(self) -> list[Tensor]:
        """Return the probability of every candidate, choice by choice."""
        return [torch.softmax(logits, dim=0) for logits in self.logits]

    def draw(self, *, temperature: float, mode: Mode, generator: torch.Generator) -> list[Tensor]:
        """Return a weight for every candidate, choice by choice, that sum to 1; `exact` gives the probabilities."""
        if mode == "exact":
            return self.probabilities()
        found: list[Tensor] = []
        for logits in self.logits:
            uniform = torch.rand(len(logits), dtype=torch.float64, generator=generator).clamp(1e-12, 1 - 1e-12)
            soft = torch.softmax((logits - torch.log(-torch.log(uniform))) / temperature, dim=0)
            if mode == "one_path":
                hard = torch.zeros_like(soft)
                hard[int(soft.argmax())] = 1.0
                soft = hard - soft.detach() + soft
            found.append(soft)
        return found

    def entropy(self) -> float:
        """Entropy of all choices together, in bits."""
        with torch.no_grad():
            parts = [-(p * torch.log2(p.clamp_min(1e-300))).sum() for p in self.probabilities()]
            return float(torch.stack(parts).sum())

    def log_probabilities(self) -> list[NDArray[np.float64]]:
        """Logarithms of the probabilities, as arrays."""
        with torch.no_grad():
            return [torch.log_softmax(logits, dim=0).numpy().copy() for logits in self.logits]

    @torch.no_grad()
    def project(self, indices: Sequence[int]) -> bool:
        """Make candidate `indices[i]` the most probable of choice i, by the smallest change; True where any changed.

        The logits of the candidates that are above it, and its own, become their mean (with a hair between them): the
        nearest point, by Euclidean distance, at which it is not below them.
        """
        changed = False
        for logits, index in zip(self.logits, indices, strict=True):
            above = [i for i in range(len(logits)) if i != index and logits[i] >= logits[index]]
            if not above:
                continue
            changed, group = True, [index]
            for other in sorted(above, key=lambda i: -float(logits[i])):
                if len(group) > 1 and float(logits[other]) <= float(logits[group].mean()):
                    break
                group.append(other)
            level = logits[group].mean()
            logits[group] = level
            logits[index] = level + 1e-6
        return changed


def annealed(step: int, steps: int, *, first: float, last: float) -> float:
    """The temperature of a step, falling geometrically from `first` to `last`."""
    return first * (last / first) ** (step / max(1, steps - 1))
