"""The kinds of jobs that ship: a build through the straight line, and a random network on a generated engine."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
from pydantic import Field, ValidationError

from codesign.accel.family import Figure, Origin
from codesign.config import ConvTopologyConfig, Flag, Section, Whole, build_model_of
from codesign.errors import ConfigError, MismatchError, ToolFailed
from codesign.search.jobs import JobKind

__all__ = ["KINDS", "LineJob", "LineSpec", "RandomEngineJob", "RandomEngineSpec", "synthesised"]

_CELLS = (("luts", "LUTs"), ("ffs", "flip-flops"), ("brams", "blocks"), ("dsps", "blocks"))


class LineSpec(Section):
    """What a job of kind `line` says."""

    build: dict[str, Any]
    """A build file of any family, as plain data."""
    until: str = "synth"
    """The last stage to compute."""
    folder: str = "."
    """What relative paths in `build` are relative to, on the machine of the worker."""


class RandomEngineSpec(Section):
    """What a job of kind `random_engine` says."""

    topology: ConvTopologyConfig
    """The network's shape, as the section `topology` of an engine's build file."""
    classes: Annotated[Whole, Field(gt=0)] | None = None
    """Answers of the network; None: the channels of the last layer, or 10 for a preset."""
    point: dict[str, Any]
    """The engine's settings; what is left out has the default of `EnginePoint`."""
    device: str
    seed: Annotated[Whole, Field(ge=0)] = 0
    """Of weights and images."""
    images: Annotated[Whole, Field(gt=0)] = 4
    synth: Flag = True
    """Synthesise with yosys."""
    route: Flag = False
    """Place and route with nextpnr too, on ECP5 and iCE40."""
    stress: Annotated[Whole, Field(ge=0)] = 1
    """Images to run once more with gaps and stalls."""


class LineJob(JobKind):
    """A build file through the straight line. Resources and clock are those of the first of `synth.devices`.

    The same folder again goes on where an earlier attempt was killed, epochs of training included.
    """

    def perform(self, spec: Mapping[str, Any], folder: Path) -> dict[str, Figure]:
        """Build in `folder` and read the run's figures; a design that does not fit, or differs, is an error."""
        from codesign.line import new_line
        from codesign.report import figures

        given = _read(LineSpec, spec)
        try:
            config = build_model_of(given.build, where="build").model_validate(given.build)
        except ValidationError as problem:
            raise ConfigError(f"build: {_first(problem)}") from None
        new_line(config, folder, folder=Path(given.folder)).build(until=given.until)
        return _line_figures(figures(folder))


def _line_figures(told: Mapping[str, Any]) -> dict[str, Figure]:
    """Bring a run's figures to names and origins that jobs of all kinds share."""
    for name, status in told.items():
        if name.endswith(".status") and status != "done":
            raise ToolFailed(f"synthesis for {name.removesuffix('.status')} ended with {status!r}", status=status)
    if told["vectors_mismatched"]:
        raise MismatchError(f"{told['vectors_mismatched']} of {told['vectors_checked']} vectors have a wrong answer")
    for key in ("latency_cycles", "initiation_interval"):
        law, counted = told[key], told[f"{key}_simulated"]
        if None not in (law, counted) and law != counted:
            raise MismatchError(f"{key}: the law says {law}, the simulation counted {counted}")
    found: dict[str, Figure] = {}

    def add(name: str, key: str, unit: str, origin: Origin, *, scale: float = 1.0) -> None:
        if told.get(key) is not None:
            found[name] = Figure(scale * told[key], unit, origin)

    for split in ("validation", "test"):
        add(f"accuracy_{split}", f"accuracy_{split}", "share", "exact")
        add(f"mse_{split}", f"mse_{split}", "squared target units", "exact")
        add(f"nmse_db_{split}", f"nmse_db_{split}", "dB", "exact")
    add("cycles_predicted", "latency_cycles", "cycles", "exact")
    add("interval_predicted", "initiation_interval", "cycles", "exact")
    add("cycles", "latency_cycles_simulated", "cycles", "simulated")
    add("interval", "initiation_interval_simulated", "cycles", "simulated")
    add("vectors_checked", "vectors_checked", "samples", "simulated")
    add("vectors_mismatched", "vectors_mismatched", "samples", "simulated")
    for name, unit in _CELLS:
        add(name, f"{name}_synthesised", unit, "synthesised")
        add(f"{name}_predicted", f"{name}_estimated", unit, "estimated")
    add("depth", "depth_synthesised", "LUTs", "synthesised")
    if told["device"] == told["device_routed"]:
        add("fmax_mhz", "fmax_routed_mhz", "MHz", "routed")
        add("latency_us", "latency_ns", "us", "routed", scale=1e-3)
        add("area_delay_lut_ns", "area_delay_lut_ns", "LUT ns", "routed")
    add("energy_nj", "energy_nj", "nJ", "model energy")
    return found


class RandomEngineJob(JobKind):
    """A network with random weights on a generated engine: simulated bit-exact in Verilator, and synthesised."""

    def perform(self, spec: Mapping[str, Any], folder: Path) -> dict[str, Figure]:
        """Generate, lint, simulate and synthesise in `folder`; a broken rule or any difference is an error."""
        from codesign.accel import device
        from codesign.accel.engine import EnginePoint, Refusal, compile_program
        from codesign.accel.engine.cost import engine_cost
        from codesign.accel.engine.validate import validate
        from codesign.config import EngineSimulateConfig
        from codesign.ir.integer import evaluate_integer
        from codesign.ir.integer_random import random_network
        from codesign.rtl.engine import generate
        from codesign.simulate.engine_bench import write_engine_bench
        from codesign.simulate.engine_stage import lint_engine, simulate_engine

        given = _read(RandomEngineSpec, spec)
        target = device(given.device)
        point = EnginePoint.from_dict(given.point)
        network = random_network(_topology(given), seed=given.seed)
        if broken := validate(point, network):
            raise Refusal(*broken)
        cost = engine_cost(point, network, target)
        program = compile_program(network, point)
        levels, shape = network.input_levels, network.input_shape
        rng = np.random.default_rng([given.seed, 1])
        size = (given.images, shape.channels, shape.height, shape.width)
        images = 2 * rng.integers(0, 2, size) - 1 if levels.bipolar else rng.integers(levels.low, levels.high + 1, size)
        answers = evaluate_integer(network, images)
        design = folder / "design"
        generate(point, design)
        write_engine_bench(design, program, images, answers)
        lint_engine(design, work=folder / "lint")
        settings = EngineSimulateConfig(stress_vectors=given.stress)
        result = simulate_engine(design, program, images, answers, config=settings, work=folder / "simulate")
        result.require_exact()
        counted = result.one_image.counted
        assert counted is not None  # else it would not be exact
        found = {
            "cycles": Figure(counted, "cycles", "simulated"),
            "cycles_predicted": Figure(result.one_image.predicted, "cycles", "exact"),
            "interval_predicted": cost["interval"],
            "vectors_checked": Figure(result.vectors_checked, "samples", "simulated"),
            "vectors_mismatched": Figure(result.vectors_mismatched, "samples", "simulated"),
            **{f"{name}_predicted": cost[name] for name, _ in _CELLS},
            **{name: cost[name] for name in ("latency_us", "energy_nj", "edp")},
        }
        if given.images > 1 and result.all_images.counted is not None:
            each = (result.all_images.counted - counted) / (given.images - 1)
            found["interval"] = Figure(each, "cycles", "simulated")
        if given.synth:
            found |= synthesised(design, given.device, work=folder / "synth", route=given.route)
        return found


def synthesised(design: Path, name: str, *, work: Path, route: bool) -> dict[str, Figure]:
    """Synthesise a design for the device of a name, and route it if asked; what does not fit is a ToolFailed."""
    from codesign.accel import device
    from codesign.config import SynthConfig
    from codesign.synth import synthesize

    settings = SynthConfig(devices=[name], place_and_route=route, vivado="never")
    report = synthesize(design, device(name), config=settings, work=work)
    if report.status != "done":
        raise ToolFailed(f"{report.status}: {report.reason}", status=report.status)
    found: dict[str, Figure] = {}
    for name, unit in (*_CELLS, ("depth", "LUTs")):
        if (value := getattr(report, name)) is not None:
            found[name] = Figure(float(value), unit, "synthesised")
    if report.fmax_mhz is not None:
        found["fmax_mhz"] = Figure(report.fmax_mhz, "MHz", "routed")
    return found


def _topology(given: RandomEngineSpec) -> Any:
    """Resolve the network's shape without data."""
    from codesign.ir.conv_presets import conv_preset

    section = given.topology
    if section.input is not None:
        inputs = prod(section.input)
    elif section.preset is not None:
        inputs = conv_preset(section.preset)().input_shape.size
    else:
        raise ConfigError("topology.input: give channels, height and width of the input map")
    last = section.layers[-1].channels if section.layers else None
    return section.topology("network", inputs=inputs, answers=given.classes or last or 10)


def _read(model: type[Any], spec: Mapping[str, Any]) -> Any:
    """Read a spec as a model; a ConfigError names the first key that is wrong."""
    try:
        return model.model_validate(spec)
    except ValidationError as problem:
        raise ConfigError(f"spec: {_first(problem)}") from None


def _first(problem: ValidationError) -> str:
    error = cast("dict[str, Any]", problem.errors()[0])
    return f"{'.'.join(map(str, error['loc']))}: {error['msg'].removeprefix('Value error, ')}"


KINDS: dict[str, type[JobKind]] = {"line": LineJob, "random_engine": RandomEngineJob}
"""Kinds of jobs that ship, by name."""
