"""Networks over feature maps in evaluation: exact integer layers, run by torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from codesign.ir.integer import Conv, IntegerLayer, Integers, Levels, Pool, Requantize
from codesign.nn.requantize import RequantizeFit

__all__ = ["IntegerStep", "integer_sums", "run_step"]

_EXACT_FLOAT32 = 1 << 24
"""Up to here float32 holds every integer."""


@dataclass(frozen=True, eq=False)
class IntegerStep:
    """One layer in evaluation: an integer layer (with its weights and requantization) and how exact it is.

    fit: None for a maximum and for the last layer. scale, offset: float64 (channels,), the real function from sums to
    codes that `fit` stands for; see `real_codes`. low, high: (channels,) exact range of the sums.
    """

    layer: IntegerLayer
    fit: RequantizeFit | None
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    low: Integers
    high: Integers


def run_step(step: IntegerStep, sources: list[Tensor]) -> Tensor:
    """Run one integer layer on int64 maps."""
    layer, x = step.layer, sources[0]
    if isinstance(layer, Conv):
        largest = int(max(np.abs(step.low).max(), np.abs(step.high).max())) * 2
        weights = torch.from_numpy(layer.weights)
        total = integer_sums(
            x, weights, stride=layer.stride, padding=layer.padding, groups=layer.groups, largest=largest
        )
    elif isinstance(layer, Pool):
        padded = F.pad(x, (layer.padding,) * 4).double()
        if layer.kind == "max":
            return F.max_pool2d(padded, layer.kernel, layer.stride).to(torch.int64)
        total = F.avg_pool2d(padded, layer.kernel, layer.stride, divisor_override=1).to(torch.int64)
    else:
        total = x * layer.weights[0] + sources[1] * layer.weights[1]
    if layer.requantize is None or layer.levels is None:
        return total
    return _requantize(total, layer.requantize, layer.levels)


def _requantize(total: Tensor, step: Requantize, levels: Levels) -> Tensor:
    multipliers = torch.from_numpy(step.multipliers).to(total.device)[:, None, None]
    scaled = total * multipliers + torch.from_numpy(step.biases).to(total.device)[:, None, None]
    if levels.bipolar:
        return torch.where(scaled >= 0, 1, -1)
    return (scaled >> step.shift).clamp(levels.low, levels.high)


def integer_sums(maps: Tensor, weights: Tensor, *, stride: int, padding: int, groups: int, largest: int) -> Tensor:
    """Convolve integers exactly: maps int64 (samples, channels, height, width), weights as in `weight_layer`.

    largest: bounds every sum of magnitudes; below 2**24 float32 is exact, below 2**53 float64. A plain matrix product
    is used, since library convolutions may take ways (Winograd, FFT, tf32) that are not exact.
    """
    exact32 = largest < _EXACT_FLOAT32 and maps.device.type == "cpu"
    kind = torch.float32 if exact32 else torch.float64
    outputs, inputs, rows, columns = weights.shape
    padded = F.pad(maps.to(kind), (padding,) * 4)
    height = (padded.shape[2] - rows) // stride + 1
    width = (padded.shape[3] - columns) // stride + 1
    windows = F.unfold(padded, (rows, columns), stride=stride)
    windows = windows.view(len(maps), groups, inputs * rows * columns, height * width)
    kernels = weights.to(maps.device, kind).view(groups, outputs // groups, inputs * rows * columns)
    return torch.matmul(kernels, windows).view(len(maps), outputs, height, width).to(torch.int64)
