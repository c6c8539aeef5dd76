"""The agent and its rivals: toy spaces solved, budgets counted, checkpoints resumed, proposals valid and good."""

from __future__ import annotations

import numpy as np
import pytest
from search_toys import optimum, raises, toy_problem

from codesign.errors import ConfigError, RunError
from codesign.search import (
    AgentSettings,
    Exhaustive,
    Genetic,
    History,
    Nsga2,
    Objective,
    RandomSearch,
    Tpe,
    search,
)
from codesign.search.agent import HardwareAgent
from codesign.search.agent_search import AgentSearch

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:stable_baselines3", "ignore::DeprecationWarning")

METHODS = [RandomSearch, Genetic, Nsga2, Tpe, Exhaustive, AgentSearch]
LEARNERS = [Genetic, Nsga2, Tpe, AgentSearch]
SMALL = AgentSettings(episodes=8, hidden=(32,))


def make(method, problem, **options):
    return method(problem, **options, **({"settings": SMALL} if method is AgentSearch else {}))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("raw", [False, True])
def test_budgets_are_distinct_points_and_invalid_ones_count(method, raw):
    problem = toy_problem()
    told: list[int] = []
    found = search(make(method, problem, seed=0, raw=raw), budget=50, progress=lambda trial: told.append(trial.number))
    assert told == [trial.number for trial in found.trials] and len(set(told)) == found.evaluations == 50
    invalid = sum(not problem.valid[number] for number in told)
    assert found.states()["invalid"] == invalid and (invalid > 0) == raw
    assert problem.family.calls == 50 - invalid
    assert found.best is not None and problem.valid[found.best.number]
    curve = found.best_values()
    assert curve[-1] == found.best.value and (np.diff(curve[np.isfinite(curve)]) <= 0).all()


@pytest.mark.parametrize("method", LEARNERS)
def test_a_toy_space_is_solved(method):
    problem = toy_problem()
    best = optimum(problem)
    reached = [search(make(method, problem, seed=seed), budget=100).best for seed in range(2)]
    assert all(trial is not None and trial.value <= 1.05 * best for trial in reached)


@pytest.mark.parametrize("method", [RandomSearch, Genetic, Nsga2, Tpe, AgentSearch])
def test_one_seed_gives_one_search(method):
    runs = [search(make(method, toy_problem(), seed=3), budget=40) for _ in range(2)]
    assert [t.number for t in runs[0].trials] == [t.number for t in runs[1].trials]


@pytest.mark.parametrize("method", [Genetic, Nsga2, Tpe, AgentSearch])
def test_failed_trials_never_win_and_do_not_end_a_search(method):
    problem = toy_problem(misbehave=raises)
    found = search(make(method, problem, seed=0), budget=60)
    assert found.states()["failed"] > 0 and found.best is not None and not found.best.point["fast"]


def test_a_space_that_is_used_up_ends_the_search():
    problem = toy_problem(budget=2)
    count = int(problem.valid.sum())
    for method in (RandomSearch, Genetic, AgentSearch):
        assert search(make(method, problem, seed=0), budget=10_000).evaluations == count
    with pytest.raises(ConfigError, match="1 evaluation or more"):
        search(RandomSearch(problem, seed=0), budget=0)


@pytest.mark.parametrize("method", [Genetic, Tpe, AgentSearch])
def test_a_search_goes_on_from_its_history(method):
    problem = toy_problem()
    first = search(make(method, problem, seed=0), budget=40)
    again = search(make(method, problem, seed=1), budget=80, history=History(list(first.trials), dict(first.known)))
    assert again.evaluations == 80 and again.trials[:40] == first.trials
    assert again.best is not None and first.best is not None and again.best.value <= first.best.value


def test_several_figures_give_a_front():
    problem = toy_problem(objective=Objective("latency"))
    found = search(Nsga2(problem, seed=0, figures=("latency_us", "energy_nj")), budget=120)
    front = found.front(("latency_us", "energy_nj"))
    assert len(front) > 2
    energies = [trial.figures["energy_nj"].value for trial in front]
    assert energies == sorted(energies, reverse=True)
    swept = search(Exhaustive(problem), budget=1000).front(("latency_us", "energy_nj"))
    assert {trial.number for trial in front} & {trial.number for trial in swept}


def test_a_trained_agent_proposes_at_once_for_a_network_it_never_saw(tmp_path):
    problems = [toy_problem(work) for work in (40, 200, 3000, 20_000)]
    agent = HardwareAgent.new(problems, seed=0, settings=SMALL, log_folder=tmp_path / "log")
    fresh = toy_problem(700)
    assert agent.learn(400) >= 400
    (number,) = agent.propose(fresh)
    valid = [trial.value for trial in fresh.evaluate(np.flatnonzero(fresh.valid).tolist())]
    assert fresh.valid[number] and fresh.evaluate([number])[0].value < np.quantile(valid, 0.25)
    several = agent.propose(fresh, count=5)
    assert several[0] == number and len(set(several)) == len(several) and fresh.valid[several].all()
    assert 0 < agent.evaluations <= sum(int(problem.valid.sum()) for problem in problems)
    assert list((tmp_path / "log").rglob("events.out.tfevents.*"))
    started = AgentSearch(fresh, seed=0, settings=SMALL, policy=agent.parameters())
    assert search(started, budget=16).best is not None


def test_checkpoints_callbacks_and_resume(tmp_path):
    from stable_baselines3.common.callbacks import BaseCallback

    class Counts(BaseCallback):
        calls = 0

        def _on_step(self) -> bool:
            self.calls += 1
            return True

    problems, counts = [toy_problem(100), toy_problem(900)], Counts()
    agent = HardwareAgent.new(problems, seed=0, settings=SMALL)
    played = agent.learn(40, checkpoints=tmp_path, every_episodes=16, callbacks=[counts])
    assert counts.calls > 0 and len(list(tmp_path.glob("agent_*_steps.zip"))) >= 2
    resumed = HardwareAgent.resume(tmp_path, problems, settings=SMALL)
    fresh = toy_problem(300)
    assert resumed.propose(fresh, count=3) == agent.propose(fresh, count=3)
    assert resumed.learn(16) > played
    agent.save(tmp_path / "one.zip")
    assert HardwareAgent.load(tmp_path / "one.zip", problems, settings=SMALL).propose(fresh) == agent.propose(fresh)
    with pytest.raises(RunError, match="no such agent"):
        HardwareAgent.load(tmp_path / "none.zip", problems)
    with pytest.raises(RunError, match="has no checkpoint"):
        HardwareAgent.resume(tmp_path / "empty", problems)
