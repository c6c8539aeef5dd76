"""Learned connectivity: every pin of a table scores all signals, reads the best, and learns from its pin gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from codesign.errors import ConfigError
from codesign.nn.masks import Mask, MaskView

__all__ = ["LearnedMask", "PinCapture", "best_distinct", "score_gradient", "watch_pins"]

_LEAST_RATE = 0.01
"""Share of the learning rate that is left at the end of the run."""

_START = 0.1
"""Scores start evenly spread from 0 to this: a few tens of Adam's steps at a rate of 0.01 change a source."""


@dataclass
class PinCapture:
    """Receives, in one backward pass, the gradient of the loss by every pin's scores, (tables * fan_in, signals)."""

    grad: Tensor | None = None


class LearnedMask(Mask):
    """Sources learned by gradient (the learned mapping of DWN: Bacellar et al., ICML 2024).

    Each pin keeps a score for every signal and reads the signal of the highest score that no earlier pin of its
    table reads, so that fan-in stays exact and sources differ. The gradient of a score is the pin's gradient times
    the signal's value, summed over the batch: straight through, as if the pin were the sum of all signals weighted
    by their scores. Every `map_every` steps the scores take a step of an Adam of their own, at `learning_rate` along
    half a cosine of the run; after `freeze_at` of the run the sources stay, and only the tables go on training.

    Scores serve training alone: a checkpoint holds them, a finished model does not.
    """

    wants: ClassVar[Literal["nothing", "gradient", "weights", "pins"]] = "pins"
    per_table = True
    scores: Tensor

    def __init__(
        self,
        rows: int,
        signals: int,
        *,
        fan_in: int,
        generator: torch.Generator,
        usable: Tensor | None = None,
        layer: str = "",
        map_every: int = 1,
        learning_rate: float = 0.01,
        freeze_at: float = 0.85,
    ):
        super().__init__(rows, signals, fan_in=fan_in, generator=generator, usable=usable, layer=layer)
        if isinstance(map_every, bool) or not isinstance(map_every, int) or map_every < 1:
            raise ConfigError(f"sparsity option map_every must be a whole number of steps from 1, not {map_every!r}")
        if not 0 < learning_rate <= 10:
            raise ConfigError(f"sparsity option learning_rate must be above 0 and at most 10, not {learning_rate!r}")
        if not 0 < freeze_at <= 1:
            raise ConfigError(f"sparsity option freeze_at must be above 0 and at most 1, not {freeze_at!r}")
        self.map_every = map_every
        self.learning_rate = learning_rate
        self.freeze_at = freeze_at
        self.register_buffer("scores", torch.zeros(0), persistent=False)
        self._optimizer: torch.optim.Adam | None = None
        self._kept: dict[str, Tensor] = {}

    def first(self) -> Tensor:
        """Draw the scores and return the sources they choose; see `Mask.first`."""
        self.scores = torch.rand(self.rows * self.fan_in, self.signals, generator=self.generator) * _START
        if int(self.usable.sum()) >= self.fan_in:
            self.scores[:, ~self.usable] = -math.inf  # a constant tells a table nothing
        return best_distinct(self.scores, self.fan_in)

    def due(self, step: int, total_steps: int) -> bool:
        """Say whether the scores learn at `step`; see `Mask.due`."""
        return self.fan_in < self.signals and step % self.map_every == 0 and step <= self.freeze_at * total_steps

    def settled(self, step: int, total_steps: int) -> bool:
        """Say whether the sources stay from `step` on; see `Mask.settled`."""
        return step >= total_steps or step > self.freeze_at * total_steps or self.fan_in == self.signals

    def next(self, view: MaskView) -> Tensor:
        """Step the scores by their gradient and return the sources they choose; see `Mask.next`."""
        assert view.gradient is not None
        optimizer = self._adam()
        wave = 0.5 * (1 + math.cos(math.pi * (view.step - 1) / max(1, view.total_steps)))
        optimizer.param_groups[0]["lr"] = self.learning_rate * max(wave, _LEAST_RATE)
        self.scores.grad = view.gradient
        optimizer.step()
        self.scores.grad = None
        return best_distinct(self.scores, self.fan_in)

    def training_state(self) -> dict[str, Tensor]:
        """Return scores and Adam's moments; see `Mask.training_state`."""
        state = {"scores": self.scores}
        if self._optimizer is not None:
            state |= self._optimizer.state_dict()["state"].get(0, {})
        return state | self._kept

    def restore_training(self, state: dict[str, Tensor]) -> None:
        """Take back what `training_state` gave; see `Mask.restore_training`."""
        kept = dict(state)
        self.scores = kept.pop("scores").to(self.sources.device)
        self._optimizer, self._kept = None, kept

    def _adam(self) -> torch.optim.Adam:
        """Return the scores' own Adam, made when first needed: by then the scores are on their device."""
        if self._optimizer is None:
            self._optimizer = torch.optim.Adam([self.scores], lr=self.learning_rate, fused=True)
            if self._kept:
                groups = self._optimizer.state_dict()["param_groups"]
                self._optimizer.load_state_dict({"state": {0: self._kept}, "param_groups": groups})
                self._kept = {}
        return self._optimizer


def best_distinct(scores: Tensor, fan_in: int) -> Tensor:
    """Return sources (tables, fan_in) for scores (tables * fan_in, signals): each pin's best, distinct in a table.

    Pins are served in order; one whose best signal is taken gets its best free one.
    """
    sources = scores.argmax(dim=1).view(-1, fan_in)
    if fan_in == 1:
        return sources
    ordered = sources.sort(dim=1).values
    clash = (ordered[:, 1:] == ordered[:, :-1]).any(dim=1).nonzero()[:, 0]
    if len(clash):
        ranked = scores.view(-1, fan_in, scores.shape[1])[clash].topk(fan_in, dim=2).indices
        mended = torch.empty_like(sources[clash])
        for pin in range(fan_in):
            # Of a pin's `fan_in` best signals, earlier pins hold fewer than `fan_in`: one is always free.
            free = (ranked[:, pin, :, None] != mended[:, None, :pin]).all(dim=2)
            mended[:, pin] = ranked[:, pin].gather(1, free.to(torch.uint8).argmax(dim=1, keepdim=True))[:, 0]
        sources[clash] = mended
    return sources


def score_gradient(pins: Tensor, signals: Tensor) -> Tensor:
    """Return ``pins @ signals.T``, float32 (pins, signals), multiplied in bfloat16.

    pins: gradients (pins, batch); signals: values (signals, batch). Only the order of scores matters, and Adam divides
    the scale out, so the short format costs nothing and halves the time.
    """
    return (pins.to(torch.bfloat16) @ signals.to(torch.bfloat16).t()).to(torch.float32)


class _Watch(torch.autograd.Function):
    """Identity on the picked sources that hands their gradient, times every signal, to a capture."""

    @staticmethod
    def forward(ctx: Any, picked: Tensor, values: Tensor, capture: PinCapture) -> Tensor:
        ctx.save_for_backward(values)
        ctx.capture = capture
        return picked.view_as(picked)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (values,) = ctx.saved_tensors
        pins = gradients[0].reshape(-1, values.shape[1])
        ctx.capture.grad = score_gradient(pins, values)
        return gradients[0], None, None


def watch_pins(picked: Tensor, values: Tensor, capture: PinCapture) -> Tensor:
    """Return `picked` (tables, fan_in, batch) unchanged; its gradient by every signal's score goes to `capture`.

    values: (signals, batch), what `picked` was picked from. So any differentiable neuron can learn its sources.
    """
    if not picked.requires_grad:  # nothing learnable comes before, but the pins' gradient is wanted all the same
        picked = picked.detach().requires_grad_()
    return _Watch.apply(picked, values.detach(), capture)  # pyright: ignore[reportReturnType]
