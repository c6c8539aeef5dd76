"""Says in one place what a legal IntegerNetwork is, and how far its sums reach."""

from __future__ import annotations

import re

import numpy as np

from codesign.errors import DataError
from codesign.ir.integer import (
    INPUT,
    Add,
    Conv,
    IntegerLayer,
    IntegerNetwork,
    Integers,
    Levels,
    MapShape,
    Requantize,
    output_shape,
)

__all__ = ["MAX_LEVEL_BITS", "MAX_SUM_BITS", "check_integer", "sum_range"]

MAX_LEVEL_BITS = 8
"""Of weights and activations."""

MAX_SUM_BITS = 32
"""Every exact sum must fit so many bits, two's complement."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


def check_integer(network: IntegerNetwork) -> IntegerNetwork:
    """Return the network if it is legal, else raise a DataError that names layer, rule and the numbers that clash."""
    if not _NAME.match(network.name):
        raise DataError(
            f"a network's name must be letters, digits and '_', starting with a letter, not {network.name!r}"
        )
    shape = network.input_shape
    if min(shape.channels, shape.height, shape.width) < 1:
        raise DataError(f"network {network.name!r}: its input must have at least one value, not {shape}")
    _check_levels(network.input_levels, f"network {network.name!r}, input")
    if not network.layers:
        raise DataError(f"network {network.name!r} must have at least one layer")
    shapes: dict[str, MapShape] = {INPUT: shape}
    levels: dict[str, Levels | None] = {INPUT: network.input_levels}
    for index, layer in enumerate(network.layers):
        if not _NAME.match(layer.name):
            raise DataError(
                f"layer {index}: its name must be letters, digits and '_', starting with a letter, not {layer.name!r}"
            )
        if layer.name in shapes:
            raise DataError(f"layer {index}: the name {layer.name!r} is taken; layer names must differ")
        read: list[Levels] = []
        for source in layer.sources:
            given = levels.get(source)
            if given is None:
                raise DataError(
                    f"layer {layer.name!r} must read {INPUT!r} or a layer before it, not {source!r} "
                    f"(before it: {', '.join(shapes)})"
                )
            read.append(given)
        last = index == len(network.layers) - 1
        _check_layer(layer, [shapes[source] for source in layer.sources], read, last=last)
        shapes[layer.name] = output_shape(layer, [shapes[source] for source in layer.sources])
        levels[layer.name] = layer.levels
    return network


def sum_range(layer: IntegerLayer, levels: list[Levels]) -> tuple[Integers, Integers]:
    """Smallest and largest exact sum of a layer, before it is requantized, for each of its output channels.

    levels: of what the layer reads, in the order of `layer.sources`. Every sum of a whole window between the two
    can be asked for; padding only shrinks the sums. Arrays are (channels,), or (1,) where all channels are alike.
    """
    if isinstance(layer, Conv):
        rows = layer.weights.reshape(layer.weights.shape[0], -1)
        ends = np.stack([rows * levels[0].low, rows * levels[0].high])
        return ends.min(axis=0).sum(axis=1), ends.max(axis=0).sum(axis=1)
    if isinstance(layer, Add):
        pairs = [sorted((w * v.low, w * v.high)) for w, v in zip(layer.weights, levels, strict=True)]
        return np.array([sum(p[0] for p in pairs)]), np.array([sum(p[1] for p in pairs)])
    taps = layer.kernel[0] * layer.kernel[1] if layer.kind == "average" else 1
    return np.array([taps * levels[0].low]), np.array([taps * levels[0].high])


def _check_levels(levels: Levels, where: str) -> None:
    if not 1 <= levels.bits <= MAX_LEVEL_BITS:
        raise DataError(f"{where}: levels must have 1 to {MAX_LEVEL_BITS} bits, not {levels.bits}")


def _check_layer(layer: IntegerLayer, shapes: list[MapShape], levels: list[Levels], *, last: bool) -> None:
    where = f"layer {layer.name!r}"
    if isinstance(layer, Conv):
        _check_weights(layer, shapes[0])
    if isinstance(layer, Add):
        _check_add(layer, shapes)
    else:
        _check_window(layer.kernel, layer.stride, layer.padding, shapes[0], where)
        if layer.padding and levels[0].bipolar:
            raise DataError(
                f"{where}: padding is the value 0, which the bipolar values of {layer.source!r} do not have; "
                "use padding 0, or more bits"
            )
    channels = output_shape(layer, shapes).channels
    if not isinstance(layer, Add | Conv) and layer.kind == "max":
        if layer.requantize is not None or layer.levels != levels[0]:
            raise DataError(
                f"{where}: a maximum keeps the levels of its source, {levels[0]}, and has no requantization; "
                f"it states {layer.levels}"
            )
        if last:
            raise DataError(f"{where}: the last layer must be a convolution or dense layer, whose sums are the answer")
        return
    low, high = (int(end) for end in (sum_range(layer, levels)[0].min(), sum_range(layer, levels)[1].max()))
    if low < -(1 << (MAX_SUM_BITS - 1)) or high >= 1 << (MAX_SUM_BITS - 1):
        raise DataError(f"{where}: sums must fit {MAX_SUM_BITS} bits, but they reach {low} to {high}; use fewer bits")
    if last:
        if not isinstance(layer, Conv) or layer.requantize is not None or layer.levels is not None:
            raise DataError(
                f"{where}: the last layer must be a convolution or dense layer without requantization, "
                "whose sums are the answer"
            )
        return
    if layer.requantize is None or layer.levels is None:
        raise DataError(f"{where}: every layer but the last must have a requantization and levels")
    _check_levels(layer.levels, where)
    _check_requantize(layer.requantize, channels, where)


def _check_add(layer: Add, shapes: list[MapShape]) -> None:
    if shapes[0] != shapes[1]:
        raise DataError(
            f"layer {layer.name!r}: an addition needs equal shapes; {layer.sources[0]!r} has {shapes[0]}, "
            f"{layer.sources[1]!r} has {shapes[1]}"
        )
    bounds = Levels(MAX_LEVEL_BITS, signed=True)
    if not bounds.legal(layer.weights) or 0 in layer.weights:
        raise DataError(
            f"layer {layer.name!r}: the weights of an addition must be {bounds.low} to {bounds.high} and not 0, "
            f"not {layer.weights}"
        )


def _check_window(kernel: tuple[int, int], stride: int, padding: int, shape: MapShape, where: str) -> None:
    if min(kernel) < 1 or stride < 1 or padding < 0:
        raise DataError(
            f"{where}: kernel and stride must be at least 1 and padding at least 0, not "
            f"{kernel[0]}x{kernel[1]}, {stride} and {padding}"
        )
    if padding >= min(kernel):
        raise DataError(f"{where}: padding must be less than the kernel {kernel[0]}x{kernel[1]}, not {padding}")
    if kernel[0] > shape.height + 2 * padding or kernel[1] > shape.width + 2 * padding:
        raise DataError(
            f"{where}: the kernel {kernel[0]}x{kernel[1]} must fit its input of {shape.height}x{shape.width} "
            f"with padding {padding}"
        )


def _check_weights(layer: Conv, shape: MapShape) -> None:
    where, weights, levels = f"layer {layer.name!r}", layer.weights, layer.weight_levels
    _check_levels(levels, f"{where}, weights")
    if not levels.bipolar and not levels.signed:
        raise DataError(f"{where}: weights must be signed, or bipolar, not {levels}")
    if weights.ndim != 4 or weights.dtype != np.int64 or not weights.size:
        raise DataError(
            f"{where}: weights must be int64 (outputs, inputs / groups, rows, columns), "
            f"not {weights.dtype} {weights.shape}"
        )
    outputs, inputs = weights.shape[:2]
    if layer.groups < 1 or outputs % layer.groups:
        raise DataError(f"{where}: groups must divide its {outputs} outputs, not {layer.groups}")
    if inputs * layer.groups != shape.channels:
        raise DataError(
            f"{where}: {layer.groups} group(s) of {inputs} input channels make {inputs * layer.groups}, "
            f"but {layer.source!r} has {shape.channels} channels"
        )
    if not levels.legal(weights):
        at = _first_illegal(weights, levels)
        raise DataError(
            f"{where}: the weight at {at} is {weights[at]}; weights of {levels} must be "
            f"{'-1 or +1' if levels.bipolar else f'{levels.low} to {levels.high}'}"
        )


def _first_illegal(weights: Integers, levels: Levels) -> tuple[int, ...]:
    wrong = np.abs(weights) != 1 if levels.bipolar else (weights < levels.low) | (weights > levels.high)
    return tuple(int(i) for i in np.argwhere(wrong)[0])


def _check_requantize(requantize: Requantize, channels: int, where: str) -> None:
    if not 0 <= requantize.shift <= Requantize.MAX_SHIFT:
        raise DataError(f"{where}: the shift must be 0 to {Requantize.MAX_SHIFT}, not {requantize.shift}")
    for what, values, bits in (
        ("multiplier", requantize.multipliers, Requantize.MULTIPLIER_BITS),
        ("bias", requantize.biases, Requantize.BIAS_BITS),
    ):
        if values.shape != (channels,) or values.dtype != np.int64:
            raise DataError(
                f"{where}: there must be one int64 {what} for each of {channels} channels, "
                f"not {values.dtype} {values.shape}"
            )
        wrong = np.flatnonzero((values < -(1 << (bits - 1))) | (values >= 1 << (bits - 1)))
        if len(wrong):
            raise DataError(
                f"{where}, channel {wrong[0]}: the {what} must fit {bits} bits, two's complement, "
                f"not {values[wrong[0]]}"
            )
