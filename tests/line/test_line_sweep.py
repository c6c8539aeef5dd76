"""A sweep builds the points of its grid, compares them, and goes past a point that cannot be built."""

import json
from types import SimpleNamespace

import pytest

from codesign.cli.progress import StageProgress
from codesign.config import dump_yaml
from codesign.errors import ConfigError
from codesign.line import new_line
from codesign.report import compare_runs
from codesign.sweep import run_sweep


@pytest.fixture
def sweep(small_config, tmp_path):
    """Write a sweep over the small build; return its file."""

    def write(grid: str):
        (tmp_path / "base.yaml").write_text(dump_yaml(small_config.model_dump(mode="json")))
        text = f"name: s\nbase: base.yaml\nuntil: optimize\ngrid: {grid}\n"
        (tmp_path / "sweep.yaml").write_text(text)
        return tmp_path / "sweep.yaml"

    return write


def columns(table) -> dict[str, list[str]]:
    return {str(column.header): [str(cell) for cell in column.cells] for column in table.columns}


def test_points_are_built_and_compared(sweep, tmp_path):
    path = sweep("{topology.layers.*.fan_in: [2, 30], seed: [1, 2], train.epochs: [1]}")
    said = []
    result = run_sweep(path, tmp_path / "runs", notify=lambda stage, text, _: said.append((stage, text)))
    shown = columns(result.table)
    assert shown["run"] == ["s_000", "s_001"] and shown["seed"] == ["1", "2"] and shown["fan_in"] == ["2", "2"]
    assert "epochs" not in shown, "what is the same at every point needs no column"
    assert "Fmax MHz" not in shown and "Fmax MHz" in str(result.table.caption)
    assert set(result.failures) == {"s_002", "s_003"} and "TableTooLarge" in result.failures["s_002"]
    assert ("sweep", "2 of 4, s_001: topology.layers.*.fan_in 2, seed 2") in said
    assert "fan_in" in result.page.read_text()
    record = json.loads((tmp_path / "runs" / "sweep.json").read_text())
    assert [("error" in point) for point in record["points"]] == [False, False, True, True]


def test_a_key_that_reaches_nothing_is_refused(sweep, tmp_path, small_config):
    path = sweep("{topology.layers.*.fan_in: [2, 3]}")
    one = small_config.model_dump(mode="json")
    one["topology"]["layers"] = one["topology"]["layers"][-1:]
    (tmp_path / "base.yaml").write_text(dump_yaml(one))
    with pytest.raises(ConfigError, match="every item but the last, and there is only one"):
        run_sweep(path, tmp_path / "runs", notify=lambda *_: None)


def test_labels_tell_keys_apart(small_config, optimized_run, tmp_path):
    points = {
        "small": {"topology.layers.0.fan_in": 3, "topology.layers.1.fan_in": 4, "train.sparsity.method": "random"}
    }
    table = compare_runs([optimized_run], tmp_path / "compare.html", points=points)
    assert {"0.fan_in", "1.fan_in", "sparsity.method"} <= set(columns(table))


def test_progress_keeps_what_a_sweep_says_and_counts_silent_work(capsys, monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("codesign.cli.progress.time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    with StageProgress() as progress:  # started at 10
        progress.notify("sweep", "1 of 2, a: seed 1", None)  # 20
        progress.notify("train", "epoch 1", 1.0)
        progress.notify("train", "done", 1.0)  # 30: the epoch before the first message counts
    said = capsys.readouterr().err
    assert "1 of 2, a: seed 1" in said and "train         10.0 s" in said


def test_line_is_silent_without_a_listener(small_config, tmp_path, capsys):
    new_line(small_config, tmp_path / "run", folder=tmp_path).build(until="data")
    assert capsys.readouterr() == ("", "")


def test_an_unknown_key_is_refused_before_anything_is_built(sweep, tmp_path):
    path = sweep("\n  seed: [1]\n  train.epoch: [1, 2]")
    with pytest.raises(ConfigError, match=r"sweep.yaml:6: grid key 'train.epoch': unknown key 'epoch'. Did you mean"):
        run_sweep(path, tmp_path / "runs", notify=lambda *_: None)
    assert not (tmp_path / "runs").exists()
