"""Exact cycles of a network on an engine from its shape alone: layer by layer, without weights and without a program.

The cycle law reads no weight: a layer's clocks follow from its shape and the point, and a run is a recurrence over
them. A network's cycles are therefore known before it is trained, and with resident or singly buffered weights they are
a sum over layers, so that tables of layers give the exact cost of every network that is made of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from codesign.accel.engine import EnginePoint
from codesign.accel.engine.cycles import FETCH_CYCLES, nest_cycles
from codesign.accel.engine.lower import words_read
from codesign.ir import ConvTopology, MapShape
from codesign.ir.conv_topology import ConvLayer, integer_layer
from codesign.ir.integer import INPUT, Add, Integers, output_shape

__all__ = ["LayerShape", "Nest", "nest_of", "resident_cycles", "run_cycles", "shape_cycles", "topology_layers"]


@dataclass(frozen=True)
class LayerShape:
    """A layer as the cost sees it: what it is, the map it reads and the map it gives."""

    layer: ConvLayer
    source: MapShape
    out: MapShape
    last: bool = False
    """Whether its sums are the network's answers."""


@dataclass(frozen=True)
class Nest:
    """A layer on a point: its loop nest, the clocks that it takes and the weight words that it reads."""

    pixels: int
    channels: int
    taps: int
    groups: int
    clocks: int

    @property
    def words(self) -> int:
        """Words of the weight memory."""
        return self.taps * self.groups


def topology_layers(topology: ConvTopology) -> tuple[LayerShape, ...]:
    """Return the layers of a network with their maps."""
    shapes: dict[str, MapShape] = {INPUT: topology.input_shape}
    found: list[LayerShape] = []
    for layer in topology.layers:
        read = [shapes[source] for source in layer.sources]
        shapes[layer.name] = output_shape(integer_layer(layer, read[0], _no_weights), read)
        found.append(LayerShape(layer, read[0], shapes[layer.name], last=layer is topology.layers[-1]))
    return tuple(found)


def nest_of(shape: LayerShape, point: EnginePoint) -> Nest:
    """Return a layer's loop nest and clocks on a point."""
    layer = shape.layer
    key = (layer.kind, layer.kernel, layer.groups, shape.source, shape.out, point.pe, point.simd)
    taps, groups = _loops(*key)
    clocks = nest_cycles(point, pixels=shape.out.pixels, groups=groups, taps=taps, last=shape.last)
    return Nest(shape.out.pixels, shape.out.channels, taps, groups, clocks)


def run_cycles(nests: Sequence[Nest], point: EnginePoint, image: MapShape) -> int:
    """Return the cycles of a run over one image: `cycles(program, images=1).total` of any program with these layers."""
    answers = nests[-1].pixels * nests[-1].channels
    ready = _image_beats(point, image)
    time = ready + 1
    if not point.streamed:
        return time + sum(FETCH_CYCLES + nest.clocks for nest in nests) + _unload(point, answers)
    beats = point.weight_beats
    ready = nests[0].words * beats
    for index, nest in enumerate(nests):
        time += FETCH_CYCLES
        if point.double_buffer:
            time = max(time, ready) + 1
            ready = time + 1 + nests[(index + 1) % len(nests)].words * beats
        else:
            time += nest.words * beats + 1
        time += nest.clocks
    return time + _unload(point, answers)


def shape_cycles(topology: ConvTopology, point: EnginePoint) -> int:
    """Return the cycles of a network on a point, for one image; no weight is looked at. Validity is not asked."""
    return run_cycles([nest_of(layer, point) for layer in topology_layers(topology)], point, topology.input_shape)


def resident_cycles(counts: Mapping[LayerShape, int], point: EnginePoint, image: MapShape, *, answers: int) -> int:
    """Return the cycles of a network with so many layers of each shape, in any order.

    Exact where weights are not streamed, and where they are streamed without double buffering, since no layer waits
    for another then; a ValueError otherwise.
    """
    if point.streamed and point.double_buffer:
        raise ValueError("with streamed, doubly buffered weights the order of the layers matters; use run_cycles")
    return (
        _image_beats(point, image)
        + 1
        + _unload(point, answers)
        + sum(number * layer_clocks(nest_of(shape, point), point) for shape, number in counts.items())
    )


def layer_clocks(nest: Nest, point: EnginePoint) -> int:
    """Return what a layer adds to a run in which no layer waits for another: fetch, load of its weights, operation."""
    load = nest.words * point.weight_beats + 1 if point.streamed else 0
    return FETCH_CYCLES + load + nest.clocks


def _image_beats(point: EnginePoint, image: MapShape) -> int:
    return -(-image.channels // point.simd) * image.pixels * point.image_beats


def _unload(point: EnginePoint, answers: int) -> int:
    return 1 + point.answer_beats(answers)


@lru_cache(maxsize=100_000)
def _loops(kind: str, kernel: int, groups: int, source: MapShape, out: MapShape, pe: int, simd: int) -> tuple[int, int]:
    """Taps of an output, and groups of outputs."""
    sources = ("a", "b") if kind == "add" else ("a",)
    layer = ConvLayer("l", kind, sources, channels=out.channels, kernel=kernel, groups=groups)  # type: ignore[arg-type]
    built = integer_layer(layer, source, _no_weights)
    count = words_read(built, source, out.channels, EnginePoint(pe, simd, 8, 8)).count
    side = (1, 1) if isinstance(built, Add) else built.kernel
    return (1 + isinstance(built, Add)) * side[0] * side[1] * count, -(-out.channels // pe)


def _no_weights(layer: ConvLayer, shape: tuple[int, int, int, int]) -> Integers:
    """Weights of the right shape that take no memory."""
    return np.broadcast_to(np.ones((), np.int64), shape)
