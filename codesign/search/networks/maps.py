"""Convolutional networks for the engine, block by block: kernel, width, expansion, depth, bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from codesign.accel.engine import MAX_LAYERS
from codesign.accel.space import Knob, Value
from codesign.config import ConvLayerConfig, ConvTopologyConfig, Section, Whole
from codesign.errors import ConfigError
from codesign.ir import ConvTopology
from codesign.search.networks.space import Location, NetworkSpace, NetworkSpaceFile, Point, distinct

__all__ = ["BlockFile", "MapSpace", "MapSpaceFile"]

_Bits = Annotated[Whole, Field(ge=1, le=8)]
_Size = Annotated[Whole, Field(gt=0)]
_BitsList = Annotated[list[_Bits], Field(min_length=1)]
_KEYS = ("kernel", "channels", "expansion", "repeats", "weight_bits", "bits")


class BlockFile(Section):
    """Candidates of one block of layers.

    Expansion 0 is one convolution; e > 0 is three: 1x1 to e times the channels that come in, depthwise, 1x1 to
    `channels`. `repeats` puts so many blocks in a row, of which the first has the stride; 0 leaves the block out.
    """

    stride: _Size = 1
    kernel: Annotated[list[_Size], Field(min_length=1)] = [3]
    channels: Annotated[list[_Size], Field(min_length=1)]
    expansion: Annotated[list[Annotated[Whole, Field(ge=0, le=16)]], Field(min_length=1)] = [0]
    repeats: Annotated[list[Annotated[Whole, Field(ge=0, le=8)]], Field(min_length=1)] = [1]
    weight_bits: _BitsList = [4]
    bits: _BitsList = [4]

    @field_validator(*_KEYS, mode="after")
    @classmethod
    def _differ(cls, values: list[Any]) -> list[Any]:
        return distinct(values)


class MapSpaceFile(NetworkSpaceFile):
    """A space of convolutional networks: blocks, a global average, a dense layer."""

    input: tuple[_Size, _Size, _Size]
    classes: _Size
    input_bits: _BitsList = [4]
    blocks: Annotated[list[BlockFile], Field(min_length=1)]
    last_weight_bits: _BitsList = [4]
    multiple: _Size = 1
    """What all channels must be a multiple of, as an engine's pe and simd ask."""


class MapSpace(NetworkSpace):
    """Points have the choices input_bits, b0_kernel, b0_channels, ..., last_weight_bits."""

    File: ClassVar[type[NetworkSpaceFile]] = MapSpaceFile
    file: MapSpaceFile

    @classmethod
    def problems(cls, file: NetworkSpaceFile) -> Iterator[tuple[Location, str]]:
        """Yield candidates that no network can have: even kernels, channels that are no multiple, too many strides."""
        assert isinstance(file, MapSpaceFile)
        side = min(file.input[1:])
        for index, block in enumerate(file.blocks):
            for position, kernel in enumerate(block.kernel):
                if kernel % 2 == 0:
                    text = f"a kernel must be odd, so that it is centred on its pixel, not {kernel}"
                    yield ("blocks", index, "kernel", position), text
                elif kernel > side + 2 * (kernel // 2):
                    yield ("blocks", index, "kernel", position), f"a kernel of {kernel} does not fit a map of {side}"
            for position, channels in enumerate(block.channels):
                if channels % file.multiple:
                    text = f"must be a multiple of {file.multiple} (see `multiple`), not {channels}"
                    yield ("blocks", index, "channels", position), text
            if 0 in block.repeats and (block.stride > 1 or index == 0):
                text = "only a block of stride 1 after the first one can be left out, so repeats may not be 0"
                yield ("blocks", index, "repeats"), text
            if block.stride > side:
                yield (
                    ("blocks", index, "stride"),
                    f"the map has only {side} rows or columns left, fewer than the stride",
                )
            side = -(-side // block.stride)
            for key in ("weight_bits", "bits"):
                if key == "bits" and 1 in block.bits and any(k > 1 for k in block.kernel):
                    text = "activations of 1 bit cannot hold the zeros of padding; give kernel [1] or bits of 2 or more"
                    yield ("blocks", index, key), text
        least = 2 + sum(min(block.repeats) * min(3 if e else 1 for e in block.expansion) for block in file.blocks)
        if least > MAX_LAYERS:
            yield ("blocks",), f"the smallest network has {least} layers; an engine's program has at most {MAX_LAYERS}"

    def _knobs(self) -> list[Knob]:
        file = self.file
        knobs = [Knob("input_bits", tuple(file.input_bits), "bits")]
        for index, block in enumerate(file.blocks):
            knobs += [Knob(f"b{index}_{key}", tuple(getattr(block, key))) for key in _KEYS]
        return [*knobs, Knob("last_weight_bits", tuple(file.last_weight_bits), "bits")]

    def canonical(self, point: Point) -> dict[str, Value]:
        """Return the point with the choices of blocks that are left out at their first candidates."""
        found = self.choices.check(point)
        for index in range(len(self.file.blocks)):
            if found[f"b{index}_repeats"] == 0:
                found |= {
                    f"b{index}_{key}": getattr(self.file.blocks[index], key)[0] for key in _KEYS if key != "repeats"
                }
        return found

    def block_layers(
        self, index: int, channels: int, chosen: dict[str, int], *, first_source: str | None = None
    ) -> list[ConvLayerConfig]:
        """Return the layers of one block with the candidates `chosen` after a map of `channels`."""
        block = self.file.blocks[index]
        layers: list[ConvLayerConfig] = []
        for repeat in range(chosen["repeats"]):
            name, stride = f"b{index}r{repeat}", block.stride if repeat == 0 else 1
            bits: dict[str, Any] = {"weight_bits": chosen["weight_bits"], "bits": chosen["bits"]}
            kernel, wide = chosen["kernel"], chosen["expansion"] * channels
            if not wide:
                parts = [("conv", "", chosen["channels"], kernel, stride)]
            else:
                parts = [
                    ("conv", "_expand", wide, 1, 1),
                    ("depthwise", "_depthwise", None, kernel, stride),
                    ("conv", "_project", chosen["channels"], 1, 1),
                ]
            for kind, end, width, side, step in parts:
                layers.append(
                    ConvLayerConfig(kind=kind, name=name + end, channels=width, kernel=side, stride=step, **bits)  # type: ignore[arg-type]
                )
            channels = chosen["channels"]
        return layers

    def config(self, point: Point) -> ConvTopologyConfig:
        """Return the point's layers."""
        at = self.choices.check(point)
        channels = self.file.input[0]
        layers: list[ConvLayerConfig] = []
        for index in range(len(self.file.blocks)):
            chosen = {key: int(at[f"b{index}_{key}"]) for key in _KEYS}
            made = self.block_layers(index, channels, chosen)
            layers += made
            channels = chosen["channels"] if made else channels
        layers.append(ConvLayerConfig(kind="average_pool", name="pool"))
        layers.append(ConvLayerConfig(kind="dense", name="answer", weight_bits=int(at["last_weight_bits"])))
        return ConvTopologyConfig(input=self.file.input, input_bits=int(at["input_bits"]), layers=layers)

    def topology(self, point: Point) -> ConvTopology:
        """Return the network, checked; a ConfigError names the layer and the rule."""
        config, channels = self.config(point), self.file.input
        if len(config.layers) > MAX_LAYERS:
            raise ConfigError(
                f"network space {self.name!r}: this network has {len(config.layers)} layers; an engine's program has "
                f"at most {MAX_LAYERS}. Lower repeats or expansion"
            )
        inputs = channels[0] * channels[1] * channels[2]
        name = self.name.replace("-", "_").replace(".", "_")
        return config.topology(name, inputs=inputs, answers=self.file.classes)
