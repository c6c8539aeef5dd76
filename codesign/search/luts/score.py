"""What a network of the super-network is worth, and how that depends on its choices: a regression fitted as it trains.

A step draws legal networks from the distribution, trains each on a batch, and counts its right answers on validation
rows. A Gumbel gate on a path's output, as differentiable architecture search has it, says how the loss changes with
the *scale* of a layer, which is no figure of merit where outputs are codes: on tables its gradient does not tell a good
candidate from a bad one. So the accuracies that were met are regressed on the choices (ridge, one weight a candidate,
old ones forgotten), and the gradient of the distribution is that of the regression's expectation: the score-function
estimator with the choices' main effects as its baseline, without its variance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.search.gradient.legal import Legality
from codesign.search.luts.content import Content, read_content
from codesign.search.luts.figures import Figures
from codesign.search.luts.supernet import LutSuperNet, codes_of_path, named_tables, step_scores

__all__ = ["Effects", "PathScore"]

_FORGET = 0.995
_RIDGE = 4.0
_CONTENT_ROWS = 768


class Effects:
    """A ridge regression of scores on one-hot choices, with exponential forgetting.

    mean: of the scores lately; the regression is of what a score is above it, so that networks which are met later, in
    tables that have trained for longer, have no advantage. Effects are in points (hundredths) of accuracy.
    """

    def __init__(self, sizes: Sequence[int]):
        self.sizes = tuple(sizes)
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        count = int(self.starts[-1])
        self.squares, self.sums = np.zeros((count, count)), np.zeros(count)
        self.seen, self.total = 0.0, 0.0
        self.effects = np.zeros(count)

    def add(self, indices: Sequence[int], active: Sequence[bool], score: float) -> None:
        """Take the score of one network; choices that do not matter to it are left out."""
        row = np.zeros(len(self.sums))
        row[[int(s) + i for s, i, use in zip(self.starts[:-1], indices, active, strict=True) if use]] = 1
        self.seen, self.total = _FORGET * self.seen + 1, _FORGET * self.total + score
        self.squares = _FORGET * self.squares + np.outer(row, row)
        self.sums = _FORGET * self.sums + row * 100 * (score - self.mean)
        self.effects = np.linalg.solve(self.squares + _RIDGE * np.eye(len(row)), self.sums)

    @property
    def mean(self) -> float:
        """Mean score lately."""
        return self.total / max(self.seen, 1e-9)

    def __call__(self, weights: Sequence[Tensor]) -> Tensor:
        """Sum of effects at weights of all choices' candidates: the expectation, in points."""
        effects = torch.from_numpy(self.effects)
        return torch.stack(
            [effects[s : s + n] @ w for s, n, w in zip(self.starts[:-1], self.sizes, weights, strict=True)]
        ).sum()

    def at(self, indices: Sequence[int]) -> float:
        """Sum of the effects of one network's choices."""
        return float(sum(self.effects[int(s) + i] for s, i in zip(self.starts[:-1], indices, strict=True)))


@dataclass(frozen=True)
class _Rows:
    """Codes of training rows (rows, signals) and of validation rows (signals, rows) by input bits; answers."""

    train: dict[int, Tensor]
    validation: dict[int, Tensor]
    y_train: Tensor
    y_validation: Tensor


class PathScore:
    """The score of networks in shared tables; each call of it trains `each` networks drawn from the distribution.

    trained: training rows that went through the shared tables; content: what the last network that was read held.
    """

    def __init__(
        self,
        net: LutSuperNet,
        figures: Figures,
        legal: Legality,
        *,
        answers: tuple[NDArray[np.int64], NDArray[np.int64]],
        batches: int,
        each: int = 2,
        rows: int = 2048,
        content_every: int = 10,
        encoder: NDArray[np.float64] | None = None,
        seed: int = 0,
    ):
        self.net, self.figures, self.legal = net, figures, legal
        y_train, y_validation = (torch.from_numpy(np.asarray(part, dtype=np.int64)) for part in answers)
        train = {bits: pair[0].t().contiguous() for bits, pair in net.codes.items()}
        self.rows = _Rows(train, {bits: pair[1] for bits, pair in net.codes.items()}, y_train, y_validation)
        self.effects = Effects(figures.sizes)
        self.batches, self.each, self.checked, self.content_every = batches, each, rows, content_every
        self.encoder = encoder
        self.rng = np.random.default_rng([seed, 7])
        self.trained = self.done = 0
        config = net.train_config
        self.rate = config.learning_rate
        self.optimizer = torch.optim.Adam(net.parameters(), lr=self.rate)
        options = config.sparsity.options if config.sparsity.method == "learned" else {}
        self.map_rate, self.map_every = float(options.get("learning_rate", 0.01)), int(options.get("map_every", 1))
        self.maps = {name: torch.optim.Adam([one.scores], lr=self.map_rate) for name, one in named_tables(net)}
        self.fixed_sources = set(net.space.file.sparsity) == {"random"}

    # ---- what `gradient_search` asks for

    def __call__(self, weights: Sequence[Tensor]) -> Tensor:
        """Train and check networks drawn with `weights`, then return the expected score, differentiable."""
        chances = [weight.detach().numpy() for weight in weights]
        depth = self.figures.names.index("depth")
        chances[depth] = (chances[depth] + 1 / len(chances[depth])) / 2  # every depth goes on training
        for _ in range(self.each):
            self.step(self.draw(chances))
        return self.effects(weights)

    def at(self, indices: Sequence[int]) -> float:
        """The score of one network, by the regression."""
        return self.effects.at(indices)

    # ---- networks

    def draw(self, chances: Sequence[NDArray[np.float64]]) -> tuple[int, ...]:
        """A legal network: drawn anew until it is one; after 300 draws the legal one nearest to the last."""
        at: tuple[int, ...] = ()
        for _ in range(300):
            at = tuple(int(self.rng.choice(len(one), p=one / one.sum())) for one in chances)
            if self.legal.holds(at):
                return at
        sharp = [
            np.log(np.where(np.arange(len(one)) == i, 0.9, 0.1 * one + 1e-9))
            for one, i in zip(chances, at, strict=True)
        ]
        return self.legal.nearest(sharp)

    def warm_up(self, batches: int, progress: Callable[[int], None] | None = None) -> None:
        """Train legal networks drawn uniformly, so that every candidate has been trained before any is preferred."""
        even = [np.full(size, 1 / size) for size in self.figures.sizes]
        for number in range(batches):
            self.step(self.draw(even))
            if progress is not None:
                progress(number)

    def step(self, indices: tuple[int, ...]) -> float:
        """Train one network on one batch; return its accuracy on some validation rows."""
        point = self.figures.point(indices)
        bits = int(point["input_bits"])
        wave = 0.5 * (1 + np.cos(np.pi * min(1.0, self.done / max(1, self.batches))))
        size = min(self.net.train_config.batch_size, len(self.rows.y_train))
        rows = torch.from_numpy(self.rng.integers(0, len(self.rows.y_train), size))
        learn = not self.fixed_sources and self.done % self.map_every == 0
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * max(wave, 0.05)
        values = self.net(self.rows.train[bits][rows].t().contiguous(), point, learn=learn)
        self.optimizer.zero_grad(set_to_none=True)
        self.net.loss(values, self.rows.y_train[rows], point).backward()  # pyright: ignore[reportUnknownMemberType]
        self.optimizer.step()
        with torch.no_grad():
            for _, shared in named_tables(self.net):
                for entries in shared.entries.values():
                    entries.clamp_(-1, 1)
        if learn:
            for optimizer in self.maps.values():
                optimizer.param_groups[0]["lr"] = self.map_rate * max(wave, 0.05)
            step_scores(self.net, self.maps)
        self.done += 1
        self.trained += size
        if self.done % self.content_every == 0:
            self.figures.observe(indices, self.read(indices))
        accuracy = self.accuracy(indices, rows=self.checked)
        self.effects.add(indices, self.active(point), accuracy)
        return accuracy

    def active(self, point: dict[str, int | bool | str]) -> list[bool]:
        """Which choices matter to a network's accuracy: not those beyond its depth, nor where registers stand."""
        beyond = {f"l{i}_" for i in range(int(point["depth"]), len(self.net.space.file.layers))}
        skip = {self.figures.names[-1], "sparsity"}
        return [not any(name.startswith(one) for one in beyond) and name not in skip for name in self.figures.names]

    def accuracy(self, indices: Sequence[int], *, rows: int | None = None) -> float:
        """Accuracy of the discrete network in the shared tables, on validation rows drawn anew (None: on all)."""
        point = self.figures.point(indices)
        codes, wanted = self.rows.validation[int(point["input_bits"])], self.rows.y_validation
        if rows is not None and rows < len(wanted):
            start = int(self.rng.integers(0, len(wanted) - rows))
            codes, wanted = codes[:, start : start + rows], wanted[start : start + rows]
        with torch.no_grad():
            right = self.net.right(self.net(codes.contiguous(), point), wanted)
        return float(right.double().mean())

    def read(self, indices: Sequence[int]) -> Content:
        """What the network holds as it is in the shared tables."""
        point = self.figures.point(indices)
        codes = self.rows.train[int(point["input_bits"])][:_CONTENT_ROWS].t().contiguous()
        layers = self.net.raw_layers(point, codes)
        given = codes_of_path(self.net, point, codes)
        return read_content(layers, given, answers=self.net.space.file.answers, encoder=self.encoder)
