"""Compiles an integer network for one point of the engine, and refuses by layer name what it cannot run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from codesign.accel.engine.banks import Place, place_maps
from codesign.accel.engine.lower import kernel_of, layer_kind, lower_weights, sum_bounds, words_read
from codesign.accel.engine.point import MAX_LAYERS, EnginePoint, refuse
from codesign.accel.engine.program import LayerProgram, Program
from codesign.accel.engine.registers import DESCRIPTOR_TAG, encode_descriptor
from codesign.errors import UnsupportedModel
from codesign.ir.integer import INPUT, Add, Conv, IntegerLayer, IntegerNetwork, Levels, MapShape, Pool, Requantize

__all__ = ["compile_program"]

MAX_STRIDE = 15
MAX_PADDING = 15
MAX_KERNEL = 255


def compile_program(network: IntegerNetwork, point: EnginePoint) -> Program:
    """Return `network` as a program for `point`.

    Raises UnsupportedModel for what no engine runs and SpaceError for what this point cannot hold; both name the
    layer, the rule and the numbers.
    """
    point.check()
    shapes = check_network(network)
    _check_words(network, shapes, point)
    sizes = {name: _words(shape, point) * shape.pixels for name, shape in shapes.items()}
    places = place_maps(network, sizes, banks=point.banks, depth=point.bank_depth)
    layers: list[LayerProgram] = []
    weight_base = param_base = 0
    for layer in network.layers:
        lowered = _lower(layer, network, shapes, places, point, weight_base, param_base)
        if not point.streamed:
            weight_base += lowered.weight_words
        param_base += len(lowered.multipliers)
        layers.append(lowered)
    _check_depths(layers, point)
    layers = _finish(layers)
    ends = [0] * point.banks
    for bank, base, words in places.values():
        ends[bank] = max(ends[bank], base + words)
    return Program(network.name, point, network.input_shape, network.input_levels, tuple(layers), places, tuple(ends))


def check_network(network: IntegerNetwork) -> dict[str, MapShape]:
    """Return the shapes of all maps; UnsupportedModel names the first layer that no engine can run."""
    if not 1 <= len(network.layers) <= MAX_LAYERS:
        raise UnsupportedModel(f"a program has 1 to {MAX_LAYERS} layers; {network.name!r} has {len(network.layers)}")
    known = {INPUT}
    for index, layer in enumerate(network.layers):
        last = index == len(network.layers) - 1
        _check_layer(layer, known, last)
        known.add(layer.name)
    shapes = network.shapes()
    for layer in network.layers:
        source, out = shapes[layer.sources[0]], shapes[layer.name]
        if out.height < 1 or out.width < 1:
            raise UnsupportedModel(
                f"layer {layer.name!r}: kernel {kernel_of(layer)[:2]} is larger than the map {source}"
            )
        if isinstance(layer, Add) and shapes[layer.sources[1]] != source:
            raise UnsupportedModel(
                f"layer {layer.name!r} adds maps of one shape, not {source} and {shapes[layer.sources[1]]}"
            )
        if isinstance(layer, Conv) and (
            layer.weights.shape[1] * layer.groups != source.channels or layer.weights.shape[0] % layer.groups
        ):
            raise UnsupportedModel(
                f"layer {layer.name!r} has weights of shape {layer.weights.shape} in {layer.groups} groups, which do "
                f"not fit a source of {source.channels} channels"
            )
    return shapes


def _check_layer(layer: IntegerLayer, known: set[str], last: bool) -> None:
    if layer.name in known:
        raise UnsupportedModel(f"layer {layer.name!r}: the name is taken by an earlier layer or the input")
    for source in layer.sources:
        if source not in known:
            raise UnsupportedModel(f"layer {layer.name!r} reads {source!r}, which no earlier layer gives")
    height, width, stride, padding = kernel_of(layer)
    if not (1 <= stride <= MAX_STRIDE and 0 <= padding <= MAX_PADDING and 1 <= height <= MAX_KERNEL >= width >= 1):
        raise UnsupportedModel(
            f"layer {layer.name!r}: kernels reach {MAX_KERNEL}, strides {MAX_STRIDE}, padding {MAX_PADDING}; "
            f"it has {height}x{width}, {stride}, {padding}"
        )
    if padding >= height or padding >= width:
        raise UnsupportedModel(f"layer {layer.name!r}: padding {padding} must be less than its kernel {height}x{width}")
    if last:
        if layer.requantize is not None:
            raise UnsupportedModel(f"layer {layer.name!r} is the last: its sums are the answers, without requantize")
        return
    if isinstance(layer, Pool) and layer.kind == "max":
        if layer.requantize is not None:
            raise UnsupportedModel(f"layer {layer.name!r}: maximum pooling keeps its values, so it has no requantize")
    elif layer.requantize is None or layer.levels is None:
        raise UnsupportedModel(f"layer {layer.name!r} is not the last, so it needs requantize and levels")
    else:
        _check_requantize(layer.name, layer.requantize)


def _check_requantize(name: str, given: Requantize) -> None:
    multiplier, bias = 1 << (given.MULTIPLIER_BITS - 1), 1 << (given.BIAS_BITS - 1)
    for what, values, limit in (("multipliers", given.multipliers, multiplier), ("biases", given.biases, bias)):
        if values.size and not (-limit <= int(values.min()) and int(values.max()) < limit):
            raise UnsupportedModel(
                f"layer {name!r}: {what} must be {-limit} to {limit - 1}, not {values.min()} to {values.max()}"
            )
    if not 0 <= given.shift <= given.MAX_SHIFT:
        raise UnsupportedModel(f"layer {name!r}: shift must be 0 to {given.MAX_SHIFT}, not {given.shift}")


def _check_words(network: IntegerNetwork, shapes: Mapping[str, MapShape], point: EnginePoint) -> None:
    """Check that levels fit a lane, and that the channels of inner maps fill whole words and groups."""
    for name in shapes:
        levels = network.levels(name)
        last = name == network.layers[-1].name
        if levels is not None and not last:
            bits = point.activation_bits
            if (bits == 1) != levels.bipolar and (bits == 1 or levels.bits > bits):
                text = f"levels {levels} do not fit activations of {bits} bits" + " (bipolar)" * (bits == 1)
                raise refuse("activation_bits", name, text)
            if levels.bits > bits:
                raise refuse("activation_bits", name, f"levels {levels} do not fit activations of {bits} bits")
        if name == INPUT or last:
            continue
        channels = shapes[name].channels
        if channels % point.simd or channels % point.pe:
            text = f"{channels} channels must be a multiple of simd {point.simd} and pe {point.pe}"
            raise refuse("divisibility", name, text)
    for layer in network.layers:
        if kernel_of(layer)[3] and point.activation_bits == 1:
            raise refuse("padding", layer.name, "padding pixels are 0, which activations of 1 bit cannot hold")


def _words(shape: MapShape, point: EnginePoint) -> int:
    return -(-shape.channels // point.simd)


def _lower(
    layer: IntegerLayer,
    network: IntegerNetwork,
    shapes: Mapping[str, MapShape],
    places: Mapping[str, Place],
    point: EnginePoint,
    weight_base: int,
    param_base: int,
) -> LayerProgram:
    source, out = shapes[layer.sources[0]], shapes[layer.name]
    levels = [network.levels(name) for name in layer.sources]
    known = [one for one in levels if one is not None]
    last = layer is network.layers[-1]
    reading = words_read(layer, source, out.channels, point)
    if layer_kind(layer) == "max" and known[0].low < 0 and reading.count > 1:
        text = f"a maximum of negative values needs pe of simd {point.simd} or less, not {point.pe}"
        raise refuse("maximum", layer.name, text)
    weights = lower_weights(layer, source, reading, point)
    low, high = sum_bounds(layer, source.channels, known)
    limit = 1 << (point.accumulator_bits - 1)
    if low < -limit or high >= limit:
        text = f"sums reach {low} to {high}; accumulator_bits {point.accumulator_bits} holds {-limit} to {limit - 1}"
        raise refuse("accumulator", layer.name, text)
    multipliers, biases, shifts = _requantization(layer, out.channels, last)
    height, width, stride, padding = kernel_of(layer)
    words = _words(source, point)
    first, second = places[layer.sources[0]], places[layer.sources[-1]]
    target = places.get(layer.name, ((first[0] + 1) % point.banks, 0, 0))
    clip = (0, 0) if layer.levels is None else (layer.levels.low, layer.levels.high)
    fields = {
        "last": int(last),
        "maximum": int(layer_kind(layer) == "max"),
        "signed0": _signed(known[0]),
        "signed1": _signed(known[-1]),
        "bipolar": int(_bipolar(layer, point)),
        "two_sources": int(isinstance(layer, Add)),
        "read_bank0": first[0],
        "read_bank1": second[0],
        "write_bank": target[0],
        "group_shift": reading.shift,
        "stride": stride,
        "padding": padding,
        "tag": DESCRIPTOR_TAG,
        "in_height": source.height,
        "in_width": source.width,
        "out_height": out.height,
        "out_width": out.width,
        "groups": -(-out.channels // point.pe),
        "channels": out.channels,
        "kernel_height": height,
        "kernel_width": width,
        "count": reading.count,
        "in_words": words,
        "out_words": out.channels if last else _words(out, point),
        "base0": first[1],
        "group_step": reading.step,
        "base1": second[1],
        "low": clip[0],
        "out_base": target[1],
        "high": clip[1],
        "weight_base": weight_base,
        "param_base": param_base,
        "kernel_row_step": source.width * words,
        "row_step": stride * source.width * words,
        "column_step": stride * words,
        "start_offset": -padding * (source.width * words + words),
        "next_weight_words": 0,
    }
    try:
        encode_descriptor(fields)
    except ValueError as problem:
        raise refuse("descriptor", layer.name, f"a descriptor cannot say this: {problem}") from None
    shape = layer.weights.shape[1:] if isinstance(layer, Conv) else (height, width)
    products = 2 if isinstance(layer, Add) else int(np.prod(shape))
    return LayerProgram(
        layer.name,
        layer_kind(layer),
        source,
        out,
        fields,
        weights,
        multipliers,
        biases,
        shifts,
        None if last else layer.levels,
        low,
        high,
        out.size * products,
    )


def _bipolar(layer: IntegerLayer, point: EnginePoint) -> bool:
    """Whether results are -1 and +1 by sign; a maximum keeps its values, so only the code of 1 bit needs it."""
    if layer.levels is None or not layer.levels.bipolar:
        return False
    return layer.requantize is not None or point.activation_bits == 1


def _signed(levels: Levels) -> int:
    return int(levels.signed or levels.bipolar)


def _requantization(layer: IntegerLayer, channels: int, last: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Multipliers, biases and shifts, one a channel; none for the last layer; the identity for a maximum."""
    if last:
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty, empty
    given = layer.requantize
    if given is None:
        given = Requantize(np.ones(channels, dtype=np.int64), np.zeros(channels, dtype=np.int64), 0)
    for what, values in (("multipliers", given.multipliers), ("biases", given.biases)):
        if values.shape != (channels,):
            raise UnsupportedModel(f"layer {layer.name!r} needs {channels} {what}, not {values.shape}")
    return given.multipliers, given.biases, np.full(channels, given.shift, dtype=np.int64)


def _check_depths(layers: list[LayerProgram], point: EnginePoint) -> None:
    """Check weights, partial sums, parameters and answers against their memories."""
    held = point.layer_weight_depth
    if not point.streamed and (total := sum(layer.weight_words for layer in layers)) > held:
        raise refuse("weight_depth", "", f"all weights take {total} words, the memory holds {held}")
    for layer in layers:
        if point.streamed and layer.weight_words > held:
            text = f"its weights take {layer.weight_words} words, the memory holds {held} at once"
            raise refuse("weight_depth", layer.name, text)
        if point.stationary_weights and layer.taps > 1 and layer.out.pixels > point.psum_depth:
            text = f"{layer.out.pixels} pixels need as many partial sums; psum_depth is {point.psum_depth}"
            raise refuse("psum_depth", layer.name, text)
    if (needed := sum(len(layer.multipliers) for layer in layers)) > point.param_depth:
        raise refuse("param_depth", "", f"all layers have {needed} channels to requantize; it is {point.param_depth}")
    if (needed := layers[-1].out.size) > point.answer_depth:
        raise refuse("answer_depth", layers[-1].name, f"it gives {needed} answers; it is {point.answer_depth}")


def _finish(layers: list[LayerProgram]) -> list[LayerProgram]:
    """Tell each layer how many weight words the one after it has (the first after the last)."""
    sizes = [layer.weight_words for layer in layers]
    following = sizes[1:] + sizes[:1]
    return [
        replace(layer, fields={**layer.fields, "next_weight_words": words})
        for layer, words in zip(layers, following, strict=True)
    ]
