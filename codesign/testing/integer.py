"""Random legal integer networks for tests: a hypothesis strategy, and inputs that fit a network.

Needs `hypothesis` (the `dev` extra); only tests import it, ours and a user's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from hypothesis import strategies as st

from codesign.ir.integer import (
    INPUT,
    Add,
    Conv,
    IntegerLayer,
    IntegerNetwork,
    Integers,
    Levels,
    MapShape,
    Pool,
    Requantize,
    output_shape,
)
from codesign.ir.integer_check import check_integer
from codesign.ir.integer_random import spread_requantize

__all__ = ["IntegerLimits", "LayerKind", "integer_networks", "random_inputs"]

LayerKind = Literal["conv", "grouped", "depthwise", "add", "max", "average"]

KINDS: tuple[LayerKind, ...] = ("conv", "grouped", "depthwise", "add", "max", "average")


@dataclass(frozen=True)
class IntegerLimits:
    """What a drawn network may be made of.

    channels: of maps between layers; a hardware that wants multiples gives only such. input_channels, answers:
    of the input and of the last layer. bits, weight_bits: of activations and weights (1 is bipolar). signed: whether
    activations may be signed. side: largest height and width of the input. kernel, stride: largest.
    """

    layers: int = 5
    channels: Sequence[int] = (1, 2, 3, 4, 6, 8)
    input_channels: Sequence[int] = (1, 2, 3)
    answers: Sequence[int] = (1, 2, 5)
    bits: Sequence[int] = (1, 2, 3, 4, 8)
    weight_bits: Sequence[int] = (1, 2, 3, 4, 8)
    signed: bool = True
    same_bits: bool = False
    side: int = 7
    kernel: int = 3
    stride: int = 3
    kinds: Sequence[LayerKind] = KINDS


@st.composite
def integer_networks(draw: st.DrawFn, *, limits: IntegerLimits = IntegerLimits()) -> IntegerNetwork:
    """Draw a legal integer network; layers read any layer before them, and every kind and border case comes up.

    With `limits.same_bits` all activations, the input's included, have the same levels.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = _levels(draw, limits)
    side = st.integers(1, limits.side)
    shape = MapShape(draw(st.sampled_from(list(limits.input_channels))), draw(side), draw(side))
    shapes, given = {INPUT: shape}, {INPUT: levels}
    layers: list[IntegerLayer] = []
    for index in range(draw(st.integers(0, limits.layers - 1))):
        layer = _hidden(draw, rng, f"l{index}", shapes, given, limits, levels)
        layers.append(layer)
        shapes[layer.name] = output_shape(layer, [shapes[source] for source in layer.sources])
        assert layer.levels is not None
        given[layer.name] = layer.levels
    source = _source(draw, list(shapes))
    outputs = draw(st.sampled_from(list(limits.answers)))
    whole = draw(st.booleans())
    layers.append(_conv(draw, rng, "answer", source, shapes, given, limits, outputs=outputs, whole=whole))
    return check_integer(IntegerNetwork("drawn", shape, levels, tuple(layers)))


def random_inputs(network: IntegerNetwork, rng: np.random.Generator, samples: int) -> Integers:
    """Return input values (samples, channels, height, width): random ones, and one map each of the extremes."""
    levels, shape = network.input_levels, network.input_shape
    codes = rng.integers(0, 1 << levels.bits, (samples, shape.channels, shape.height, shape.width))
    values = levels.values(codes)
    values[: samples // 8] = levels.high
    values[samples // 8 : samples // 4] = levels.low
    return values


def _levels(draw: st.DrawFn, limits: IntegerLimits) -> Levels:
    bits = draw(st.sampled_from(list(limits.bits)))
    return Levels(bits, limits.signed and bits > 1 and draw(st.booleans()))


def _source(draw: st.DrawFn, names: list[str]) -> str:
    return names[-1] if draw(st.integers(0, 3)) else draw(st.sampled_from(names))


def _hidden(
    draw: st.DrawFn,
    rng: np.random.Generator,
    name: str,
    shapes: dict[str, MapShape],
    given: dict[str, Levels],
    limits: IntegerLimits,
    common: Levels,
) -> IntegerLayer:
    kind = draw(st.sampled_from(list(limits.kinds)))
    source = _source(draw, list(shapes))
    out = common if limits.same_bits else _levels(draw, limits)
    shape = shapes[source]
    if kind == "max":
        kernel, stride, padding = _window(draw, shape, given[source], limits)
        return Pool(name, source, "max", kernel, given[source], stride, padding)
    if kind == "add":
        equal = [other for other, found in shapes.items() if found == shape]
        other = draw(st.sampled_from(equal))
        small = st.integers(-2, 2).filter(bool)
        weights = (draw(small), draw(small)) if draw(st.booleans()) else (1, 1)
        layer = Add(name, (source, other), _EMPTY, out, weights)
        return Add(
            name,
            layer.sources,
            _requantize(draw, rng, layer, [given[source], given[other]], out, shape.channels),
            out,
            weights,
        )
    if kind == "average":
        kernel, stride, padding = _window(draw, shape, given[source], limits)
        pool = Pool(name, source, "average", kernel, out, stride, padding)
        step = _requantize(draw, rng, pool, [given[source]], out, shape.channels)
        return Pool(name, source, "average", kernel, out, stride, padding, step)
    groups = shape.channels if kind == "depthwise" else 1
    outputs = draw(st.sampled_from(list(limits.channels)))
    if kind == "depthwise":
        outputs = shape.channels
    elif kind == "grouped":
        groups = draw(st.sampled_from([g for g in range(1, outputs + 1) if not (outputs % g or shape.channels % g)]))
    layer = _conv(draw, rng, name, source, shapes, given, limits, outputs=outputs, groups=groups)
    step = _requantize(draw, rng, layer, [given[source]], out, outputs)
    return Conv(name, source, layer.weights, layer.weight_levels, layer.stride, layer.padding, groups, step, out)


def _window(
    draw: st.DrawFn, shape: MapShape, levels: Levels, limits: IntegerLimits
) -> tuple[tuple[int, int], int, int]:
    if draw(st.integers(0, 4)) == 0:
        return (shape.height, shape.width), 1, 0
    size = draw(st.integers(1, limits.kernel))
    low = max(0, -(-(size - min(shape.height, shape.width)) // 2))
    padding = draw(st.integers(0, size - 1)) if not levels.bipolar else 0
    if padding < low or low and levels.bipolar:
        size, padding = 1, 0
    return (size, size), draw(st.integers(1, limits.stride)), padding


def _conv(
    draw: st.DrawFn,
    rng: np.random.Generator,
    name: str,
    source: str,
    shapes: dict[str, MapShape],
    given: dict[str, Levels],
    limits: IntegerLimits,
    *,
    outputs: int,
    groups: int = 1,
    whole: bool = False,
) -> Conv:
    shape = shapes[source]
    kernel, stride, padding = _window(draw, shape, given[source], limits)
    if whole:
        kernel, stride, padding = (shape.height, shape.width), 1, 0
    bits = draw(st.sampled_from(list(limits.weight_bits)))
    levels = Levels(bits, signed=bits > 1)
    size = (outputs, shape.channels // groups, *kernel)
    style = draw(st.sampled_from(("random", "random", "extreme", "sparse")))
    weights = levels.values(rng.integers(0, 1 << bits, size))
    if style == "extreme":
        weights = np.where(rng.integers(0, 2, size) == 1, levels.high, levels.low)
    elif style == "sparse" and bits > 1:
        weights = weights * (rng.random(size) < 0.3)
    return Conv(name, source, weights.astype(np.int64), levels, stride, padding, groups)


_EMPTY = Requantize(np.zeros(0, np.int64), np.zeros(0, np.int64), 0)


def _requantize(
    draw: st.DrawFn,
    rng: np.random.Generator,
    layer: IntegerLayer,
    sources: list[Levels],
    levels: Levels,
    channels: int,
) -> Requantize:
    style = draw(st.sampled_from(("spread", "spread", "spread", "falling", "any")))
    found = spread_requantize(layer, sources, levels, channels=channels, rng=rng)
    if style == "falling":
        return Requantize(-found.multipliers, found.biases, found.shift)
    if style == "spread":
        return found
    return Requantize(
        rng.integers(-(1 << 15), 1 << 15, channels),
        rng.integers(-(1 << 39), 1 << 39, channels),
        draw(st.integers(0, 39)),
    )
