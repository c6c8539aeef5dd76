"""`cods search` of LUT networks: from a file to a folder with result and report; what says nothing here is refused."""

import json
from pathlib import Path

import lut_toys as toys
import pytest
from typer.testing import CliRunner

from codesign.cli.app import app
from codesign.config.search import SearchConfig
from codesign.errors import CodesignError, ConfigError, RunError
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
    whole = {**{name: {} for name in sections}, **FILE}
    return SearchConfig.model_validate(
        {name: {**part, **sections[name]} if name in sections else part for name, part in whole.items()}
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
        ({"network": {"options": {"epoch": 1}}}, "network.options.epoch: unknown key 'epoch'. Did you"),
        (
            {"objective": {"limits": {"latency": 50}}},
            "objective.limits: no figure 'latency' of a LUT network.* Known: luts",
        ),
        ({"objective": {"limits": {"lut": 50}}}, 'Did you mean "luts"'),
        ({"realise": {"synth": False}}, "realise.synth: means nothing with family pipeline"),
        ({"hardware": {"method": "genetic"}}, "hardware.method: means nothing with family pipeline"),
        ({"loop": {"rounds": 9}}, "loop.rounds: means nothing"),
        ({"network": {"reference": "x"}}, "network.reference: means nothing"),
    ],
)
def test_what_says_nothing_here_is_refused(folder, sections, message):
    with pytest.raises(ConfigError, match=message):
        lut_search_config(_changed(**sections), folder=folder)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"objective": {"limits": {"luts": 20}}}, "luts at most 20 .*the least is .*Raise the limit on luts"),
        ({"objective": {"limits": {"cycles": 1}}}, "cycles at most 1: .* exceed it.*Raise the limit on cycles"),
        ({"objective": {"limits": {"luts": 400, "address_bits": 3}}}, "address bits; the limit is 3"),
        ({"network": {"space": "linear.yaml"}}, "neuron must be lut"),
        ({"data": {"source": "digit"}}, "digit"),
        ({"device": "ecp5-85f"}, "ecp5"),
    ],
)
def test_what_cannot_end_well_leaves_nothing_behind(folder, sections, message):
    (folder / "linear.yaml").write_text(SPACE.replace("neuron: lut", "neuron: linear"))
    changed = {**sections, "network": {**FILE["network"], **sections.get("network", {})}}
    plain = {**FILE, **{name: part for name, part in changed.items() if name != "objective"}}
    if "objective" in sections:
        plain["objective"] = {**FILE["objective"], **sections["objective"]}
    with pytest.raises(CodesignError, match=message):
        run_search(SearchConfig.model_validate(plain), folder / "run", folder=folder)
    assert not (folder / "run").exists()


def test_a_limit_that_all_networks_are_far_below_is_kept(folder):
    """`fill` asks for three quarters of the limit: where no network has so much, of the largest one."""
    options = {**FILE["network"]["options"], "fill": 0.75}
    config = _changed(objective={"limits": {"luts": 50_000}}, network={**FILE["network"], "options": options})
    result = run_search(config, folder / "run", folder=folder, runner=toys.FakeRunner([300]))
    assert result["point"]["last_terms"] == 6 and result["logged_steps_over_a_limit"] == 0


def test_the_command_says_what_is_wrong(folder):
    import yaml

    (folder / "search.yaml").write_text(yaml.safe_dump({**FILE, "objective": {"figure": "edp", "limits": {"luts": 4}}}))
    done = CliRunner().invoke(app, ["search", str(folder / "search.yaml"), "--run", str(folder / "run")])
    assert done.exit_code != 0 and not (folder / "run" / "result.json").exists()
