"""Layers over feature maps: Brevitas' low-bit weights, and the average that keeps its source's steps."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from brevitas.nn import QuantConv2d, QuantLinear
from brevitas.quant import Int8WeightPerTensorFloat, SignedBinaryWeightPerTensorConst
from torch import Tensor, nn

from codesign.nn.quantizers import sign

__all__ = ["average", "integer_weights", "weight_layer", "weight_scale"]

_SIGMAS = {2: 1.0, 3: 3.0}
"""With few levels the largest weight is a poor scale; then mean + sigmas x deviation of the magnitudes is the top."""


_FEW = 16
"""Weights below which a deviation says nothing, and the largest one is the scale."""


def weight_layer(
    shape: tuple[int, int, int, int],
    *,
    bits: int,
    stride: int,
    padding: int,
    groups: int,
    dense: bool,
    draws: torch.Generator,
) -> nn.Module:
    """Build Brevitas' layer without bias for weights of `shape` (outputs, inputs / groups, rows, columns).

    Two bits and more: signed, symmetric, one scale a layer, which is the largest weight over the largest level (2 and
    3 bits: mean plus deviations of the magnitudes). One bit: the sign. The gradient passes straight through.
    """
    if bits == 1:
        options: dict[str, Any] = {"weight_quant": SignedBinaryWeightPerTensorConst, "weight_scaling_const": 1.0}
    else:
        options = {"weight_quant": Int8WeightPerTensorFloat, "weight_bit_width": bits}
        if bits in _SIGMAS and math.prod(shape) >= _FEW:
            options |= {"weight_scaling_stats_op": "mean_sigma_std", "weight_sigma": _SIGMAS[bits]}
    outputs, inputs, rows, columns = shape
    if dense:
        layer: Any = QuantLinear(inputs * rows * columns, outputs, bias=False, **options)
    else:
        layer = QuantConv2d(
            inputs * groups,
            outputs,
            (rows, columns),
            stride=stride,
            padding=padding,
            groups=groups,
            bias=False,
            **options,
        )
    with torch.no_grad():
        spread = (2.0 / (inputs * rows * columns)) ** 0.5
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=draws) * spread)
    return layer


def weight_scale(layer: nn.Module) -> float:
    """Return what one step of the integer weights stands for."""
    quantized: Any = layer.quant_weight()  # pyright: ignore[reportCallIssue]
    return float(quantized.scale.detach())


def integer_weights(layer: nn.Module) -> Tensor:
    """Return the integer weights, int64 on the CPU, in the shape of the layer's own."""
    quantized: Any = layer.quant_weight()  # pyright: ignore[reportCallIssue]
    # Not `int()`: Brevitas calls bipolar weights that are all alike no valid integers.
    return torch.round((quantized.value / quantized.scale).detach()).to(torch.int64).cpu()


def average(
    x: Tensor, kernel: tuple[int, int], *, stride: int, padding: int, step: Tensor | float, high: int
) -> Tensor:
    """Average windows and round to multiples of `step`, halves up; bipolar where `high` is 0. Zeros are the border."""
    mean = F.avg_pool2d(F.pad(x, (padding,) * 4), kernel, stride)
    if high == 0:
        return sign(mean)
    codes = torch.floor(mean.detach() / step + 0.5).clamp(0, high)
    return mean + (codes * step - mean).detach()
