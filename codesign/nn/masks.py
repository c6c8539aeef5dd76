"""Sparsity: which sources a neuron reads. Fan-in is exact for every neuron at every step, whatever the method.

A mask holds `sources`, exactly `fan_in` different signals a row, never more and never fewer. A layer asks it after
every optimizer step whether some of them should change; the weights of changed places start again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from codesign.errors import ConfigError

__all__ = ["Mask", "MaskView", "RandomMask", "balanced_sources"]


@dataclass(frozen=True)
class MaskView:
    """What a mask may look at when it changes its sources.

    step, total_steps: optimizer steps done (from 1) and planned.
    magnitude: (rows, fan_in) absolute weights of the linear part in use.
    gradient:  (rows, signals) of the loss by the linear weight of *every* signal, used or not; where `wants` is
               "gradient", else None.
    weights:   (rows, signals) linear weights kept for every signal; where `wants` is "weights", else None.

    Where `wants` is "pins", `gradient` is (rows * fan_in, signals): of the loss by the weight that each signal would
    have in what each pin reads.
    """

    step: int
    total_steps: int
    magnitude: Tensor
    gradient: Tensor | None = None
    weights: Tensor | None = None


class Mask(nn.Module):
    """Base of all masks; a user's own subclass overrides `first` and, to change sources in training, `due` and `next`.

    rows, fan_in: shape of `sources`; signals: how many there are to choose from; usable: bool (signals,), False for
    those known to be constant on the training rows; layer: its name, for messages. Randomness comes from
    `self.generator` alone, whose state is part of a checkpoint.

    wants: "nothing"; "gradient" for the gradient of unused signals at the steps where `due`; "weights" for a linear
    weight kept and trained for every signal (forward still uses `sources` alone); "pins" for a gradient a pin at the
    steps where `due`. With "pins" what a pin computes stays with the pin when its source changes.
    per_table: a row a table; else the terms of a neuron share a row where there are signals enough.
    """

    wants: ClassVar[Literal["nothing", "gradient", "weights", "pins"]] = "nothing"
    per_table: ClassVar[bool] = False
    sources: Tensor

    def __init__(
        self,
        rows: int,
        signals: int,
        *,
        fan_in: int,
        generator: torch.Generator,
        usable: Tensor | None = None,
        layer: str = "",
    ):
        super().__init__()
        if not 1 <= fan_in <= signals:
            raise ConfigError(f"layer {layer!r}: fan-in must be 1 to {signals}, the signals there are, not {fan_in}")
        self.rows = rows
        self.signals = signals
        self.fan_in = fan_in
        self.layer = layer
        self.generator = generator
        self.usable = torch.ones(signals, dtype=torch.bool) if usable is None else usable.cpu()
        self.register_buffer("sources", torch.zeros(rows, fan_in, dtype=torch.int64))

    def start(self) -> None:
        """Take the first sources."""
        self.sources = self.checked(self.first())

    def first(self) -> Tensor:
        """Return the first sources, int64 (rows, fan_in), distinct in each row."""
        return balanced_sources(
            self.rows, self.signals, fan_in=self.fan_in, generator=self.generator, usable=self.usable
        )

    def due(self, step: int, total_steps: int) -> bool:
        """Say whether sources may change after optimizer step `step` (from 1)."""
        return False

    def next(self, view: MaskView) -> Tensor:
        """Return the sources from now on, (rows, fan_in). A source that stays must keep its place in its row."""
        return self.sources

    def active_weights(self) -> Tensor | None:
        """Return bool (rows, signals): the unused signals whose weights are trained ("weights" only); None for all."""
        return None

    def settled(self, step: int, total_steps: int) -> bool:
        """Say whether a model may be kept as it is after `step`: False while sources are still being learned."""
        return True

    def training_state(self) -> dict[str, Tensor]:
        """Return what a checkpoint must keep beyond the state dict, and a finished model need not."""
        return {}

    def restore_training(self, state: dict[str, Tensor]) -> None:
        """Take back what `training_state` gave."""

    def checked(self, sources: Tensor) -> Tensor:
        """Return `sources` on our device if they are legal, else raise a ConfigError that names the layer."""
        where = f"mask {type(self).__name__} of layer {self.layer!r}"
        if sources.shape != (self.rows, self.fan_in) or sources.dtype != torch.int64:
            raise ConfigError(
                f"{where}: sources must be int64 of shape ({self.rows}, {self.fan_in}), "
                f"not {sources.dtype} {tuple(sources.shape)}"
            )
        ordered = sources.sort(dim=1).values
        if int(ordered.min()) < 0 or int(ordered.max()) >= self.signals:
            raise ConfigError(f"{where}: sources must be 0 to {self.signals - 1}")
        if self.fan_in > 1 and bool((ordered.diff(dim=1) == 0).any()):
            row = int((ordered.diff(dim=1) == 0).any(dim=1).nonzero()[0])
            raise ConfigError(f"{where}: row {row} has a source twice: {sources[row].tolist()}")
        return sources.to(self.sources.device)

    def get_extra_state(self) -> Tensor:
        """Return the generator's state, so that a resumed run draws the same numbers."""
        return self.generator.get_state()

    def set_extra_state(self, state: Tensor) -> None:
        """Take back the generator's state."""
        self.generator.set_state(state.cpu())


def balanced_sources(
    rows: int, signals: int, *, fan_in: int, generator: torch.Generator, usable: Tensor | None = None
) -> Tensor:
    """Draw random sources (rows, fan_in), distinct in each row and used as evenly as can be.

    Every usable signal is used at least once where ``rows * fan_in`` allows. Unusable signals are drawn only where
    there are fewer usable ones than `fan_in`.
    """
    pool = torch.arange(signals) if usable is None else usable.nonzero()[:, 0]
    if len(pool) < fan_in:
        rest = torch.tensor(sorted(set(range(signals)) - set(pool.tolist())), dtype=torch.int64)
        extra = rest[torch.randperm(len(rest), generator=generator)[: fan_in - len(pool)]]
        pool = torch.cat([pool, extra])
    # Deal shuffled decks of the whole pool one after the other; a row that straddles two decks may meet a signal
    # twice, and then the later card is exchanged with a card further on.
    needed = rows * fan_in
    decks = [pool[torch.randperm(len(pool), generator=generator)] for _ in range(-(-needed // len(pool)) + 1)]
    cards = torch.cat(decks).tolist()
    out: list[list[int]] = []
    at = 0
    for _ in range(rows):
        row: list[int] = []
        for _ in range(fan_in):
            swap = next((i for i in range(at, len(cards)) if cards[i] not in row), None)
            if swap is None:  # only repeated cards are left: put a fresh deck under them
                cards += pool[torch.randperm(len(pool), generator=generator)].tolist()
                swap = next(i for i in range(at, len(cards)) if cards[i] not in row)
            cards[at], cards[swap] = cards[swap], cards[at]
            row.append(cards[at])
            at += 1
        out.append(row)
    return torch.tensor(out, dtype=torch.int64).sort(dim=1).values


class RandomMask(Mask):
    """Fixed random sources, drawn once (LogicNets)."""
