"""Checks that the reason of a refusal is true, from the network itself: by counting, by search, by making it happen.

Nothing here uses the compiler, its lowering or its bounds.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from codesign.accel.engine import EnginePoint, Violation
from codesign.ir.integer import (
    INPUT,
    Add,
    Conv,
    IntegerLayer,
    IntegerNetwork,
    Integers,
    Levels,
    Pool,
    evaluate_layer,
    trace_integer,
)


def check_truth(violation: Violation, point: EnginePoint, network: IntegerNetwork) -> None:
    """Raise AssertionError where the violation's rule is not broken, or its numbers are not those of the network."""
    facts = _Facts(network, point)
    numbers = [int(text) for text in re.findall(r"-?\d+", violation.message)]
    checks = {name.removeprefix("is_true_"): name for name in dir(facts) if name.startswith("is_true_")}
    assert violation.rule in checks, f"no check knows the rule {violation.rule!r}"
    getattr(facts, checks[violation.rule])(violation, numbers)


class _Facts:
    def __init__(self, network: IntegerNetwork, point: EnginePoint):
        self.network, self.point = network, point
        self.layers = {layer.name: layer for layer in network.layers}
        shape, levels = network.input_shape, network.input_levels
        image = np.full((1, shape.channels, shape.height, shape.width), levels.high, dtype=np.int64)
        self.maps = {INPUT: image} | trace_integer(network, image)

    def levels(self, name: str) -> Levels:
        if name == INPUT:
            return self.network.input_levels
        layer = self.layers[name]
        if isinstance(layer, Pool) and layer.kind == "max":
            return self.levels(layer.source)
        assert layer.levels is not None
        return layer.levels

    def values(self, levels: Levels) -> list[int]:
        return [-1, 1] if levels.bipolar else list(range(levels.low, levels.high + 1))

    def channels(self, name: str) -> int:
        return self.maps[name].shape[1]

    def pixels(self, name: str) -> int:
        return self.maps[name].shape[2] * self.maps[name].shape[3]

    def words(self, name: str) -> int:
        return self.pixels(name) * -(-self.channels(name) // self.point.simd)

    # The rules.

    def is_true_divisibility(self, violation: Violation, numbers: list[int]) -> None:
        pe, simd = self.point.pe, self.point.simd
        if not violation.layer:
            if violation.message.startswith("requantizers"):
                assert self.point.requantizers > min(pe, simd) and numbers == [self.point.requantizers, pe, simd]
            else:
                assert self.point.dataflow == "weight_stationary" and pe % simd and numbers == [pe, simd]
            return
        channels = self.channels(violation.layer)
        assert numbers == [channels, simd, pe]
        assert channels % simd or channels % pe
        assert violation.layer in self.layers and violation.layer != self.network.layers[-1].name

    def is_true_activation_bits(self, violation: Violation, numbers: list[int]) -> None:
        bits = self.point.activation_bits
        assert numbers[-1] == bits
        values = self.values(self.levels(violation.layer))
        codes = [[-1, 1]] if bits == 1 else [range(1 << bits), range(-(1 << bits - 1), 1 << bits - 1)]
        assert not any(set(values) <= set(code) for code in codes)

    def is_true_weight_bits(self, violation: Violation, numbers: list[int]) -> None:
        weights, bits = self.weights(self.layers[violation.layer]), self.point.weight_bits
        assert numbers == [min(weights), max(weights), bits]
        held = {-1, 1} if bits == 1 else set(range(-(1 << bits - 1), 1 << bits - 1))
        assert not weights <= held

    def is_true_zero_weight(self, violation: Violation, numbers: list[int]) -> None:
        layer, point = self.layers[violation.layer], self.point
        assert point.weight_bits == 1
        met = self.connected(layer)
        outputs, inputs = met.shape
        count, first = self.reading(layer)
        for group, word in enumerate(first):
            for channel in range(word * point.simd, (word + count) * point.simd):
                absent = channel >= inputs
                if absent and point.activation_bits > 1:
                    continue  # such a lane holds 0, whatever its weight
                rows = range(group * point.pe, min(outputs, (group + 1) * point.pe))
                if any(absent or not met[row, channel] for row in rows):
                    return
        raise AssertionError("every weight that is read belongs to a product")

    def is_true_padding(self, violation: Violation, numbers: list[int]) -> None:
        layer = self.layers[violation.layer]
        assert not isinstance(layer, Add) and layer.padding > 0 and self.point.activation_bits == 1

    def is_true_maximum(self, violation: Violation, numbers: list[int]) -> None:
        layer = self.layers[violation.layer]
        assert isinstance(layer, Pool) and layer.kind == "max" and min(self.values(self.levels(layer.source))) < 0
        assert self.reading(layer)[0] > 1  # so a row reads words without its channel, whose products are 0

    def is_true_accumulator(self, violation: Violation, numbers: list[int]) -> None:
        """Make the sums happen: the inputs that are worst for each channel, in one window."""
        low, high, bits, least, most = numbers
        layer = self.layers[violation.layer]
        assert (bits, least, most) == (self.point.accumulator_bits, -(1 << bits - 1), (1 << bits - 1) - 1)
        assert low < least or high > most
        sums = [int(s) for sign in (-1, 1) for s in self.extremes(layer, sign)]
        if isinstance(layer, Pool) and layer.kind == "max":
            sums.append(0)  # products of other channels
        assert (min(sums), max(sums)) == (low, high)

    def is_true_weight_depth(self, violation: Violation, numbers: list[int]) -> None:
        needed, held = numbers
        point = self.point
        halves = point.weights == "streamed" and point.double_buffer
        assert held == (point.weight_depth // 2 if halves else point.weight_depth) < needed
        assert (violation.layer == "") == (point.weights == "resident")
        sizes = {name: self.weight_words(layer) for name, layer in self.layers.items()}
        assert needed == (sizes[violation.layer] if violation.layer else sum(sizes.values()))

    def is_true_psum_depth(self, violation: Violation, numbers: list[int]) -> None:
        depth = self.point.psum_depth
        if not violation.layer:
            assert (depth < 2) if self.point.dataflow == "weight_stationary" else depth
            return
        assert numbers == [self.pixels(violation.layer), depth] and numbers[0] > depth
        layer = self.layers[violation.layer]
        assert isinstance(layer, Add) or self.reading(layer)[0] * self.kernel(layer) > 1  # a sum has several parts

    def is_true_bank_depth(self, violation: Violation, numbers: list[int]) -> None:
        assert self.words(violation.layer) in numbers and self.point.bank_depth in numbers
        assert self.words(violation.layer) > self.point.bank_depth

    def is_true_bank_conflict(self, violation: Violation, numbers: list[int]) -> None:
        """No way of giving banks to maps leaves room for all that are needed at once, wherever they lie in a bank."""
        inner = self.network.layers[:-1]
        for chosen in itertools.product(range(self.point.banks), repeat=len(inner)):
            banks = {INPUT: 0} | {layer.name: bank for layer, bank in zip(inner, chosen, strict=True)}
            if all(self.room(index, banks) for index in range(len(inner))):
                raise AssertionError(f"these banks would do: {banks}")

    def is_true_param_depth(self, violation: Violation, numbers: list[int]) -> None:
        assert numbers == [sum(self.channels(one.name) for one in self.network.layers[:-1]), self.point.param_depth]
        assert numbers[0] > numbers[1]

    def is_true_answer_depth(self, violation: Violation, numbers: list[int]) -> None:
        assert numbers == [self.maps[self.network.layers[-1].name].size, self.point.answer_depth]
        assert numbers[0] > numbers[1]

    # What they stand on.

    def weights(self, layer: IntegerLayer) -> set[int]:
        if isinstance(layer, Conv):
            return {int(value) for value in layer.weights.flat}
        return set(layer.weights) if isinstance(layer, Add) else {1}

    def kernel(self, layer: IntegerLayer) -> int:
        return 1 if isinstance(layer, Add) else layer.kernel[0] * layer.kernel[1]

    def connected(self, layer: IntegerLayer) -> Integers:
        """(outputs, inputs): whether a result depends on an input channel, seen by moving that channel alone."""
        inputs, outputs = self.channels(layer.sources[0]), self.channels(layer.name)
        if isinstance(layer, Conv):
            layer = replace(layer, weights=np.ones_like(layer.weights), requantize=None, padding=0, stride=1)
        elif isinstance(layer, Add):
            return np.eye(inputs, dtype=np.bool_)
        else:
            layer = replace(layer, requantize=None, padding=0, stride=1)
        still = np.zeros((1, inputs, *layer.kernel), dtype=np.int64)
        found = np.zeros((outputs, inputs), dtype=np.bool_)
        for channel in range(inputs):
            moved = still.copy()
            moved[0, channel] = 1
            found[:, channel] = evaluate_layer(layer, [moved])[0, :, 0, 0] != 0
        return found

    def reading(self, layer: IntegerLayer) -> tuple[int, Integers]:
        """Words that a group reads, and the first of each group: the fewest for which a step and a shift exist."""
        met, pe, simd = self.connected(layer), self.point.pe, self.point.simd
        groups = [np.flatnonzero(met[row : row + pe].any(axis=0)) // simd for row in range(0, len(met), pe)]
        first, last = np.array([g.min() for g in groups]), np.array([g.max() for g in groups])
        words, numbers, steps = -(-met.shape[1] // simd), np.arange(len(groups)), np.arange(1 << 12)
        for count in range(int((last - first).max()) + 1, words):
            for shift in range(8):
                starts = steps[:, None] * numbers >> shift
                fit = ((starts <= first) & (starts + count > last) & (starts + count <= words)).all(axis=1)
                if fit.any():
                    return count, starts[int(np.flatnonzero(fit)[0])]
        return words, np.zeros(len(groups), dtype=np.int64)

    def weight_words(self, layer: IntegerLayer) -> int:
        count, first = self.reading(layer)
        return len(first) * len(layer.sources) * self.kernel(layer) * count

    def extremes(self, layer: IntegerLayer, sign: int) -> Iterator[Integers]:
        """The sums of every channel for the inputs that bring that channel furthest up or down."""
        ends = [(min(v), max(v)) for v in (self.values(self.levels(name)) for name in layer.sources)]
        inputs = self.channels(layer.sources[0])
        if isinstance(layer, Add):
            pairs = itertools.product(*ends)
            sums = [layer.weights[0] * first + layer.weights[1] * second for first, second in pairs]
            yield np.asarray(max(sums) if sign > 0 else min(sums))
            return
        flat = replace(layer, requantize=None, padding=0, stride=1)
        (low, high), size = ends[0], layer.kernel
        if not isinstance(layer, Conv):
            patch = np.full((1, inputs, *size), high if sign > 0 else low)
            yield evaluate_layer(flat, [patch])[0, 0, 0, 0]
            return
        per_group = layer.weights.shape[0] // layer.groups
        for channel, weights in enumerate(layer.weights):
            begin = channel // per_group * weights.shape[0]
            patch = np.full((1, inputs, *size), low)
            patch[0, begin : begin + weights.shape[0]] = np.where(weights * sign > 0, high, low)
            yield evaluate_layer(flat, [patch])[0, channel, 0, 0]

    def room(self, index: int, banks: dict[str, int]) -> bool:
        layer = self.network.layers[index]
        bank = banks[layer.name]
        if any(banks[source] == bank for source in layer.sources):
            return False
        made = [INPUT, *(one.name for one in self.network.layers[:index])]
        needed = {source for one in self.network.layers[index:] for source in one.sources}
        there = sum(self.words(name) for name in made if name in needed and banks[name] == bank)
        return there + self.words(layer.name) <= self.point.bank_depth and self.words(INPUT) <= self.point.bank_depth
