"""`cods search` of LUT networks: from a file to a folder with result and report; what says nothing here is refused."""

import json
from pathlib import Path

import lut_toys as toys
import pytest
from typer.testing import CliRunner

from codesign.cli.app import app
from codesign.config.search import SearchConfig
from codesign.errors import ConfigError, RunError
from codesign.report.lut_search_page import lut_search_table
from codesign.rundir import is_search
from codesign.search.loop import open_search, run_search
from codesign.search.luts.run import lut_search_config

SPACE = """\
name: digits-luts
kind: tables
inputs: 64
answers: 10
input_bits: [1]
depth: [0, 1]
layers:
  - {width: [24, 48], fan_in: [4], bits: [1], neuron: lut}
last: {fan_in: [4], bits: [1], neuron: lut, terms: [3, 6]}
sparsity: [learned]
max_address_bits: 6
"""

FILE = {
    "name": "toy",
    "family": "pipeline",
    "device": "xcvu9p",
    "objective": {"figure": "accuracy", "limits": {"luts": 400, "cycles": 6}},
    "hardware": {"space": "pipeline"},
    "network": {
        "space": "space.yaml",
        "options": {"epochs": 1, "rungs": [], "finalists": 1, "drawn": 4, "fill": 0, "inputs": {"thresholds": [8]}},
    },
    "data": {"source": "digits", "limit": 400},
    "train": {"epochs": 1, "threads": 1, "sparsity": {"method": "learned"}},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "space.yaml").write_text(SPACE)
    return tmp_path


def _changed(**sections: dict[str, object]) -> SearchConfig:
    return SearchConfig.model_validate(
        {name: {**part, **sections[name]} if name in sections else part for name, part in FILE.items()}
    )


def test_a_search_leaves_result_and_report(folder):
    said: list[str] = []
    config = SearchConfig.model_validate(FILE)
    result = run_search(config, folder / "run", folder=folder, runner=toys.FakeRunner([300]), tell=said.append)
    assert json.loads((folder / "run" / "result.json").read_text()) == json.loads(json.dumps(result))
    page = (folder / "run" / "report.html").read_text()
    assert "90.00 %" in page and "synthesised" in page and "steps exceeded a limit" in page
    table = lut_search_table(result)
    assert "the network that was found" in str(table.title) and table.row_count >= 6
    assert is_search(folder / "run") and open_search(folder / "run")[0] == config
    assert any("super-network" in line for line in said) and any("building 1 network in full" in line for line in said)
    with pytest.raises(RunError, match="is the search 'toy', not of the search 'other'"):
        other = config.model_copy(update={"name": "other"})
        run_search(other, folder / "run", folder=folder, runner=toys.FakeRunner([300]))


def test_the_smallest_network_is_told_with_the_accuracy_that_was_asked_for(folder):
    config = _changed(objective={"figure": "luts"}, network={**FILE["network"], "within": 5.0})
    runner = toys.SizedRunner(lambda luts: 0.5 + luts / 100)
    result = run_search(config, folder / "run", folder=folder, runner=runner)
    assert result["least_validation_accuracy"] == pytest.approx(
        result["finalists"][0]["figures"]["accuracy_validation"] - 0.05
    )
    page = (folder / "run" / "report.html").read_text()
    assert "% or more" in page and "Asked for was the smallest network of at least" in page
    assert len(result["finalists"]) > 1 and "not accurate enough" in page


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"objective": {"figure": "edp"}}, "objective.figure must be accuracy or luts"),
        ({"objective": {"limits": {}}}, "objective.limits: a search of LUT networks needs a limit"),
        ({"network": {"method": "evolution"}}, "network.method must be gradient"),
        ({"hardware": {"space": "engine"}}, "hardware.space must be pipeline"),
        ({"network": {"options": {"epoch": 1}}}, "network.options.epoch: Extra inputs"),
    ],
)
def test_what_says_nothing_here_is_refused(folder, sections, message):
    with pytest.raises(ConfigError, match=message):
        lut_search_config(_changed(**sections), folder=folder)


def test_the_command_says_what_is_wrong(folder):
    import yaml

    (folder / "search.yaml").write_text(yaml.safe_dump({**FILE, "objective": {"figure": "edp", "limits": {"luts": 4}}}))
    done = CliRunner().invoke(app, ["search", str(folder / "search.yaml"), "--run", str(folder / "run")])
    assert done.exit_code != 0 and not (folder / "run" / "result.json").exists()
