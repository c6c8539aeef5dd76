"""What the command line says of an engine's build file before anything is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from codesign.cli.tables import KNOWN_SHAPES
from codesign.config import EngineBuildConfig, parse_build, read_yaml

__all__ = ["engine_cost", "read_engine"]


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
    """Return the exact cycles of the build's network on its engine, layer by layer; weights do not change them.

    A network that the engine cannot run is a Refusal or an UnsupportedModel.
    """
    from codesign.accel.engine import compile_program
    from codesign.accel.engine.configured import configured_point
    from codesign.ir.integer_random import random_network
    from codesign.report import program_rows

    known = KNOWN_SHAPES.get(config.data.source)
    if known is not None:
        inputs, answers = inputs or known[0], answers or known[1]
    if inputs is None or answers is None:
        from codesign.data import load

        data = load(config.data)
        inputs, answers = inputs or data.inputs, answers or data.answers
    topology = config.topology.topology(config.name, inputs=inputs, answers=answers)
    point = configured_point(config.engine)
    roomy = replace(point, accumulator_bits=32)  # the bounds of sums depend on the weights, the cycles do not
    rows = program_rows(compile_program(random_network(topology, seed=0), roomy))
    return {**rows, "point": point.as_dict()}
