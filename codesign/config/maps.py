"""What a configuration may say of a network over feature maps: a preset, or layers with their windows and bits."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from codesign.config.models import Section, Whole
from codesign.errors import ConfigError, did_you_mean
from codesign.ir.conv_presets import CONV_PRESETS, conv_preset
from codesign.ir.conv_topology import ConvLayer, ConvTopology, check_conv_topology
from codesign.ir.integer import INPUT, MapShape

__all__ = ["ConvLayerConfig", "ConvTopologyConfig"]

Size = Annotated[Whole, Field(gt=0)]
Bits = Annotated[Whole, Field(ge=1, le=8)]
"""Of weights or activations; 1 is bipolar: -1 and +1."""


class ConvLayerConfig(Section):
    """One layer; see `codesign.ir.ConvLayer`."""

    kind: Literal["conv", "depthwise", "dense", "add", "max_pool", "average_pool"]
    name: str | None = None
    """l0, l1, ... where None."""
    source: str | list[str] | None = None
    """What it reads: `input`, or the name of a layer before it (two for an addition). None: the layer before."""
    channels: Size | None = None
    """Outputs of a conv or dense layer; None in the last layer takes the data's answers."""
    kernel: Size | None = None
    """Side of the square window; None is 3 for a convolution, and the whole map for a pooling."""
    stride: Size | None = None
    """None is 1, and the kernel for a pooling."""
    padding: Annotated[Whole, Field(ge=0)] | None = None
    """Zeros on every side; None is half the kernel for a convolution, and 0 for a pooling."""
    groups: Size = 1
    weight_bits: Bits | None = None
    """Of a layer with weights; the network's where None."""
    bits: Bits | None = None
    """Of its outputs; the network's where None (a pooling keeps its source's). The last layer has none."""
    weights: tuple[Whole, Whole] = (1, 1)
    """The two integer factors of an addition."""


class ConvTopologyConfig(Section):
    """The shape of a network over feature maps: a preset with its options, or layers."""

    preset: str | None = None
    """mnist-dense, cifar10-small, resnet-8 or nasbench201."""
    options: dict[str, Any] = {}
    """Of the preset: hidden (mnist-dense), channels (the others), cells and arch (nasbench201)."""
    input: tuple[Size, Size, Size] | None = None
    """Channels, height and width of the input map. None: the preset's own, or all features as channels of one pixel."""
    input_bits: Bits = 4
    """Of the values that enter; wider words lose their lowest bits before the hardware."""
    weight_bits: Bits = 4
    """Of every layer that says nothing else."""
    bits: Bits = 4
    """Of the outputs of every layer that says nothing else."""
    layers: list[ConvLayerConfig] = []

    @model_validator(mode="after")
    def _one_of(self) -> ConvTopologyConfig:
        if (self.preset is None) == (not self.layers):
            raise ValueError("give either a preset or layers")
        if self.preset is not None and self.preset not in CONV_PRESETS:
            raise ValueError(
                f"no network preset {self.preset!r}.{did_you_mean(self.preset, CONV_PRESETS)} "
                f"Known: {', '.join(CONV_PRESETS)}."
            )
        if self.options and self.preset is None:
            raise ValueError("options are those of a preset; leave them out beside layers")
        return self

    def topology(self, name: str, *, inputs: int, answers: int) -> ConvTopology:
        """Resolve to a checked ConvTopology for data with `inputs` features and `answers` classes."""
        made = self._preset(answers) if self.preset is not None else self._layers(inputs, answers)
        topology = check_conv_topology(ConvTopology(name, made.input_shape, made.input_bits, made.layers))
        if topology.input_shape.size != inputs:
            raise ConfigError(
                f"topology.input: the map {topology.input_shape} has {topology.input_shape.size} values, "
                f"but the data has {inputs} features"
            )
        last = topology.shapes()[topology.layers[-1].name]
        if last != MapShape(answers, 1, 1):
            raise ConfigError(
                f"topology: the last layer ({topology.layers[-1].name!r}) must give {answers}x1x1, one sum an answer "
                f"of the data, not {last}"
            )
        return topology

    def _preset(self, answers: int) -> ConvTopology:
        assert self.preset is not None
        maker = conv_preset(self.preset)
        common = {"classes", "shape", "weight_bits", "bits", "input_bits"}
        known = set(inspect.signature(maker).parameters) - common
        for key in self.options:
            if key not in known:
                raise ConfigError(
                    f"topology.options: the preset {self.preset!r} does not take {key!r}.{did_you_mean(key, known)} "
                    f"It takes {', '.join(sorted(known))}."
                )
        options = {k: tuple(v) if isinstance(v, list) else v for k, v in self.options.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        if self.input is not None:
            options["shape"] = MapShape(*self.input)
        bits = {"weight_bits": self.weight_bits, "bits": self.bits, "input_bits": self.input_bits}
        try:
            return maker(classes=answers, **bits, **options)
        except TypeError as problem:
            raise ConfigError(f"topology.options of the preset {self.preset!r}: {problem}") from None

    def _layers(self, inputs: int, answers: int) -> ConvTopology:
        layers: list[ConvLayer] = []
        bits: dict[str, int | None] = {INPUT: self.input_bits}
        for index, given in enumerate(self.layers):
            before = layers[-1].name if layers else INPUT
            last = index == len(self.layers) - 1
            layer = self._layer(given, given.name or f"l{index}", before, bits, answers if last else None)
            bits[layer.name] = layer.bits
            layers.append(layer)
        shape = MapShape(*self.input) if self.input is not None else MapShape(inputs, 1, 1)
        return ConvTopology("layers", shape, self.input_bits, tuple(layers))

    def _layer(
        self, given: ConvLayerConfig, name: str, before: str, bits: dict[str, int | None], answers: int | None
    ) -> ConvLayer:
        source = given.source if given.source is not None else before
        sources = (source,) if isinstance(source, str) else tuple(source)
        pooling = given.kind in ("max_pool", "average_pool")
        convolution = given.kind in ("conv", "depthwise")
        kernel = given.kernel if given.kernel is not None else 3 if convolution else 0
        stride = given.stride if given.stride is not None else (kernel or 1) if pooling else 1
        padding = given.padding if given.padding is not None else kernel // 2 if convolution else 0
        channels = given.channels
        if channels is None and answers is not None and given.kind in ("conv", "dense"):
            channels = answers
        own = bits.get(sources[0], self.bits) if pooling and sources else self.bits
        return ConvLayer(
            name,
            given.kind,
            sources,
            channels=channels or 0,
            kernel=kernel,
            stride=stride,
            padding=padding,
            groups=given.groups,
            weight_bits=given.weight_bits or self.weight_bits,
            bits=given.bits if given.bits is not None or answers is not None else own,
            weights=given.weights,
        )
