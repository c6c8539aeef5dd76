"""The shape of a low-bit network over feature maps before training: layers, channels, windows, bits."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from codesign.errors import ConfigError, DataError
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

__all__ = ["ConvKind", "ConvLayer", "ConvTopology", "assemble", "check_conv_topology", "integer_layer"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")

ConvKind = Literal["conv", "depthwise", "dense", "add", "max_pool", "average_pool"]

_KINDS: tuple[str, ...] = get_args(ConvKind)
_MOST_VALUES = 1 << 27
"""Weights of a layer, and values of the input map."""


@dataclass(frozen=True)
class ConvLayer:
    """One layer; what it gives is a ReLU's codes, of `bits` unsigned bits, or -1 and +1 at one bit.

    sources:     names of what it reads: one, or two for an addition; `INPUT` is the network's input.
    channels:    outputs of a convolution or dense layer; the others keep those of their source.
    kernel:      side of a square window; 0 is the whole map (pooling; dense layers always take all of it).
    weight_bits: of a convolution or dense layer; 1 is bipolar.
    bits:        None in the last layer alone, whose exact sums are the answer. A pooling keeps its source's.
    weights:     the two integer factors of an addition.
    """

    name: str
    kind: ConvKind
    sources: tuple[str, ...]
    channels: int = 0
    kernel: int = 0
    stride: int = 1
    padding: int = 0
    groups: int = 1
    weight_bits: int = 4
    bits: int | None = 4
    weights: tuple[int, int] = (1, 1)

    @property
    def weighted(self) -> bool:
        """Whether the layer has trained weights."""
        return self.kind in ("conv", "depthwise", "dense")

    @property
    def levels(self) -> Levels | None:
        """Levels of what it gives; None for sums."""
        return None if self.bits is None else Levels(self.bits)


@dataclass(frozen=True)
class ConvTopology:
    """The shape of a whole network; layers stand in an order in which each reads only those before it."""

    name: str
    input_shape: MapShape
    input_bits: int
    layers: tuple[ConvLayer, ...]

    def layer(self, name: str) -> ConvLayer:
        """The layer of that name; KeyError if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def levels(self, name: str) -> Levels | None:
        """Levels of what `name` (a layer or `INPUT`) gives; None for sums."""
        return Levels(self.input_bits) if name == INPUT else self.layer(name).levels

    def shapes(self) -> dict[str, MapShape]:
        """Shape of the input and of what every layer gives, by name, in order."""
        return _skeleton(self).shapes()

    def scale_group(self, name: str) -> str:
        """Name of the layer (or `INPUT`) whose quantizer's step `name` shares.

        A pooling has its source's, and the two operands of an addition have one in common, so that the addition is
        one of integers.
        """
        return self._groups()[name]

    def _groups(self) -> dict[str, str]:
        found = {INPUT: INPUT} | {layer.name: layer.name for layer in self.layers}
        order = {name: index for index, name in enumerate(found)}
        for layer in self.layers:
            pair = layer.sources if layer.kind == "add" else (layer.name, *layer.sources)
            if layer.kind not in ("add", "max_pool", "average_pool"):
                continue
            first, second = sorted((found[name] for name in pair), key=order.__getitem__)
            found = {name: first if group == second else group for name, group in found.items()}
        return found

    def macs(self) -> int:
        """Multiplications of weights and activations for one sample."""
        network = _skeleton(self)
        shapes = network.shapes()
        return sum(
            shapes[layer.name].pixels * int(layer.weights.size) for layer in network.layers if isinstance(layer, Conv)
        )

    def parameters(self) -> int:
        """Trained weights."""
        return sum(int(layer.weights.size) for layer in _skeleton(self).layers if isinstance(layer, Conv))


def check_conv_topology(topology: ConvTopology) -> ConvTopology:
    """Return the topology if it can be built, else raise a ConfigError that names the layer and the rule."""
    size = topology.input_shape
    if min(size.channels, size.height, size.width) < 1 or size.size > _MOST_VALUES:
        raise ConfigError(
            f"topology {topology.name!r}: the input map must have 1 to {_MOST_VALUES:,} values, not {size}"
        )
    shapes = {INPUT: topology.input_shape}
    for layer in topology.layers:
        _check_layer(topology, layer, list(shapes))
        read = [shapes[source] for source in layer.sources]
        height, width = (layer.kernel or read[0].height, layer.kernel or read[0].width)
        if height > read[0].height + 2 * layer.padding or width > read[0].width + 2 * layer.padding:
            raise ConfigError(
                f"topology {topology.name!r}, layer {layer.name!r}: its kernel of {height}x{width} must fit "
                f"{layer.sources[0]!r}, which is {read[0]}, with padding {layer.padding}"
            )
        inputs = 1 if layer.kind == "depthwise" else read[0].channels // layer.groups
        outputs = layer.channels or read[0].channels
        if layer.weighted and (outputs * inputs * height * width > _MOST_VALUES or outputs > _MOST_VALUES):
            raise ConfigError(
                f"topology {topology.name!r}, layer {layer.name!r}: must have at most {_MOST_VALUES:,} weights, not "
                f"{outputs} x {inputs} x {height} x {width}; use fewer channels, or groups"
            )
        shapes[layer.name] = output_shape(integer_layer(layer, read[0], _ones), read)
    try:
        check_integer(_skeleton(topology))
    except DataError as problem:
        raise ConfigError(f"topology {topology.name!r}: {problem}") from None
    groups = topology._groups()  # pyright: ignore[reportPrivateUsage]
    for layer in topology.layers:
        first = groups[layer.name]
        if layer.kind == "add" and groups[layer.sources[0]] == INPUT:
            raise ConfigError(
                f"topology {topology.name!r}, layer {layer.name!r}: an addition may not read the input or a pooling "
                "of it, since its operands share one learned step; put a convolution before it"
            )
        if first != INPUT and layer.bits is not None and topology.layer(first).bits != layer.bits:
            raise ConfigError(
                f"topology {topology.name!r}: layers {first!r} and {layer.name!r} share one step (operands of an "
                f"addition and poolings do), so their bits must be equal, not {topology.layer(first).bits} and "
                f"{layer.bits}"
            )
    return topology


def assemble(
    topology: ConvTopology,
    *,
    weights: Callable[[ConvLayer, tuple[int, int, int, int]], Integers],
    requantize: Callable[[ConvLayer, IntegerLayer, list[Levels], int], Requantize],
) -> IntegerNetwork:
    """Build the integer network of a topology from its numbers; it is not checked.

    weights:    called for each convolution and dense layer with the shape of its weights.
    requantize: called for each layer that has one, with the integer layer (its requantization still empty), the
                levels of what it reads and its output channels.
    """
    shapes = {INPUT: topology.input_shape}
    layers: list[IntegerLayer] = []
    for layer in topology.layers:
        read = [shapes[source] for source in layer.sources]
        levels = [level for level in map(topology.levels, layer.sources) if level is not None]
        built = integer_layer(layer, read[0], weights)
        shapes[layer.name] = output_shape(built, read)
        if layer.bits is not None and layer.kind != "max_pool":
            found = requantize(layer, built, levels, shapes[layer.name].channels)
            object.__setattr__(built, "requantize", found)  # built here, and not yet seen by anyone
        layers.append(built)
    return IntegerNetwork(topology.name, topology.input_shape, Levels(topology.input_bits), tuple(layers))


def integer_layer(
    layer: ConvLayer, shape: MapShape, weights: Callable[[ConvLayer, tuple[int, int, int, int]], Integers]
) -> IntegerLayer:
    """Build the integer layer that a layer becomes, its requantization still empty; shape: of its first source."""
    kernel = (layer.kernel or shape.height, layer.kernel or shape.width)
    if layer.weighted:
        groups = shape.channels if layer.kind == "depthwise" else layer.groups
        outputs = shape.channels if layer.kind == "depthwise" else layer.channels
        values = weights(layer, (outputs, shape.channels // groups, *kernel))
        levels = Levels(layer.weight_bits, signed=layer.weight_bits > 1)
        return Conv(
            layer.name, layer.sources[0], values, levels, layer.stride, layer.padding, groups, None, layer.levels
        )
    assert layer.levels is not None
    if layer.kind == "add":
        return Add(layer.name, (layer.sources[0], layer.sources[1]), _EMPTY, layer.levels, layer.weights)
    kind = "max" if layer.kind == "max_pool" else "average"
    return Pool(layer.name, layer.sources[0], kind, kernel, layer.levels, layer.stride, layer.padding)


_EMPTY = Requantize(np.zeros(0, np.int64), np.zeros(0, np.int64), 0)


def _skeleton(topology: ConvTopology) -> IntegerNetwork:
    """The network with every weight 1 (a level of any width), for its shapes."""
    return assemble(
        topology,
        weights=_ones,
        requantize=lambda layer, built, levels, channels: Requantize(
            np.zeros(channels, np.int64), np.zeros(channels, np.int64), 0
        ),
    )


def _ones(layer: ConvLayer, shape: tuple[int, int, int, int]) -> Integers:
    return np.ones(shape, np.int64)


def _check_layer(topology: ConvTopology, layer: ConvLayer, before: list[str]) -> None:
    where = f"topology {topology.name!r}, layer {layer.name!r}"
    if not _NAME.match(layer.name):
        raise ConfigError(f"{where}: its name must be letters, digits and '_', starting with a letter")
    if layer.name in before:
        raise ConfigError(f"{where}: the name {layer.name!r} is taken; layer names must differ")
    if layer.kind not in _KINDS:
        raise ConfigError(f"{where}: its kind must be one of {', '.join(_KINDS)}, not {layer.kind!r}")
    wanted = 2 if layer.kind == "add" else 1
    if len(layer.sources) != wanted:
        raise ConfigError(f"{where}: {layer.kind} reads {wanted} source(s), not {len(layer.sources)}")
    for source in layer.sources:
        if source not in before:
            raise ConfigError(f"{where}: there is no {source!r} before it; it may read {', '.join(map(repr, before))}")
        if topology.levels(source) is None:
            raise ConfigError(f"{where}: {source!r} gives sums (bits is None), which only the last layer may")
    if layer.kind in ("conv", "dense") and layer.channels < 1:
        raise ConfigError(f"{where}: {layer.kind} needs channels, at least 1, not {layer.channels}")
    if layer.kind not in ("conv", "dense") and layer.channels:
        raise ConfigError(f"{where}: {layer.kind} keeps its source's channels; leave channels out")
    if layer.kind == "conv" and (layer.groups < 1 or layer.channels % layer.groups):
        raise ConfigError(f"{where}: groups must divide its {layer.channels} channels, not {layer.groups}")
    if layer.kind != "conv" and layer.groups != 1:
        raise ConfigError(f"{where}: groups are for a conv; {layer.kind} has none to choose")
    if layer.kernel < 0 or (layer.kind in ("conv", "depthwise") and layer.kernel < 1):
        raise ConfigError(f"{where}: the kernel must be at least 1, not {layer.kernel}")
    if layer.kind in ("dense", "add") and (layer.kernel, layer.stride, layer.padding) != (0, 1, 0):
        raise ConfigError(f"{where}: {layer.kind} has no kernel, stride or padding")
    if layer.kernel == 0 and layer.padding:
        raise ConfigError(f"{where}: a window over the whole map has no padding, not {layer.padding}")
    if layer.stride < 1:
        raise ConfigError(f"{where}: the stride must be at least 1, not {layer.stride}")
    if not 0 <= layer.padding < max(layer.kernel, 1):
        raise ConfigError(
            f"{where}: padding must be less than the kernel {layer.kernel}, and at least 0, not {layer.padding}"
        )
    last = layer is topology.layers[-1]
    if last and (not layer.weighted or layer.bits is not None):
        raise ConfigError(f"{where}: the last layer must be conv or dense with bits None: its sums are the answer")
    if not last and layer.bits is None:
        raise ConfigError(f"{where}: every layer but the last needs bits")
    if layer.kind in ("max_pool", "average_pool"):
        given = topology.levels(layer.sources[0])
        assert given is not None
        if layer.bits != given.bits:
            raise ConfigError(f"{where}: a pooling keeps its source's {given.bits} bits, not {layer.bits}")
    if layer.weighted and not 1 <= layer.weight_bits <= 8:
        raise ConfigError(f"{where}: weight_bits must be 1 to 8, not {layer.weight_bits}")
