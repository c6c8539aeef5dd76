"""The input of a network over feature maps: raw features to the few-bit values that the engine takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from codesign.ir.integer import Integers, Levels

if TYPE_CHECKING:
    from codesign.data import DataSet

__all__ = ["LevelEncoder", "fit_levels"]

_CHUNK_ROWS = 4096


class LevelEncoder(nn.Module):
    """``code = clip(floor((x - low) / step), 0, 2**bits - 1)``, feature by feature; done before the hardware.

    Buffers low and step, float64 (features,). At one bit the value of a code is -1 or +1, else the code itself.
    """

    low: Tensor
    step: Tensor

    def __init__(self, features: int, *, bits: int):
        super().__init__()
        self.levels = Levels(bits)
        self.register_buffer("low", torch.zeros(features, dtype=torch.float64))
        self.register_buffer("step", torch.ones(features, dtype=torch.float64))

    @property
    def alike(self) -> bool:
        """Whether every feature is encoded alike."""
        return bool((self.low == self.low[0]).all() and (self.step == self.step[0]).all())

    @property
    def scale(self) -> float:
        """What one step of a value counts as in training, where the values reach 1."""
        return 1.0 / self.levels.high

    def codes(self, features: NDArray) -> NDArray[np.uint8]:
        """Encode raw features (rows, features), exactly."""
        low, step = self.low.cpu().numpy(), self.step.cpu().numpy()
        out = np.empty(features.shape, dtype=np.uint8)
        for at in range(0, len(features), _CHUNK_ROWS):
            part = slice(at, at + _CHUNK_ROWS)
            found = np.floor((features[part].astype(np.float64) - low) / step)
            out[part] = np.clip(found, 0, (1 << self.levels.bits) - 1)
        return out

    def prepare(self, features: NDArray) -> Tensor:
        """Encode raw features (rows, features) to codes, uint8; see `Encoder`."""
        return torch.from_numpy(self.codes(features))

    def values(self, features: NDArray) -> Integers:
        """Encode raw features (rows, features) to the values that enter the network."""
        return self.levels.values(self.codes(features))

    def forward(self, prepared: Tensor) -> Tensor:
        """Turn codes (batch, features) into float32 values of at most 1."""
        codes = prepared.to(torch.float32)
        return 2 * codes - 1 if self.levels.bipolar else codes * self.scale


def fit_levels(data: DataSet, *, bits: int) -> LevelEncoder:
    """Choose low and step: the highest bits of the data's own word where it has one, else the training rows' range."""
    encoder = LevelEncoder(data.inputs, bits=bits)
    count = float(1 << bits)
    if data.word is not None:
        word = data.word.format
        spare = max(word.bits - bits, 0)
        encoder.low.fill_(float(np.ldexp(word.low, -data.word.fraction_bits)))
        encoder.step.fill_(float(np.ldexp(1.0, spare - data.word.fraction_bits)))
        return encoder
    low = data.x_train.min(axis=0).astype(np.float64)
    span = data.x_train.max(axis=0).astype(np.float64) - low
    encoder.low.copy_(torch.from_numpy(low))
    encoder.step.copy_(torch.from_numpy(np.where(span > 0, span / count, 1.0)))
    return encoder
