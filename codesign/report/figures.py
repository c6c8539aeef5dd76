"""The figures of a run as plain values: what the report prints and what `cods report --json` gives to scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.accel.engine.estimates import scaled_energy
from codesign.config import read_yaml
from codesign.errors import RunError
from codesign.ir import Codes, LutNetwork
from codesign.rundir import RunFolder, digest_json, read_json, read_manifest

__all__ = ["RunFacts", "figures", "score", "score_classes"]


def score(network: LutNetwork, answers: Codes, wanted: NDArray[Any], *, class_count: int) -> dict[str, Any]:
    """Score answer codes (samples, outputs) against labels (samples,) or targets (samples, outputs).

    Classification: accuracy and the confusion matrix (rows true, columns answered). Regression: mean squared
    error, in the targets' own units, and normalised mean square error in dB.
    """
    if class_count:
        return score_classes(answers[:, 0], wanted, classes=class_count)
    decide = network.decide
    scale, offset = (decide.scale, decide.offset) if decide is not None else (1.0, 0.0)
    columns = [fmt.values(answers[:, i]) for i, fmt in enumerate(network.outputs)]
    values = offset + scale * np.stack(columns, axis=1).astype(np.float64)
    error = float(np.mean((values - wanted) ** 2))
    power = float(np.mean(np.square(wanted, dtype=np.float64)))
    nmse = 10.0 * float(np.log10(max(error, 1e-300) / max(power, 1e-300)))
    return {"rows": len(wanted), "mse": error, "nmse_db": nmse}


def score_classes(guesses: NDArray[Any], wanted: NDArray[Any], *, classes: int) -> dict[str, Any]:
    """Score class indices (samples,) against labels: accuracy and the confusion matrix (rows true, columns guessed)."""
    answered, labels = guesses.astype(np.int64), wanted.astype(np.int64)
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (labels, answered), 1)
    return {"rows": len(labels), "accuracy": float((answered == labels).mean()), "confusion": confusion.tolist()}


class RunFacts:
    """Reads what the finished stages of a run folder wrote.

    A stage that is absent, that the run's family does not have, or that was made from another configuration than the
    run's, reads as None. A config.yaml that was edited since the last build is a RunError, and so is a stage with a
    file that is not as it was written.
    """

    def __init__(self, run: Path):
        self.run = run
        if not (run / "config.yaml").is_file():
            raise RunError(f"{run} is not a run folder (no config.yaml); make one with `cods build CONFIG --run {run}`")
        self.config: dict[str, Any] = read_yaml(run / "config.yaml")[0]
        self.manifest: dict[str, Any] = read_manifest(run)
        if digest_json(self.config) != self.manifest["config_digest"]:
            raise RunError(f"{run / 'config.yaml'} was changed since the last build; run `cods resume {run}`")
        self.family: str = self.manifest.get("family", "pipeline")
        for stage in self.manifest["keys"]:
            if self._current(stage) and (changed := RunFolder(run).damage(stage)):
                raise RunError(
                    f"{changed} is not as its stage wrote it; run `cods resume {run}`, which computes it anew"
                )
        self.data = self._read("1_data/data.json")
        self.training = self._read("2_train/train.json")
        self.history = self._read("2_train/history.json")
        self.extraction = self._read("3_extract/extract.json")
        self.passes = self._read("4_optimize/passes.json")
        self.compiled = self._read("4_compile/compile.json")
        self.scores = self._read("4_optimize/scores.json" if self.family == "pipeline" else "3_extract/scores.json")
        self.layers = self._read("4_optimize/layers.json")
        self.design = self._read("5_emit/design/design.json")
        self.emission = self._read("5_emit/emit.json")
        self.simulation = self._read("6_simulate/simulate.json")
        self.activity = self._read("6_simulate/activity.json")
        self.estimates: dict[str, Any] = self._read("7_synth/estimates.json") or {}
        if self.activity:
            for one in self.estimates.values():
                if "energy" in one:
                    one["energy"] = scaled_energy(one["energy"], self.activity["rates"])
        self.synthesis: dict[str, Any] = {
            name: report
            for name in self.config["synth"]["devices"]
            if (report := self._read(f"7_synth/{name}.json")) is not None
        }

    def _read(self, relative: str) -> Any:
        path = self.run / relative
        return read_json(path) if path.is_file() and self._current(relative.split("/")[0]) else None

    def _current(self, folder: str) -> bool:
        """Whether a stage was made from the run's configuration and data."""
        stamp = self.run / folder / "stage.json"
        return stamp.is_file() and read_json(stamp)["key"] == self.manifest["keys"][folder]

    def seconds(self) -> dict[str, float]:
        """Wall seconds of every finished stage."""
        stamps = [s for s in sorted(self.run.glob("[0-9]_*/stage.json")) if self._current(s.parent.name)]
        return {stamp.parent.name[2:]: read_json(stamp)["seconds"] for stamp in stamps}

    @property
    def headline(self) -> dict[str, Any] | None:
        """The synthesis report of the first device that was synthesised."""
        return next((r for r in self.synthesis.values() if r["luts"] is not None), None)

    @property
    def routed(self) -> dict[str, Any] | None:
        """The synthesis report of the first device with a placed-and-routed clock."""
        return next((r for r in self.synthesis.values() if r["fmax_mhz"] is not None), None)


def figures(run: Path) -> dict[str, Any]:
    """Return the figures of a run as one flat mapping; a figure that was not computed is None.

    The keys are documented in docs/report.md and stay stable. Resources are those of the first device of
    `synth.devices`; Fmax, latency_ns and the area-delay product are of one and the same routed device.
    """
    facts = RunFacts(run)
    if facts.family == "engine":
        from codesign.report.engine_figures import engine_figures

        return engine_figures(facts)
    out: dict[str, Any] = {
        "name": facts.config["name"],
        "seed": facts.config["seed"],
        "data": facts.data and facts.data["name"],
        "task": facts.data and facts.data["task"],
    }
    for split in ("train", "validation", "test"):
        for key in ("accuracy", "mse", "nmse_db"):
            out[f"{key}_{split}"] = facts.scores[split].get(key) if facts.scores else None
    layers = facts.layers
    out["table_bits"] = sum(row["table_bits"] for row in layers) if layers else None
    out["luts_worst_case"] = sum(row["luts_worst_case"] for row in layers) if layers else None
    out["luts_worst_case_optimized"] = sum(row["luts_worst_case_optimized"] for row in layers) if layers else None
    out["table_rows_checked"] = facts.extraction and facts.extraction["rows_checked"]
    out["verilog_bytes"] = facts.emission and facts.emission["verilog_bytes"]
    head, routed = facts.headline, facts.routed
    out["device"] = head and head["device"]
    for key in ("luts", "ffs", "muxes", "carries", "brams", "dsps", "depth"):
        out[f"{key}_synthesised"] = head and head[key]
    out["device_routed"] = routed and routed["device"]
    out["luts_routed_device"] = routed and routed["luts"]
    out["fmax_routed_mhz"] = routed and routed["fmax_mhz"]
    out["latency_cycles"] = facts.design and facts.design["latency_cycles"]
    out["initiation_interval"] = facts.design and facts.design["initiation_interval"]
    simulated = facts.simulation
    out["latency_cycles_simulated"] = simulated and simulated["latency_cycles"]
    out["initiation_interval_simulated"] = simulated and simulated["initiation_interval"]
    out["latency_ns"] = routed and routed["latency_ns"]
    out["area_delay_lut_ns"] = routed and routed["area_delay_lut_ns"]
    out["vectors_checked"] = simulated and simulated["vectors_checked"]
    out["vectors_mismatched"] = simulated and simulated["vectors_mismatched"]
    tables = simulated and simulated.get("tables")
    out["addresses_reached"] = tables and tables["reached"]
    out["addresses_possible"] = tables and tables["possible"]
    for name, report in facts.synthesis.items():
        for key in ("status", "luts", "ffs", "fmax_mhz", "latency_ns"):
            out[f"{name}.{key}"] = report[key]
    for stage, seconds in facts.seconds().items():
        out[f"seconds_{stage}"] = seconds
    return out
