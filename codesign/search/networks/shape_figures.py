"""Cycles, latency, model energy and energy-delay product of a network on an engine from its shape alone.

They are the figures that `engine_cost` gives for any program with these layers: cycles and energy read no weight. All
action counts are sums over layers, so a network's dynamic energy is too, but for the clock, which takes part of it in
every cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from codesign.accel import Device
from codesign.accel.engine import EnginePoint, fmax, resources
from codesign.accel.engine.actions import ACTIONS, LayerLoops, image_actions
from codesign.accel.engine.energy import dynamic_parts, energy_table
from codesign.accel.engine.structure import columns_of
from codesign.ir import ConvTopology, MapShape
from codesign.search.networks.shape_cost import LayerShape, nest_of, run_cycles, topology_layers

__all__ = ["FIGURES", "ShapeEnergy", "shape_figures"]

FIGURES = ("cycles", "latency_us", "energy_nj", "edp")
"""Figures of an engine that depend on the network."""


class ShapeEnergy:
    """The model energy of networks on one engine, in nanojoules: a part for the image, one a layer, one a clock.

    clock_mhz: of time and static energy: the estimate of `fmax`, else the energy table's reference clock.
    a_cycle: energy of a clock: the clock tree, and static power where the table has the device's.
    """

    def __init__(self, point: EnginePoint, device: Device):
        table, _ = energy_table()
        self.point, self._columns = point, columns_of(point)
        self.clock_mhz = fmax(point, device).mhz or table.reference_clock_mhz
        ffs = np.array([resources(point, device).ffs])
        each: dict[str, float] = {}  # dynamic energy is linear in the actions
        for name in ACTIONS:
            counts = {other: np.array([float(other == name)]) for other in ACTIONS}
            parts = dynamic_parts(self._columns, counts, ffs, device, table)
            each[name] = sum(float(values[0]) for values in parts.values()) / 1000
        static = table.static_w.get(device.name)
        self.a_cycle = each.pop("cycles")
        if static is not None:
            self.a_cycle += static.watts / self.clock_mhz * 1000  # W us = 1000 nJ
        self._each = each
        self._layers: dict[LayerShape, float] = {}

    def image(self, image: MapShape) -> float:
        """Of the image on its way into the banks."""
        return self._of([], -(-image.channels // self.point.simd) * image.pixels)

    def layer(self, shape: LayerShape) -> float:
        """Of one layer, without its clocks."""
        if shape not in self._layers:
            nest = nest_of(shape, self.point)
            loops = LayerLoops(nest.pixels, nest.channels, shape.last, np.array([nest.taps]), np.array([nest.groups]))
            self._layers[shape] = self._of([loops], 0)
        return self._layers[shape]

    def _of(self, layers: list[LayerLoops], words: int) -> float:
        counts = image_actions(self._columns, layers, np.array([words]))
        return sum(each * float(np.asarray(counts[name]).reshape(-1)[0]) for name, each in self._each.items())


@lru_cache(maxsize=8)
def _energy(point: EnginePoint, device: Device) -> ShapeEnergy:
    return ShapeEnergy(point, device)


def shape_figures(topology: ConvTopology, point: EnginePoint, device: Device) -> dict[str, float]:
    """Return `FIGURES` of a network on a point, for one image; no weight is looked at. Validity is not asked."""
    layers: Sequence[LayerShape] = topology_layers(topology)
    cycles = run_cycles([nest_of(layer, point) for layer in layers], point, topology.input_shape)
    model = _energy(point, device)
    energy = model.image(topology.input_shape) + cycles * model.a_cycle
    energy += sum(model.layer(layer) for layer in layers)
    latency = cycles / model.clock_mhz
    return {"cycles": float(cycles), "latency_us": latency, "energy_nj": energy, "edp": energy * latency}
