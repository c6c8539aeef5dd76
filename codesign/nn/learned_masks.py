"""Masks that learn which sources to read: by magnitude among kept weights, or by dropping and regrowing."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from codesign.errors import ConfigError
from codesign.nn.masks import Mask, MaskView

__all__ = ["MagnitudeMask", "RegrowMask", "exchange"]


class _ScheduledMask(Mask):
    """Sources change every `interval` steps, for the first `until` of the run.

    interval: None for a hundredth of the run (at least one step).
    """

    def __init__(
        self,
        rows: int,
        signals: int,
        *,
        fan_in: int,
        generator: torch.Generator,
        usable: Tensor | None = None,
        layer: str = "",
        interval: int | None = None,
        until: float = 0.75,
    ):
        super().__init__(rows, signals, fan_in=fan_in, generator=generator, usable=usable, layer=layer)
        if interval is not None and interval < 1:
            raise ConfigError(f"sparsity option interval must be at least 1 step, not {interval}")
        if not 0 < until <= 1:
            raise ConfigError(f"sparsity option until must be above 0 and at most 1, not {until}")
        self.interval = interval
        self.until = until

    def due(self, step: int, total_steps: int) -> bool:
        """Say whether sources may change after `step`: on the schedule, and only where there is a choice."""
        interval = max(1, total_steps // 100) if self.interval is None else self.interval
        return self.fan_in < self.signals and step % interval == 0 and step <= self.until * total_steps

    def progress(self, view: MaskView) -> float:
        """Return the share of the schedule that is done, 0 to 1."""
        return min(1.0, view.step / max(1.0, self.until * view.total_steps))

    def barred(self, device: torch.device) -> Tensor:
        """Return bool (signals,): those known to be constant, where enough others are left to choose from."""
        if int(self.usable.sum()) < self.fan_in:
            return torch.zeros(self.signals, dtype=torch.bool, device=device)
        return ~self.usable.to(device)


class MagnitudeMask(_ScheduledMask):
    """Iterative magnitude pruning under an exact fan-in.

    A linear weight is kept and trained for every signal, but a neuron reads only `fan_in` of them: those of largest
    magnitude, ranked again on the schedule. Unused weights get the gradient they would have if they were read
    (straight through). The unused ones that may still return, the pool, are pruned by magnitude from all signals
    down to none by the cubic schedule of Zhu and Gupta (2017), which anneals exploration.
    """

    wants: ClassVar[Literal["nothing", "gradient", "weights"]] = "weights"
    pool: Tensor

    def start(self) -> None:
        """Take the first sources, with every signal in the pool."""
        super().start()
        self.register_buffer("pool", torch.ones(self.rows, self.signals, dtype=torch.bool))

    def active_weights(self) -> Tensor | None:
        """Return the pool, bool (rows, signals)."""
        return self.pool

    def next(self, view: MaskView) -> Tensor:
        """Prune the pool and read the largest weights in it; see `Mask.next`."""
        assert view.weights is not None
        score = view.weights.abs().masked_fill(~self.pool, -1.0)
        score = score.masked_fill(self.barred(score.device), -1.0)
        kept = self.fan_in + math.ceil((self.signals - self.fan_in) * (1 - self.progress(view)) ** 3)
        ranked = score.topk(kept, dim=1).indices
        self.pool.zero_().scatter_(1, ranked, True)
        return exchange(self.sources, ranked[:, : self.fan_in])


class RegrowMask(_ScheduledMask):
    """Gradient prune-and-regrow (RigL, Evci et al., ICML 2020), row by row so that fan-in stays exact.

    On the schedule every neuron drops the sources of smallest weight and takes as many unused signals for which the
    loss has the largest gradient. fraction: share of a neuron's sources dropped at the start; it falls to zero along
    half a cosine (rounded at random, row by row).
    """

    wants: ClassVar[Literal["nothing", "gradient", "weights"]] = "gradient"

    def __init__(
        self,
        rows: int,
        signals: int,
        *,
        fan_in: int,
        generator: torch.Generator,
        usable: Tensor | None = None,
        layer: str = "",
        interval: int | None = None,
        until: float = 0.75,
        fraction: float = 0.3,
    ):
        super().__init__(
            rows,
            signals,
            fan_in=fan_in,
            generator=generator,
            usable=usable,
            layer=layer,
            interval=interval,
            until=until,
        )
        if not 0 < fraction <= 1:
            raise ConfigError(f"sparsity option fraction must be above 0 and at most 1, not {fraction}")
        self.fraction = fraction

    def next(self, view: MaskView) -> Tensor:
        """Exchange the weakest sources for the most wanted signals; see `Mask.next`."""
        assert view.gradient is not None
        share = self.fraction * 0.5 * (1 + math.cos(math.pi * self.progress(view))) * self.fan_in
        count = torch.floor(share + torch.rand(self.rows, generator=self.generator)).to(torch.int64)
        barred = self.barred(view.gradient.device)
        wanted = view.gradient.abs().masked_fill(barred, -1.0).scatter(1, self.sources, -1.0)
        places = min(self.fan_in, int(count.max()))
        if places == 0:
            return self.sources
        best = wanted.topk(min(places, self.signals - self.fan_in), dim=1)
        weakest = view.magnitude.argsort(dim=1, stable=True)[:, : best.indices.shape[1]]
        order = torch.arange(best.indices.shape[1], device=weakest.device)
        change = (order < count.to(weakest.device)[:, None]) & (best.values >= 0)
        new = torch.where(change, best.indices, self.sources.gather(1, weakest))
        return self.sources.scatter(1, weakest, new)


def exchange(old: Tensor, new: Tensor) -> Tensor:
    """Return the sources `new` (rows, fan_in) in an order that leaves every source also in `old` in its place."""
    stays = (old[:, :, None] == new[:, None, :]).any(dim=2)
    known = (new[:, :, None] == old[:, None, :]).any(dim=2)
    # The i-th free place takes the i-th source that is new: stable sorting brings both to the front, in order.
    free = stays.to(torch.uint8).argsort(dim=1, stable=True)
    fresh = new.gather(1, known.to(torch.uint8).argsort(dim=1, stable=True))
    count = (~stays).sum(dim=1, keepdim=True)
    taken = torch.arange(old.shape[1], device=old.device) < count
    return old.scatter(1, free, torch.where(taken, fresh, old.gather(1, free)))
