"""The functions inside a table: what a neuron computes of its few sources, in a registry open to users.

A layer adds the linear part ``sum_k w[k] * x[k]`` itself (where `linear_part` is true); a function here adds what
goes beyond it. A table costs the same whatever is in it, so a richer function is free in hardware.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch import Tensor, nn

from codesign.errors import ConfigError
from codesign.plugins import build, find_class

__all__ = ["NEURONS", "LinearNeurons", "MlpNeurons", "NeuronFunction", "PolynomialNeurons", "make_neurons"]


class NeuronFunction(nn.Module):
    """Base of all neuron functions: `neurons` independent functions of `fan_in` inputs each.

    A user's own subclass overrides `forward`; its parameters have the neurons as first dimension. Where `forward`
    uses only elementwise operations (promoted to float64 in evaluation) nothing else is needed: results then
    depend on neither batch size nor place. `evaluate` may be overridden where training uses matrix products.

    linear_part: the layer adds a linear part; masks that rank sources by weight need it.
    """

    linear_part = True

    def __init__(self, neurons: int, fan_in: int, *, generator: torch.Generator):
        super().__init__()
        self.neurons = neurons
        self.fan_in = fan_in

    @property
    def is_zero(self) -> bool:
        """True where the function adds nothing to the linear part."""
        return False

    def forward(self, x: Tensor) -> Tensor:
        """Compute for training: (neurons, fan_in, batch) to (neurons, batch)."""
        raise NotImplementedError

    def reset(self, changed: Tensor) -> list[tuple[nn.Parameter, Tensor]]:
        """Say what starts again where sources were exchanged: bool (neurons, fan_in) to (parameter, bool entries)."""
        return []

    def evaluate(self, x: list[Tensor], rows: slice) -> Tensor:
        """Compute exactly for the neurons in `rows`.

        x: fan_in float64 tensors (rows, batch). Every operation must be elementwise and in a fixed order.
        """
        if rows == slice(0, self.neurons):
            return self.forward(torch.stack(x, dim=1))
        batch = x[0].shape[1]
        full = torch.zeros(self.neurons, self.fan_in, batch, dtype=torch.float64, device=x[0].device)
        full[rows] = torch.stack(x, dim=1)
        return self.forward(full)[rows]


class LinearNeurons(NeuronFunction):
    """LogicNets: the linear part alone (Umuroglu et al., FPL 2020)."""

    @property
    def is_zero(self) -> bool:
        """Always true: the layer's linear part is all there is."""
        return True

    def forward(self, x: Tensor) -> Tensor:
        """Return zeros (neurons, batch)."""
        return x.new_zeros(x.shape[0], x.shape[2])


class PolynomialNeurons(NeuronFunction):
    """PolyLUT (Andronic and Constantinides, FPT 2023): every monomial of the sources from degree 2 to `degree`."""

    def __init__(self, neurons: int, fan_in: int, *, generator: torch.Generator, degree: int = 2):
        super().__init__(neurons, fan_in, generator=generator)
        if not 2 <= degree <= 6:
            raise ConfigError(f"neuron option degree must be 2 to 6, not {degree}")
        self.monomials = [
            powers for d in range(2, degree + 1) for powers in itertools.combinations_with_replacement(range(fan_in), d)
        ]
        if len(self.monomials) > 4096:
            raise ConfigError(
                f"a polynomial of degree {degree} in {fan_in} sources has {len(self.monomials)} monomials, "
                "more than 4096; lower degree or fan_in"
            )
        spread = 0.5 / math.sqrt(len(self.monomials))
        self.coefficients = nn.Parameter(torch.randn(neurons, len(self.monomials), generator=generator) * spread)

    def forward(self, x: Tensor) -> Tensor:
        """Sum the weighted monomials; see `NeuronFunction.forward`."""
        stack = torch.stack(self._monomials(list(x.unbind(1))), dim=1)
        return torch.einsum("nm,nmb->nb", self.coefficients, stack)

    def evaluate(self, x: list[Tensor], rows: slice) -> Tensor:
        """Sum the weighted monomials in the order of `monomials`; see `NeuronFunction.evaluate`."""
        weights = self.coefficients[rows].detach().double()
        total = torch.zeros_like(x[0])
        for m, monomial in enumerate(self._monomials(x)):
            total = total + monomial * weights[:, m, None]
        return total

    def reset(self, changed: Tensor) -> list[tuple[nn.Parameter, Tensor]]:
        """Every monomial with an exchanged source starts again; see `NeuronFunction.reset`."""
        touched = [changed[:, list(set(powers))].any(dim=1) for powers in self.monomials]
        return [(self.coefficients, torch.stack(touched, dim=1))]

    def _monomials(self, x: list[Tensor]) -> list[Tensor]:
        """Return every monomial, each as a lower one times one more source."""
        known: dict[tuple[int, ...], Tensor] = {(k,): value for k, value in enumerate(x)}
        for powers in self.monomials:
            known[powers] = known[powers[:-1]] * known[powers[-1:]]
        return [known[powers] for powers in self.monomials]


class MlpNeurons(NeuronFunction):
    """NeuraLUT (Andronic and Constantinides, FPL 2024): a small residual network in every neuron.

    hidden: units a hidden layer; depth: hidden layers (each with a ReLU); the linear part of the layer is the skip
    around them all, and from the second hidden layer on each has a skip of its own.
    """

    def __init__(self, neurons: int, fan_in: int, *, generator: torch.Generator, hidden: int = 8, depth: int = 2):
        super().__init__(neurons, fan_in, generator=generator)
        if not 1 <= hidden <= 256 or not 1 <= depth <= 8:
            raise ConfigError(f"neuron options must be hidden 1 to 256 and depth 1 to 8, not {hidden} and {depth}")
        widths = [fan_in] + [hidden] * depth
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(neurons, after, before, generator=generator) * math.sqrt(2 / before))
            for before, after in itertools.pairwise(widths)
        )
        self.biases = nn.ParameterList(
            nn.Parameter(torch.rand(neurons, after, generator=generator) - 0.5) for after in widths[1:]
        )
        self.head = nn.Parameter(torch.randn(neurons, hidden, generator=generator) / math.sqrt(hidden))

    def forward(self, x: Tensor) -> Tensor:
        """Run every neuron's network by batched matrix products; see `NeuronFunction.forward`."""
        for level, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            y = torch.relu(torch.baddbmm(bias[:, :, None], weight, x))
            x = y + x if level else y
        return torch.bmm(self.head[:, None, :], x)[:, 0]

    def evaluate(self, x: list[Tensor], rows: slice) -> Tensor:
        """Run every neuron's network term by term; see `NeuronFunction.evaluate`."""
        for level, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            w = weight[rows].detach().double().transpose(0, 1)[..., None]
            total = bias[rows].detach().double().t()[..., None].expand(-1, -1, x[0].shape[1])
            for k, value in enumerate(x):
                total = total + value * w[:, :, k]
            units = list(torch.relu(total).unbind(0))
            x = [new + old for new, old in zip(units, x, strict=True)] if level else units
        head = self.head[rows].detach().double()
        total = torch.zeros_like(x[0])
        for k, value in enumerate(x):
            total = total + value * head[:, k, None]
        return total

    def reset(self, changed: Tensor) -> list[tuple[nn.Parameter, Tensor]]:
        """The first layer's weights of an exchanged source start again; see `NeuronFunction.reset`."""
        first = self.weights[0]
        return [(first, changed[:, None, :].expand_as(first))]


NEURONS: dict[str, type[NeuronFunction]] = {
    "linear": LinearNeurons,
    "polynomial": PolynomialNeurons,
    "mlp": MlpNeurons,
}
"""Neuron functions by name; a user may add to it, or name `module:Class` in the topology."""


def make_neurons(
    name: str, neurons: int, *, fan_in: int, generator: torch.Generator, options: dict[str, Any] | None = None
) -> NeuronFunction:
    """Build the neuron function `name` for a layer; wrong options are a ConfigError."""
    kind = find_class(name, NeuronFunction, known=NEURONS, what="neuron function")
    return build(kind, neurons, fan_in, what="neuron function", name=name, options=options, generator=generator)
