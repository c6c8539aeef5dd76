"""One set of shared weights for all networks of a convolutional space: every step trains one path through it.

As in GDAS (Dong and Yang, CVPR 2019) a step runs the drawn candidates alone, and their gates, of value 1, carry the
gradient to the distribution. Candidates share weights as in Single-Path NAS (Stamoulis et al., ECML 2019): a smaller
kernel is the middle of a larger one, fewer channels are the first ones. Weights and activations are rounded to the
drawn bits, gradients pass straight through. Normalisation is by the batch at hand, since each path has its own
statistics.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from codesign.errors import ConfigError
from codesign.search.networks.maps import MapSpace

__all__ = ["SuperNet", "SuperScore"]

_TOP = 3.0
"""Largest activation: of normalised values, three deviations."""


class SuperNet(nn.Module):
    """All networks of a space; `forward` runs the one that a list of weights (one-hot, choice by choice) names."""

    def __init__(self, space: MapSpace, *, seed: int):
        super().__init__()
        self.space = space
        self.position = {name: i for i, name in enumerate(space.choices.names)}
        self.candidates = [knob.values for knob in space.choices.knobs]
        draws = torch.Generator().manual_seed(seed)
        self.weights = nn.ParameterDict()
        self.gains = nn.ParameterDict()
        widest = space.file.input[0]

        def put(name: str, *size: int) -> None:
            spread = (2.0 / float(np.prod(size[1:]))) ** 0.5
            self.weights[name] = nn.Parameter(torch.randn(size, generator=draws) * spread)
            self.gains[name] = nn.Parameter(torch.stack([torch.ones(size[0]), torch.zeros(size[0])]))

        for index, block in enumerate(space.file.blocks):
            kernel, channels, expansion = max(block.kernel), max(block.channels), max(block.expansion)
            for repeat in range(max(block.repeats)):
                name = f"b{index}r{repeat}"
                if 0 in block.expansion:
                    put(name, channels, widest, kernel, kernel)
                if expansion:
                    put(f"{name}_expand", expansion * widest, widest, 1, 1)
                    put(f"{name}_depthwise", expansion * widest, 1, kernel, kernel)
                    put(f"{name}_project", channels, expansion * widest, 1, 1)
                widest = max(channels, widest) if 0 in block.repeats else channels
        self.answer = nn.Parameter(torch.randn(space.file.classes, widest, generator=draws) * widest**-0.5)

    def forward(self, images: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """Return logits (batch, classes) of images (batch, channels, height, width), values 0 to 1."""
        chosen = {name: int(weights[i].detach().argmax()) for name, i in self.position.items()}
        value = {name: int(self.candidates[self.position[name]][at]) for name, at in chosen.items()}

        def gate(*names: str) -> Tensor:
            parts = [weights[self.position[name]][chosen[name]] for name in names]
            return torch.stack(parts).prod().float()

        x = _rounded(images, value["input_bits"]) * gate("input_bits")
        for index, block in enumerate(self.space.file.blocks):
            at = {key: value[f"b{index}_{key}"] for key in ("kernel", "channels", "expansion", "repeats")}
            bits, weight_bits = value[f"b{index}_bits"], value[f"b{index}_weight_bits"]
            before = x
            for repeat in range(at["repeats"]):
                x = self._body(f"b{index}r{repeat}", x, at, bits, weight_bits, block.stride if repeat == 0 else 1)
            if x is before:
                x = x * gate(f"b{index}_repeats")
            else:
                keys = ("kernel", "channels", "expansion", "repeats", "weight_bits", "bits")
                x = x * gate(*(f"b{index}_{key}" for key in keys))
        last = _few(self.answer[:, : x.shape[1]], value["last_weight_bits"])
        return F.linear(x.mean(dim=(2, 3)), last) * gate("last_weight_bits")

    def _body(self, name: str, x: Tensor, at: dict[str, int], bits: int, weight_bits: int, stride: int) -> Tensor:
        """One repetition of a block."""
        wide = at["expansion"] * x.shape[1]
        if not wide:
            return self._layer(name, x, at["channels"], at["kernel"], stride, bits, weight_bits)
        x = self._layer(f"{name}_expand", x, wide, 1, 1, bits, weight_bits)
        x = self._layer(f"{name}_depthwise", x, wide, at["kernel"], stride, bits, weight_bits, depthwise=True)
        return self._layer(f"{name}_project", x, at["channels"], 1, 1, bits, weight_bits)

    def _layer(
        self,
        name: str,
        x: Tensor,
        channels: int,
        kernel: int,
        stride: int,
        bits: int,
        weight_bits: int,
        *,
        depthwise: bool = False,
    ) -> Tensor:
        full = self.weights[name]
        edge = (full.shape[2] - kernel) // 2
        inputs = 1 if depthwise else x.shape[1]
        weight = full[:channels, :inputs, edge : edge + kernel, edge : edge + kernel]
        groups = channels if depthwise else 1
        x = F.conv2d(x, _few(weight, weight_bits), stride=stride, padding=kernel // 2, groups=groups)
        gain, shift = self.gains[name][:, :channels]
        x = F.batch_norm(x, None, None, gain, shift, training=True)
        if bits == 1:
            signs = torch.where(x >= 0, 1.0, -1.0)
            return x.clamp(-1, 1) + (signs - x.clamp(-1, 1)).detach()
        return _rounded(F.relu(x) / _TOP, bits) * _TOP


class SuperScore:
    """The score of a network: minus its validation loss in the super-network. Each call trains the shared weights
    first.

    x_train, x_validation: (rows, channels, height, width), 0 to 1; y: class indices. `trained` counts the rows that the
    shared weights were trained on, `searched` the validation rows that the distribution's gradients came from.
    """

    def __init__(
        self,
        net: SuperNet,
        *,
        train: tuple[NDArray[np.float32], NDArray[np.int64]],
        validation: tuple[NDArray[np.float32], NDArray[np.int64]],
        batch_size: int = 64,
        learning_rate: float = 0.01,
        seed: int = 0,
    ):
        if min(len(train[0]), len(validation[0])) < 2:
            raise ConfigError("a super-network needs 2 training rows and 2 validation rows or more")
        self.net, self.batch_size = net, batch_size
        self.rng = np.random.default_rng(seed)
        self.train, self.validation = train, validation
        self.optimizer = torch.optim.Adam(net.parameters(), lr=learning_rate)
        self.trained = self.searched = 0

    def __call__(self, weights: Sequence[Tensor]) -> Tensor:
        """Train the drawn path on one batch, then return minus its loss on a validation batch, with gradients."""
        self._fit([weight.detach() for weight in weights])
        self.searched += min(self.batch_size, len(self.validation[0]))
        return -self._loss(self.validation, weights).double()

    def warm_up(self, steps: int) -> None:
        """Train the shared weights on networks drawn uniformly, one a batch, before any of them is preferred."""
        for _ in range(steps):
            drawn = [int(self.rng.integers(len(one))) for one in self.net.candidates]
            self._fit([torch.eye(len(one))[i] for one, i in zip(self.net.candidates, drawn, strict=True)])

    def _fit(self, weights: Sequence[Tensor]) -> None:
        self.optimizer.zero_grad()
        loss = self._loss(self.train, weights)
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        self.optimizer.step()
        self.trained += min(self.batch_size, len(self.train[0]))

    def at(self, indices: Sequence[int]) -> float:
        """Minus the loss of one network on the same validation rows every time (up to 512)."""
        logits, labels = self._judged(indices)
        return -float(F.cross_entropy(logits, labels))

    def accuracy(self, indices: Sequence[int]) -> float:
        """The share of those rows that one network answers rightly."""
        logits, labels = self._judged(indices)
        return float((logits.argmax(dim=1) == labels).double().mean())

    def _judged(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        hot = [torch.eye(len(one))[i] for one, i in zip(self.net.candidates, indices, strict=True)]
        rows = slice(0, 512)
        with torch.no_grad():
            images, labels = torch.from_numpy(self.validation[0][rows]), torch.from_numpy(self.validation[1][rows])
            return self.net(images, hot), labels

    def _loss(self, part: tuple[NDArray[np.float32], NDArray[np.int64]], weights: Sequence[Tensor]) -> Tensor:
        rows = self.rng.permutation(len(part[0]))[: self.batch_size]
        return F.cross_entropy(self.net(torch.from_numpy(part[0][rows]), weights), torch.from_numpy(part[1][rows]))


def _rounded(x: Tensor, bits: int) -> Tensor:
    """Values 0 to 1 on as many levels; the gradient passes where nothing is clipped."""
    top = (1 << bits) - 1
    held = x.clamp(0, 1)
    return held + (torch.floor(held * top + 0.5) / top - held).detach()


def _few(weight: Tensor, bits: int) -> Tensor:
    """Weights on signed levels with one scale, the largest magnitude at the largest level; one bit is the sign."""
    if bits == 1:
        rounded = torch.where(weight >= 0, 1.0, -1.0) * weight.abs().mean()
    else:
        step = weight.abs().max().clamp_min(1e-8) / ((1 << (bits - 1)) - 1)
        rounded = torch.round(weight / step) * step
    return weight + (rounded - weight).detach()
