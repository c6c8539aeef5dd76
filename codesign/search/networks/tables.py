"""LUT networks: depth, width, fan-in and bits of each layer, bits of the input, and how sources are chosen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from codesign.accel.space import Knob, Value
from codesign.config import LayerConfig, Section, TopologyConfig, Whole
from codesign.ir import Topology
from codesign.ir.topology import DEFAULT_MAX_ADDRESS_BITS
from codesign.search.networks.space import Location, NetworkSpace, NetworkSpaceFile, Point, distinct

__all__ = ["LastFile", "LayerFile", "TableFile", "TableSpace", "TableSpaceFile"]

_Whole = Annotated[Whole, Field(gt=0)]
_Fan = Annotated[list[Annotated[Whole, Field(ge=1, le=64)]], Field(min_length=1)]
_Bits = Annotated[list[Annotated[Whole, Field(ge=1, le=16)]], Field(min_length=1)]
_KEYS = ("width", "fan_in", "bits")


class TableFile(Section):
    """Candidates of any layer."""

    fan_in: _Fan
    bits: _Bits = [2]
    neuron: str = "linear"

    @field_validator("fan_in", "bits", mode="after")
    @classmethod
    def _differ(cls, values: list[Any]) -> list[Any]:
        return distinct(values)


class LastFile(TableFile):
    """Candidates of the layer that answers."""

    terms: Annotated[list[Annotated[Whole, Field(ge=1, le=4096)]], Field(min_length=1)] = [1]
    """Tables that each answer adds up; `bits` are then those of each table's code."""

    @field_validator("terms", mode="after")
    @classmethod
    def _terms_differ(cls, values: list[Any]) -> list[Any]:
        return distinct(values)


class LayerFile(TableFile):
    """Candidates of one hidden layer."""

    width: Annotated[list[_Whole], Field(min_length=1)]

    @field_validator("width", mode="after")
    @classmethod
    def _widths_differ(cls, values: list[Any]) -> list[Any]:
        return distinct(values)


class TableSpaceFile(NetworkSpaceFile):
    """A space of LUT networks: the first `depth` of the hidden layers, then the last one."""

    inputs: _Whole
    answers: _Whole
    task: Literal["classification", "regression"] = "classification"
    coding: Literal["binary", "thermometer"] = "binary"
    input_bits: Annotated[list[_Whole], Field(min_length=1)]
    depth: Annotated[list[Annotated[Whole, Field(ge=0)]], Field(min_length=1)]
    layers: list[LayerFile]
    last: LastFile
    sparsity: Annotated[list[str], Field(min_length=1)] = ["random"]
    """Candidates for `train.sparsity.method`."""
    max_address_bits: Annotated[Whole, Field(ge=1, le=24)] = DEFAULT_MAX_ADDRESS_BITS
    """Cap on fan-in times bits, for any table."""


class TableSpace(NetworkSpace):
    """Points have the choices input_bits, depth, l0_width, l0_fan_in, l0_bits, ..., last_fan_in, last_bits,
    last_terms (where the file gives `terms`), sparsity. What stands beyond the depth does not matter.
    """

    File: ClassVar[type[NetworkSpaceFile]] = TableSpaceFile
    file: TableSpaceFile

    @classmethod
    def problems(cls, file: NetworkSpaceFile) -> Iterator[tuple[Location, str]]:
        """Yield candidates that no legal network has: fan-ins over the cap or over what stands before them, depths."""
        assert isinstance(file, TableSpaceFile)
        for position, depth in enumerate(file.depth):
            if depth > len(file.layers):
                yield ("depth", position), f"must be at most the {len(file.layers)} hidden layers given, not {depth}"
        if max(file.depth) < len(file.layers):
            yield ("layers", max(file.depth)), f"no depth reaches this layer; the largest is {max(file.depth)}"
        thermometer = file.coding == "thermometer"
        most = 255 if thermometer else 16
        for position, bits in enumerate(file.input_bits):
            if bits > most:
                yield ("input_bits", position), f"must be at most {most} with coding {file.coding}, not {bits}"
        first = 1 if thermometer else min(file.input_bits)
        signals = file.inputs * (max(file.input_bits) if thermometer else 1)
        for index in range(len(file.layers)):
            layer = file.layers[index]
            before = (first, signals) if index == 0 else _least(file.layers[index - 1])
            yield from _fan_ins(("layers", index), layer, [before], file.max_address_bits)
        ends = [
            (first, signals) if depth == 0 else _least(file.layers[depth - 1])
            for depth in file.depth
            if depth <= len(file.layers)
        ]
        if ends:
            yield from _fan_ins(("last",), file.last, ends, file.max_address_bits)

    def _knobs(self) -> list[Knob]:
        file = self.file
        knobs = [Knob("input_bits", tuple(file.input_bits), "bits"), Knob("depth", tuple(file.depth), "hidden layers")]
        for index, layer in enumerate(file.layers):
            knobs += [Knob(f"l{index}_{key}", tuple(getattr(layer, key))) for key in _KEYS]
        knobs += [Knob("last_fan_in", tuple(file.last.fan_in)), Knob("last_bits", tuple(file.last.bits))]
        if file.last.terms != [1]:
            knobs.append(Knob("last_terms", tuple(file.last.terms), "tables an answer"))
        return [*knobs, Knob("sparsity", tuple(file.sparsity))]

    def canonical(self, point: Point) -> dict[str, Value]:
        """Return the point with the choices of layers beyond its depth at their first candidates."""
        found = self.choices.check(point)
        for index in range(int(found["depth"]), len(self.file.layers)):
            found |= {f"l{index}_{key}": getattr(self.file.layers[index], key)[0] for key in _KEYS}
        return found

    def sparsity(self, point: Point) -> str:
        """How the network's sources are chosen: the value of `train.sparsity.method`."""
        return str(self.choices.check(point)["sparsity"])

    def config(self, point: Point) -> TopologyConfig:
        """Return the point's layers."""
        at, file = self.choices.check(point), self.file
        layers = [
            LayerConfig(
                name=f"l{index}",
                neuron=file.layers[index].neuron,
                **{key: int(at[f"l{index}_{key}"]) for key in _KEYS},
            )
            for index in range(int(at["depth"]))
        ]
        fan_in, bits = int(at["last_fan_in"]), int(at["last_bits"])
        terms = int(at.get("last_terms", 1))
        layers.append(
            LayerConfig(name="last", width=file.answers, fan_in=fan_in, bits=bits, neuron=file.last.neuron, terms=terms)
        )
        return TopologyConfig(
            input_bits=int(at["input_bits"]), coding=file.coding, layers=layers, max_address_bits=file.max_address_bits
        )

    def topology(self, point: Point) -> Topology:
        """Return the network, checked: fan-in times bits over the cap is a TableTooLarge, all else a ConfigError."""
        file = self.file
        name = self.name.replace("-", "_").replace(".", "_")
        return self.config(point).topology(name, inputs=file.inputs, answers=file.answers, task=file.task)


def _least(layer: LayerFile) -> tuple[int, int]:
    """Fewest bits of a layer's signals, and most signals."""
    return min(layer.bits), max(layer.width)


def _fan_ins(
    where: Location, layer: TableFile, before: list[tuple[int, int]], cap: int
) -> Iterator[tuple[Location, str]]:
    """Yield the fan-ins that are illegal with all candidates before them."""
    for position, fan_in in enumerate(layer.fan_in):
        bits = min(least for least, _ in before)
        signals = max(most for _, most in before)
        if fan_in * bits > cap:
            yield (
                (*where, "fan_in", position),
                f"fan-in {fan_in} x {bits} bits or more = {fan_in * bits} address bits; the cap is {cap}. Lower "
                "fan_in, or offer fewer bits before it, or raise max_address_bits",
            )
        elif fan_in > signals:
            yield (*where, "fan_in", position), f"must be at most the {signals} signals before it, not {fan_in}"
