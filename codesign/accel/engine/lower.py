"""Lowers one layer to the engine's loop nest: the words that a group of channels reads, and their weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.accel.engine.point import EnginePoint, refuse
from codesign.accel.engine.program import Words
from codesign.ir.integer import Add, Conv, IntegerLayer, Integers, Levels, MapShape

__all__ = ["Reading", "kernel_of", "layer_kind", "lower_weights", "sum_bounds", "words_read"]

_SHIFTS = 8


@dataclass(frozen=True)
class Reading:
    """Group g reads `count` words of a pixel, from word ``(g * step) >> shift`` on."""

    count: int
    step: int
    shift: int

    def first(self, group: int) -> int:
        """First word that a group reads."""
        return (group * self.step) >> self.shift


def layer_kind(layer: IntegerLayer) -> str:
    """Return "conv", "depthwise", "add", "max" or "average"."""
    if isinstance(layer, Add):
        return "add"
    if isinstance(layer, Conv):
        return "depthwise" if layer.groups > 1 and layer.weights.shape[1] == 1 else "conv"
    return layer.kind


def kernel_of(layer: IntegerLayer) -> tuple[int, int, int, int]:
    """Kernel height, kernel width, stride, padding."""
    return (1, 1, 1, 0) if isinstance(layer, Add) else (*layer.kernel, layer.stride, layer.padding)


def words_read(layer: IntegerLayer, source: MapShape, outputs: int, point: EnginePoint) -> Reading:
    """Return the arithmetic that covers, with the fewest words, what every group of `point.pe` channels needs."""
    groups = -(-outputs // point.pe)
    words = -(-source.channels // point.simd)
    first_out = np.arange(groups) * point.pe
    last_out = np.minimum(first_out + point.pe, outputs) - 1
    if isinstance(layer, Conv):
        share, inputs = outputs // layer.groups, source.channels // layer.groups
        first, last = first_out // share * inputs, (last_out // share + 1) * inputs - 1
    else:
        first, last = first_out, last_out
    first, last = first // point.simd, last // point.simd
    for count in range(int((last - first).max()) + 1, words):
        low, high = np.maximum(last - count + 1, 0), np.minimum(first, words - count)
        for shift in range(_SHIFTS):
            if low[0] > 0:
                break
            numbers = np.arange(1, groups)
            steps = -(-(low[1:] << shift) // numbers), ((high[1:] + 1 << shift) - 1) // numbers
            least, most = int(steps[0].max(initial=0)), int(steps[1].min(initial=1 << 12))
            if least <= most and least < 1 << 12:
                return Reading(count, least, shift)
    return Reading(words, 0, 0)


def full_kernels(layer: IntegerLayer, channels: int) -> list[Integers]:
    """Return, for each source, (outputs, inputs, kernel height, kernel width) with the structural zeros written out."""
    if isinstance(layer, Add):
        return [np.eye(channels, dtype=np.int64)[:, :, None, None] * weight for weight in layer.weights]
    if not isinstance(layer, Conv):
        height, width = layer.kernel
        return [np.tile(np.eye(channels, dtype=np.int64)[:, :, None, None], (1, 1, height, width))]
    outputs, inputs = layer.weights.shape[0] // layer.groups, layer.weights.shape[1]
    full = np.zeros((layer.weights.shape[0], channels, *layer.kernel), dtype=np.int64)
    for group in range(layer.groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        full[rows, group * inputs : (group + 1) * inputs] = layer.weights[rows]
    return [full]


def lower_weights(layer: IntegerLayer, source: MapShape, reading: Reading, point: EnginePoint) -> Words:
    """Return (groups * taps, pe * simd) weight codes; SpaceError "weight_bits" or "zero_weight"."""
    rows, lanes, bits = point.pe, point.simd, point.weight_bits
    own = np.asarray(layer.weights if isinstance(layer, Conv | Add) else 1)
    if bits == 1 and not Levels(1).legal(own):
        text = f"weights are {own.min()} to {own.max()}; weight_bits 1 holds -1 and 1"
        raise refuse("weight_bits", layer.name, text)
    kernels = full_kernels(layer, source.channels)
    outputs = kernels[0].shape[0]
    groups, words = -(-outputs // rows), -(-source.channels // lanes)
    found: list[Integers] = []
    used: list[Integers] = []
    for kernel in kernels:
        padded = np.zeros((groups * rows, words * lanes, *kernel.shape[2:]), dtype=np.int64)
        padded[:outputs, : source.channels] = kernel
        matters = np.zeros(padded.shape[:2], dtype=np.int64)
        # A lane of padding holds the value 0, whatever its weight, but one bit cannot hold 0.
        matters[:outputs, : source.channels if point.activation_bits > 1 else None] = 1
        for target, full in ((found, padded), (used, np.broadcast_to(matters[..., None, None], padded.shape))):
            parts: list[Integers] = []
            for group in range(groups):
                low = reading.first(group) * lanes
                part = full[group * rows : (group + 1) * rows, low : low + reading.count * lanes]
                split = part.reshape(rows, reading.count, lanes, *kernel.shape[2:])
                parts.append(split.transpose(3, 4, 1, 0, 2).reshape(-1, rows * lanes))
            target.append(np.stack(parts))
    values = np.concatenate(found, axis=1).reshape(-1, rows * lanes)
    if bits == 1:
        needed = np.concatenate(used, axis=1).reshape(-1, rows * lanes) == 1
        if (values[needed] == 0).any():
            text = "weights that must be 0 (other groups, other channels, padding) need weight_bits of 2 or more, not 1"
            raise refuse("zero_weight", layer.name, text)
        levels = Levels(1)
        values = np.where(values == 0, -1, values)
    else:
        levels = Levels(bits, signed=True)
    if not levels.legal(values):
        text = f"weights are {values.min()} to {values.max()}; weight_bits {bits} holds {levels.low} to {levels.high}"
        raise refuse("weight_bits", layer.name, text)
    return levels.codes(values).astype(np.uint8)


def sum_bounds(layer: IntegerLayer, channels: int, sources: list[Levels]) -> tuple[int, int]:
    """Return the exact smallest and largest sum of any channel, for inputs of the given levels."""
    if layer_kind(layer) == "max":
        return min(sources[0].low, 0), max(sources[0].high, 0)
    low = high = np.zeros(1, dtype=np.int64)
    for index, levels in enumerate(sources):
        if isinstance(layer, Add):
            weights = np.full((1, 1), layer.weights[index], dtype=np.int64)
        elif isinstance(layer, Conv):
            weights = layer.weights.reshape(layer.weights.shape[0], -1)
        else:
            weights = np.ones((1, layer.kernel[0] * layer.kernel[1]), dtype=np.int64)
        positive, negative = np.maximum(weights, 0).sum(axis=1), np.minimum(weights, 0).sum(axis=1)
        high = high + positive * levels.high + negative * levels.low
        low = low + positive * levels.low + negative * levels.high
    return int(low.min()), int(high.max())
