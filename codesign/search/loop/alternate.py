"""The loop: an agent learns accelerators over networks, gradients choose the network, hardware is made and measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from codesign.accel import Figure
from codesign.accel.family import Refusal
from codesign.accel.space import Value
from codesign.errors import ConfigError, SpaceError
from codesign.search.jobs import Job, Outcome, Runner
from codesign.search.loop.correction import Correction
from codesign.search.loop.designs import Candidate, Design, judge
from codesign.search.loop.hardware import Hardware
from codesign.search.loop.log import Log
from codesign.search.loop.networks import Networks
from codesign.search.objective import Objective
from codesign.search.problem import OverLimits, number_of

NETWORK_FIGURES = ("cycles", "interval", "latency_us", "energy_nj", "edp")
"""Figures that a network decides too; the others are an accelerator's alone."""

__all__ = ["Loop", "LoopResult", "RoundFacts"]

_RETRIES = 3
"""Shortlists that are realised in a round until a design of it may win."""

Point = Mapping[str, Value]


@dataclass(frozen=True)
class RoundFacts:
    """What a round came to: evaluations and look-ups in all so far, the network, the model's best value, designs."""

    round: int
    evaluations: int
    network_evaluations: int
    network: str
    accuracy: float | None
    agent_value: float
    model_value: float
    designs: tuple[Design, ...]
    factors: Mapping[str, float]


@dataclass
class LoopResult:
    """What the loop found: the best design that was realised, every design, and the rounds."""

    best: Design
    designs: list[Design]
    rounds: list[RoundFacts]
    reference: Candidate
    evaluations: int
    network_evaluations: int
    facts: dict[str, Any] = field(default_factory=dict[str, Any])


class Loop:
    """One search. Each half may be switched off: a network or a hardware point that is fixed takes its place."""

    def __init__(
        self,
        hardware: Hardware,
        networks: Networks,
        runner: Runner,
        *,
        log: Log,
        correction: Correction,
        tell: Callable[[str], None] = lambda _: None,
    ):
        config = hardware.config
        self.hardware, self.networks, self.runner, self.log = hardware, networks, runner, log
        self.correction, self.tell, self.config = correction, tell, config
        self.searches_hardware = config.hardware.method != "default"
        self.searches_networks = config.network.method != "reference"
        self.designs: list[Design] = []
        self.rounds: list[RoundFacts] = []
        self.least: float | None = None
        self._reference: Candidate | None = None
        self._first: Candidate

    def prepare(self) -> Candidate:
        """Refuse what cannot end well, before anything is trained or built; return the reference network."""
        if self._reference is None:
            self.networks.check()
            if self.searches_hardware:
                self._reference = self._reference_network(self._default_or_none())
                self._first = self._first_network(self._reference)
            else:
                default = self.hardware.default()
                self._reference = self._reference_network(default)
                self._refuse_default(default, self._reference)
        return self._reference

    def _reference_network(self, default: Point | None) -> Candidate:
        """The reference network; what is wrong with one that the file gives is told with its key."""
        try:
            return self.networks.reference(default)
        except (ConfigError, SpaceError) as problem:
            if self.config.network.reference is None or str(problem).startswith("network.reference"):
                raise
            kind = SpaceError if isinstance(problem, SpaceError) else ConfigError
            raise kind(f"network.reference: {problem}") from None

    @property
    def begins_with_reference(self) -> bool:
        """Whether the first network in hand is the reference; of a prepared loop that searches hardware."""
        return self.prepare() is self._first

    def _first_network(self, reference: Candidate) -> Candidate:
        """The network that a search begins with: the reference, or where no accelerator keeps the limits with it, the
        least of all. An OverLimits where that cannot keep them either, and so none can."""
        try:
            self.hardware.preflight(reference)
        except OverLimits as problem:
            least = self.networks.least() if self.searches_networks else None
            if least is None:
                more = ". Other networks were not asked" if self.searches_networks else ""
                raise OverLimits(f"{problem}{more}. Raise the limits, or give another network") from None
            try:
                self.hardware.preflight(least)
            except OverLimits as worse:
                raise OverLimits(f"{worse}; and no network of the space has less than this one. Raise them") from None
            self.tell(f"the reference {reference.label} keeps the limits on no accelerator; {least.label} does")
            return least
        return reference

    def _refuse_default(self, default: Point, reference: Candidate) -> None:
        """Refuse limits that the default accelerator exceeds with every network."""
        goal, cost = self.hardware.goal, self.hardware.cost(default, reference)
        over = goal.outcome(cost).over
        least = {name: (met, "") for name, met in over.items()}
        if self.searches_networks:  # resources are the accelerator's; the rest is a network's too
            known = self.networks.least_figures(default)
            least = {name: (met, "") for name, (met, _) in least.items() if name not in NETWORK_FIGURES}
            least |= {
                name: (known[name], "with the least of all networks ")
                for name in over
                if name in known and known[name] > goal.limits[name]
            }
        if least:
            said = ", ".join(f"{n} at most {goal.limits[n]:g}, {how}it has {met:g}" for n, (met, how) in least.items())
            raise OverLimits(
                f"the default accelerator does not keep the limits: {said}. Raise them, or search hardware"
            )

    def run(self) -> LoopResult:
        """Alternate for `loop.rounds` rounds and return the best realised design."""
        loop, budget = self.config.loop, self.config.hardware.evaluations
        if not self.searches_hardware:
            return self._at_default()
        reference = self.prepare()
        network = self._first
        self.least = self._accuracy_asked(reference)
        rng = np.random.default_rng([self.config.seed, 7])
        rounds = loop.rounds
        for number in range(rounds):
            self.hardware.round = self.networks.round = number
            due = budget * (number + 1) // rounds  # evaluations that this round may come to
            # (i) Train the agent over networks drawn from the space, those that were found among them.
            if self.searches_networks and self.config.hardware.method == "agent":
                drawn = [self.networks.draw(rng) for _ in range(loop.draw - 1)]
                self.tell(f"round {number + 1}: training the agent over {loop.draw} networks")
                self.hardware.train([network, *drawn], int((due - self.hardware.used) * loop.amortised))
            # (ii) Search the network at the agent's hardware.
            proposed = self._agents_hardware(network, due)
            agent_value = self._value(proposed, network)
            candidates = [network]
            if self.searches_networks:
                self.tell(f"round {number + 1}: searching the network at the best accelerator so far")
                candidates = self._networks_found(proposed, (number + 1) / rounds)
                network = candidates[0]
            # (iii) Adapt the agent to the network.
            agent = self.config.hardware.method == "agent"
            doing = "adapting the agent to" if agent else "searching accelerators for"
            self.tell(f"round {number + 1}: {doing} {network.label}")
            winners = [design.point for design in self._ranked()] + [proposed]
            if self.networks.trains and self.least is None and network.label != reference.label:
                # Its own training says how accurate others must be: it is realised too, on hardware of its own.
                self.hardware.adapt(reference, max(0, due - self.hardware.used) // 2)
            self.hardware.transfer(network, winners[:4], max(0, due - self.hardware.used))
            history = self.hardware.adapt(network, max(0, due - self.hardware.used))
            if history.best is None:
                raise self.hardware.explain_nothing(network)
            # (iv) Realise the shortlist: generate, lint, simulate bit for bit, synthesise.
            # (v) Bring what was measured back into the model.
            made = self._realise_round(number, reference, candidates)
            self.networks.learn(made)
            best = history.best
            self.rounds.append(
                RoundFacts(
                    number,
                    self.hardware.used,
                    self.networks.used,
                    network.label,
                    network.accuracy,
                    agent_value,
                    best.value,
                    tuple(made),
                    dict(self.correction.factors),
                )
            )
        return self._result(reference)

    # The halves that are switched off.

    def _at_default(self) -> LoopResult:
        """The default accelerator with the reference, or with the network that is searched for it."""
        reference, default = self.prepare(), self.hardware.default()
        candidates = [reference]
        if self.searches_networks:
            if self.networks.trains:  # the reference's accuracy is measured first
                self._realise([(reference, default)], 0)
            self.least = self._accuracy_asked(reference)
            self.tell("searching the network at the default accelerator")
            found = self._networks_found(default, 1.0)
            candidates = [*found, *([] if self.networks.trains else [reference])]
        self._realise([(one, default) for one in candidates[: max(1, self.config.loop.shortlist)]], 0)
        return self._result(reference)

    def _default_or_none(self) -> Point | None:
        try:
            return self.hardware.default()
        except SpaceError:
            raise
        except Exception:
            if self.config.hardware.default is not None:
                raise
            return None  # a family without a default: the reference does not depend on it

    # Steps.

    def _agents_hardware(self, network: Candidate, due: int) -> Point:
        """What the agent proposes for the network, or the best that is known for it: a point that may win."""
        left = max(0, due - self.hardware.used)
        trial = self.hardware.propose(network, left)
        known = self.hardware.histories[network.label].best
        if trial is None or (known is not None and known.score < trial.score):
            trial = known
        if trial is None:  # nothing yet: the search method itself is asked for a part of what is due
            trial = self.hardware.adapt(network, max(1, left // 3)).best
        if trial is None:
            trial = self.hardware.adapt(network, max(0, due - self.hardware.used)).best
        if trial is None:
            raise self.hardware.explain_nothing(network)
        return trial.point

    def _networks_found(self, point: Point, share: float) -> list[Candidate]:
        """What the network half finds at a hardware point; the drop of each gradient search is told."""
        before = len(self.networks.drops)
        found = self.networks.search(point, share=share, limits=self._limits(), least=self.least)
        drops = self.networks.drops[before:]
        if drops:  # of several searches the one that lost most
            self.tell(f"  {max(drops, key=lambda drop: drop.relaxed - drop.discrete).text}")
        return found

    def _accuracy_asked(self, reference: Candidate) -> float | None:
        known = reference.accuracy
        if known is None:
            same = [d for d in self.designs if d.candidate.label == reference.label and d.accuracy is not None]
            known = same[0].accuracy if same else None
        return None if known is None else known - self.config.network.within

    def _limits(self) -> dict[str, float]:
        """Limits as the model has them."""
        return dict(self.correction.objective(self.hardware.goal).limits)

    def _realise_round(self, number: int, reference: Candidate, candidates: Sequence[Candidate]) -> list[Design]:
        """Realise the shortlist of a round, and the next one where none of it may win."""
        network, count = candidates[0], self.config.loop.shortlist
        made: list[Design] = []
        for _ in range(_RETRIES):
            trials = self.hardware.shortlist(network, count)
            wanted: list[tuple[Candidate, Point]] = [(network, trial.point) for trial in trials]
            if self.networks.trains:
                if not trials:
                    break
                wanted = [(one, trials[0].point) for one in candidates if self._runs(one, trials[0].point)]
                if self.least is None:  # its training says how accurate others must be
                    own = self.hardware.shortlist(reference, 1)
                    if not own:
                        raise self.hardware.explain_nothing(reference)
                    wanted = [(reference, own[0].point), *(w for w in wanted if w[0].label != reference.label)]
            known = {(d.candidate.label, tuple(sorted(d.point.items()))) for d in self.designs}
            wanted = [w for w in wanted if (w[0].label, tuple(sorted(w[1].items()))) not in known]
            if not wanted:
                break
            many = f"{len(wanted)} design{'s' if len(wanted) > 1 else ''}"
            built = self.config.realise.build
            self.tell(f"round {number + 1}: {f'building {many}' if built else f'{many} by their figures alone'}")
            made += self._realise(wanted, number, reference=reference)
            if any(design.done for design in made):
                break
        return made

    def _runs(self, candidate: Candidate, point: Point) -> bool:
        try:
            self.hardware.cost(point, candidate)
        except Refusal:
            return False
        return True

    def _realise(
        self, wanted: Sequence[tuple[Candidate, Point]], number: int, *, reference: Candidate | None = None
    ) -> list[Design]:
        costs = [self.hardware.cost(point, candidate) for candidate, point in wanted]
        jobs = [self.networks.job(candidate, point) for candidate, point in wanted]
        outcomes = self._outcomes(jobs, costs)
        made: list[Design] = []
        for (candidate, point), cost, outcome in zip(wanted, costs, outcomes, strict=True):
            own = reference is not None and candidate.label == reference.label
            design = judge(
                candidate,
                point,
                cost,
                outcome,
                self.hardware.goal,
                least_accuracy=None if own else self.least,
                arm=self.hardware.arm,
                round=number,
            )
            made.append(design)
            self.designs.append(design)
            self.log.design(design)
            self.correction.learn(design, self.hardware.number(point))
            if own and self.least is None and design.accuracy is not None:
                self.least = design.accuracy - self.config.network.within
        return made

    def _outcomes(self, jobs: Sequence[Job], costs: Sequence[Mapping[str, Figure]]) -> list[Outcome]:
        if self.config.realise.build:
            return self.runner.evaluate(jobs)
        return [Outcome(job, "done", {}, "", "nobody", 0.0, "") for job in jobs]

    def _ranked(self) -> list[Design]:
        return sorted((design for design in self.designs if design.done), key=lambda design: design.value)

    def _value(self, point: Point, candidate: Candidate) -> float:
        objective: Objective = self.hardware.goal
        return self.hardware.cost(point, candidate)[objective.figure].value

    def _least_built(self) -> str:
        """The least of each limited figure that any design had, where one exceeded its limit."""
        limits = self.hardware.goal.limits
        if not limits or not any(design.state == "over limit" for design in self.designs):
            return ""
        columns = {name: np.array([number_of(d.figures, name) for d in self.designs]) for name in limits}
        return f" Limits: {self.hardware.goal.explain(columns)}."

    def _result(self, reference: Candidate) -> LoopResult:
        done = self._ranked()
        if not done:
            reasons = "; ".join(dict.fromkeys(f"{d.state}: {d.reason}" for d in self.designs))
            built = "built" if self.config.realise.build else "costed"
            raise SpaceError(
                f"none of the {len(self.designs)} designs that were {built} may be returned: {reasons}."
                f"{self._least_built()} Raise the limits or network.within, or allow more evaluations"
            )
        return LoopResult(
            done[0],
            self.designs,
            self.rounds,
            reference,
            self.hardware.used,
            self.networks.used,
            self.networks.facts(),
        )
