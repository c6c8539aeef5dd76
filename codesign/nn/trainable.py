"""What the training run asks of a model, whatever it is made of: tables of neurons, or maps and low-bit weights."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray
from torch import Tensor, nn

from codesign.nn.layers import LutLayer

__all__ = ["Encoder", "TrainableModel"]


class Encoder(Protocol):
    """Turns raw features into what a model takes in training."""

    @property
    def alike(self) -> bool:
        """Whether every feature is encoded by the same fixed rule, so that an image may be shifted after encoding."""
        ...

    def prepare(self, features: NDArray) -> Tensor:
        """Turn raw features (rows, features) into (rows, columns), on the CPU."""
        ...


class TrainableModel(nn.Module):
    """Base of all models that `train_model` trains.

    `prepare` runs once a data set and `forward` gives values (batch, outputs) with gradients; in evaluation
    `answer_values` gives the exact values that the hardware's answer stands for. A subclass sets `encoder`,
    `logit_gain` (the factor from values to logits) and `spec` (frozen, all that builds the modules again, with `task`).
    """

    kind: str
    """Written into the model's file, so that it is read back as what it is."""
    spec: Any
    encoder: Encoder
    logit_gain: nn.Parameter
    target_mean: Tensor
    target_spread: Tensor

    def prepare(self, features: NDArray) -> Tensor:
        """Turn raw features (rows, features) into what `forward` takes; once a data set."""
        return self.encoder.prepare(features)

    def answer_values(self, features: NDArray) -> Tensor:
        """Return the exact values (rows, outputs), float64 on the CPU: scores, or scaled targets for regression."""
        raise NotImplementedError

    def output_step(self) -> float:
        """Return the step between neighbouring output values."""
        raise NotImplementedError

    def output_boundary(self) -> float:
        """Return the value midway between the two classes of one output."""
        raise NotImplementedError

    def fix_temperature(self, temperature: float | None) -> None:
        """Fix the logits at `temperature` steps of the output a unit; None leaves the factor to be learned."""
        if temperature is not None:
            self.logit_gain.requires_grad_(False).fill_(1.0 / (temperature * self.output_step()))

    def decayed_parameters(self) -> list[nn.Parameter]:
        """Return the weights that weight decay acts on."""
        raise NotImplementedError

    def table_entries(self) -> list[nn.Parameter]:
        """Return the entries of free tables, which have a learning rate of their own."""
        return []

    def lut_layers(self) -> list[LutLayer]:
        """Return the layers whose sources may change in training."""
        return []
