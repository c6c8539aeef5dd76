"""Problems and objectives: trials with origins, limits, cost functions that raise, give nonsense, hang or die."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from search_toys import SPACE, Toy, hangs, nonsense, optimum, raises, toy_problem

from codesign.accel import Figure, Knob, Space, device
from codesign.errors import ConfigError, SpaceError
from codesign.families import find_family
from codesign.search import (
    Completions,
    Exhaustive,
    Genetic,
    NoValidPoint,
    Objective,
    Problem,
    RandomSearch,
    count_rules,
    search,
)
from codesign.search.table import MOST_POINTS


def test_every_figure_keeps_its_unit_and_origin():
    problem = toy_problem()
    trial = problem.evaluate([0])[0]
    assert trial.done and trial.figures["cycles"] == Figure(trial.figures["cycles"].value, "cycles", "exact")
    assert trial.figures["edp"].origin == "model energy" and trial.value == trial.figures["edp"].value
    assert trial.score == pytest.approx(np.log(trial.value))
    assert problem.objective.describe(trial.figures["edp"]).endswith("nJ us (model energy)")


def test_a_sweep_finds_the_optimum_within_limits():
    for objective in (Objective("edp"), Objective("latency", limits={"luts": 200, "energy_nj": 25.0})):
        problem = toy_problem(objective=objective)
        swept = problem.sweep()
        assert swept.value == optimum(problem)
        best = problem.evaluate([swept.best])[0]
        assert best.done and best.value == swept.value
        found = search(Exhaustive(problem), budget=SPACE.size)
        assert found.best is not None and found.best.value == swept.value
        assert found.evaluations == len(swept.numbers) == problem.valid.sum()


def test_a_point_over_a_limit_never_wins():
    problem = toy_problem(objective=Objective("latency", limits={"luts": 40}))
    found = search(RandomSearch(problem, seed=1), budget=60)
    assert found.states()["over limit"] > 0
    over = next(trial for trial in found.trials if trial.state == "over limit")
    assert "luts" in over.reason and "exceeds 40" in over.reason
    assert found.best is not None and found.best.figures["luts"].value <= 40
    assert over.score > np.log(over.value) + problem.objective.penalty
    with pytest.raises(SpaceError, match="luts at most 1, the least met is 10"):
        toy_problem(objective=Objective("latency", limits={"luts": 1})).sweep()


def test_what_is_to_be_large():
    problem = toy_problem(objective=Objective("luts", direction="maximise"))
    found = search(Genetic(problem, seed=0), budget=60)
    assert found.best is not None and found.best.value == problem.sweep().value == 640
    assert problem.objective.ratio(320, 640) == 2


def test_bad_objectives_are_named():
    with pytest.raises(ConfigError, match="minimise or maximise"):
        Objective("edp", direction="up")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="limit of 'luts'"):
        Objective("edp", limits={"luts": 0})
    trial = toy_problem(objective=Objective("latencie_us")).evaluate([0])[0]
    assert trial.state == "failed" and 'Did you mean "latency_us"' in trial.reason


@pytest.mark.parametrize(("way", "told"), [(raises, "RuntimeError: no such thing"), (nonsense, "greater than 0, not")])
@pytest.mark.parametrize("limit", [None, 20.0])
def test_a_cost_function_that_fails_is_a_failed_trial(way, told, limit):
    problem = toy_problem(misbehave=way, time_limit_s=limit)
    found = search(RandomSearch(problem, seed=0), budget=40)
    problem.close()
    failed = [trial for trial in found.trials if trial.state == "failed"]
    assert failed and all(told in trial.reason for trial in failed)
    assert all(way(trial.point) is None for trial in found.trials if trial.done)
    assert found.best is not None and found.best.done and not found.best.point["fast"]


def test_a_cost_function_that_hangs_or_dies_is_stopped():
    problem = toy_problem(misbehave=hangs, time_limit_s=0.3)
    numbers = [problem.space.number({**problem.space.point(0), "rows": rows}) for rows in (8, 4, 2)]
    hung, died, fine = problem.evaluate(numbers)
    problem.close()
    assert hung.state == "failed" and "more than 0.3 s" in hung.reason
    assert died.state == "failed" and "ended" in died.reason
    assert fine.done and not np.isfinite(hung.score)


def test_no_valid_point_names_the_rule_that_kills_most():
    problem = toy_problem(budget=0)
    with pytest.raises(NoValidPoint, match=r"none of the 400 points .* killed by rule 'size', for instance") as caught:
        assert problem.valid.any()
    rules = caught.value.rules
    assert rules.broken["size"] == rules.points and rules.alone["size"] > 0 and rules.valid == 0
    counts = count_rules(Toy(), 10, None, count=500)
    assert 0 < counts.valid < 500 and set(counts.broken) == {"size", "shape"}
    assert "break a rule: " in counts.text()


def test_a_space_that_is_too_large_is_refused_with_its_size():
    knobs = tuple(Knob(f"k{i}", tuple(range(20))) for i in range(6))
    huge = Space("huge", "toy", knobs)
    problem = Problem(Toy(huge), 1, device=device("ecp5-25f"), objective=Objective("edp"))
    with pytest.raises(SpaceError, match=rf"64,000,000 points; .* {MOST_POINTS:,} at most"):
        assert problem.valid.any()


def test_repair_gives_valid_points_and_keeps_them():
    problem = toy_problem()
    every = problem.space.indices(np.arange(problem.space.size))
    repaired = problem.completions.repair(every)
    numbers = problem.completions.numbers(repaired)
    assert problem.valid[numbers].all()
    assert (numbers[problem.valid] == np.flatnonzero(problem.valid)).all()


def test_the_engine_in_columns_is_the_engine_point_by_point():
    family = find_family("engine-agent")
    network = family.read_network(Path("mnist-dense"))
    problem = Problem(family, network, device=device("ecp5-85f"), objective=Objective("edp"))
    drawn = np.random.default_rng(0).integers(problem.space.size, size=30_000)
    columns = problem.space.columns(problem.space.indices(drawn))
    valid = family.valid(columns, network, problem.device)
    numbers = [int(number) for number in drawn[valid][:4]] + [int(drawn[~valid][0])]
    trials = problem.evaluate(numbers)
    assert [trial.state for trial in trials] == ["done"] * 4 + ["invalid"]
    for trial in trials[:4]:
        alone = family.cost(trial.point, network, problem.device)
        assert set(alone) == set(trial.figures)
        for name, figure in alone.items():
            assert trial.figures[name].value == pytest.approx(figure.value, rel=1e-6), name
            assert trial.figures[name].origin == figure.origin


def test_removed_points_are_counted_out():
    left = Completions(SPACE, toy_problem().valid).copy()
    numbers = np.flatnonzero(toy_problem().valid)
    for number in numbers:
        left.remove(int(number))
        left.remove(int(number))
    assert left.count == 0 and all((level == 0).all() for level in left.remaining)


def test_limits_that_nothing_keeps_are_explained():
    """Which limit stands in the way, alone or with the others."""
    objective = Objective("cycles", limits={"luts": 10, "ffs": 10})
    costs = {"luts": np.array([5.0, 20.0, 30.0]), "ffs": np.array([12.0, 15.0, np.nan])}
    said = objective.explain(costs)
    assert said == ("luts at most 10, the least met is 5 (none keeps the others), ffs at most 10, the least met is 12")
    costs["ffs"] = np.array([12.0, 9.0, 8.0])
    assert objective.explain(costs) == (
        "luts at most 10, the least met is 5 (20 where the others are kept), "
        "ffs at most 10, the least met is 8 (12 where the others are kept)"
    )
    costs["ffs"] = np.full(3, np.nan)
    assert objective.explain(costs).endswith("ffs at most 10, which is not known of any")
