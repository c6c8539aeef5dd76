"""Random engines and random networks that they can run: for checks of the hardware, the law and the compiler."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar, cast

import numpy as np

from codesign.accel.engine.point import EnginePoint
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
    evaluate_layer,
    output_shape,
    trace_integer,
)

__all__ = ["draw_network", "draw_point"]

Value = TypeVar("Value")


def draw_network(
    point: EnginePoint, rng: np.random.Generator, *, layers: int, samples: int = 3, size: int = 6
) -> tuple[IntegerNetwork, Integers]:
    """Return a network that `point` can run as far as its depths allow, and images (samples, channels, height, width).

    Every kind of layer comes up, each requantized over its whole range; maps are up to `size` x `size`.
    """
    return _Maker(point, rng, samples).network(layers, size)


def draw_point(rng: np.random.Generator, **given: Any) -> EnginePoint:
    """Draw a small point on which `draw_network` finds room; settings in `given` are kept."""

    def pick(*values: Value) -> Value:
        return values[int(rng.integers(len(values)))]

    stationary = given.get("dataflow", pick("output_stationary", "weight_stationary")) == "weight_stationary"
    simd = int(given.get("simd", pick(1, 2, 4, 8)))
    pe = simd * pick(1, 2) if stationary else pick(1, 2, 4, 8)
    settings: dict[str, Any] = {
        "pe": pe,
        "simd": simd,
        "weight_bits": pick(1, 2, 3, 4, 8),
        "activation_bits": pick(1, 2, 3, 4, 8),
        "dataflow": "weight_stationary" if stationary else "output_stationary",
        "weights": pick("resident", "streamed"),
        "weight_memory": pick("lutram", "bram"),
        "weight_depth": 8192,
        "bank_depth": 2048,
        "banks": pick(3, 4),
        "psum_depth": 64 if stationary else 0,
        "accumulator_bits": pick(20, 24, 32),
        "multiplier": pick("lut", "dsp"),
        "pipeline": pick(0, 1, 2, 3, 4),
        "double_buffer": pick(False, True),
        "stream_in_bits": pick(8, 16, 32, 64, 128, 256),
        "stream_out_bits": pick(8, 16, 32, 64, 128, 256),
        "param_depth": 512,
        "answer_depth": 1024,
        "requantizers": pick(*(count for count in (1, 2, 4, 8) if count <= min(pe, simd))),
    }
    return EnginePoint(**{**settings, **given})


class _Maker:
    """Draws layers one after another and keeps what each gives for the images."""

    def __init__(self, point: EnginePoint, rng: np.random.Generator, samples: int):
        self.point = point
        self.rng = rng
        self.samples = samples
        self.unit = max(point.pe, point.simd)
        self.maps: dict[str, Integers] = {}
        self.shapes: dict[str, MapShape] = {}
        self.levels: dict[str, Levels] = {}

    def network(self, layers: int, size: int) -> tuple[IntegerNetwork, Integers]:
        """Return a network of `layers` layers and images for it."""
        rng, point = self.rng, self.point
        shape = MapShape(self._input_channels(), int(rng.integers(1, size + 1)), int(rng.integers(1, size + 1)))
        levels = self._levels()
        if levels.bipolar and point.weight_bits == 1 and point.activation_bits == 1:
            shape = MapShape(self.unit * int(rng.integers(1, 3)), shape.height, shape.width)
        images = self._values(levels, (self.samples, shape.channels, shape.height, shape.width))
        self.maps, self.shapes, self.levels = {INPUT: images}, {INPUT: shape}, {INPUT: levels}
        made: list[IntegerLayer] = []
        for index in range(layers):
            layer = self._layer(f"l{index}", last=index == layers - 1)
            made.append(layer)
            self.shapes[layer.name] = output_shape(layer, [self.shapes[s] for s in layer.sources])
            self.maps = trace_integer(IntegerNetwork("random", shape, levels, tuple(made)), images)
            if layer.levels is not None:  # the last layer's are not read
                self.levels[layer.name] = layer.levels
        return IntegerNetwork("random", shape, levels, tuple(made)), images

    def _input_channels(self) -> int:
        if self.rng.random() < 0.5 or self.point.activation_bits == 1 and self.point.weight_bits == 1:
            return self.unit * int(self.rng.integers(1, 3))
        return int(self.rng.integers(1, 2 * self.unit + 1))

    def _levels(self) -> Levels:
        bits = self.point.activation_bits
        if bits == 1:
            return Levels(1)
        draw = self.rng.random()
        if draw < 0.1:
            return Levels(1)
        return Levels(bits, signed=draw < 0.4) if draw < 0.8 else Levels(int(self.rng.integers(2, bits + 1)))

    def _values(self, levels: Levels, shape: tuple[int, ...]) -> Integers:
        if levels.bipolar:
            return 2 * self.rng.integers(0, 2, shape) - 1
        return self.rng.integers(levels.low, levels.high + 1, shape)

    def _layer(self, name: str, *, last: bool) -> IntegerLayer:
        rng = self.rng
        names = list(self.shapes)
        source = names[-1] if rng.random() < 0.8 else names[int(rng.integers(max(0, len(names) - 3), len(names)))]
        shape = self.shapes[source]
        twins = [n for n in names if n != source and self.shapes[n] == shape]
        kinds = self._kinds(source, twins, last=last)
        kind = kinds[int(rng.integers(len(kinds)))]
        if kind == "add":
            return self._add(name, (source, twins[int(rng.integers(len(twins)))]))
        height, width, stride, padding = self._window(shape)
        if kind == "dense" or kind == "average" and rng.random() < 0.5:
            height, width, stride, padding = shape.height, shape.width, 1, 0
        if kind == "max":
            levels = Levels(2) if last else self.levels[source]
            return Pool(name, source, "max", (height, width), levels, stride, padding)
        outputs = shape.channels
        if kind in ("conv", "dense"):
            outputs = int(rng.integers(1, 2 * self.unit + 2)) if last else self.unit * int(rng.integers(1, 3))
        if kind == "grouped" and last:
            outputs = 2 * int(rng.integers(1, self.unit + 1))
        groups = {"depthwise": shape.channels, "grouped": 2}.get(kind, 1)
        if kind == "average":
            layer: IntegerLayer = Pool(name, source, "average", (height, width), Levels(2), stride, padding)
        else:
            weights, levels = self._weights((outputs, shape.channels // groups, height, width))
            layer = Conv(name, source, weights, levels, stride, padding, groups)
        return layer if last else self._requantized(layer)

    def _kinds(self, source: str, twins: list[str], *, last: bool) -> list[str]:
        """Return what a layer that reads `source` may be, each as often as it is wanted."""
        point, shape = self.point, self.shapes[source]
        whole = shape.channels % self.unit == 0
        zeros = point.weight_bits > 1
        kinds = ["conv", "conv", "dense"]
        if zeros and whole and not last and twins:
            kinds += ["add"] * 5
        if zeros and (whole or last):
            kinds += ["depthwise", "average"]
            if shape.channels % 2 == 0:
                kinds += ["grouped"]
            if self.levels[source].low >= 0 or point.pe <= point.simd:
                kinds += ["max"]
        return kinds

    def _window(self, shape: MapShape) -> tuple[int, int, int, int]:
        rng = self.rng
        height = int(rng.integers(1, min(3, shape.height) + 1))
        width = int(rng.integers(1, min(3, shape.width) + 1))
        padding = 0
        if self.point.activation_bits > 1 and rng.random() < 0.5:
            padding = int(rng.integers(0, min(height, width)))
        return height, width, int(rng.integers(1, 3)), padding

    def _weights(self, shape: tuple[int, ...]) -> tuple[Integers, Levels]:
        bits = self.point.weight_bits
        levels = Levels(1) if bits == 1 or self.rng.random() < 0.1 else Levels(bits, signed=True)
        return self._values(levels, shape), levels

    def _add(self, name: str, sources: tuple[str, str]) -> IntegerLayer:
        high = min(3, (1 << (self.point.weight_bits - 1)) - 1)
        weights = (int(self.rng.integers(1, high + 1)), int(self.rng.integers(-high, high + 1)))
        sums = weights[0] * self.maps[sources[0]] + weights[1] * self.maps[sources[1]]
        levels = self._levels()
        return Add(name, sources, self._requantize(sums, levels), levels, weights)

    def _requantized(self, layer: Conv | Pool) -> IntegerLayer:
        """Give a layer levels and a requantization that spreads its sums over them."""
        bare = cast(IntegerLayer, replace(layer, requantize=None))
        sums = evaluate_layer(bare, [self.maps[s] for s in layer.sources])
        levels = self._levels()
        return replace(layer, requantize=self._requantize(sums, levels), levels=levels)

    def _requantize(self, sums: Integers, levels: Levels) -> Requantize:
        channels = int(sums.shape[1])
        high: Integers = sums.max(axis=(0, 2, 3))
        low: Integers = sums.min(axis=(0, 2, 3))
        shift = int(self.rng.integers(8, 15))
        steps = (levels.high - levels.low + 1) * (1 << shift) // np.maximum(1, high - low)
        signs = self.rng.choice([-1, 1], channels)
        multipliers: Integers = (np.clip(steps, 1, 32767) * signs).astype(np.int64)
        centre = 0.0 if levels.bipolar else (levels.high + levels.low) / 2
        drawn = self.rng.integers(0, 1 << shift, channels)
        biases = np.asarray(int(centre * (1 << shift)) - (high + low) // 2 * multipliers + drawn, dtype=np.int64)
        return Requantize(multipliers, biases, shift)
