"""Jobs: keys, outcomes as JSON, the runner in this process, the kinds that ship, and figures that cannot win."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import board_toys as toys
import numpy as np
import pytest
import yaml

from codesign.accel.family import Figure
from codesign.errors import ConfigError, DataError, MismatchError, RunError, ToolFailed
from codesign.search.job_kinds import _line_figures
from codesign.search.jobs import Job, LocalRunner, Outcome, perform

POINT = {
    "pe": 4,
    "simd": 4,
    "weight_bits": 4,
    "activation_bits": 4,
    "weight_depth": 1024,
    "bank_depth": 128,
    "double_buffer": True,
}
ENGINE = {
    "topology": {
        "input": [3, 8, 8],
        "layers": [{"kind": "conv", "channels": 8, "stride": 2}, {"kind": "dense", "channels": 10}],
    },
    "point": POINT,
    "device": "ecp5-85f",
    "seed": 3,
}


def test_key_is_that_of_the_content():
    one = Job("line", {"b": [1, 2.5], "a": {"x": None, "y": True}})
    same = Job("line", {"a": {"y": True, "x": None}, "b": (1, 2.5)})
    assert one == same and hash(one) == hash(same) and len(one.key) == 64
    assert one.key == Job(**json.loads(json.dumps(one.as_dict()))).key
    others = [Job("random_engine", one.spec), Job("line", {**one.spec, "b": [1, 2]}), Job("line", {})]
    assert len({one, *others}) == 4


@pytest.mark.parametrize("bad", [{"x": float("nan")}, {"x": np.int64(3)}, {"x": Path("a")}, {"x": {1}}])
def test_spec_must_be_plain(bad):
    with pytest.raises(ConfigError, match="must be plain JSON"):
        Job("line", bad)


def test_outcome_as_json():
    figures = {"cycles": Figure(12.0, "cycles", "simulated"), "edp": Figure(0.1, "nJ us", "model energy")}
    found = Outcome(Job("line", {"build": {}}), "done", figures, "", "host-1", 1.5, "/jobs/a")
    assert Outcome.from_dict(json.loads(json.dumps(found.as_dict()))) == found
    for change in ({"state": "won"}, {"figures": {"cycles": [1]}}, {"job": {}}, {"seconds": None}):
        with pytest.raises(DataError, match="not an outcome"):
            Outcome.from_dict({**found.as_dict(), **change})


def test_local_runner_remembers(tmp_path):
    log = tmp_path / "log"
    jobs = [toys.toy(2, log), toys.toy(3, log, do="raise"), toys.toy(2, log), toys.toy(4, log, do="nan")]
    found = LocalRunner(tmp_path / "runs").evaluate(jobs)
    assert [one.state for one in found] == ["done", "failed", "done", "failed"]
    assert found[0].figures == {"y": Figure(4.0, "units", "exact")}
    assert found[1].reason.endswith("ValueError: no such thing") and "board_toys.py" in found[1].reason
    assert Path(found[0].folder).is_dir()
    assert LocalRunner(tmp_path / "runs").evaluate(jobs) == found
    assert toys.begun(log) == [2, 3, 4]


def test_machine_is_not_the_job(tmp_path, monkeypatch):
    """A full disk, or a tool that is missing, is raised and not remembered."""

    def full(self: toys.Toy, spec: Any, folder: Path) -> dict[str, Figure]:
        raise RunError("the disk is full")

    job = toys.toy(1, tmp_path / "log")
    with monkeypatch.context() as patch:
        patch.setattr(toys.Toy, "perform", full)
        with pytest.raises(RunError, match="full"):
            LocalRunner(tmp_path / "runs").evaluate([job])
    assert LocalRunner(tmp_path / "runs").evaluate([job])[0].done


def test_unknown_kinds(tmp_path):
    found = LocalRunner(tmp_path).evaluate([Job("lines", {}), Job("board_toys:Postgres", {}), Job("no.such:Kind", {})])
    assert [one.state for one in found] == ["failed"] * 3
    assert 'Did you mean "line"' in found[0].reason
    assert "must be a subclass of codesign.search.jobs.JobKind" in found[1].reason
    assert "cannot import 'no.such'" in found[2].reason


@pytest.mark.parametrize(
    "kind, change, reason",
    [
        ("random_engine", {"pointt": {}}, "spec: pointt: Extra inputs"),
        ("random_engine", {"device": "ecp5-86f"}, 'Did you mean "ecp5-85f"'),
        ("random_engine", {"point": {**POINT, "weight_depth": 16}}, "weight_depth: all weights take 114 words"),
        ("random_engine", {"point": {**POINT, "pe": 3}}, "range: pe must be one of"),
        ("random_engine", {"topology": {"layers": [{"kind": "dense"}]}}, "topology.input: give channels"),
        ("line", {"build": {"name": "a", "family": "engines"}}, 'Did you mean "engine"'),
        ("line", {"build": {"name": "a", "epochs": 3}}, "build: topology: Field required"),
    ],
)
def test_specs_that_cannot_be_built(tmp_path, kind, change, reason):
    """They are failed jobs with the reason, found before anything is generated or trained."""
    spec = {**(ENGINE if kind == "random_engine" else {}), **change}
    (found,) = LocalRunner(tmp_path).evaluate([Job(kind, spec)])
    assert (found.state, dict(found.figures)) == ("failed", {})
    assert reason in found.reason, found.reason


def told(**change: Any) -> dict[str, Any]:
    figures = {"vectors_checked": 10, "vectors_mismatched": 0, "device": "ecp5-25f", "device_routed": None}
    figures |= {"latency_cycles": 4, "latency_cycles_simulated": 4}
    figures |= {"initiation_interval": 1, "initiation_interval_simulated": 1}
    return {**figures, "luts_synthesised": 5, "ecp5-25f.status": "done", **change}


def test_line_that_cannot_win():
    """A design that does not fit, differs in an answer or in its cycles gives no figures."""
    assert _line_figures(told())["luts"] == Figure(5.0, "LUTs", "synthesised")
    with pytest.raises(ToolFailed, match="does not fit"):
        _line_figures(told(**{"ecp5-25f.status": "does not fit"}))
    with pytest.raises(MismatchError, match="2 of 10 vectors"):
        _line_figures(told(vectors_mismatched=2))
    with pytest.raises(MismatchError, match="latency_cycles: the law says 4, the simulation counted 5"):
        _line_figures(told(latency_cycles_simulated=5))


def test_line_clock_of_another_device():
    """A clock counts only if it is of the device whose resources are told."""
    routed = {"fmax_routed_mhz": 300.0, "latency_ns": 13.3}
    assert "fmax_mhz" not in _line_figures(told(device_routed="ecp5-85f", **routed))
    found = _line_figures(told(device_routed="ecp5-25f", **routed))
    assert found["fmax_mhz"] == Figure(300.0, "MHz", "routed")
    assert found["latency_us"].value == pytest.approx(0.0133)


@pytest.mark.slow
@pytest.mark.sim
@pytest.mark.synth
def test_random_engine(tmp_path):
    figures = perform(Job("random_engine", ENGINE), tmp_path)
    assert figures["cycles"].origin == "simulated" and figures["cycles_predicted"].origin == "exact"
    assert figures["cycles"].value == figures["cycles_predicted"].value
    assert figures["interval"].value == figures["interval_predicted"].value
    assert figures["vectors_mismatched"].value == 0 and figures["vectors_checked"].value == 4
    assert figures["brams"].value == figures["brams_predicted"].value
    assert figures["luts"].origin == "synthesised" and figures["luts_predicted"].origin == "estimated"


@pytest.mark.slow
@pytest.mark.sim
@pytest.mark.synth
def test_line(tmp_path):
    build = yaml.safe_load((Path(__file__).parents[2] / "examples" / "digits.yaml").read_text())
    build["train"]["epochs"] = 2
    build["simulate"] = {"cocotb": False}
    build["synth"] = {"devices": ["ecp5-25f"], "place_and_route": False}
    (found,) = LocalRunner(tmp_path).evaluate([Job("line", {"build": build, "until": "synth"})])
    assert found.done, found.reason
    assert found.figures["accuracy_test"].origin == "exact" and found.figures["accuracy_test"].value > 0.5
    assert found.figures["cycles"] == Figure(4.0, "cycles", "simulated")
    assert found.figures["luts"].origin == "synthesised" and "fmax_mhz" not in found.figures
    assert (Path(found.folder) / "5_emit" / "design" / "design.json").is_file()
