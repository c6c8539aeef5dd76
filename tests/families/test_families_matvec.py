"""A family of a user's own, given by a YAML file and a class beside it: found, searched, generated, simulated."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from codesign.accel import AcceleratorFamily, Figure, Refusal, device
from codesign.accel.family import points_of
from codesign.cli.app import app
from codesign.errors import ConfigError, SpaceError, UnsupportedModel
from codesign.families import find_family
from codesign.tools.verilator import find_verilator

FOLDER = Path(__file__).parents[2] / "examples" / "matvec_family"
POINT = {"rows": 5, "weight_bits": 4, "input_bits": 4, "sum_bits": 16, "register_product": True}


@pytest.fixture(scope="module")
def family() -> AcceleratorFamily:
    return find_family(str(FOLDER / "space.yaml"))


@pytest.fixture(scope="module")
def network(family):
    return family.read_network(FOLDER / "layer.yaml")


def test_rules_and_figures(family, network):
    target = device("ecp5-25f")
    assert family.validate(POINT, network, target) == ()
    cost = family.cost(POINT, network, target)
    assert cost["cycles"] == Figure(64 + 64 * 2 + 2, "cycles", "exact") and cost["luts"].origin == "estimated"
    broken = {
        "divisibility": {"rows": 4},
        "weight_bits": {"weight_bits": 3},
        "input_bits": {"input_bits": 2},
        "sum_bits": {"sum_bits": 8},
    }
    for rule, change in broken.items():
        found = family.validate({**POINT, **change}, network, target)
        assert [one.rule for one in found] == [rule]
        with pytest.raises(Refusal, match=rule):
            family.cost({**POINT, **change}, network, target)


def test_many_points_at_once_agree_with_one_by_one(family, network):
    target = device("ice40-up5k")
    columns = family.space.columns(family.space.sample(300, rng=np.random.default_rng(2)))
    valid, costs = family.valid(columns, network, target), family.costs(columns, network, target)
    assert 0 < valid.sum() < 300
    for row, point in enumerate(points_of(columns)):
        assert valid[row] == (not family.validate(point, network, target))
        wanted = family.cost(point, network, target)["cycles"].value if valid[row] else np.nan
        np.testing.assert_equal(costs["cycles"][row], wanted)


@pytest.mark.sim
def test_its_hardware_is_exact_in_data_and_cycles(family, network, tmp_path):
    family.generate(POINT, network, tmp_path / "design")
    inputs = np.random.default_rng(3).integers(0, 16, (20, 64))
    said = family.simulate(tmp_path / "design", network, inputs, work=tmp_path / "work")
    assert (said.inputs, said.mismatched) == (20, 0)
    assert said.cycles == family.cost(POINT, network, device("ecp5-25f"))["cycles"].value


@pytest.mark.sim
def test_its_folder_stands_alone(family, network, tmp_path):
    """README, Makefile, golden vectors: it is simulated without the package, and a wrong weight is seen."""
    folder = tmp_path / "design"
    family.generate(POINT, network, folder)
    said = (folder / "README.md").read_text()
    assert "194 cycles (exact)" in said and "| `out_data` | 80 | 5 sums of 16 bits" in said
    assert "{" not in said
    tool = find_verilator()
    quiet = {k: v for k, v in {**os.environ, **tool.environment}.items() if v is not None}
    words = ["make", "-C", str(folder), "simulate", f"VERILATOR={tool.path}"]
    options = f"--binary --Wno-fatal --top-module bench -MAKEFLAGS '{' '.join(tool.make_arguments)}'"
    words += [f'OPTIONS={options} -CFLAGS "-std=gnu++20 -fcoroutines"']
    made = subprocess.run(words, env=quiet, capture_output=True, text=True, timeout=300)
    assert made.returncode == 0 and "is as it must be" in made.stdout, made.stdout + made.stderr
    weights = folder / "weights.hex"
    first, *rest = weights.read_text().splitlines()
    weights.write_text("\n".join([f"{int(first, 16) ^ 1:x}", *rest]) + "\n")
    made = subprocess.run(words, env=quiet, capture_output=True, text=True, timeout=300)
    assert made.returncode != 0
    wrong = sum(line.startswith("<") for line in made.stdout.splitlines())
    inputs = [int(line, 16) for line in (folder / "vectors" / "inputs.hex").read_text().splitlines()]
    assert wrong == sum(value != 0 for value in inputs[::64]) > 0, "it shows wherever its input is not 0"


def test_the_engine_is_a_family_whose_ranking_is_questioned():
    words = ["space", "evaluate", "engine", "mnist-dense", "--device", "xc7z020"]
    drawn = CliRunner().invoke(app, [*words, "--count", "4000"])
    assert drawn.exit_code == 0, drawn.output
    said = " ".join(drawn.output.split())
    assert "survive each" in said and "logic_factor" in said
    default = str(FOLDER.parents[1] / "accel_space" / "defaults" / "xc7z020.yaml")
    one = CliRunner().invoke(app, [*words, "--point", default])
    assert one.exit_code == 0 and "model energy" in one.output and "exact" in one.output


def test_the_command_line_knows_it(tmp_path):
    words = ["space", "evaluate", str(FOLDER / "space.yaml"), str(FOLDER / "layer.yaml"), "--device", "ecp5-25f"]
    drawn = CliRunner().invoke(app, [*words, "--count", "50"])
    assert drawn.exit_code == 0 and "of 50 points drawn are valid" in " ".join(drawn.output.split())
    (tmp_path / "point.yaml").write_text(json.dumps(POINT))
    one = CliRunner().invoke(app, [*words, "--point", str(tmp_path / "point.yaml")])
    assert one.exit_code == 0 and "194" in one.output and "exact" in one.output
    (tmp_path / "point.yaml").write_text(json.dumps({**POINT, "rows": 4}))
    refused = CliRunner().invoke(app, [*words, "--point", str(tmp_path / "point.yaml")])
    assert isinstance(refused.exception, Refusal) and "divisibility" in str(refused.exception)


class CostOnly(AcceleratorFamily):
    """A family without hardware: a rule and a figure."""

    def read_network(self, path):
        return int(path.read_text())

    def validate(self, point, network, device=None):
        return ()

    def cost(self, point, network, device):
        return {"cycles": Figure(network // point["speed"], "cycles", "estimated")}


def test_a_family_may_be_a_cost_function_alone(tmp_path):
    (tmp_path / "space.yaml").write_text(
        f"name: own\nfamily: '{__name__}:CostOnly'\nknobs:\n  speed: {{values: [1, 2]}}\n"
    )
    own = find_family(str(tmp_path / "space.yaml"))
    assert own.cost({"speed": 2}, 10, device("ecp5-25f"))["cycles"].value == 5
    with pytest.raises(UnsupportedModel, match="can only be costed"):
        own.generate({"speed": 2}, 10, tmp_path)
    with pytest.raises(UnsupportedModel, match="can only be costed"):
        own.simulate(tmp_path, 10, [], work=tmp_path)
    with pytest.raises(SpaceError, match="must be one of 1, 2, not 3"):
        own.check({"speed": 3}, 10)


def test_what_is_no_family_is_named(tmp_path):
    for family, told in (
        ("engin", 'Did you mean "engine"'),
        ("pathlib:Path", "must be a subclass"),
        ("x.py:A", "cannot"),
    ):
        (tmp_path / f"{family[:3]}.yaml").write_text(f"name: own\nfamily: {family}\nknobs: {{a: {{values: [1]}}}}\n")
        with pytest.raises(ConfigError, match=told):
            find_family(str(tmp_path / f"{family[:3]}.yaml"))
