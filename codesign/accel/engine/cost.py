"""All figures of engine points on a device: of one point with origins, or of many at once as columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.accel.devices import Device
from codesign.accel.engine.actions import LayerLoops, image_actions
from codesign.accel.engine.compile import compile_program
from codesign.accel.engine.cycle_columns import cycle_columns
from codesign.accel.engine.cycles import cycles
from codesign.accel.engine.energy import dynamic_parts, energy, energy_table
from codesign.accel.engine.fmax import fmax, fmax_columns
from codesign.accel.engine.point import EnginePoint
from codesign.accel.engine.resources import resource_columns, resources
from codesign.accel.engine.validate import EngineRules
from codesign.accel.family import Figure
from codesign.ir.integer import INPUT, IntegerNetwork

__all__ = ["engine_cost", "engine_cost_columns"]

Array = NDArray[Any]


def engine_cost(point: EnginePoint, network: IntegerNetwork, device: Device) -> dict[str, Figure]:
    """Return the figures of one image on a valid point; a Refusal or ConfigError otherwise.

    Cycles, block RAMs and DSP blocks are exact; `fmax_mhz` is there only where there is an estimate. `latency_us` and
    `edp` are at that clock, or at the energy table's reference clock.
    """
    program = compile_program(network, point)
    one, two = cycles(program, images=1).total, cycles(program, images=2).total
    taken, clock, used = resources(point, device), fmax(point, device), energy(program, point, device)
    found = {
        "cycles": Figure(one, "cycles", "exact"),
        "interval": Figure(two - one, "cycles", "exact"),
        "luts": Figure(taken.luts, "LUTs", "estimated"),
        "ffs": Figure(taken.ffs, "flip-flops", "estimated"),
        "brams": Figure(taken.brams, "blocks", "exact"),
        "dsps": Figure(taken.dsps, "blocks", "exact"),
        "latency_us": Figure(used.latency_us, f"us at {used.clock_mhz:g} MHz ({used.clock_origin})", "estimated"),
        "energy_nj": Figure(used.total_nj, "nJ", "model energy"),
        "edp": Figure(used.edp, "nJ us", "model energy"),
    }
    if clock.mhz is not None:
        found["fmax_mhz"] = Figure(clock.mhz, "MHz", "estimated")
    return found


def engine_cost_columns(rules: EngineRules, columns: Mapping[str, Array], device: Device) -> dict[str, Array]:
    """Return the same figures of many points: an array a figure; those of points that are not valid mean nothing."""
    c = {name: np.asarray(values) for name, values in columns.items()}
    law = cycle_columns(rules, c)
    taken = resource_columns(c, device.family)
    table, _ = energy_table()
    clock = fmax_columns(c, device)
    mhz = np.where(np.isnan(clock), table.reference_clock_mhz, np.round(clock, 2))
    counts = {**_image_counts(rules, c), "cycles": law.total}
    parts = dynamic_parts(c, counts, taken["ffs"], device, table)
    total = sum((part / 1000 for part in parts.values()), np.zeros(len(mhz)))
    latency = law.total / mhz
    if device.name in table.static_w:
        total = total + table.static_w[device.name].watts * latency * 1000
    found: dict[str, Array] = {"cycles": law.total, "interval": law.interval, **taken}
    found |= {"latency_us": latency, "energy_nj": total, "edp": total * latency}
    if not np.isnan(clock).any():
        found["fmax_mhz"] = np.round(clock, 2)
    return found


def _image_counts(rules: EngineRules, c: Mapping[str, Array]) -> dict[str, Array]:
    """Action counts of one image for many points."""
    which = np.log2(c["pe"]).astype(np.int64) * 7 + np.log2(c["simd"]).astype(np.int64)
    nests = [rules.loops(1 << p, 1 << s) for p in range(7) for s in range(7)]
    layers: list[LayerLoops] = []
    for index, layer in enumerate(rules.network.layers):
        shape = rules.shapes[layer.name]
        taps, groups = (np.array([getattr(nest, name)[index] for nest in nests]) for name in ("taps", "groups"))
        last = index == len(rules.network.layers) - 1
        layers.append(LayerLoops(shape.pixels, shape.channels, last, taps[which], groups[which]))
    image = rules.shapes[INPUT]
    return image_actions(c, layers, image.pixels * -(-image.channels // c["simd"].astype(np.int64)))
