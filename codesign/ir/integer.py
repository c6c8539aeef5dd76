"""Integer networks: low-bit weights over feature maps, with exact requantization; the nouns and what they compute.

A feature map is an integer array (samples, channels, height, width). Each layer forms exact integer sums and, but for
the last one, brings them back to few bits with `Requantize`. Nothing is floating point and nothing is rounded twice,
so that software and hardware agree bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "INPUT",
    "Add",
    "Conv",
    "IntegerLayer",
    "IntegerNetwork",
    "Integers",
    "Levels",
    "MapShape",
    "Pool",
    "Requantize",
    "dense",
    "evaluate_integer",
    "evaluate_layer",
    "output_shape",
    "trace_integer",
]

Integers = NDArray[np.int64]
"""Values, not codes: int64 of any shape."""

INPUT = "input"
"""The name by which layers read the network's input."""

_CHUNK = 64
"""Samples evaluated at once where only the answers are kept."""


@dataclass(frozen=True, order=True)
class Levels:
    """The values that a weight or an activation may take: `bits` wide; one bit is bipolar, -1 and +1.

    The code of a bipolar value is 0 for -1 and 1 for +1; all others are plain binary or two's complement.
    """

    bits: int
    signed: bool = False

    @property
    def bipolar(self) -> bool:
        """Whether the two values are -1 and +1."""
        return self.bits == 1

    @property
    def low(self) -> int:
        """Smallest value."""
        return -(1 << (self.bits - 1)) if self.signed or self.bipolar else 0

    @property
    def high(self) -> int:
        """Largest value."""
        return 1 if self.bipolar else (1 << (self.bits - int(self.signed))) - 1

    def legal(self, values: ArrayLike) -> bool:
        """Return whether every one of `values` is a level."""
        given = np.asarray(values)
        if self.bipolar:
            return bool((np.abs(given) == 1).all())
        return not given.size or (int(given.min()) >= self.low and int(given.max()) <= self.high)

    def codes(self, values: ArrayLike) -> Integers:
        """Write values as bit patterns, any shape; a value that is no level is a ValueError."""
        given = np.asarray(values, dtype=np.int64)
        if not self.legal(given):
            raise ValueError(f"values must be levels of {self}, not {given.min()} to {given.max()}")
        return (given + 1) >> 1 if self.bipolar else given & ((1 << self.bits) - 1)

    def values(self, codes: ArrayLike) -> Integers:
        """Read bit patterns, any shape."""
        given = np.asarray(codes, dtype=np.int64)
        if self.bipolar:
            return 2 * given - 1
        return np.where(self.signed & (given >> (self.bits - 1) == 1), given - (1 << self.bits), given)

    def __str__(self) -> str:
        return "bipolar" if self.bipolar else f"{'s' if self.signed else 'u'}{self.bits}"


@dataclass(frozen=True, order=True)
class MapShape:
    """A feature map of one sample."""

    channels: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        """Positions, ``height * width``."""
        return self.height * self.width

    @property
    def size(self) -> int:
        """Values."""
        return self.channels * self.pixels

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}"


@dataclass(frozen=True, eq=False)
class Requantize:
    """Sums to few bits, channel by channel: ``clip((sum * multiplier + bias) >> shift, low, high)``.

    The shift is arithmetic (towards minus infinity), so a bias with ``1 << (shift - 1)`` in it rounds to nearest.
    For bipolar levels the result is +1 where ``sum * multiplier + bias`` is at least 0, else -1.

    multipliers: (channels,) signed, 16 bits; biases: (channels,) signed, 40 bits; shift: 0 to 39.
    """

    multipliers: Integers
    biases: Integers
    shift: int

    MULTIPLIER_BITS = 16
    BIAS_BITS = 40
    MAX_SHIFT = 39

    def apply(self, sums: Integers, levels: Levels) -> Integers:
        """Requantize (samples, channels, height, width) sums to `levels`."""
        scaled = sums * self.multipliers[:, None, None] + self.biases[:, None, None]
        if levels.bipolar:
            return np.where(scaled >= 0, 1, -1)
        return np.clip(scaled >> self.shift, levels.low, levels.high)


@dataclass(frozen=True, eq=False)
class Conv:
    """A convolution without bias (the bias is in `requantize`), also grouped, depthwise, and dense (see `dense`).

    weights: (outputs, inputs / groups, kernel height, kernel width) values of `weight_levels`.
    padding: zeros on every side; requantize, levels: None in the last layer alone, whose answers are the sums.
    """

    name: str
    source: str
    weights: Integers
    weight_levels: Levels
    stride: int = 1
    padding: int = 0
    groups: int = 1
    requantize: Requantize | None = None
    levels: Levels | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of what it reads."""
        return (self.source,)

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width of the kernel."""
        return self.weights.shape[2], self.weights.shape[3]


@dataclass(frozen=True, eq=False)
class Add:
    """A residual addition: ``first * weight_0 + second * weight_1``, then requantized."""

    name: str
    sources: tuple[str, str]
    requantize: Requantize
    levels: Levels
    weights: tuple[int, int] = (1, 1)


@dataclass(frozen=True, eq=False)
class Pool:
    """Pooling: the maximum of a window, or its sum, which `requantize` divides. Global where kernel = map.

    Maximum: no requantize, and the levels of the source. Padding counts as 0, also for the maximum.
    """

    name: str
    source: str
    kind: Literal["max", "average"]
    kernel: tuple[int, int]
    levels: Levels
    stride: int = 1
    padding: int = 0
    requantize: Requantize | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of what it reads."""
        return (self.source,)


IntegerLayer = Conv | Add | Pool


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """Layers in an order in which each reads only `INPUT` and layers before it; the last one gives the answer."""

    name: str
    input_shape: MapShape
    input_levels: Levels
    layers: tuple[IntegerLayer, ...]

    def layer(self, name: str) -> IntegerLayer:
        """The layer of that name; KeyError if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def levels(self, name: str) -> Levels | None:
        """Levels of what `name` (a layer or `INPUT`) gives; None for sums."""
        return self.input_levels if name == INPUT else self.layer(name).levels

    def shapes(self) -> dict[str, MapShape]:
        """Shape of the input and of every layer's output, by name, in order."""
        found = {INPUT: self.input_shape}
        for layer in self.layers:
            found[layer.name] = output_shape(layer, [found[source] for source in layer.sources])
        return found


def dense(
    name: str,
    source: str,
    weights: ArrayLike,
    *,
    weight_levels: Levels,
    shape: MapShape,
    requantize: Requantize | None = None,
    levels: Levels | None = None,
) -> Conv:
    """A dense layer: `weights` (outputs, inputs) over a flattened map of `shape` (channel, row, column order)."""
    matrix = np.asarray(weights, dtype=np.int64)
    kernel = matrix.reshape(matrix.shape[0], shape.channels, shape.height, shape.width)
    return Conv(name, source, kernel, weight_levels, requantize=requantize, levels=levels)


def output_shape(layer: IntegerLayer, sources: list[MapShape]) -> MapShape:
    """Shape that a layer gives for the shapes it reads."""
    first = sources[0]
    if isinstance(layer, Add):
        return first
    height, width = (
        (size + 2 * layer.padding - kernel) // layer.stride + 1
        for size, kernel in zip((first.height, first.width), layer.kernel, strict=True)
    )
    return MapShape(layer.weights.shape[0] if isinstance(layer, Conv) else first.channels, height, width)


def evaluate_layer(layer: IntegerLayer, sources: list[Integers]) -> Integers:
    """Run one layer on what it reads: (samples, channels, height, width) each, in the order of `layer.sources`."""
    if isinstance(layer, Add):
        total = sources[0] * layer.weights[0] + sources[1] * layer.weights[1]
        return layer.requantize.apply(total, layer.levels)
    windows = _windows(sources[0], layer.kernel, layer.stride, layer.padding)
    if isinstance(layer, Pool) and layer.kind == "max":
        return windows.max(axis=(4, 5))
    total = _convolve(windows, layer) if isinstance(layer, Conv) else windows.sum(axis=(4, 5))
    if layer.requantize is None or layer.levels is None:
        return total
    return layer.requantize.apply(total, layer.levels)


def trace_integer(network: IntegerNetwork, inputs: ArrayLike) -> dict[str, Integers]:
    """Run the network on input values (samples, channels, height, width); return every layer's output, by name."""
    found: dict[str, Integers] = {INPUT: np.asarray(inputs, dtype=np.int64)}
    for layer in network.layers:
        found[layer.name] = evaluate_layer(layer, [found[source] for source in layer.sources])
    return found


def evaluate_integer(network: IntegerNetwork, inputs: ArrayLike) -> Integers:
    """Run the network on input values (samples, channels, height, width); return the answers, as maps of values."""
    values = np.asarray(inputs, dtype=np.int64)
    last = network.layers[-1].name
    parts = [trace_integer(network, values[at : at + _CHUNK])[last] for at in range(0, max(1, len(values)), _CHUNK)]
    return np.concatenate(parts)


def _windows(maps: Integers, kernel: tuple[int, int], stride: int, padding: int) -> Integers:
    """Return (samples, channels, rows, columns, kernel height, kernel width), a view of the padded maps."""
    padded = np.pad(maps, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))[:, :, ::stride, ::stride]


def _convolve(windows: Integers, layer: Conv) -> Integers:
    """Sum of products, exact: in float64, whose integers reach 2**53, for the speed of its matrix product."""
    samples, channels, rows, columns, *_ = windows.shape
    outputs, inputs = layer.weights.shape[0] // layer.groups, channels // layer.groups
    total = np.empty((samples, layer.weights.shape[0], rows, columns), dtype=np.int64)
    for group in range(layer.groups):
        part = windows[:, group * inputs : (group + 1) * inputs].astype(np.float64)
        kernel = layer.weights[group * outputs : (group + 1) * outputs].astype(np.float64)
        found = np.tensordot(part, kernel, axes=([1, 4, 5], [1, 2, 3]))
        total[:, group * outputs : (group + 1) * outputs] = np.moveaxis(found, 3, 1)
    return total
