"""Tables that the command line prints, and reading a topology for `cods cost`."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from codesign.accel import Device, TopologyCost
from codesign.config import BuildConfig, Section, TopologyConfig, Whole, parse_model, read_yaml
from codesign.errors import ConfigError
from codesign.ir import PRESETS, Topology, preset

__all__ = ["cost_table", "devices_table", "read_topology", "terminal"]

KNOWN_SHAPES = {
    "digits": (64, 10, "classification"),
    "mnist": (784, 10, "classification"),
    "cifar10": (3072, 10, "classification"),
    "unsw_nb15": (576, 2, "classification"),
    "jsc_openml": (16, 5, "classification"),
    "jsc_cernbox": (16, 5, "classification"),
    "jets_sim": (16, 5, "classification"),
}
"""Features, classes and task of the known data sets in their default form, so that cost needs no data."""


def terminal() -> Console:
    """A console for results; as wide as it needs to be where the output is not a terminal."""
    return Console(width=None if sys.stdout.isatty() else 140, highlight=False)


class TopologyFile(Section):
    """A file with nothing but a topology."""

    name: str = "topology"
    inputs: Whole | None = None
    answers: Whole | None = None
    topology: TopologyConfig


def read_topology(path: Path, *, inputs: int | None, answers: int | None) -> Topology:
    """Read a topology from a preset's name, a topology file or a build configuration."""
    if not path.exists() and not path.suffix:
        base = preset(str(path))
        section = TopologyConfig(preset=str(path))
        width = answers or base.layers[-1].width
        return section.topology(base.name, inputs=inputs or base.inputs, answers=width, task="classification")
    value, _ = read_yaml(path)
    if isinstance(value, dict) and "layers" in value and "topology" not in value:
        raise ConfigError(f"{path}: layers must stand under `topology:`, with `inputs: N` beside it")
    task = None
    if isinstance(value, dict) and ("data" in value or "train" in value):
        build = parse_model(BuildConfig, path)
        name, section = build.name, build.topology
        known = KNOWN_SHAPES.get(build.data.source)
        if known is not None:
            inputs, answers, task = inputs or known[0], answers or known[1], known[2]
        elif inputs is None:
            from codesign.data import load

            data = load(build.data, folder=path.parent)
            inputs, answers, task = data.inputs, answers or data.answers, data.task
    else:
        file = parse_model(TopologyFile, path)
        name, section = file.name, file.topology
        inputs, answers = inputs or file.inputs, answers or file.answers
    task = task or ("regression" if section.decide == "none" else "classification")
    if section.preset is not None:
        base = PRESETS[section.preset]
        inputs, answers = inputs or base.inputs, answers or base.layers[-1].width
    elif answers is None:
        answers = section.layers[-1].width
    if inputs is None:
        raise ConfigError(f"{path}: the number of input features is not known; add `inputs: N` or give --inputs N")
    if answers == 2 and section.layers and section.layers[-1].width == 1:
        return section.topology(name, inputs=inputs, answers=2, task=task)
    return section.topology(name, inputs=inputs, answers=answers, task=task)


def cost_table(topology: Topology, cost: TopologyCost) -> Table:
    """Worst-case figures, a row a layer."""
    title = f"{topology.name}: worst case on {cost.lut_inputs}-input LUTs, before training (estimated)"
    table = Table(title=title, caption="not counted: " + "; ".join(cost.left_out), caption_justify="left")
    headings = ("layer", "neurons", "tables", "address bits", "table bits", "table LUTs", "sum LUTs", "depth", "cycles")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "layer" else "right", no_wrap=True)
    for layer in cost.layers:
        table.add_row(
            layer.name,
            f"{layer.neurons:,}",
            f"{layer.tables:,}",
            str(layer.address_bits),
            f"{layer.table_bits:,}",
            f"{layer.table_luts:,}",
            f"{layer.sum_luts:,}",
            str(layer.depth),
            str(layer.cycles),
        )
    table.add_section()
    totals = [sum(getattr(layer, key) for layer in cost.layers) for key in ("table_bits", "table_luts", "sum_luts")]
    table.add_row("all", "", "", "", *(f"{total:,}" for total in totals), str(cost.depth), str(cost.cycles))
    return table


def devices_table(devices: tuple[Device, ...]) -> Table:
    """Known devices and their resources."""
    table = Table(title="devices")
    for heading in ("name", "part", "family", "LUT", "LUTs", "FFs", "block RAMs", "DSPs"):
        table.add_column(heading, justify="left" if heading in ("name", "part", "family") else "right", no_wrap=True)
    for d in devices:
        table.add_row(
            d.name,
            d.part,
            d.family,
            f"{d.lut_inputs}-input",
            f"{d.luts:,}",
            f"{d.ffs:,}",
            f"{d.brams:,}",
            f"{d.dsps:,}",
        )
    return table
