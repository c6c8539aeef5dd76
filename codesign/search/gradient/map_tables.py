"""Figures of convolutional spaces as small exact tables, block by block: cycles, time, energy on an engine; weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import torch

from codesign.accel import Device
from codesign.accel.engine import EnginePoint
from codesign.errors import SpaceError
from codesign.ir import MapShape
from codesign.ir.conv_topology import ConvLayer
from codesign.search.gradient.legal import Function
from codesign.search.gradient.tables import Table, TableProduct, TableSum
from codesign.search.networks.maps import MapSpace
from codesign.search.networks.shape_cost import LayerShape, layer_clocks, nest_of, resident_cycles
from codesign.search.networks.shape_figures import ShapeEnergy

__all__ = ["map_costs", "map_cycles", "map_figure", "map_parameters"]

Figure = Callable[[LayerShape], float]


def map_cycles(space: MapSpace, point: EnginePoint) -> TableSum:
    """Return the exact cycles of every network of a space at a point, as a function of relaxed choices.

    A point with streamed, doubly buffered weights is a SpaceError: there a layer's time depends on its neighbours.
    """
    if point.streamed and point.double_buffer:
        raise SpaceError("tables of layers need weights that are resident, or streamed without double_buffer")
    image = MapShape(*space.file.input)
    frame = resident_cycles({}, point, image, answers=space.file.classes)
    return map_figure(space, lambda shape: layer_clocks(nest_of(shape, point), point), constant=frame)


def map_costs(space: MapSpace, point: EnginePoint, device: Device) -> dict[str, Function]:
    """Return cycles, latency_us, energy_nj and edp of every network of a space on an engine, by name.

    They are those of `shape_figures` at every network, and their expectations at probabilities; a point with streamed,
    doubly buffered weights is a SpaceError.
    """
    cycles, model = map_cycles(space, point), ShapeEnergy(point, device)
    frame = model.image(MapShape(*space.file.input)) + cycles.constant * model.a_cycle

    def energy_of(shape: LayerShape) -> float:
        clocks = layer_clocks(nest_of(shape, point), point)
        return model.layer(shape) + clocks * model.a_cycle

    energy = map_figure(space, energy_of, constant=frame)
    scale = 1 / model.clock_mhz
    times = tuple(Table(table.choices, table.values * scale) for table in cycles.tables)
    latency = TableSum(times, cycles.constant * scale)
    return {"cycles": cycles, "latency_us": latency, "energy_nj": energy, "edp": TableProduct(energy, latency)}


def map_parameters(space: MapSpace) -> TableSum:
    """Return the trained weights of every network of a space."""
    return map_figure(space, _weights)


def map_figure(space: MapSpace, figure: Figure, *, constant: float = 0.0) -> TableSum:
    """Return any figure that is a sum over layers, as tables over the choices that each block's layers depend on.

    A block's layers depend on its own choices and on the channels before it: those of the block before, or, where that
    one may be left out, of the one before it, and so on.
    """
    file = space.file
    names = space.choices.names
    tables: list[Table] = []
    side = (file.input[1], file.input[2])
    for index, block in enumerate(file.blocks):
        before = _channel_choices(space, index)
        own = [f"b{index}_{key}" for key in ("kernel", "channels", "expansion", "repeats")]
        here = side

        def value(at: dict[str, int], index: int = index, here: tuple[int, int] = here) -> float:
            chosen = {key: at[f"b{index}_{key}"] for key in ("kernel", "channels", "expansion", "repeats")}
            source = MapShape(_channels(space, index, at), *here)
            return sum(figure(shape) for shape in _shapes(space, index, source, chosen))

        tables.append(_table(space, [*before, *own], value, names))
        side = (-(-side[0] // block.stride), -(-side[1] // block.stride))
    count = len(file.blocks)

    def ending(at: dict[str, int], side: tuple[int, int] = side) -> float:
        last = MapShape(_channels(space, count, at), *side)
        one = MapShape(last.channels, 1, 1)
        pool = LayerShape(ConvLayer("pool", "average_pool", ("x",)), last, one)
        dense = ConvLayer("answer", "dense", ("pool",), channels=file.classes)
        return figure(pool) + figure(LayerShape(dense, one, MapShape(file.classes, 1, 1), last=True))

    tables.append(_table(space, _channel_choices(space, count), ending, names))
    return TableSum(tuple(tables), constant)


def _table(
    space: MapSpace, choices: list[str], value: Callable[[dict[str, int]], float], names: Sequence[str]
) -> Table:
    candidates = [space.choices.knob(name).values for name in choices]
    found = [
        value({name: int(one) for name, one in zip(choices, chosen, strict=True)}) for chosen in product(*candidates)
    ]
    values = np.array(found, dtype=np.float64).reshape([len(one) for one in candidates])
    return Table(tuple(names.index(name) for name in choices), torch.from_numpy(values))


def _channel_choices(space: MapSpace, index: int) -> list[str]:
    """The choices that say how many channels enter block `index`."""
    found: list[str] = []
    for before in range(index - 1, -1, -1):
        found.append(f"b{before}_channels")
        if 0 not in space.file.blocks[before].repeats:
            break
        found.append(f"b{before}_repeats")
    return found


def _channels(space: MapSpace, index: int, at: dict[str, int]) -> int:
    for before in range(index - 1, -1, -1):
        if at.get(f"b{before}_repeats", 1) > 0:
            return at[f"b{before}_channels"]
    return space.file.input[0]


def _shapes(space: MapSpace, index: int, source: MapShape, chosen: dict[str, int]) -> list[LayerShape]:
    """The layers of one block with their maps."""
    found: list[LayerShape] = []
    for layer in space.block_layers(index, source.channels, chosen | {"weight_bits": 4, "bits": 4}):
        kernel, stride = layer.kernel or 1, layer.stride or 1
        channels = layer.channels or source.channels
        out = MapShape(channels, -(-source.height // stride), -(-source.width // stride))
        built = ConvLayer("x", layer.kind, ("y",), channels=channels, kernel=kernel, stride=stride, padding=kernel // 2)
        found.append(LayerShape(built, source, out))
        source = out
    return found


def _weights(shape: LayerShape) -> float:
    layer = shape.layer
    if not layer.weighted:
        return 0.0
    window = layer.kernel**2 if layer.kind != "dense" else shape.source.pixels
    return shape.out.channels * window * (1 if layer.kind == "depthwise" else shape.source.channels)
