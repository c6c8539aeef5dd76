"""The loop over NAS-Bench-201 cells on engines, with a made-up table: budgets, accuracy, the 2 x 2, the same again."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from loop_toys import Told

import codesign.search.loop.cells as loop_cells
from codesign.accel import Figure, device
from codesign.accel.engine import EnginePoint
from codesign.accel.engine.defaults import default_point
from codesign.accel.engine.validate import validate
from codesign.config.search import SearchConfig
from codesign.errors import ConfigError, SpaceError
from codesign.ir.integer_random import random_network
from codesign.report.search_page import drop_rows
from codesign.search.loop import ARMS, Log, run_search
from codesign.search.loop.cells import CellNetworks
from codesign.search.loop.networks import widest
from codesign.search.loop.run import _Arm
from codesign.search.networks import Accuracies, network_space
from codesign.search.networks.cell_cost import CellCosts
from codesign.search.networks.predictor import cell_features

SPACE = """\
name: few
family: engine
knobs:
  pe: {values: [2, 4, 8]}
  simd: {values: [2, 4, 8]}
  weight_bits: {values: [4, 8]}
  activation_bits: {values: [4, 8]}
  weight_depth: {values: [256, 1024, 4096]}
  bank_depth: {values: [1024, 4096]}
  accumulator_bits: {values: [16, 24]}
  multiplier: {values: [lut, dsp]}
  pipeline: {values: [0, 2]}
"""


POINT = EnginePoint(8, 8, 8, 8, bank_depth=4096, weight_depth=4096).as_dict()


@pytest.fixture(scope="module")
def table() -> Accuracies:
    """Accuracies made of the cells' features."""
    space = network_space("nasbench201")
    features = cell_features(space.all_operations())
    rough = 70 + 3 * features[:, 31] + 2 * features[:, 30] - features[:, 32] + 2 * features[:, 34]
    truth = np.minimum(rough, 95) + np.random.default_rng(0).normal(0, 0.2, len(rough))
    _, archs = loop_cells._known_of(space.text())
    return Accuracies("cifar10", archs, truth, truth + 5, ())


@pytest.fixture
def made(table, monkeypatch):
    """The loop reads the made-up table."""
    monkeypatch.setattr(loop_cells, "load_accuracies", lambda name: table)
    return table


def exact(job):
    """Outcomes as a right build would give them; LUTs a tenth over the estimate."""
    from codesign.accel.engine.cost import engine_cost
    from codesign.config import ConvTopologyConfig

    section = ConvTopologyConfig.model_validate(job.spec["topology"])
    topology = section.topology("n", inputs=3072, answers=10)
    cost = engine_cost(EnginePoint.from_dict(job.spec["point"]), random_network(topology, seed=0), device("ecp5-85f"))
    return {
        "cycles": Figure(cost["cycles"].value, "cycles", "simulated"),
        "luts": Figure(1.1 * cost["luts"].value, "LUTs", "synthesised"),
    }


def config_of(folder, **changes):
    (folder / "few.yaml").write_text(SPACE)
    plain = {
        "name": "cells",
        "device": "ecp5-85f",
        "hardware": {"space": "few.yaml", "method": "genetic", "evaluations": 40},
        "network": {"space": "nasbench201", "accuracy": "cifar10", "evaluations": 44, "options": {"steps": 8}},
        "loop": {"rounds": 2, "draw": 3, "shortlist": 2},
        "rivals": False,
    }
    for section, values in changes.items():
        plain[section] = {**plain[section], **values} if isinstance(values, dict) else values
    return SearchConfig.model_validate(plain)


def test_the_two_by_two_at_equal_budgets(made, tmp_path):
    said = []
    config = config_of(tmp_path, table=True)
    result = run_search(config, tmp_path / "run", folder=tmp_path, runner=Told(exact), tell=said.append)
    arms = result["arms"]
    assert list(arms) == list(ARMS)
    assert [arms[a]["evaluations"] for a in ("both", "hardware", "network", "neither")] == [40, 40, 0, 0]
    assert [arms[a]["network_evaluations"] for a in ("hardware", "neither")] == [1, 1]
    assert all(arms[a]["network_evaluations"] <= 44 for a in ("both", "network"))
    reference = arms["neither"]["best"]
    for arm in arms.values():
        assert arm["best"]["accuracy"] >= reference["accuracy"] - 0.5
        assert arm["best"]["figures"]["luts"][2] == "synthesised" and arm["best"]["figures"]["cycles"][2] == "simulated"
        assert arm["accuracy_test"][0] == pytest.approx(arm["best"]["accuracy"] + 5)
    assert arms["both"]["best"]["value"] <= arms["hardware"]["best"]["value"] < reference["value"]
    assert arms["network"]["best"]["hardware"] == default_point(device("ecp5-85f")).point.as_dict()
    assert reference["hardware"] == arms["network"]["best"]["hardware"]
    rows = [json.loads(line) for line in (tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()]
    costed = [row for row in rows if row["arm"] == "both" and row["phase"] not in ("network", "realise")]
    assert len({(row["network"], row["number"]) for row in costed}) == len(costed) == 40
    looked_up = [row["network"] for row in rows if row["arm"] == "both" and row["phase"] == "network"]
    assert len(set(looked_up)) == len(looked_up) == arms["both"]["network_evaluations"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert all(
        text in page for text in (*ARMS.values(), "measured over estimated", "generated, simulated, synthesised")
    )
    assert [(row["round"], row["searches"]) for row in drop_rows(arms["both"]["drops"])] == [(1, 6), (2, 6)]
    for drop in arms["both"]["drops"]:  # of every gradient search, in units that are named
        assert drop["figure"] == "edp" and drop["unit"] and all(np.isfinite(drop[k]) for k in ("relaxed", "discrete"))
    assert "From the relaxed to the discrete network" in page
    assert any("from the relaxed to the discrete network" in line for line in said)


def test_the_agent_is_trained_over_drawn_networks_and_the_same_search_ends_the_same(made, tmp_path):
    config = config_of(tmp_path, hardware={"method": "agent", "evaluations": 56}, loop={"rounds": 1})
    results = [run_search(config, tmp_path / name, folder=tmp_path, runner=Told(exact)) for name in ("first", "second")]
    assert results[0] == results[1]
    arm = results[0]["arms"]["both"]
    rows = [json.loads(line) for line in (tmp_path / "first" / "evaluations.jsonl").read_text().splitlines()]
    trained = {row["network"] for row in rows if row["phase"] == "train"}
    assert len(trained) > 1 and 50 < arm["evaluations"] <= 56
    assert {row["phase"] for row in rows} >= {"reference", "train", "propose", "adapt", "network", "realise"}
    assert (tmp_path / "first" / "evaluations.jsonl").read_text() == (
        tmp_path / "second" / "evaluations.jsonl"
    ).read_text()


def test_reference_and_errors(made, tmp_path):
    config = config_of(tmp_path)
    options = {"folder": tmp_path, "seed": 0, "log": Log(None)}
    half = CellNetworks(config, network_space("nasbench201"), **options)
    default = default_point(device("ecp5-85f")).point
    figures = CellCosts(network_space("nasbench201")).figures(default, device("ecp5-85f"))
    reference = half.reference(default.as_dict())
    order = np.array([made.row(half.space.arch(half.space.choices.point(n))) for n in range(half.space.choices.size)])
    assert reference.accuracy == made.validation[order][figures.valid].max()
    small = default.as_dict() | {"weight_depth": 64}
    with pytest.raises(SpaceError, match=r"runs none of the 15,625 cells.*rule 'weight_depth' is broken by 15,625"):
        half.reference(small)
    with pytest.raises(ConfigError, match="needs the data set of its accuracies"):
        CellNetworks(config_of(tmp_path, network={"accuracy": None}), network_space("nasbench201"), **options)
    with pytest.raises(ConfigError, match="it must be latency, energy, edp or cycles"):
        other = SearchConfig.model_validate(config.model_dump() | {"objective": {"figure": "luts"}})
        CellNetworks(other, network_space("nasbench201"), **options)


def test_limits_that_nothing_meets_are_refused_at_once(made, tmp_path):
    config = config_of(tmp_path).model_dump()
    runner = Told(exact)

    def limited(limits, **more):
        return SearchConfig.model_validate(config | {"objective": {"figure": "edp", "limits": limits}} | more)

    least = r"luts at most 100, the least met is \d+; and no network of the space has less"
    with pytest.raises(SpaceError, match=least):
        run_search(limited({"luts": 100}), tmp_path / "a", folder=tmp_path, runner=runner)
    with pytest.raises(SpaceError, match=r"cycles at most 100, the least met is \d+; and no network"):
        run_search(limited({"cycles": 100}), tmp_path / "a", folder=tmp_path, runner=runner)
    switched = config["hardware"] | {"method": "default"}
    with pytest.raises(SpaceError, match=r"default accelerator .*: luts at most 5000, it has 7\d\d\d"):
        run_search(limited({"luts": 5000}, hardware=switched), tmp_path / "a", folder=tmp_path, runner=runner)
    with pytest.raises(SpaceError, match=r"cycles at most 9000, with the least of all networks it has 5\d\d\d\d"):
        run_search(limited({"cycles": 9000}, hardware=switched), tmp_path / "a", folder=tmp_path, runner=runner)
    with pytest.raises(SpaceError, match="the corner 'network searched, default hardware' of the 2 x 2 cannot be made"):
        run_search(limited({"luts": 7000}, table=True), tmp_path / "a", folder=tmp_path, runner=runner)
    assert not (tmp_path / "a").exists()
    text = SPACE.replace("weight_depth: {values: [256, 1024, 4096]}", "weight_depth: {values: [64]}")
    (tmp_path / "shallow.yaml").write_text(text)
    config["hardware"]["space"] = "shallow.yaml"
    with pytest.raises(SpaceError, match="killed by rule 'weight_depth'"):
        run_search(SearchConfig.model_validate(config), tmp_path / "b", folder=tmp_path, runner=runner)
    assert not runner.jobs


def test_a_limit_that_the_reference_exceeds_everywhere_is_left_to_other_networks(made, tmp_path):
    """The search begins with the network that has the least of everything, which bounds all others."""
    config = config_of(tmp_path).model_dump()
    asked = SearchConfig.model_validate(config | {"objective": {"figure": "edp", "limits": {"cycles": 70_000}}})
    said: list[str] = []
    arm = _Arm(asked, "both", run=None, folder=tmp_path, log=Log(None), tell=said.append)
    loop = arm.prepare()
    assert not loop.begins_with_reference and "keeps the limits on no accelerator" in said[0]
    least = arm.networks.least()
    costs, rng = arm.networks.costs, np.random.default_rng(4)
    for _ in range(5):
        point = EnginePoint(8, int(rng.choice([4, 8])), 4, int(rng.choice([4, 8])), bank_depth=4096, weight_depth=4096)
        figures = costs.figures(point, device("ecp5-85f"))
        here = costs.space.choices.number(dict(least.point))
        for values in (figures.cycles, figures.energy_nj, figures.edp):
            assert values[here] == values.min()
        assert figures.valid[here] or not figures.valid.any()


@pytest.mark.parametrize("method", ["gradient", "evolution", "random"])
def test_look_ups_that_are_left_are_made_where_those_that_were_due_met_no_accurate_cell(made, tmp_path, method):
    """A round's share is 20 look-ups: the rarer accurate cells are, the more often those do not do."""
    config = config_of(tmp_path, network={"method": method, "evaluations": 60})
    used: list[int] = []
    for share in (0.5, 0.05, 0.02, 0.01, 1e-3, 5e-4, 2e-4):
        least = float(np.quantile(made.validation, 1 - share))
        half = CellNetworks(config, network_space("nasbench201"), folder=tmp_path, seed=0, log=Log(None))
        try:
            (found,) = half.search(POINT, share=0.1, limits={}, least=least)
        except SpaceError as problem:
            assert "of 60 cells looked up none is within the limits" in str(problem) and half.used == 60
            continue
        assert found.accuracy >= least and half.used <= 60
        used.append(half.used)
    assert used[0] <= 20 < max(used)


@pytest.mark.parametrize("method", ["gradient", "evolution", "random"])
@pytest.mark.parametrize("budget", [20, 23, 26, 50])
def test_no_more_accuracies_are_looked_up_than_the_budget_says(made, tmp_path, method, budget):
    config = config_of(tmp_path, network={"method": method, "evaluations": budget})
    half = CellNetworks(config, network_space("nasbench201"), folder=tmp_path, seed=0, log=Log(None))
    half.candidate(77)
    for number in range(3):
        half.round = number
        half.search(POINT, share=(number + 1) / 3, limits={}, least=None)
        assert half.used == max(20, math.floor((number + 1) / 3 * budget))
    with pytest.raises(SpaceError, match=f"of {budget} cells looked up"):
        half.search(POINT, share=1.0, limits={}, least=99.0)
    assert half.used == budget


def test_a_proxy_screens_what_is_drawn_among_cells_of_like_cost(made, tmp_path):
    def half(**options):
        config = config_of(tmp_path, network={"evaluations": 40, "options": {"steps": 8, **options}})
        return CellNetworks(config, network_space("nasbench201"), folder=tmp_path, seed=0, log=Log(None))

    screened, plain = half(screen="naswot"), half()
    numbers = np.arange(0, 15_625, 40)
    costs = screened.figures(POINT).edp
    picked = screened.screen(numbers, costs, 10, np.random.default_rng(0))
    assert len(set(picked)) == 10 and set(picked) <= set(numbers.tolist())
    alike = np.array_split(sorted(screened.screen.values, key=lambda n: costs[n]), 10)
    assert [len(some) for some in alike] == [3] * 10
    for some, one in zip(alike, picked, strict=True):
        assert one in some and screened.screen.value(one) == max(map(screened.screen.value, map(int, some)))
    assert sorted(screened.screen(numbers[:4], costs, 10, np.random.default_rng(0))) == numbers[:4].tolist()
    for one in (screened, plain):
        one.search(POINT, share=1.0, limits={}, least=None)
    assert screened.used == plain.used == 40 and screened.known.keys() != plain.known.keys()
    told = screened.facts()
    assert told["screened with"] == "noise" and "rank correlation, naswot given multiplications" in told
    assert {"rank correlation, multiplications alone", "rank correlation, parameters alone"} <= told.keys()
    assert -1 <= told["rank correlation, naswot"] <= 1 and "screened with" not in plain.facts()
    with pytest.raises(ConfigError, match="network.options.screen: no proxy 'naswat'. Did you mean \"naswot\""):
        half(screen="naswat")
    with pytest.raises(ConfigError, match=r"network\.options\.screen: is for method gradient"):
        config = config_of(tmp_path, network={"method": "random", "options": {"screen": "snip"}})
        CellNetworks(config, network_space("nasbench201"), folder=tmp_path, seed=0, log=Log(None))


def test_what_runs_the_widest_weights_runs_all_weights():
    space = network_space("nasbench201")
    rng = np.random.default_rng(0)
    for _ in range(3):
        topology = space.topology(space.draw(rng=rng))
        wide = widest(random_network(topology, seed=0))
        for accumulator in (12, 14, 16, 20):
            point = EnginePoint(8, 8, 4, 4, bank_depth=1024, accumulator_bits=accumulator)
            if validate(point, wide):
                continue
            assert all(validate(point, random_network(topology, seed=seed)) == () for seed in range(3))


def test_budgets_and_options_are_refused_before_anything_is_trained(tmp_path, made):
    few = config_of(tmp_path, network={"evaluations": 5})
    with pytest.raises(ConfigError, match="network.evaluations: must be 20 or more for a space of cells, not 5"):
        CellNetworks(few, network_space("nasbench201"), folder=tmp_path, seed=0, log=Log(None))
    wrong = config_of(tmp_path, network={"options": {"stepz": 3}})
    with pytest.raises(ConfigError, match=r"network.options: 'stepz' is no option. Did you mean \"steps\"\?"):
        CellNetworks(wrong, network_space("nasbench201"), folder=tmp_path, seed=0, log=Log(None))
