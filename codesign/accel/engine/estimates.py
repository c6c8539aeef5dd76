"""What the models say of a program on a device, as plain values for reports: resources, clock, energy, the default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codesign.accel.devices import Device
from codesign.accel.engine.compile import compile_program
from codesign.accel.engine.cycles import cycles
from codesign.accel.engine.defaults import default_point
from codesign.accel.engine.energy import COMPONENTS, energy, energy_table
from codesign.accel.engine.fmax import fmax
from codesign.accel.engine.program import Program
from codesign.accel.engine.resources import resources
from codesign.errors import CodesignError
from codesign.ir.integer import IntegerNetwork

__all__ = ["program_estimates", "scaled_energy"]


def program_estimates(program: Program, network: IntegerNetwork, device: Device) -> dict[str, Any]:
    """Return `resources`, `fmax`, `energy` (of one image) and `default`; each with its reason where there is none.

    default: the device's default accelerator with the same network: the sha256 of its file, its cycles between images
    and, as ratios to this program's, how many times longer and how many times more energy it takes for an image.
    """
    found: dict[str, Any] = {}
    try:
        taken = resources(program.point, device)
        found["resources"] = {**taken.as_dict(), "calibration": taken.calibration, "origin": taken.origin}
        clock = fmax(program.point, device)
        found["fmax"] = {"mhz": clock.mhz, "error": clock.error, "reason": clock.reason, "origin": clock.origin}
        found["energy"] = _energy(program, device)
    except CodesignError as problem:
        return {"reason": str(problem)}
    try:
        found["default"] = _default(program, network, device)
    except CodesignError as problem:
        found["default"] = {"reason": str(problem)}
    return found


def _energy(program: Program, device: Device) -> dict[str, Any]:
    used = energy(program, program.point, device)
    return {
        "total_nj": used.total_nj,
        "dynamic_nj": used.dynamic_nj,
        "static_nj": used.static_nj,
        "components": dict(used.components),
        "clock_mhz": used.clock_mhz,
        "clock_origin": used.clock_origin,
        "table": used.table,
        "digest": used.digest,
        "origin": used.origin,
    }


def scaled_energy(energy: Mapping[str, Any], rates: Mapping[str, float]) -> dict[str, Any]:
    """Return the `energy` of `program_estimates` with each part scaled to the toggle rate of its group of modules.

    rates: by group of modules, the share of its bits that change in a clock; a group that is not there stays.
    """
    reference = energy_table()[0].reference_toggle_rate
    components = {
        name: value * rates.get(COMPONENTS[name], reference) / reference for name, value in energy["components"].items()
    }
    dynamic = sum(components.values())
    total = dynamic + (energy["static_nj"] or 0.0)
    return {**energy, "components": components, "dynamic_nj": dynamic, "total_nj": total, "toggles": dict(rates)}


def _default(program: Program, network: IntegerNetwork, device: Device) -> dict[str, Any]:
    known = default_point(device)
    other = compile_program(network, known.point)
    return {
        "digest": known.digest,
        "file": known.path.name,
        "period_cycles": _period(other),
        "period_ratio": _period(other) / _period(program),
        "energy_ratio": energy(other, known.point, device).total_nj / _energy(program, device)["total_nj"],
    }


def _period(program: Program) -> int:
    return cycles(program, images=2).total - cycles(program, images=1).total
