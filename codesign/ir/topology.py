"""A network's shape before training: layers, widths, fan-in, bits; and the presets of the LogicNets paper."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from codesign.errors import ConfigError, TableTooLarge, did_you_mean
from codesign.ir.formats import bits_for_range

__all__ = ["DEFAULT_MAX_ADDRESS_BITS", "PRESETS", "Layer", "Topology", "check_topology", "preset"]

DEFAULT_MAX_ADDRESS_BITS = 15

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
"""What a layer may be called: it becomes part of Verilog names."""


@dataclass(frozen=True)
class Layer:
    """One layer of table neurons.

    width:     neurons.
    fan_in:    source signals of each table.
    bits:      bits of each output code.
    neuron:    the function inside a table: "linear", "polynomial", "mlp", or a registered name.
    terms:     tables a neuron (PolyLUT-Add). With more than one, a hidden neuron sums its terms exactly
               and a last one-input table requantizes the sum; in the last layer the sum is the answer.
    term_bits: bits of each term's code; `bits` where None.
    """

    name: str
    width: int
    fan_in: int
    bits: int
    neuron: str = "linear"
    terms: int = 1
    term_bits: int | None = None


@dataclass(frozen=True)
class Topology:
    """The shape of a whole network.

    inputs:     input features.
    input_bits: bits a feature; one signal of so many bits (`binary`, to 16) or so many 1-bit signals
                (`thermometer`, to 255).
    decide:     how the answer is read: argmax, threshold, or none (regression).
    max_address_bits: cap on the address bits of any table.
    """

    name: str
    inputs: int
    input_bits: int
    layers: tuple[Layer, ...]
    coding: Literal["binary", "thermometer"] = "binary"
    decide: Literal["argmax", "threshold", "none"] = "argmax"
    max_address_bits: int = DEFAULT_MAX_ADDRESS_BITS

    @property
    def input_signals(self) -> int:
        """Signals that leave the encoder."""
        return self.inputs * self.input_bits if self.coding == "thermometer" else self.inputs

    def signal_bits(self, index: int) -> int:
        """Bits of each signal that enters layer `index`."""
        if index == 0:
            return 1 if self.coding == "thermometer" else self.input_bits
        return self.layers[index - 1].bits

    def signals(self, index: int) -> int:
        """Number of signals that enter layer `index`."""
        return self.input_signals if index == 0 else self.layers[index - 1].width

    def address_bits(self, index: int) -> int:
        """Address bits of each table of layer `index`."""
        return self.layers[index].fan_in * self.signal_bits(index)

    def term_bits(self, index: int) -> int:
        """Bits of the code that each term of layer `index` gives."""
        layer = self.layers[index]
        return layer.bits if layer.term_bits is None else layer.term_bits

    def sum_bits(self, index: int) -> int:
        """Bits of the exact sum of a neuron's terms in layer `index`."""
        return bits_for_range(0, self.layers[index].terms * ((1 << self.term_bits(index)) - 1)).bits


def check_topology(topology: Topology) -> Topology:
    """Return the topology if it can be built, else raise a ConfigError or TableTooLarge naming the layer."""
    if topology.inputs < 1:
        raise ConfigError(f"topology {topology.name!r} must have at least one input, not {topology.inputs}")
    most = 255 if topology.coding == "thermometer" else 16
    if not 1 <= topology.input_bits <= most:
        raise ConfigError(f"topology {topology.name!r}: input_bits must be 1 to {most}, not {topology.input_bits}")
    if not topology.layers:
        raise ConfigError(f"topology {topology.name!r} must have at least one layer")
    taken = {"encode", "decide"}
    for index, layer in enumerate(topology.layers):
        if not _NAME.match(layer.name):
            raise ConfigError(
                f"layer {index}: name must be letters, digits and '_', starting with a letter, not {layer.name!r}"
            )
        names = {layer.name} if layer.terms == 1 else {layer.name, f"{layer.name}_terms", f"{layer.name}_sums"}
        if names & taken:
            raise ConfigError(f"layer {layer.name!r}: the stage name {min(names & taken)!r} is taken; rename the layer")
        taken |= names
        if layer.term_bits is not None and not 1 <= layer.term_bits <= 16:
            raise ConfigError(f"layer {layer.name!r}: term_bits must be 1 to 16, not {layer.term_bits}")
        for key, low, high in (("width", 1, 1 << 20), ("fan_in", 1, 64), ("bits", 1, 16), ("terms", 1, 4096)):
            value = getattr(layer, key)
            if not low <= value <= high:
                raise ConfigError(f"layer {layer.name!r}: {key} must be {low} to {high}, not {value}")
        if layer.fan_in > topology.signals(index):
            before = "the encoder gives" if index == 0 else f"layer {topology.layers[index - 1].name!r} gives"
            raise ConfigError(
                f"layer {layer.name!r}: fan_in must be at most the signals before it; "
                f"{before} {topology.signals(index)}, not {layer.fan_in}"
            )
        bits = topology.address_bits(index)
        if bits > topology.max_address_bits:
            raise TableTooLarge(
                f"layer {layer.name!r}: fan-in {layer.fan_in} x {topology.signal_bits(index)} bits = {bits} "
                f"address bits, a table of {1 << bits} rows x {layer.bits} bits a neuron; "
                f"the cap is {topology.max_address_bits} bits. "
                "Lower fan_in or bits, or raise max_address_bits."
            )
        if layer.terms > 1 and index < len(topology.layers) - 1:
            _check_sum(topology, index)
    return topology


def _check_sum(topology: Topology, index: int) -> None:
    """A hidden neuron of several terms has one more table: from the exact sum of its terms to its code."""
    layer, bits = topology.layers[index], topology.sum_bits(index)
    if bits > topology.max_address_bits:
        raise TableTooLarge(
            f"layer {layer.name!r}: the sum of {layer.terms} terms of {topology.term_bits(index)} bits has {bits} "
            f"bits, a table of {1 << bits} rows x {layer.bits} bits a neuron; the cap is "
            f"{topology.max_address_bits} bits. "
            "Lower terms or term_bits, or raise max_address_bits."
        )


def _logicnets(name: str, inputs: int, hidden: tuple[int, ...], outputs: int, bits: str, fan_in: str) -> Topology:
    b_in, b_hidden, b_out = (int(v) for v in bits.split("/"))
    f_in, f_hidden, f_out = (int(v) for v in fan_in.split("/"))
    layers = [Layer(f"l{i}", w, f_hidden if i else f_in, b_hidden) for i, w in enumerate(hidden)]
    layers.append(Layer(f"l{len(hidden)}", outputs, f_out, b_out))
    decide = "argmax" if outputs > 1 else "threshold"
    return Topology(name, inputs, b_in, tuple(layers), decide=decide)


PRESETS: dict[str, Topology] = {
    t.name: t
    for t in (
        _logicnets("jsc-s", 16, (64, 32, 32, 32), 5, "2/2/2", "3/3/3"),
        _logicnets("jsc-m", 16, (64, 32, 32, 32), 5, "3/3/3", "4/4/4"),
        _logicnets("jsc-l", 16, (32, 64, 192, 192, 16), 5, "4/3/7", "3/4/5"),
        _logicnets("nid-s", 593, (593, 100), 1, "1/2/2", "7/7/7"),
        _logicnets("nid-m", 593, (593, 256, 128, 128), 1, "1/2/2", "7/7/7"),
        _logicnets("nid-l", 593, (593, 100, 100, 100), 1, "1/3/3", "7/5/5"),
    )
}
"""Configurations of the LogicNets paper (Umuroglu et al., FPL 2020), by name."""


def preset(name: str) -> Topology:
    """Return a preset topology; an unknown name is a ConfigError."""
    if name not in PRESETS:
        raise ConfigError(f"no topology preset {name!r}.{did_you_mean(name, PRESETS)} Known: {', '.join(PRESETS)}.")
    return PRESETS[name]
