"""What the command line says of an engine's build file before anything is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from codesign.cli.tables import KNOWN_SHAPES
from codesign.config import EngineBuildConfig, parse_build, read_yaml

if TYPE_CHECKING:
    from codesign.ir.integer import IntegerNetwork

__all__ = ["engine_cost", "engine_cost_tables", "read_engine"]


def read_engine(path: Path) -> EngineBuildConfig | None:
    """Read a build file of the family `engine`; None for any other file, and for what is no file."""
    if not path.is_file():
        return None
    value, _ = read_yaml(path)
    if not isinstance(value, dict) or value.get("family") != "engine":
        return None
    config = parse_build(path)
    assert isinstance(config, EngineBuildConfig)
    return config


def engine_cost(config: EngineBuildConfig, *, inputs: int | None, answers: int | None) -> dict[str, Any]:
    """Return the exact cycles of the build's network on its engine by layer, and what the engine takes by device.

    Weights do not change the cycles. `sum_bits` is of the widest weights that each layer can have; trained ones need
    no more. A network that the engine cannot run is a Refusal or an UnsupportedModel, an unknown device a ConfigError.
    """
    from codesign.accel import device
    from codesign.accel.engine import compile_program
    from codesign.accel.engine.configured import configured_point
    from codesign.accel.engine.estimates import program_estimates
    from codesign.ir.integer_random import random_network
    from codesign.report import program_rows

    targets = [device(name) for name in config.synth.devices]
    known = KNOWN_SHAPES.get(config.data.source)
    if known is not None:
        inputs, answers = inputs or known[0], answers or known[1]
    if inputs is None or answers is None:
        from codesign.data import load

        data = load(config.data)
        inputs, answers = inputs or data.inputs, answers or data.answers
    topology = config.topology.topology(config.name, inputs=inputs, answers=answers)
    point = configured_point(config.engine)
    network = random_network(topology, seed=0)
    roomy = compile_program(_widest(network), replace(point, accumulator_bits=32))
    program = replace(roomy, point=point)
    estimates = {target.name: program_estimates(program, network, target) for target in targets}
    return {**program_rows(program), "estimates": estimates}


def _widest(network: IntegerNetwork) -> IntegerNetwork:
    """Give every trained layer the largest weights that its bits allow: no training reaches larger sums."""
    from codesign.ir.integer import Conv

    layers = (
        replace(layer, weights=np.full_like(layer.weights, layer.weight_levels.high))
        if isinstance(layer, Conv)
        else layer
        for layer in network.layers
    )
    return replace(network, layers=tuple(layers))


def engine_cost_tables(name: str, found: dict[str, Any]) -> list[Table]:
    """Render what `engine_cost` found: a table of layers, and one of devices."""
    from codesign.report import layers_table

    layers = layers_table(found, title=f"{name}: exact cycles of one image, before training")
    point = found["point"]
    wide = [row for row in found["layers"] if row["sum_bits"] > point["accumulator_bits"]]
    bits = max((row["sum_bits"] for row in found["layers"]), default=0)
    layers.caption = (
        f"{found['period_cycles']:,} cycles between images; sums of the widest weights take {bits} bits, "
        f"accumulator_bits is {point['accumulator_bits']}"
        + (
            f": the trained weights of {', '.join(row['name'] for row in wide)} decide whether it is enough"
            if wide
            else ": enough for any weights"
        )
    )
    devices = Table(title="what the engine takes (LUTs, FFs and clock estimated; block RAMs and DSPs exact)")
    for heading in ("device", "LUTs", "FFs", "block RAMs", "DSPs", "clock", "time of one image", "energy of one image"):
        devices.add_column(heading, justify="left" if heading == "device" else "right")
    for device, one in found["estimates"].items():
        if "resources" not in one:
            devices.add_row(device, *["none"] * 7)
            devices.caption = one["reason"]
            continue
        taken, clock, energy = one["resources"], one["fmax"]["mhz"], one["energy"]
        devices.add_row(
            device,
            *(f"{taken[key]:,}" for key in ("luts", "ffs", "brams", "dsps")),
            f"{clock:.1f} MHz" if clock else "no estimate",
            f"{found['image_cycles'] / clock:,.1f} us" if clock else "",
            f"{energy['total_nj'] / 1000:,.2f} uJ at {energy['clock_mhz']:g} MHz ({energy['clock_origin']})",
        )
    return [layers, devices]
