"""Every example file parses, costs something and is described; the user's own CSV is what its formula makes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from codesign.cli.app import app
from codesign.config import BuildConfig, parse_build, parse_model, read_yaml
from codesign.config.search import SearchConfig
from codesign.line import new_line
from codesign.search.luts.run import lut_search_config
from codesign.sweep import SweepConfig, point_config, points, run_sweep

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
DOCUMENT = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
FILES = sorted(EXAMPLES.glob("*.yaml"))
SWEEPS = [path for path in FILES if path.stem.startswith("sweep_")]
SEARCHES = [path for path in FILES if path.stem.startswith("search_")]
BUILDS = [path for path in FILES if path not in SWEEPS and path not in SEARCHES]


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


@pytest.mark.parametrize("path", BUILDS, ids=names(BUILDS))
def test_a_build_parses_and_its_worst_case_is_known(path):
    config = parse_build(path)
    assert config.name == path.stem
    done = CliRunner().invoke(app, ["cost", str(path), "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    cost = json.loads(done.stdout)
    if config.family == "engine":
        assert sum(layer["cycles"] for layer in cost["layers"]) == cost["compute_cycles"] < cost["image_cycles"]
        assert all(0 < layer["utilisation"] <= 1 for layer in cost["layers"])
        return
    assert cost["luts"] > 0 and cost["table_bits"] > 0
    assert len(cost["layers"]) == len(config.topology.layers)


@pytest.mark.parametrize("path", SWEEPS, ids=names(SWEEPS))
def test_every_point_of_a_sweep_is_a_legal_build(path):
    sweep = parse_model(SweepConfig, path)
    assert sweep.name == path.stem
    base, _ = read_yaml(path.parent / sweep.base)
    grid = points(sweep)
    assert len(grid) == 8
    built = [point_config(base, point, sweep.name) for point in grid]
    shapes = {(c.topology.topology("t", inputs=64, answers=10, task="classification"), c.seed) for c in built}
    assert len(shapes) == 8, "two points of the grid are the same network"


@pytest.mark.parametrize("path", SEARCHES, ids=names(SEARCHES))
def test_a_search_parses(path):
    config = parse_model(SearchConfig, path)
    assert config.name == path.stem
    if config.family == "pipeline":
        asked = lut_search_config(config, folder=path.parent)
        hand = parse_build(EXAMPLES / f"{path.stem.removeprefix('search_')}.yaml")
        assert isinstance(hand, BuildConfig)
        assert (asked.train, asked.data, asked.options.inputs) == (hand.train, hand.data, hand.inputs)


@pytest.mark.parametrize("path", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_every_example_is_described(path):
    if path.name != "__pycache__":
        assert f"`examples/{path.name}`" in DOCUMENT


def test_the_csv_is_what_the_formula_makes():
    (formula,) = re.findall(r"```python\n(def rows.*?)```", DOCUMENT, re.DOTALL)
    space: dict[str, object] = {}
    exec(compile(formula, "docs/examples.md", "exec"), space)
    assert "\n".join(space["lines"]) + "\n" == (EXAMPLES / "own_data.csv").read_text(encoding="utf-8")  # type: ignore[arg-type]


def test_the_readme_shows_the_file_itself():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```yaml\n# examples/own_data.yaml.*?\n(.*?)```", readme, re.DOTALL)
    assert yaml.safe_load(shown) == yaml.safe_load((EXAMPLES / "own_data.yaml").read_text(encoding="utf-8"))


def test_own_data_builds_from_the_command_line(tmp_path):
    run = tmp_path / "own"
    env = {**os.environ, "OMP_NUM_THREADS": "1"}

    def cods(*arguments: object) -> str:
        command = [sys.executable, "-m", "codesign", *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    cods("build", EXAMPLES / "own_data.yaml", "--run", run, "--until", "optimize")
    figures = json.loads(cods("report", run, "--json"))
    assert figures["accuracy_test"] > 0.85
    assert figures["table_rows_checked"] > 0 and figures["vectors_checked"] is None
    words = json.loads((run / "1_data" / "data.json").read_text())
    assert words["class_names"] == ["hot", "normal", "stalled"] and words["rows"]["test"] == 96


@pytest.mark.slow
def test_the_sweep_trains_all_its_points(tmp_path):
    text = (EXAMPLES / "sweep_digits.yaml").read_text(encoding="utf-8")
    shorter = text.replace("base: ", f"base: {EXAMPLES}/").replace("[20]", "[2]") + "until: optimize\n"
    (tmp_path / "sweep.yaml").write_text(shorter)
    result = run_sweep(tmp_path / "sweep.yaml", tmp_path / "runs", notify=lambda *_: None)
    assert result.table.row_count == 8 and result.page.is_file() and not result.failures


@pytest.mark.slow
def test_the_trigger_learns_in_two_epochs(tmp_path, jets):
    config = parse_model(BuildConfig, EXAMPLES / "trigger.yaml")
    data = config.data.model_copy(update={"limit": 20000})
    train = config.train.model_copy(update={"epochs": 2, "tensorboard": False})
    line = new_line(config.model_copy(update={"data": data, "train": train}), tmp_path / "run", folder=EXAMPLES)
    line.build(until="optimize")
    assert line.optimized.encode is not None and line.optimized.encode.in_hardware
    scores = json.loads((line.run.path / "4_optimize" / "scores.json").read_text())
    assert scores["validation"]["accuracy"] > 0.5
