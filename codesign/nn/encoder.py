"""The input encoder: raw features to few-bit codes, by thresholds that are learned or taken from the training rows.

It is part of the network: floor to the fixed-point word's grid (where there are words), standardise, quantize. In
evaluation all of it is float64 and never decreases in the feature, so that it equals a list of thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from codesign.errors import DataError
from codesign.ir import Fixed
from codesign.nn.quantizers import Quantizer, sign

__all__ = ["EncoderShape", "InputEncoder"]

_MIN_GAIN = 1e-4

_BLOCK_VALUES = 1 << 17
"""Comparisons of a block of rows (1 MiB of float64): several times faster than blocks that leave the cache."""


@dataclass(frozen=True)
class EncoderShape:
    """What an encoder is, before its numbers.

    kind: `scaled` (each feature scaled and shifted by learned factors, then one quantizer with a learned scale),
    `learned` (learned thresholds, one 1-bit signal each) or `fixed` (thresholds that training leaves alone).
    bits: of a binary code, or thresholds a feature of a thermometer. words: one a feature, or none.
    """

    kind: Literal["scaled", "learned", "fixed"]
    features: tuple[str, ...]
    bits: int
    coding: Literal["binary", "thermometer"]
    words: tuple[Fixed, ...] = ()

    @property
    def thresholds(self) -> int:
        """Thresholds a feature."""
        return self.bits if self.coding == "thermometer" else 2**self.bits - 1

    @property
    def signals(self) -> int:
        """Signals that leave the encoder."""
        return len(self.features) * (self.bits if self.coding == "thermometer" else 1)

    @property
    def signal_bits(self) -> int:
        """Bits of every signal."""
        return 1 if self.coding == "thermometer" else self.bits


class InputEncoder(nn.Module):
    """Turns features into codes; `prepare` does once a data set what needs no training.

    Buffers: mean and spread (features,) of the training rows (0 and 1 where `standardize` is off);
    for `fixed`, thresholds (features, thresholds) in the data's unit and levels (signals, codes).
    """

    mean: Tensor
    spread: Tensor
    fixed_thresholds: Tensor
    fixed_levels: Tensor

    def __init__(self, shape: EncoderShape, *, quantizer: Quantizer | None = None):
        super().__init__()
        self.shape = shape
        count = len(shape.features)
        self.register_buffer("mean", torch.zeros(count, dtype=torch.float64))
        self.register_buffer("spread", torch.ones(count, dtype=torch.float64))
        self.quantizer = quantizer
        self._words: list[tuple[slice | list[int], Fixed]] = [
            (slice(None) if set(shape.words) == {word} else [i for i, w in enumerate(shape.words) if w == word], word)
            for word in sorted(set(shape.words))
        ]
        if shape.kind == "scaled":
            assert quantizer is not None and shape.coding == "binary"
            self.gain = nn.Parameter(torch.ones(count))
            self.offset = nn.Parameter(torch.zeros(count))
        elif shape.kind == "learned":
            assert shape.coding == "thermometer"
            self.thresholds = nn.Parameter(torch.zeros(count, shape.thresholds))
        else:
            rows = torch.zeros(count, shape.thresholds, dtype=torch.float64)
            self.register_buffer("fixed_thresholds", rows)
            self.register_buffer("fixed_levels", torch.zeros(shape.signals, 2**shape.signal_bits, dtype=torch.float64))

    @property
    def alike(self) -> bool:
        """Whether every feature is encoded by the same fixed thresholds."""
        if self.shape.kind != "fixed":
            return False
        thresholds = self.fixed_thresholds
        return len(set(self.shape.words)) <= 1 and bool((thresholds == thresholds[:1]).all())

    # ---- training

    def prepare(self, features: NDArray) -> Tensor:
        """Turn raw features (rows, features) into what `forward` takes, (rows, columns), on the CPU.

        `fixed`: the codes themselves (uint8, or int32 beyond 8 bits); otherwise standardised float32 features.
        """
        if self.shape.kind != "fixed":
            return self._standard(self.on_grid(features)).to(torch.float32)
        return self._fixed_codes(features, torch.uint8 if self.shape.signal_bits <= 8 else torch.int32)

    def forward(self, prepared: Tensor) -> Tensor:
        """Encode in training: prepared rows (batch, columns) to values (signals, batch)."""
        x = prepared.t()
        if self.shape.kind == "fixed":
            return self.fixed_levels.to(torch.float32).gather(1, x.to(torch.int64))
        if self.shape.kind == "scaled":
            assert self.quantizer is not None
            return self.quantizer(x * self._gain()[:, None] + self.offset[:, None])
        ordered = self.thresholds.sort(dim=1).values
        away = (x[:, None, :] - ordered[:, :, None]).reshape(self.shape.signals, -1)
        return sign(away)

    # ---- evaluation

    def codes(self, features: NDArray) -> Tensor:
        """Encode exactly: raw features (rows, features) to int64 codes (signals, rows), on the parameters' device."""
        if self.shape.kind == "fixed":
            narrow = self._fixed_codes(features, torch.int32)
            return narrow.t().contiguous().to(torch.int64).to(self.mean.device)
        x = self.on_grid(features)
        return self.standard_codes(self._standard(x).t().contiguous().to(self.mean.device))

    def standard_codes(self, x: Tensor) -> Tensor:
        """Encode standardised features (features, rows), float64, to codes (signals, rows); never decreasing."""
        if self.shape.kind == "scaled":
            assert self.quantizer is not None
            y = x * self._gain().detach().double()[:, None]
            return self.quantizer.codes(y + self.offset.detach().double()[:, None])
        ordered = self.thresholds.detach().double().sort(dim=1).values
        return (x[:, None, :] >= ordered[:, :, None]).to(torch.int64).view(self.shape.signals, -1)

    def feature_codes(self, x: NDArray[np.float64]) -> NDArray[np.int64]:
        """Count the thresholds passed by values (features, points), already on the word's grid."""
        if self.shape.kind == "fixed":
            t = self.fixed_thresholds.cpu().numpy()
            return np.stack([np.searchsorted(t[i], x[i], side="right") for i in range(len(x))]).astype(np.int64)
        standard = (torch.from_numpy(x).to(self.mean.device) - self.mean[:, None]) / self.spread[:, None]
        codes = self.standard_codes(standard)
        if self.shape.kind == "learned":
            codes = codes.view(len(x), self.shape.thresholds, -1).sum(1)
        return codes.cpu().numpy()

    def levels(self) -> Tensor:
        """Return the value of every code, float64 (signals or 1, codes)."""
        if self.shape.kind == "fixed":
            return self.fixed_levels
        if self.shape.kind == "scaled":
            assert self.quantizer is not None
            return self.quantizer.levels()[None].to(self.mean.device)
        return torch.tensor([[-1.0, 1.0]], dtype=torch.float64, device=self.mean.device)

    # ---- parts

    def _gain(self) -> Tensor:
        return self.gain.abs().clamp_min(_MIN_GAIN)

    def on_grid(self, features: NDArray) -> NDArray[np.float64]:
        """Check shape and NaN of raw features (rows, features), and floor them to the words' grid."""
        x = np.asarray(features, dtype=np.float64)
        names = self.shape.features
        if x.ndim != 2 or x.shape[1] != len(names):
            raise DataError(f"the network takes (rows, {len(names)}) features, not {x.shape}")
        if np.isnan(x).any():
            row, column = np.argwhere(np.isnan(x))[0]
            raise DataError(f"feature {names[column]!r} is NaN in row {row}; mend or drop such rows")
        words = self.shape.words
        if not words:
            return x
        out = np.empty_like(x)
        block = max(1, _BLOCK_VALUES // x.shape[1])
        for columns, word in self._words:
            for at in range(0, len(x), block):
                grid = word.words(x[at : at + block, columns]).astype(np.float64)
                out[at : at + block, columns] = np.ldexp(grid, -word.fraction_bits)
        return out

    def _standard(self, x: NDArray[np.float64]) -> Tensor:
        return (torch.from_numpy(np.ascontiguousarray(x)) - self.mean.cpu()) / self.spread.cpu()

    def _fixed_codes(self, features: NDArray, dtype: torch.dtype) -> Tensor:
        """Return codes (rows, signals) of raw features by the fixed thresholds, in blocks of rows that fit a cache."""
        t = self.fixed_thresholds.cpu().numpy()
        out = torch.empty(len(features), self.shape.signals, dtype=dtype)
        block = max(1, _BLOCK_VALUES // max(1, t.size))
        for at in range(0, len(features), block):
            x = self.on_grid(features[at : at + block])
            if self.shape.thresholds == 1 or self.shape.coding == "thermometer":
                codes = torch.from_numpy((x[:, :, None] >= t).reshape(len(x), -1))
            else:
                columns = [np.searchsorted(t[i], x[:, i], side="right") for i in range(x.shape[1])]
                codes = torch.from_numpy(np.stack(columns, axis=1))
            out[at : at + block] = codes
        return out
