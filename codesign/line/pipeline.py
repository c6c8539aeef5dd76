"""The line of the family `pipeline`: a network of tables, from data to proven Verilog, each neuron its own logic."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from codesign.config import BuildConfig
from codesign.errors import MismatchError
from codesign.ir import LutNetwork, Topology, evaluate, load, save
from codesign.ir.text import digest as network_digest
from codesign.line.base import Line
from codesign.rundir import write_json

if TYPE_CHECKING:
    from codesign.rtl import Design

__all__ = ["PipelineLine"]


class PipelineLine(Line[BuildConfig]):
    """One build of a network of tables."""

    family = "pipeline"
    stages = {
        "data": (),
        "train": ("data",),
        "extract": ("train",),
        "optimize": ("extract",),
        "emit": ("optimize",),
        "simulate": ("emit",),
        "synth": ("emit",),
        "report": ("simulate", "synth"),
    }
    read_back = ("extracted", "optimized", "design")

    def _settings(self, config: Mapping[str, Any]) -> Mapping[str, Sequence[Any]]:
        return {
            "data": [config["data"]],
            "train": [config["seed"], config["inputs"], config["topology"], config["train"], config["name"]],
            "optimize": [config["passes"]],
            "emit": [config["rtl"], config["synth"]["devices"], config["simulate"]["vectors"]],
            "simulate": [config["simulate"]],
            "synth": [config["synth"]],
        }

    def _preflight(self, stages: Sequence[str]) -> None:
        from codesign.accel import device
        from codesign.passes.manager import find_pass

        for name in self.config.synth.devices:
            device(name)
        for name in self.config.passes or ():
            find_pass(name)
        if "emit" in stages:  # it lints what it writes
            from codesign.tools.verilator import find_verilator

            find_verilator()
        if "synth" in stages:
            from codesign.tools.yosys import find_yosys

            find_yosys()
        _ = self.topology

    # The values that stages hand on, read from the run folder or computed from the configuration.

    @cached_property
    def topology(self) -> Topology:
        """The topology, resolved for the data and checked."""
        return self.config.topology.topology(
            self.config.name, inputs=self.data.inputs, answers=self.data.answers, task=self.data.task
        )

    @cached_property
    def extracted(self) -> LutNetwork:
        """The network as extracted, before any pass."""
        return load(self.stage_folder("extract") / "network.npz")

    @cached_property
    def optimized(self) -> LutNetwork:
        """The network after the passes."""
        return load(self.stage_folder("optimize") / "network.npz")

    @property
    def emitted(self) -> Path:
        """The stand-alone folder of emitted Verilog."""
        return self.stage_folder("emit") / "design"

    @cached_property
    def design(self) -> Design:
        """What was emitted."""
        from codesign.rtl import Design

        return Design.load(self.emitted)

    # The stages themselves.

    def _train(self, out: Path) -> None:
        from codesign.nn import build_model

        config = self.config
        model = build_model(self.topology, inputs=config.inputs, train=config.train, data=self.data, seed=config.seed)
        self._fit(model, out)

    def _extract(self, out: Path) -> None:
        from codesign.extract import check_samples, check_tables, extract
        from codesign.nn import load_model

        model = load_model(self.stage_folder("train"))
        self.notify("extract", "enumerating tables", None)
        network = extract(model, name=self.config.name)
        self.notify("extract", "checking every table row against the trained neurons", None)
        rows = check_tables(model, network)
        samples = sum(check_samples(model, network, x) for x in (self.data.x_validation, self.data.x_test))
        save(network, out / "network.npz")
        write_json(out / "extract.json", {"rows_checked": rows, "samples_checked": samples})

    def _optimize(self, out: Path) -> None:
        from codesign.passes import run_passes
        from codesign.report import layer_rows, score

        self.notify("optimize", "running the passes", None)
        network, reports = run_passes(self.extracted, self.config.passes)
        scores: dict[str, Any] = {}
        for split in ("train", "validation", "test"):
            x, y = getattr(self.data, f"x_{split}"), getattr(self.data, f"y_{split}")
            answers = evaluate(network, x)
            wanted = evaluate(self.extracted, x)
            if not np.array_equal(answers, wanted):
                row = int(np.argmax((answers != wanted).any(axis=1)))
                raise MismatchError(
                    f"the optimized network differs from the extracted one on {split} row {row}: "
                    f"wanted {wanted[row].tolist()}, got {answers[row].tolist()}; this is a defect in a pass"
                )
            scores[split] = score(network, answers, y, class_count=len(self.data.class_names))
        save(network, out / "network.npz")
        write_json(out / "passes.json", [asdict(report) for report in reports])
        write_json(out / "layers.json", layer_rows(self.extracted, network))
        write_json(out / "scores.json", {"digest": network_digest(network), **scores})

    def _emit(self, out: Path) -> None:
        from codesign.accel import device
        from codesign.report import pipeline_rows
        from codesign.rtl import emit
        from codesign.simulate import lint, write_bench
        from codesign.synth import write_scripts

        self.notify("emit", f"writing Verilog ({self.config.rtl.form} form)", None)
        folder = out / "design"
        features = self.data.x_test[: self.config.simulate.vectors]
        design = emit(self.optimized, self.config.rtl, folder, features=features)
        write_bench(folder)
        write_scripts(folder, [device(name) for name in self.config.synth.devices])
        self.notify("emit", "linting", None)
        linted = lint(folder, work=out / "lint")
        size = sum((folder / source).stat().st_size for source in design.sources)
        stages = pipeline_rows(self.optimized, design)
        write_json(out / "emit.json", {"verilog_bytes": size, "lint": linted, "stages": stages})

    def _simulate(self, out: Path) -> None:
        from codesign.simulate import require_exact, simulate
        from codesign.simulate.pipeline_failure import pipeline_waves

        settings, waves = self.config.simulate, self.run.path / "waves"
        shutil.rmtree(waves, ignore_errors=True)
        self.notify("simulate", "building and running the Verilated design", None)
        result = simulate(self.emitted, config=settings, work=out / "work")
        stressed = result.first_wrong is None
        vector = result.stress_wrong if stressed else result.first_wrong
        if vector is not None:
            self.notify("simulate", "writing the waveform of the first wrong answer", None)
            said = pipeline_waves(
                self.emitted, vector, work=waves, seed=settings.seed, timeout_s=settings.timeout_s, stressed=stressed
            )
            result = replace(result, problems=(*result.problems, said))
        write_json(out / "simulate.json", result.as_dict())
        require_exact(result)

    def _synth(self, out: Path) -> None:
        from codesign.accel import device
        from codesign.synth import synthesize

        for name in self.config.synth.devices:
            self.notify("synth", f"synthesising for {name}", None)
            report = synthesize(self.emitted, device(name), config=self.config.synth, work=out / name)
            write_json(out / f"{name}.json", asdict(report))
