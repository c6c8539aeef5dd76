"""Augmentation: every epoch sees the training rows anew, as shifted and mirrored images and with noise."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from codesign.errors import ConfigError
from codesign.nn.seeds import generator
from codesign.nn.trainable import Encoder

if TYPE_CHECKING:
    from codesign.config import AugmentConfig
    from codesign.data import DataSet

__all__ = ["Augmenter", "shift_images"]

_CHUNK_ROWS = 8192


class Augmenter:
    """Makes the prepared training rows of every epoch; see `AugmentConfig` for what it does.

    prepared: the rows as they are, from the encoder. Draws depend on the seed and the epoch alone. Where all features
    have the same fixed thresholds and there is no noise, codes are shifted in place of raw rows: the same result,
    without encoding each time.
    """

    def __init__(self, config: AugmentConfig, data: DataSet, *, encoder: Encoder, prepared: Tensor, seed: int):
        self.config = config
        self.data = data
        self.encoder = encoder
        self.seed = seed
        self.image: tuple[int, int, int] | None = None
        if config.shift_pixels or config.flip:
            assert config.image is not None
            height, width = config.image
            planes, rest = divmod(data.inputs, height * width)
            if rest:
                raise ConfigError(
                    f"train.augment.image: {height} x {width} pixels must divide the {data.inputs} features of "
                    f"{data.name!r} (planes one after the other)"
                )
            if config.shift_pixels >= min(height, width):
                raise ConfigError(
                    f"train.augment.shift_pixels must be less than the image's {height} x {width} pixels, "
                    f"not {config.shift_pixels}"
                )
            self.image = (planes, height, width)
        self.codes = prepared if not config.noise and self.image is not None and encoder.alike else None

    def epoch(self, epoch: int) -> Tensor:
        """Return the prepared rows of an epoch, (rows, columns), in the order of the training rows."""
        draws = generator(self.seed, "augment", epoch)
        count = len(self.data.x_train)
        shifts = self._shifts(count, draws)
        mirrored = self._mirrored(count, epoch)
        if self.codes is not None:
            assert self.image is not None and shifts is not None
            background = self.encoder.prepare(np.zeros((1, self.data.inputs), dtype=np.float32))[0]
            return _moved(self.codes, shifts, mirrored, image=self.image, background=background)
        parts: list[Tensor] = []
        for at in range(0, count, _CHUNK_ROWS):
            raw = torch.from_numpy(np.ascontiguousarray(self.data.x_train[at : at + _CHUNK_ROWS]))
            if self.image is not None and shifts is not None:
                part = slice(at, at + _CHUNK_ROWS)
                raw = _moved(raw, shifts[part], mirrored[part], image=self.image, background=torch.zeros(1))
            if self.config.noise:
                raw = raw + torch.randn(raw.shape, generator=draws) * self.config.noise
            parts.append(self.encoder.prepare(raw.numpy()))
        return torch.cat(parts)

    def _shifts(self, rows: int, draws: torch.Generator) -> Tensor | None:
        """Draw shifts (rows, 2), down and right, evenly from the square of -shift_pixels to shift_pixels."""
        if self.image is None:
            return None
        most = self.config.shift_pixels
        return torch.randint(-most, most + 1, (rows, 2), generator=draws)

    def _mirrored(self, rows: int, epoch: int) -> Tensor:
        """Say which rows to mirror, bool (rows,): half of them, drawn from a stream of its own."""
        if not self.config.flip:
            return torch.zeros(rows, dtype=torch.bool)
        return torch.rand(rows, generator=generator(self.seed, "flip", epoch)) < 0.5


def _moved(
    rows: Tensor, shifts: Tensor, mirrored: Tensor, *, image: tuple[int, int, int], background: Tensor
) -> Tensor:
    """Mirror and shift rows (rows, columns), columns = planes x height x width x codes a pixel."""
    planes, height, width = image
    codes = rows.shape[1] // (planes * height * width)
    view = rows.view(len(rows), planes, height, width, codes)
    fill = background[:codes].to(rows.dtype)
    if bool(mirrored.any()):
        view = torch.where(mirrored[:, None, None, None, None], view.flip(3), view)
    return shift_images(view, shifts, fill=fill).view(len(rows), -1)


def shift_images(images: Tensor, shifts: Tensor, *, fill: Tensor) -> Tensor:
    """Shift images (rows, planes, height, width, codes) by (rows, 2) down and right; `fill` (codes,) fills in."""
    out = images.clone()
    height, width = images.shape[2:4]
    most = int(shifts.abs().max()) if len(shifts) else 0
    for down, right in itertools.product(range(-most, most + 1), repeat=2):
        if not down and not right:
            continue
        rows = ((shifts[:, 0] == down) & (shifts[:, 1] == right)).nonzero()[:, 0]
        moved = fill.expand(len(rows), *images.shape[1:]).clone()
        to = (slice(max(0, down), height + min(0, down)), slice(max(0, right), width + min(0, right)))
        source = (slice(max(0, -down), height + min(0, -down)), slice(max(0, -right), width + min(0, -right)))
        moved[:, :, to[0], to[1]] = images[rows][:, :, source[0], source[1]]
        out[rows] = moved
    return out
