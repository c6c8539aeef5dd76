"""The line over a run folder: what is kept, what is made anew, what a kill leaves, what damage is named."""

import json
import shutil
from pathlib import Path

import pytest
from killing import kill_in_training

from codesign.config import BuildConfig, dump_yaml
from codesign.errors import CodesignError, ConfigError, RunError
from codesign.ir import evaluate
from codesign.line import Line, new_line, open_run
from codesign.report import figures


def stages_run(line: Line, until: str) -> list[str]:
    told: list[tuple[str, str]] = []
    line.notify = lambda stage, message, share: told.append((stage, message))
    line.build(until=until)
    return [stage for stage, message in told if message == "done"]


def copy(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "copy"))


def network_bytes(run: Path) -> dict[str, bytes]:
    files = ("2_train/model.safetensors", "3_extract/network.npz", "4_optimize/network.npz", "4_optimize/scores.json")
    return {name: (run / name).read_bytes() for name in files}


def test_equal_inputs_are_not_computed_twice(optimized_run, tmp_path):
    run = copy(optimized_run, tmp_path)
    assert stages_run(open_run(run), "optimize") == []


def test_a_change_reaches_what_stands_to_its_right(optimized_run, tmp_path):
    run = copy(optimized_run, tmp_path)
    config = open_run(run).config.model_copy(update={"passes": ["remove_unused"]})
    before = (run / "3_extract" / "network.npz").stat().st_mtime_ns
    assert stages_run(new_line(config, run, folder=tmp_path), "optimize") == ["optimize"]
    assert (run / "3_extract" / "network.npz").stat().st_mtime_ns == before


def test_same_seed_same_bytes_and_other_seed_other_tables(small_config, optimized_run, tmp_path):
    again = tmp_path / "again"
    new_line(small_config, again, folder=tmp_path).build(until="optimize")
    assert network_bytes(again) == network_bytes(optimized_run)
    other = tmp_path / "other"
    new_line(small_config.model_copy(update={"seed": 4}), other, folder=tmp_path).build(until="extract")
    assert (other / "3_extract/network.npz").read_bytes() != network_bytes(again)["3_extract/network.npz"]


def test_accuracy_is_that_of_the_tables(optimized_run):
    line = open_run(optimized_run)
    answers = evaluate(line.optimized, line.data.x_test)[:, 0]
    assert figures(optimized_run)["accuracy_test"] == pytest.approx(float((answers == line.data.y_test).mean()))
    assert figures(optimized_run)["accuracy_test"] > 0.3
    assert figures(optimized_run)["vectors_checked"] is None


def test_stage_needs_what_stands_to_its_left(small_config, tmp_path):
    with pytest.raises(RunError, match="no finished stage 3_extract.*cods resume"):
        _ = new_line(small_config, tmp_path, folder=tmp_path).extracted
    with pytest.raises(ConfigError, match="stage must be one of"):
        new_line(small_config, tmp_path, folder=tmp_path).build(until="everything")
    with pytest.raises(RunError, match="not a run folder"):
        open_run(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["3_extract/network.npz", "2_train/model.safetensors"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "remove"])
def test_a_damaged_stage_is_named_and_made_again(optimized_run, tmp_path, name, damage):
    run = copy(optimized_run, tmp_path)
    path = run / name
    whole = path.read_bytes()
    content = bytearray(whole)
    if damage == "truncate":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[len(content) // 2] ^= 0x10
        path.write_bytes(content)
    else:
        path.unlink()
    with pytest.raises(RunError, match=f"{path.name} is not as stage .* wrote it; run `cods resume"):
        open_run(run).stage_folder("train" if name.startswith("2") else "extract")
    told: list[str] = []
    open_run(run, notify=lambda stage, message, share: told.append(message)).build(until="optimize")
    assert f"{path.name} is not as it was written: computing anew" in told
    assert path.read_bytes() == whole
    assert (run / "4_optimize/network.npz").read_bytes() == (optimized_run / "4_optimize/network.npz").read_bytes()


def test_a_run_keeps_its_name_and_its_figures_their_configuration(small_config, optimized_run, tmp_path):
    run = copy(optimized_run, tmp_path)
    other = small_config.model_copy(update={"name": "other"})
    with pytest.raises(RunError, match="is the run of 'small', not of 'other'"):
        new_line(other, run, folder=tmp_path).build(until="data")
    assert figures(run)["accuracy_test"] is not None
    settings = run / "config.yaml"
    settings.write_text(settings.read_text().replace("seed: 3", "seed: 4", 1))
    with pytest.raises(RunError, match="config.yaml was changed since the last build; run `cods resume"):
        figures(run)
    open_run(run).build(until="data")
    assert figures(run)["seed"] == 4
    assert figures(run)["accuracy_test"] is None, "the network of another seed"


def test_kill_and_resume_end_with_the_same_bytes(small_config, optimized_run, tmp_path):
    config = tmp_path / "small.yaml"
    config.write_text(dump_yaml(small_config.model_dump(mode="json")))
    run = tmp_path / "run"
    kill_in_training(config, run, until="optimize")
    open_run(run).build(until="optimize")
    assert network_bytes(run) == network_bytes(optimized_run)


def test_full_disk_keeps_finished_stages(small_config, optimized_run, tmp_path, monkeypatch):
    run = copy(optimized_run, tmp_path)
    shutil.rmtree(run / "4_optimize")
    from codesign.line import pipeline as module

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save", full)
    with pytest.raises(RunError, match="disk is full"):
        open_run(run).build(until="optimize")
    monkeypatch.undo()
    open_run(run).build(until="optimize")
    assert network_bytes(run) == network_bytes(optimized_run)


def test_changed_data_is_noticed(tmp_path):
    rows = ["a,b,label"] + [f"{i % 7},{(3 * i) % 5},{'xyz'[i % 3]}" for i in range(120)]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(rows) + "\n")
    config = BuildConfig.model_validate(
        {
            "name": "own",
            "data": {"source": "file", "path": "table.csv", "target": "label"},
            "topology": {"input_bits": 2, "layers": [{"width": 3, "fan_in": 2, "bits": 3}]},
            "train": {"epochs": 1, "batch_size": 32, "threads": 1, "tensorboard": False},
        }
    )
    run = tmp_path / "run"
    new_line(config, run, folder=tmp_path).build(until="extract")
    assert stages_run(open_run(run), "extract") == []
    table.write_text("\n".join(rows[:-1] + ["6,4,x"]) + "\n")
    assert stages_run(open_run(run), "extract") == ["data", "train", "extract"]


def test_manifest_records_versions_and_seed(optimized_run):
    manifest = json.loads((optimized_run / "manifest.json").read_text())
    assert manifest["seed"] == 3
    assert manifest["versions"]["torch"] != "absent"


def test_unknown_pass_is_refused(small_config, tmp_path):
    config = small_config.model_copy(update={"passes": ["remove_unuse"]})
    with pytest.raises(CodesignError, match="Did you mean"):
        new_line(config, tmp_path, folder=tmp_path).build(until="optimize")
