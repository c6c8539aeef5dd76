"""The line of the engine family: a tiny build from data to report; what resumes, what is noticed, what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from killing import kill_in_training
from typer.testing import CliRunner

from codesign.accel.engine import EnginePoint, Refusal, compile_program, cycles
from codesign.accel.engine.check import check_program
from codesign.accel.engine.draw import draw_network, draw_point
from codesign.cli.app import app
from codesign.config import EngineBuildConfig, EngineConfig, dump_yaml, parse_build
from codesign.errors import CodesignError, ConfigError, DataError, MismatchError, RunError, SpaceError
from codesign.ir.integer import evaluate_integer
from codesign.line import EngineLine, Line, PipelineLine, new_line, open_run
from codesign.report import RunFacts, compare_runs, figures, summary_tables, write_report
from codesign.sweep import run_sweep
from codesign.verify import verify_run

TINY: dict[str, Any] = {
    "name": "tiny",
    "family": "engine",
    "seed": 1,
    "data": {"source": "digits"},
    "topology": {
        "input": [1, 8, 8],
        "bits": 3,
        "layers": [
            {"kind": "conv", "name": "stem", "channels": 8, "stride": 2},
            {"kind": "max_pool", "name": "pool", "kernel": 2},
            {"kind": "dense", "name": "answer"},
        ],
    },
    "train": {"epochs": 8, "batch_size": 64, "learning_rate": 0.01, "threads": 1, "tensorboard": False},
    "engine": {
        "pe": 4, "simd": 4, "weight_bits": 4, "activation_bits": 4, "weight_depth": 64, "bank_depth": 64,
        "param_depth": 16, "answer_depth": 16, "accumulator_bits": 16, "double_buffer": True,
    },
    "simulate": {"vectors": 25, "stress_vectors": 3, "toggles": 2},
    "synth": {"devices": []},
}  # fmt: skip


ANSWERS = '"answers": [\n  [\n   '
"""What stands before the first answer in vectors/program.json."""


def config(**changes: Any) -> EngineBuildConfig:
    return EngineBuildConfig.model_validate({**TINY, **changes})


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "build.yaml"
    path.write_text(dump_yaml({**TINY, **changes}))
    return path


def told(line: Line[Any]) -> list[str]:
    heard: list[str] = []
    line.notify = lambda stage, message, share: heard.append(f"{stage} {message}")
    return heard


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("engine_line") / "run"
    new_line(config(), run, folder=run.parent).build()
    return run


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


@pytest.mark.sim
def test_a_build_ends_with_equal_answers_and_equal_cycles(finished: Path) -> None:
    line = open_run(finished)
    assert isinstance(line, EngineLine)
    f, simulated = figures(finished), RunFacts(finished).simulation
    assert (f["vectors_checked"], f["vectors_mismatched"], f["stress_vectors"]) == (25, 0, 3)
    law = cycles(line.program, images=25)
    assert f["layer_cycles"] == f["layer_cycles_simulated"] == list(law.layers)
    assert f["latency_cycles"] == f["latency_cycles_simulated"] == cycles(line.program).total
    assert f["initiation_interval"] == f["initiation_interval_simulated"]
    assert simulated["all_images"] == {"name": "25 images", "predicted": law.total, "counted": law.total}
    assert simulated["stress"]["counted"] == simulated["stress"]["predicted"] > cycles(line.program, images=3).total
    guesses = evaluate_integer(line.network, line.images(line.data.x_test)).reshape(-1, 10).argmax(axis=1)
    assert f["accuracy_test"] == pytest.approx(float((guesses == line.data.y_test).mean()))
    assert f["accuracy_test"] > 0.6 and f["luts_synthesised"] is None and f["latency_ns"] is None


@pytest.mark.sim
def test_the_report_shows_them_side_by_side(finished: Path, tmp_path: Path) -> None:
    page = (finished / "report.html").read_text(encoding="utf-8")
    for word in ("stem", "pool", "cycles predicted", "cycles counted", "25 of 25", "every sum that a channel can have"):
        assert word in page
    assert 'class="wrong"' not in page, "a count that differs is marked"
    summary, layers = summary_tables(finished)
    cells = [list(column.cells) for column in layers.columns]
    assert cells[0] == ["stem", "pool", "answer", "all layers"] and cells[-1] == cells[-2]
    assert "simulated = exact model" in list(summary.columns[2].cells)
    table = compare_runs([finished, finished], tmp_path / "compare.html")
    assert table.row_count == 2 and "25/25" in list(table.columns[-1].cells)
    result = CliRunner().invoke(app, ["report", str(finished), "--json"], catch_exceptions=False)
    values = json.loads(result.stdout)
    assert values["family"] == "engine" and values["energy_toggle_images"] == 2
    activity = json.loads((finished / "6_simulate" / "activity.json").read_text())
    assert all(0 < activity["rates"][group] < 1 for group in ("array", "memories", "requantizer"))


@pytest.mark.sim
def test_a_wrong_count_is_shown_as_such(copy: Path) -> None:
    path = copy / "6_simulate" / "simulate.json"
    values = json.loads(path.read_text())
    values["layers"][0]["counted"] += 1
    path.write_text(json.dumps(values))
    with pytest.raises(RunError, match=r"simulate.json is not as its stage wrote it; run `cods resume"):
        figures(copy)
    restamp(copy, "6_simulate/simulate.json")
    write_report(copy)
    assert 'class="wrong"' in (copy / "report.html").read_text(encoding="utf-8")


@pytest.mark.sim
def test_the_emitted_folder_is_whole(finished: Path) -> None:
    design = finished / "5_emit" / "design"
    names = {path.relative_to(design).as_posix() for path in design.rglob("*") if path.is_file()}
    wanted = {"README.md", "Makefile", "design.json", "engine_top.core", "rtl/engine_top.v", "sim/engine_harness.cpp"}
    assert wanted | {"vectors/program.json", "vectors/script.txt", "sim/design.mk"} <= names
    golden = json.loads((design / "vectors" / "program.json").read_text())
    assert len(golden["answers"]) == 25
    assert json.loads((finished / "5_emit" / "emit.json").read_text())["lint"]["warnings"] == 0


@pytest.mark.sim
def test_what_is_there_is_kept_and_a_change_reaches_what_stands_to_its_right(copy: Path) -> None:
    line = open_run(copy)
    heard = told(line)
    line.build(until="simulate")
    assert [one for one in heard if one.endswith(("done", "kept"))] == [
        f"{stage} kept" for stage in ("data", "train", "extract", "compile", "emit", "simulate")
    ]
    other = config(engine={**TINY["engine"], "pipeline": 4})
    line = new_line(other, copy, folder=copy)
    heard = told(line)
    line.build(until="compile")
    assert "extract kept" in heard and "compile done" in heard
    before = json.loads((copy / "6_simulate" / "simulate.json").read_text())["layers"]
    after = json.loads((copy / "4_compile" / "compile.json").read_text())["layers"]
    assert [row["cycles"] - was["predicted"] for row, was in zip(after, before, strict=True)] == [2, 2, 2]
    assert figures(copy)["vectors_checked"] is None, "the simulation of another engine"


@pytest.mark.sim
@pytest.mark.parametrize("name", ["3_extract/network.npz", "5_emit/design/rtl/engine_core.v"])
def test_a_damaged_stage_is_named_and_made_again(copy: Path, name: str) -> None:
    path = copy / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match=f"{path.name} is not as stage .* wrote it; run `cods resume"):
        open_run(copy).stage_folder("extract" if name.startswith("3") else "emit")
    line = open_run(copy)
    heard = told(line)
    line.build(until="emit")
    assert any("is not as it was written: computing anew" in one for one in heard)
    assert path.read_bytes() == whole


@pytest.mark.sim
def test_kill_and_resume_end_with_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    build, run = write(tmp_path), tmp_path / "run"
    kill_in_training(build, run, until="compile")
    open_run(run).build(until="compile")
    for name in (
        "2_train/model.safetensors",
        "3_extract/network.npz",
        "3_extract/scores.json",
        "4_compile/compile.json",
    ):
        assert (run / name).read_bytes() == (finished / name).read_bytes()


def restamp(run: Path, name: str) -> None:
    """Make a finished stage's record say that the file `name` is as the stage wrote it."""
    from codesign.rundir import RunFolder, _file_digest

    stage, _, inside = name.partition("/")
    stamp = RunFolder(run).stamp(stage)
    assert stamp is not None
    stamp["files"][inside] = _file_digest(run / name)
    (run / stage / "stage.json").write_text(json.dumps(stamp))


def forge(run: Path, name: str, old: str, new: str) -> None:
    """Change a file of a finished stage, and the stage's record of it as well."""
    path = run / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    restamp(run, name)


@pytest.mark.sim
def test_verify_passes_a_good_run(finished: Path) -> None:
    checks = verify_run(open_run(finished), pairs=0)
    assert len(checks) == 6 and all(check.inputs > 0 for check in checks)
    assert checks[-1].inputs == 25


@pytest.mark.sim
@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("5_emit/design/rtl/engine_requantizer.v", ">>>", ">>", "engine_requantizer.v is not what the point gives"),
        ("5_emit/design/vectors/script.txt", "\nD 0 0 ", "\nD 1 0 ", "script.txt is not what the network gives"),
        (
            "5_emit/design/vectors/program.json",
            '"answers": [\n  [\n   ',
            '"answers": [\n  [\n   7',
            "program.json is not",
        ),
    ],
)
def test_verify_finds_what_was_forged(copy: Path, name: str, old: str, new: str, words: str) -> None:
    forge(copy, name, old, new)
    with pytest.raises(MismatchError, match=words):
        verify_run(open_run(copy), pairs=0)


@pytest.mark.sim
def test_verify_finds_a_network_that_is_not_the_model(copy: Path) -> None:
    from codesign.ir.integer_store import load_integer, save_integer
    from codesign.rundir import RunFolder, _file_digest

    path = copy / "3_extract" / "network.npz"
    network = load_integer(path)
    first = network.layers[0]
    assert first.requantize is not None
    first.requantize.biases[0] += 1 << first.requantize.shift
    save_integer(network, path)
    stamp = RunFolder(copy).stamp("3_extract")
    assert stamp is not None
    stamp["files"]["network.npz"] = _file_digest(path)
    (copy / "3_extract" / "stage.json").write_text(json.dumps(stamp))
    with pytest.raises(MismatchError, match="layer 'stem', channel 0"):
        verify_run(open_run(copy), pairs=0)


@pytest.mark.sim
def test_golden_answers_of_another_network_stop_the_simulation(copy: Path) -> None:
    shutil.rmtree(copy / "6_simulate")
    forge(copy, "5_emit/design/vectors/program.json", ANSWERS, ANSWERS + "7,\n   ")
    with pytest.raises(MismatchError, match="image 0 of 'tiny': the golden answers are not the network's"):
        open_run(copy).build(until="simulate")


# What is refused, before anything is trained.


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"engin": {}}, ["unknown key 'engin'", 'Did you mean "engine"?']),
        ({"engine": {**TINY["engine"], "lanes": 3}}, ["unknown key 'lanes'", "build.yaml:"]),
        ({"engine": {"pe": 4, "simd": 4}}, ["give weight_bits, activation_bits, or `default`"]),
        ({"engine": {"default": "xc7z020", "pe": 4}}, ["give either `default` or settings (here pe)"]),
        ({"engine": {**TINY["engine"], "pe": True}}, ["valid integer"]),
        ({"engine": {**TINY["engine"], "weights": "stream"}}, ["'resident' or 'streamed'"]),
        ({"family": "engines"}, ["must be one of pipeline, engine, not 'engines'", 'Did you mean "engine"?']),
        ({"passes": []}, ["unknown key 'passes'"]),
        ({"topology": {"preset": "cifar10-smal"}}, ["no network preset", 'Did you mean "cifar10-small"?']),
    ],
)
def test_a_bad_build_file_is_refused_with_its_line(tmp_path: Path, changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as problem:
        parse_build(write(tmp_path, **changes))
    for word in words:
        assert word in str(problem.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"engine": {**TINY["engine"], "pe": 3}}, "range: pe must be one of 1, 2, 4, 8, 16, 32, 64, not 3"),
        ({"engine": {**TINY["engine"], "pipeline": 9}}, "range: pipeline"),
        ({"engine": {**TINY["engine"], "weight_depth": 16}}, "weight_depth: all weights take"),
        ({"engine": {**TINY["engine"], "bank_depth": 8}}, "bank_depth: layer 'input'"),
        ({"engine": {**TINY["engine"], "pe": 16}}, "divisibility: layer 'stem': 8 channels must be a multiple"),
        ({"engine": {**TINY["engine"], "weight_bits": 2}}, "weight_bits: layer 'stem'"),
        ({"engine": {**TINY["engine"], "activation_bits": 2}}, "activation_bits: layer 'input'"),
        ({"engine": {"default": "ice40-up5k"}}, "default"),
        ({"data": {"source": "amplifier"}}, "is for classification"),
    ],
)
def test_an_engine_that_cannot_run_the_network_is_refused_before_training(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    run = tmp_path / "run"
    with pytest.raises(CodesignError, match=words):
        new_line(config(**changes), run, folder=tmp_path).build()
    assert not run.exists(), "nothing was begun"


def test_sums_that_need_more_bits_are_refused_by_layer(tmp_path: Path) -> None:
    line = new_line(config(engine={**TINY["engine"], "accumulator_bits": 8}), tmp_path / "run", folder=tmp_path)
    with pytest.raises(Refusal, match="accumulator: layer 'stem': sums reach .* accumulator_bits 8 holds -128 to 127"):
        line.build(until="compile")
    assert (tmp_path / "run" / "3_extract").is_dir() and not (tmp_path / "run" / "4_compile").exists()


def test_a_stage_of_another_family_is_said_plainly(tmp_path: Path) -> None:
    line = new_line(config(), tmp_path / "run", folder=tmp_path)
    with pytest.raises(ConfigError, match="one of data, train, .*compile.* family 'engine'.* not 'optimize'"):
        line.build(until="optimize")
    line.build(until="data")
    pipeline = {"name": "tiny", "topology": {"layers": [{"width": 10, "fan_in": 2, "bits": 2}]}}
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump(pipeline))
    other = new_line(parse_build(path), tmp_path / "run", folder=tmp_path)
    assert isinstance(other, PipelineLine)
    with pytest.raises(RunError, match="is a run of the family 'engine', not 'pipeline'"):
        other.build(until="data")
    with pytest.raises(ConfigError, match="--pairs is for runs of the family 'engine'"):
        verify_run(other, pairs=1)


def test_a_setting_that_is_left_out_has_the_engines_default() -> None:
    from codesign.accel import device
    from codesign.accel.engine.configured import configured_point
    from codesign.accel.engine.defaults import default_point

    point = configured_point(EngineConfig(pe=2, simd=2, weight_bits=4, activation_bits=4))
    assert point == EnginePoint(2, 2, 4, 4)
    assert set(EngineConfig.model_fields) - {"default"} == set(point.as_dict())
    assert configured_point(EngineConfig(default="xc7z020")) == default_point(device("xc7z020")).point
    with pytest.raises(SpaceError, match="range"):
        configured_point(EngineConfig(pe=2, simd=2, weight_bits=9, activation_bits=4))


def test_weights_out_of_range_are_named_by_layer(tmp_path: Path) -> None:
    from codesign.ir.integer_random import random_network
    from codesign.ir.integer_store import save_integer

    line = new_line(config(), tmp_path / "run", folder=tmp_path)
    assert isinstance(line, EngineLine)
    network = random_network(line.topology, seed=0)
    network.layers[0].weights[0, 0, 0, 0] = 100  # type: ignore[union-attr]
    with pytest.raises(Refusal, match="weight_bits: layer 'stem': weights are -7 to 100; weight_bits 4 holds -8 to 7"):
        compile_program(network, line.point)
    with pytest.raises(DataError, match=r"layer 'stem': the weight at \(0, 0, 0, 0\) is 100"):
        save_integer(network, tmp_path / "network.npz")


def test_a_program_that_is_not_its_network_is_found() -> None:
    rng = np.random.default_rng(4)
    point = draw_point(rng, accumulator_bits=32, weight_bits=4, activation_bits=4)
    network, images = draw_network(point, rng, layers=3)
    program = compile_program(network, point)
    assert check_program(program, network, images) > len(images)
    program.layers[-1].weights[0, 0] ^= 1
    with pytest.raises(MismatchError, match=f"layer '{program.layers[-1].name}', image"):
        check_program(program, network, images)


def test_a_sweep_over_engines_goes_past_a_point_that_cannot_be(tmp_path: Path) -> None:
    write(tmp_path, train={**TINY["train"], "epochs": 1})
    (tmp_path / "sweep.yaml").write_text("name: s\nbase: build.yaml\nuntil: compile\ngrid: {engine.pe: [4, 3]}\n")
    result = run_sweep(tmp_path / "sweep.yaml", tmp_path / "runs", notify=lambda *_: None)
    assert result.table.row_count == 1 and "cycles" in [str(column.header) for column in result.table.columns]
    assert result.failures == {"s_001": "Refusal: range: pe must be one of 1, 2, 4, 8, 16, 32, 64, not 3"}


@pytest.mark.synth
@pytest.mark.sim
def test_a_small_engine_is_synthesised(copy: Path) -> None:
    changes = {"devices": ["xc7a35t"], "place_and_route": False}
    new_line(config(synth=changes), copy, folder=copy).build()
    f = figures(copy)
    assert f["luts_synthesised"] > 300 and f["ffs_synthesised"] > 300
    assert f["device"] == "xc7a35t"
    assert (f["brams_synthesised"], f["dsps_synthesised"]) == (f["brams_estimated"], f["dsps_estimated"])
    assert f["luts_estimated"] == pytest.approx(f["luts_synthesised"], rel=0.5)
    assert f["energy_nj"] > 0 and f["default_digest"]
    page = (copy / "report.html").read_text(encoding="utf-8")
    assert "What the models say" in page and f["default_digest"][:16] in page
