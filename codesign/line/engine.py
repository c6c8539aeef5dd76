"""The line of the family `engine`: a low-bit network over feature maps, as a program on a generated accelerator."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from codesign.config import EngineBuildConfig
from codesign.errors import ConfigError
from codesign.ir.conv_topology import ConvTopology
from codesign.ir.integer import IntegerNetwork, Integers, evaluate_integer
from codesign.ir.integer_store import load_integer, save_integer
from codesign.line.base import Line
from codesign.rundir import write_json

if TYPE_CHECKING:
    from codesign.accel.engine import EnginePoint, Program
    from codesign.nn import ConvModel
    from codesign.rtl.engine import EngineDesign

__all__ = ["CHECKED_IMAGES", "CHECKED_VALIDATION", "EngineLine"]

CHECKED_VALIDATION = 1000
"""Validation rows on which every layer of the network is compared with the model, beside all test rows."""

CHECKED_IMAGES = 32
"""Test images on which the program, as the engine runs it, is compared with the network, layer by layer."""


class EngineLine(Line[EngineBuildConfig]):
    """One build of a network for a folded accelerator."""

    family = "engine"
    stages = {
        "data": (),
        "train": ("data",),
        "extract": ("train",),
        "compile": ("extract",),
        "emit": ("compile",),
        "simulate": ("emit",),
        "synth": ("emit",),
        "report": ("simulate", "synth"),
    }
    read_back = ("model", "network", "program", "vectors", "design")

    def _settings(self, config: Mapping[str, Any]) -> Mapping[str, Sequence[Any]]:
        return {
            "data": [config["data"]],
            "train": [config["seed"], config["topology"], config["train"], config["name"]],
            "compile": [self.point.as_dict()],
            "emit": [config["synth"]["devices"], config["simulate"]["vectors"]],
            "simulate": [config["simulate"]],
            "synth": [config["synth"]],
        }

    def _preflight(self, stages: Sequence[str]) -> None:
        from codesign.accel import device

        for name in self.config.synth.devices:
            device(name)
        self._check_point()
        if "emit" in stages:  # it lints what it writes
            from codesign.tools.verilator import find_verilator

            find_verilator()
        if "synth" in stages:
            from codesign.tools.yosys import find_yosys

            find_yosys()

    def _check_point(self) -> None:
        """Refuse a point that can run no network of this shape, whatever the weights that training finds."""
        from codesign.accel.engine import Refusal
        from codesign.accel.engine.validate import validate
        from codesign.ir.integer_random import random_network

        broken = validate(self.point, random_network(self.topology, seed=0))
        certain = [one for one in broken if one.rule != "accumulator"]  # the bounds of sums depend on the weights
        if certain:
            raise Refusal(*certain)

    # The values that stages hand on, read from the run folder or computed from the configuration.

    @cached_property
    def point(self) -> EnginePoint:
        """The engine's configuration; a SpaceError names every rule that it breaks by itself."""
        from codesign.accel.engine.configured import configured_point

        return configured_point(self.config.engine)

    @cached_property
    def topology(self) -> ConvTopology:
        """The topology, resolved for the data and checked."""
        if self.data.task != "classification":
            raise ConfigError(f"the family 'engine' is for classification; data {self.data.name!r} is {self.data.task}")
        return self.config.topology.topology(self.config.name, inputs=self.data.inputs, answers=self.data.answers)

    @cached_property
    def model(self) -> ConvModel:
        """The trained model."""
        from codesign.nn import load_conv_model

        return load_conv_model(self.stage_folder("train"))

    @cached_property
    def network(self) -> IntegerNetwork:
        """The network in integers."""
        return load_integer(self.stage_folder("extract") / "network.npz")

    @cached_property
    def program(self) -> Program:
        """The network, compiled for the point."""
        from codesign.accel.engine import compile_program

        self.stage_folder("compile")
        return compile_program(self.network, self.point)

    @property
    def emitted(self) -> Path:
        """The stand-alone folder of emitted Verilog."""
        return self.stage_folder("emit") / "design"

    @cached_property
    def design(self) -> EngineDesign:
        """What was emitted."""
        from codesign.rtl.engine import EngineDesign

        return EngineDesign.load(self.emitted)

    @cached_property
    def vectors(self) -> tuple[Integers, Integers]:
        """The test images that are simulated, and the answers of the network to them, both as maps of values."""
        images = self.images(self.data.x_test[: self.config.simulate.vectors])
        return images, evaluate_integer(self.network, images)

    def images(self, features: NDArray[Any]) -> Integers:
        """Bring raw features (rows, features) to input values (rows, channels, height, width)."""
        shape = self.topology.input_shape
        return self.model.encoder.values(features).reshape(len(features), shape.channels, shape.height, shape.width)

    # The stages themselves.

    def _train(self, out: Path) -> None:
        from codesign.nn import build_conv_model

        self._fit(build_conv_model(self.topology, train=self.config.train, data=self.data, seed=self.config.seed), out)

    def _extract(self, out: Path) -> None:
        from codesign.extract import check_brevitas, check_integer_samples, check_requantize, extract_integer
        from codesign.report import score_classes

        model, data = self.model, self.data
        network = extract_integer(model, name=self.config.name)
        self.notify("extract", "comparing requantization with batch norm and quantizer, sum by sum", None)
        sums = check_requantize(model, network)
        self.notify("extract", "comparing every layer's output with the model", None)
        rows = [data.x_validation[:CHECKED_VALIDATION], data.x_test]
        samples = sum(check_integer_samples(model, network, x) for x in rows)
        agreement = check_brevitas(model, data.x_test[:CHECKED_VALIDATION])
        scores = {
            split: score_classes(
                model.predict(getattr(data, f"x_{split}")), getattr(data, f"y_{split}"), classes=len(data.class_names)
            )
            for split in ("train", "validation", "test")
        }
        save_integer(network, out / "network.npz")
        write_json(out / "scores.json", scores)
        facts = {"sums_checked": sums, "samples_checked": samples, "brevitas": asdict(agreement)}
        facts["brevitas"]["samples"] = min(CHECKED_VALIDATION, len(data.x_test))
        write_json(out / "extract.json", facts)

    def _compile(self, out: Path) -> None:
        from codesign.accel.engine import compile_program
        from codesign.accel.engine.check import check_program
        from codesign.report import program_rows

        self.notify("compile", "lowering the layers and placing their maps", None)
        program = compile_program(self.network, self.point)
        images = self.images(self.data.x_test[:CHECKED_IMAGES])
        self.notify("compile", "comparing the program with the network, layer by layer", None)
        values = check_program(program, self.network, images)
        facts = {"images_checked": len(images), "values_checked": values, **program_rows(program)}
        write_json(out / "compile.json", facts)
        write_json(out / "program.json", program.describe())

    def _emit(self, out: Path) -> None:
        from codesign.accel import device
        from codesign.rtl.engine import generate
        from codesign.simulate.engine_bench import write_engine_bench
        from codesign.simulate.engine_stage import lint_engine
        from codesign.synth import write_scripts

        folder = out / "design"
        self.notify("emit", "writing Verilog, program and golden vectors", None)
        design = generate(self.point, folder)
        write_engine_bench(folder, self.program, *self.vectors)
        write_scripts(folder, [device(name) for name in self.config.synth.devices])
        self.notify("emit", "linting", None)
        linted = lint_engine(folder, work=out / "lint")
        size = sum((folder / source).stat().st_size for source in design.sources)
        write_json(out / "emit.json", {"verilog_bytes": size, "lint": linted})

    def _simulate(self, out: Path) -> None:
        from codesign.simulate.engine_stage import simulate_engine

        self.notify("simulate", "building and running the Verilated engine", None)
        waves = self.run.path / "waves"
        shutil.rmtree(waves, ignore_errors=True)
        result = simulate_engine(
            self.emitted,
            self.program,
            *self.vectors,
            config=self.config.simulate,
            work=out / "work",
            waves=waves,
        )
        write_json(out / "simulate.json", result.as_dict())
        result.require_exact()
        if self.config.simulate.toggles:
            self.notify("simulate", "counting the changes of every bit", None)
            write_json(out / "activity.json", self._activity(out / "activity"))

    def _activity(self, work: Path) -> dict[str, Any]:
        from codesign.simulate.engine import EngineJob
        from codesign.simulate.engine_toggles import build_counting_engine, measure_activity

        settings = self.config.simulate
        images = self.vectors[0][: settings.toggles]
        built = build_counting_engine(self.emitted, work=work, timeout_s=settings.timeout_s, jobs=2)
        job = EngineJob(self.program, images)
        found = measure_activity(built.program, job, work=work, seed=settings.seed, timeout_s=settings.timeout_s)
        return {"images": len(images), "clocks": found.clocks, "rates": dict(found.rates)}

    def _synth(self, out: Path) -> None:
        from codesign.accel import device
        from codesign.accel.engine.estimates import program_estimates
        from codesign.synth import synthesize

        names = self.config.synth.devices
        estimates = {name: program_estimates(self.program, self.network, device(name)) for name in names}
        write_json(out / "estimates.json", estimates)
        for name in names:
            self.notify("synth", f"synthesising for {name}", None)
            report = synthesize(self.emitted, device(name), config=self.config.synth, work=out / name)
            write_json(out / f"{name}.json", asdict(report))
