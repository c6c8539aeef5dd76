"""The hardware half: an agent trained over networks, adapted to one; its rivals; and the default accelerator."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from codesign.accel import AcceleratorFamily, Figure, device
from codesign.accel.engine import EnginePoint
from codesign.accel.engine.cost import engine_cost
from codesign.accel.engine.defaults import default_point
from codesign.accel.engine.validate import validate
from codesign.accel.family import Refusal
from codesign.accel.space import Value
from codesign.config.search import SearchConfig
from codesign.errors import ConfigError, SpaceError
from codesign.families import find_family
from codesign.families.engine import EngineFamily
from codesign.families.pipeline import PipelineFamily
from codesign.search.loop.correction import Correction
from codesign.search.loop.designs import Candidate
from codesign.search.loop.log import Log
from codesign.search.loop.rivals import rival_rows
from codesign.search.objective import OBJECTIVES, Objective
from codesign.search.problem import OverLimits, Problem, Trial, number_of
from codesign.search.rivals import Exhaustive, Genetic, Nsga2, RandomSearch, Tpe
from codesign.search.search import History, Searcher, search
from codesign.search.table import NoValidPoint

__all__ = ["Hardware", "family_label", "family_of", "is_own", "objective_of"]

_REFERENCES = 2
"""Valid points of each drawn network that are evaluated for the reference of its rewards."""

_PROPOSALS = 4
"""Points that the trained agent proposes for a network, before any evaluation of it."""

_TIME_LIMIT_S = 60.0
"""Of one call of a cost function of a user's own family, where the file gives none."""

_ASKING_S = 10.0
"""Seconds in which a family that costs point by point is asked before a search whether any point keeps the limits."""

_ASKED = 3
"""Valid points that are costed before a search begins, to see which figures the family gives."""


def family_of(config: SearchConfig, folder: Path) -> AcceleratorFamily:
    """The family that `hardware.space` names; a path is relative to `folder`."""
    name = config.hardware.space
    if name.endswith((".yaml", ".yml")):
        return find_family(str(folder / name))
    try:
        return find_family(name)
    except SpaceError as problem:
        raise SpaceError(f"hardware.space: {problem}") from None


def is_own(family: AcceleratorFamily) -> bool:
    """Whether a family is none of ours."""
    return not isinstance(family, (EngineFamily, PipelineFamily))


def family_label(family: AcceleratorFamily) -> str:
    """What a family is called: ours by name, a user's own by its space and its class."""
    return f"{family.space.name} ({family.space.family})" if is_own(family) else family.space.family


def objective_of(config: SearchConfig, family: AcceleratorFamily | None = None) -> Objective:
    """The objective of a search file, for a family where that is known.

    Limits may have the short names of `OBJECTIVES` too; not those of a user's own family, which may give a figure that
    is called so.
    """
    limits = dict(config.objective.limits)
    if family is not None and not is_own(family):
        limits = _by_figure(limits)
    return Objective(config.objective.figure, limits=limits)


def _by_figure(limits: Mapping[str, float]) -> dict[str, float]:
    """Limits by the full names of their figures."""
    found: dict[str, float] = {}
    for name, most in limits.items():
        figure = OBJECTIVES.get(name, name)
        if figure in found:
            twice = " and ".join(one for one in limits if OBJECTIVES.get(one, one) == figure)
            raise ConfigError(f"objective.limits: {twice} are the same figure; give one of them")
        found[figure] = most
    return found


class Hardware:
    """Searches accelerators for one network after another, on one budget of evaluations.

    used: evaluations so far, each a distinct point for a network. histories: by network label.
    """

    def __init__(
        self,
        config: SearchConfig,
        *,
        folder: Path,
        seed: int,
        log: Log,
        correction: Correction,
        arm: str = "loop",
        agent_log: Path | None = None,
    ):
        self.config, self.folder, self.seed, self.log, self.arm = config, folder, seed, log, arm
        self.correction, self.agent_log = correction, agent_log
        self.family = family_of(config, folder)
        self.device, self.goal = device(config.device), objective_of(config, self.family)
        self.histories: dict[str, History] = {}
        self.used = 0
        self.round = 0
        self._policy: dict[str, Any] | None = None
        self._agent: Any = None
        self._problem: tuple[str, Objective, Problem] | None = None
        self._searchers: dict[str, Searcher] = {}
        self._open: list[Problem] = []

    # The default accelerator.

    def default(self) -> dict[str, Value]:
        """The default accelerator's point; a ConfigError or SpaceError where there is none."""
        given = self.config.hardware.default
        if isinstance(self.family, EngineFamily):
            point = EnginePoint.from_dict(given) if given is not None else default_point(self.device).point
            point.check()
            return point.as_dict()
        if given is None:
            raise ConfigError(f"hardware.default: the family {self.family.space.family!r} has no default; give a point")
        return self.family.space.check(given)

    def cost(self, point: Mapping[str, Value], candidate: Candidate) -> Mapping[str, Figure]:
        """The model's figures of any point, of the space or not; a Refusal names what it breaks."""
        if isinstance(self.family, EngineFamily):
            engine = EnginePoint.from_dict(dict(point))
            if broken := validate(engine, candidate.network, self.device):
                raise Refusal(*broken)
            return engine_cost(engine, candidate.network, self.device)
        number = self.family.space.number(self.family.space.check(point))
        (trial,) = self.problem(candidate).evaluate([number])
        if trial.state == "invalid":
            self.family.check(point, candidate.network, self.device)  # a Refusal that names the rules
        if trial.state in ("invalid", "failed"):
            raise SpaceError(f"the cost of {dict(point)} for {candidate.label} is not known: {trial.reason}")
        return trial.figures

    # Problems.

    def problem(self, candidate: Candidate) -> Problem:
        """The search problem of a network: limits as the correction has them, without what is excluded."""
        objective = self.correction.objective(self.goal)
        if self._problem is not None and self._problem[:2] == (candidate.label, objective):
            return self._problem[2]
        made = self._made(candidate, objective)
        self._problem = (candidate.label, objective, made)
        old = self.histories.get(candidate.label, History())
        history = History()
        for trial in made.evaluate([trial.number for trial in old.trials]):  # judged by the corrected limits
            history.add(trial)
        self.histories[candidate.label] = history
        self._searchers.pop(candidate.label, None)
        return made

    def _made(self, candidate: Candidate, objective: Objective) -> Problem:
        problem = Problem(
            family_of(self.config, self.folder),  # a family of its own, since one keeps what it knows of one network
            candidate.network,
            device=self.device,
            objective=objective,
            name=candidate.label,
            time_limit_s=self._time_limit_s,
        )
        self._exclude(problem, candidate)
        self._open.append(problem)
        return problem

    def close(self) -> None:
        """End the processes in which a user's cost functions run; another call of one starts them anew."""
        for problem in self._open:
            problem.close()

    @property
    def _time_limit_s(self) -> float | None:
        """Of one call of a cost function; of a family of one's own there is always one."""
        given = self.config.hardware.time_limit_s
        return given if given is not None or not is_own(self.family) else _TIME_LIMIT_S

    def _exclude(self, problem: Problem, candidate: Candidate) -> None:
        for number in self.correction.excluded.get(candidate.label, {}):
            problem.valid[number] = False
            if not problem.valid.any():
                raise SpaceError(f"every valid point for {candidate.label} was built, and none of them may win")

    def preflight(self, candidate: Candidate) -> None:
        """Refuse at once what cannot end well: a space without a valid point for the network, limits that none meets.

        A NoValidPoint names the rule that kills most, a SpaceError the least that was met, or the figures that there
        are where the objective or a limit names another. A family that costs point by point is asked for its valid
        points, and for figures, which do not count as evaluations: of up to three points, and where there are limits of
        more, until one keeps them or a few seconds are over.
        """
        problem = self.problem(candidate)
        valid = problem.completions.valid
        for number in dict.fromkeys(int(valid[i * (len(valid) - 1) // _ASKED]) for i in range(_ASKED)):
            (trial,) = problem.evaluate([number])
            if trial.figures:
                self.goal.require(trial.figures)
                break
        if not self.goal.limits:
            return
        if problem.in_columns:
            problem.sweep()
        else:
            self._ask_limits(problem)

    def _ask_limits(self, problem: Problem) -> None:
        """Cost valid points in a drawn order until one keeps the limits; an OverLimits where all were asked in vain."""
        ends = time.monotonic() + _ASKING_S
        valid = problem.completions.valid
        costs: list[Mapping[str, Figure]] = []
        for number in np.random.default_rng(0).permutation(valid).tolist():
            (trial,) = problem.evaluate([number])
            if trial.done or time.monotonic() > ends:
                return
            costs.append(trial.figures)
        columns = {name: np.array([number_of(cost, name) for cost in costs]) for name in self.goal.limits}
        if not all(np.isfinite(values).any() for values in columns.values()):
            return  # what the cost function does wrong is told with the points that the search evaluates
        raise OverLimits(
            f"none of the {len(costs):,} valid points of space {problem.space.name!r} for {problem.name} stays within "
            f"the limits: {self.goal.explain(columns)}"
        )

    # (i) Train the agent over networks.

    def train(self, networks: Sequence[Candidate], budget: int) -> None:
        """Train the agent over networks with at most `budget` evaluations; it goes on with what it learned before."""
        import torch

        from codesign.search.agent import HardwareAgent
        from codesign.search.settings import AgentSettings

        torch.set_num_threads(1)
        settings = AgentSettings()
        objective = self.correction.objective(self.goal)
        problems: list[Problem] = []
        for candidate in networks:
            try:
                problem = self._made(candidate, objective)
                problem.completions  # noqa: B018 - asks for the valid points
            except NoValidPoint:
                continue  # a drawn network that no accelerator of the space runs teaches nothing
            problems.append(problem)
        affordable = max(0, budget - settings.episodes) // _REFERENCES
        problems = problems[:affordable]
        if not problems:
            return
        rng = np.random.default_rng([self.seed, self.round, 1])
        references: list[float] = []
        spent = 0
        for problem in problems:
            valid = problem.completions.valid
            drawn = rng.choice(valid, size=min(_REFERENCES, len(valid)), replace=False)
            trials = problem.evaluate([int(number) for number in drawn])
            spent += len(trials)
            self._note(trials, phase="reference", network=problem.name)
            scores = [trial.score for trial in trials if np.isfinite(trial.score)]
            references.append(float(np.mean(scores)) if scores else 0.0)
        agent = HardwareAgent.new(
            problems, seed=self.seed, settings=settings, log_folder=self.agent_log, references=references
        )
        if self._policy is not None:
            agent.model.policy.load_state_dict(self._policy)
        episodes = (budget - spent) // settings.episodes * settings.episodes
        if episodes:
            agent.learn(episodes)
        for (index, _), trial in agent.known.items():
            self._note([trial], phase="train", network=problems[index].name)
        self._agent, self._policy = agent, copy.deepcopy(agent.parameters())

    def propose(self, candidate: Candidate, budget: int) -> Trial | None:
        """The best of what the trained agent proposes for a network, at most `budget` points; None: none may win."""
        problem = self.problem(candidate)
        if self._agent is None or not budget:
            return None
        count = min(_PROPOSALS, budget, problem.completions.count)
        if not count:
            return None
        numbers = self._agent.propose(problem, count=count, seed=self.seed)
        return self._try(candidate, problem, numbers, phase="propose")

    def transfer(self, candidate: Candidate, points: Sequence[Mapping[str, Value]], budget: int) -> None:
        """Evaluate points that won for other networks."""
        problem = self.problem(candidate)
        numbers: list[int] = []
        for point in points:
            number = self.number(point)
            if number is not None and problem.valid[number] and number not in numbers:
                numbers.append(number)
        self._try(candidate, problem, numbers[:budget], phase="transfer")

    def _try(self, candidate: Candidate, problem: Problem, numbers: Sequence[int], *, phase: str) -> Trial | None:
        history = self.histories[candidate.label]
        fresh = [number for number in numbers if number not in history.known]
        for trial in problem.evaluate(fresh):
            history.add(trial)
            self._note([trial], phase=phase, network=candidate.label)
        done = [history.known[number] for number in numbers if history.known[number].done]
        return min(done, key=lambda trial: trial.score, default=None)

    # (iii) Adapt to one network.

    def adapt(self, candidate: Candidate, budget: int) -> History:
        """Search the accelerators of one network for `budget` evaluations more; the agent goes on from its policy."""
        problem = self.problem(candidate)
        history = self.histories[candidate.label]
        method = self.config.hardware.method
        searcher = self._searchers.get(candidate.label)
        told = searcher is not None or method == "agent"
        if searcher is None:
            searcher = self._searchers[candidate.label] = self.searcher(method, problem)
        if budget > 0:

            def note(trial: Trial) -> None:
                self._note([trial], phase="adapt", network=candidate.label)

            if told:
                search(searcher, budget=history.evaluations + budget, history=history, progress=note)
            else:
                for trial in search(searcher, budget=budget, progress=note).trials:
                    if trial.number not in history.known:
                        history.add(trial)
        return history

    def searcher(self, method: str, problem: Problem) -> Searcher:
        """A method on a problem; the agent with the policy that was learned so far."""
        if method == "agent":
            import torch

            from codesign.search.agent_search import AgentSearch

            torch.set_num_threads(1)
            return AgentSearch(problem, seed=self.seed, policy=self._policy)
        kinds: dict[str, Callable[..., Searcher]] = {
            "random": RandomSearch,
            "genetic": Genetic,
            "nsga2": Nsga2,
            "tpe": Tpe,
            "exhaustive": Exhaustive,
        }
        return kinds[method](problem, seed=self.seed)

    def shortlist(self, candidate: Candidate, count: int) -> list[Trial]:
        """The best points of a network that may win and were not realised in vain; of equals those of fewest LUTs."""
        out = self.correction.excluded.get(candidate.label, {})
        done = [t for t in self.histories[candidate.label].trials if t.done and t.number not in out]
        return sorted(done, key=lambda trial: (trial.score, _luts(trial)))[:count]

    def explain_nothing(self, candidate: Candidate) -> SpaceError:
        """Why no evaluated point of a network may win: the budget is contradictory, or the evaluations were too few."""
        problem = self.problem(candidate)
        history = self.histories[candidate.label]
        states = ", ".join(f"{count} {state}" for state, count in history.states().items() if count)
        problem = self.problem(candidate)
        reason = next((f"for instance: {t.reason}" for t in history.trials if t.reason), "no point was evaluated")
        limits = problem.objective.limits
        columns = {name: np.array([number_of(t.figures, name) for t in history.trials]) for name in limits}
        if history.states()["over limit"]:
            reason = problem.objective.explain(columns)
        if problem.in_columns:
            problem.sweep()  # a SpaceError where no point of the space stays within the limits
        return SpaceError(
            f"of {history.evaluations} accelerators evaluated for {candidate.label} none may win ({states}): {reason}. "
            "Allow more evaluations, or raise the limits"
        )

    def number(self, point: Mapping[str, Value]) -> int | None:
        """A point's number in the space; None where it is not in it."""
        space = self.family.space
        if isinstance(self.family, EngineFamily):  # what a narrower space leaves out is as EnginePoint has it
            left_out = {f.name: f.default for f in fields(EnginePoint) if f.name not in space.names}
            if any(point.get(name, value) != value for name, value in left_out.items()):
                return None
        try:
            return space.number({name: point[name] for name in space.names})
        except (SpaceError, KeyError):
            return None

    # Rivals.

    def rivals(self, candidate: Candidate, budget: int) -> dict[str, dict[str, Any]]:
        """What the other methods find for a network in `budget` evaluations, and the optimum where it can be listed."""
        policy, self._policy = self._policy, None  # an agent among the rivals begins without what was learned
        try:
            return rival_rows(self, candidate, budget)
        finally:
            self._policy = policy

    def stated(self, candidate: Candidate) -> Problem:
        """The problem of a network, apart from the one that is searched, with the limits as they are corrected now."""
        return self._made(candidate, self.correction.objective(self.goal))

    def _note(self, trials: Sequence[Trial], *, phase: str, network: str) -> None:
        for trial in trials:
            self.used += 1
            self.log.trial(trial, arm=self.arm, round=self.round, phase=phase, network=network)


def _luts(trial: Trial) -> float:
    """LUTs of a trial, to choose among equals; a user's own cost function may give none."""
    value: object = trial.figures["luts"].value if "luts" in trial.figures else 0.0
    return float(value) if isinstance(value, int | float) else 0.0
