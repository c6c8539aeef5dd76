"""Random shapes of networks before training, legal and illegal: of tables, and over feature maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from codesign.ir.conv_topology import ConvLayer, ConvTopology, check_conv_topology
from codesign.ir.integer import INPUT, MapShape
from codesign.ir.topology import Layer, Topology, check_topology
from codesign.testing.illegal import Illegal

__all__ = ["conv_topologies", "illegal_conv_topologies", "illegal_topologies", "topologies"]


@st.composite
def topologies(draw: st.DrawFn, *, layers: int = 3, width: int = 8, address_bits: int = 10) -> Topology:
    """Draw a legal topology of table neurons: both codings, ragged bits, neurons of several terms.

    layers, width: the most of each; address_bits: of any table.
    """
    inputs = draw(st.integers(1, 6))
    coding = draw(st.sampled_from(("binary", "thermometer")))
    input_bits = draw(st.integers(1, 4))
    made: list[Layer] = []
    signals, bits = (inputs, input_bits) if coding == "binary" else (inputs * input_bits, 1)
    count = draw(st.integers(1, layers))
    for index in range(count):
        fan_in = draw(st.integers(1, min(signals, max(1, address_bits // bits), 6)))
        terms = draw(st.sampled_from((1, 1, 2, 3)))
        term_bits = draw(st.sampled_from((None, 1, 2, 3))) if terms > 1 else None
        layer = Layer(
            f"l{index}", draw(st.integers(1, width)), fan_in, draw(st.integers(1, 3)), "linear", terms, term_bits
        )
        made.append(layer)
        signals, bits = layer.width, layer.bits
    decide = draw(st.sampled_from(("argmax", "none") if signals > 1 else ("threshold", "none")))
    topology = Topology("drawn", inputs, input_bits, tuple(made), coding, decide, max(address_bits, 6))  # type: ignore[arg-type]
    return check_topology(topology)


@st.composite
def illegal_topologies(draw: st.DrawFn) -> Illegal[Topology]:
    """Draw a topology that `codesign.ir.check_topology` must refuse, naming layer and field."""
    found = list(_defects(draw(topologies())))
    return found[draw(st.integers(0, len(found) - 1))]


@st.composite
def conv_topologies(draw: st.DrawFn, *, layers: int = 5) -> ConvTopology:
    """Draw a legal topology over feature maps: every kind of layer, bipolar bits included."""
    shape = MapShape(draw(st.integers(1, 3)), draw(st.integers(1, 7)), draw(st.integers(1, 7)))
    bits, input_bits = draw(st.sampled_from((1, 2, 4, 8))), draw(st.sampled_from((1, 2, 4, 8)))
    shapes: dict[str, MapShape] = {INPUT: shape}
    weighted: list[str] = []  # what an addition may read
    made: list[ConvLayer] = []
    for index in range(draw(st.integers(0, layers - 1))):
        name = f"l{index}"
        source = draw(st.sampled_from(list(shapes)[-2:]))
        layer = _layer(draw, name, source, shapes, weighted, bits=bits, input_bits=input_bits)
        made.append(layer)
        so_far = ConvTopology("drawn", shape, input_bits, (*made, _answer(name)))
        shapes[name] = so_far.shapes()[name]
        if so_far.scale_group(name) != INPUT:
            weighted.append(name)
    last = _answer(list(shapes)[-1], draw(st.integers(1, 5)), draw(st.sampled_from((1, 2, 4, 8))))
    return check_conv_topology(ConvTopology("drawn", shape, input_bits, (*made, last)))


@st.composite
def illegal_conv_topologies(draw: st.DrawFn) -> Illegal[ConvTopology]:
    """Draw a topology over feature maps that `codesign.ir.check_conv_topology` must refuse, naming layer and rule."""
    found = list(_conv_defects(draw(conv_topologies())))
    return found[draw(st.integers(0, len(found) - 1))]


def _answer(source: str, channels: int = 2, weight_bits: int = 4) -> ConvLayer:
    return ConvLayer("answer", "dense", (source,), channels=channels, weight_bits=weight_bits, bits=None)


def _layer(
    draw: st.DrawFn,
    name: str,
    source: str,
    shapes: dict[str, MapShape],
    weighted: list[str],
    *,
    bits: int,
    input_bits: int,
) -> ConvLayer:
    here = shapes[source]
    kinds = ["conv", "conv", "depthwise", "dense"]
    from_input = source == INPUT or source not in weighted
    kinds += ["max_pool", "average_pool"]
    if not from_input:
        kinds += ["add", "add"]
    kind = draw(st.sampled_from(kinds))
    if kind == "add":
        twins = [other for other in weighted if shapes[other] == here]
        factor = st.sampled_from((1, 1, 2, -1))
        pair = (source, draw(st.sampled_from(twins)))
        return ConvLayer(name, "add", pair, bits=bits, weights=(draw(factor), draw(factor)))
    own = input_bits if from_input else bits
    kernel = draw(st.integers(1, min(3, here.height, here.width)))
    padding = draw(st.integers(0, kernel - 1)) if own > 1 else 0
    window: dict[str, Any] = {"kernel": kernel, "stride": draw(st.integers(1, 2)), "padding": padding}
    weight_bits = draw(st.sampled_from((1, 2, 4, 8)))
    if kind in ("max_pool", "average_pool"):
        if draw(st.booleans()):
            window = {"kernel": 0}
        return ConvLayer(name, kind, (source,), bits=own, **window)  # type: ignore[arg-type]
    if kind == "dense":
        return ConvLayer(name, "dense", (source,), channels=draw(st.integers(1, 6)), weight_bits=weight_bits, bits=bits)
    if kind == "depthwise":
        return ConvLayer(name, "depthwise", (source,), weight_bits=weight_bits, bits=bits, **window)
    channels = draw(st.integers(1, 6))
    groups = draw(st.sampled_from([g for g in range(1, 7) if channels % g == 0 and here.channels % g == 0]))
    return ConvLayer(
        name, "conv", (source,), channels=channels, groups=groups, weight_bits=weight_bits, bits=bits, **window
    )


def _defects(topology: Topology) -> Iterator[Illegal[Topology]]:
    yield Illegal(replace(topology, inputs=0), "no inputs", ("input", "0"))
    yield Illegal(replace(topology, input_bits=0), "inputs of no bits", ("input_bits", "0"))
    yield Illegal(replace(topology, input_bits=256), "inputs of 256 bits", ("input_bits", "256"))
    yield Illegal(replace(topology, layers=()), "no layers", ("at least one layer",))

    def changed(index: int, **values: Any) -> Topology:
        layers = list(topology.layers)
        layers[index] = replace(layers[index], **values)
        return replace(topology, layers=tuple(layers))

    for index, layer in enumerate(topology.layers):
        name = repr(layer.name)
        yield Illegal(changed(index, name="0x"), "a name that begins with a digit", (f"layer {index}", "name", "'0x'"))
        yield Illegal(changed(index, name="decide"), "a name that is taken", ("'decide'", "taken"))
        fields = (("width", 0), ("width", 1 << 21), ("fan_in", 0), ("fan_in", 65), ("bits", 0), ("bits", 17))
        for field, value in (*fields, ("terms", 0), ("terms", 4097)):
            if (field, value) == ("terms", 0) and layer.term_bits is not None:
                continue
            yield Illegal(changed(index, **{field: value}), f"{field} {value}", (name, field, str(value)))
        yield Illegal(changed(index, term_bits=17), "terms of 17 bits", (name, "term_bits", "17"))
        more = topology.signals(index) + 1
        yield Illegal(changed(index, fan_in=more), "more sources than signals", (name, "fan_in", str(more)))
        capped = replace(topology, max_address_bits=topology.address_bits(index) - 1)
        if all(topology.address_bits(i) <= capped.max_address_bits for i in range(index)) and not any(
            other.terms > 1 for other in topology.layers[:index]
        ):
            yield Illegal(capped, "a table larger than the cap", (name, "cap", "address bits"))


def _conv_defects(topology: ConvTopology) -> Iterator[Illegal[ConvTopology]]:
    def changed(index: int, **values: Any) -> ConvTopology:
        layers = list(topology.layers)
        layers[index] = replace(layers[index], **values)
        return replace(topology, layers=tuple(layers))

    last = len(topology.layers) - 1
    yield Illegal(replace(topology, layers=()), "no layers", ("at least one layer",))
    yield Illegal(replace(topology, input_bits=9), "inputs of 9 bits", ("bits", "9"))
    yield Illegal(replace(topology, input_shape=MapShape(0, 1, 1)), "an input of nothing", ())
    yield Illegal(changed(last, bits=4), "an answer with bits", ("'answer'",))
    yield Illegal(changed(last, kind="softmax"), "an unknown kind", ("'answer'", "kind"))
    for index, layer in enumerate(topology.layers):
        name = repr(layer.name)
        yield Illegal(changed(index, name="a b"), "a name with a space", ("name", "'a b'"))
        yield Illegal(changed(index, sources=("nowhere",) * len(layer.sources)), "an unknown source", ("'nowhere'",))
        yield Illegal(changed(index, sources=()), "no source", (name,))
        if layer.kind in ("conv", "dense"):
            yield Illegal(changed(index, channels=0), "no channels", (name, "channels"))
        if layer.weighted:
            yield Illegal(changed(index, weight_bits=9), "weights of 9 bits", (name, "bits"))
        if layer.kind == "conv":
            yield Illegal(changed(index, groups=7), "groups that divide nothing", (name, "groups"))
        if layer.kind in ("conv", "depthwise"):
            yield Illegal(changed(index, kernel=50), "a kernel larger than its map", (name, "kernel"))
            yield Illegal(changed(index, stride=0), "a stride of 0", (name, "stride"))
            yield Illegal(changed(index, padding=-1), "padding of -1", (name, "padding"))
        if index < last and layer.weighted:
            yield Illegal(changed(index, bits=9), "outputs of 9 bits", ("bits", "9"))
            yield Illegal(changed(index, bits=None), "sums within the network", (name,))
