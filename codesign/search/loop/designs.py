"""What the loop speaks of: networks, designs (a network on an accelerator), and what measuring one made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from codesign.accel import Figure
from codesign.accel.space import Value
from codesign.search.jobs import Job, Outcome
from codesign.search.objective import Objective

__all__ = ["Candidate", "Design", "judge"]

_COUNTED = ("luts", "ffs", "brams", "dsps")


@dataclass(frozen=True, eq=False)
class Candidate:
    """A network.

    label:    names it in logs: a cell's architecture, or its point's choices in words.
    point:    its choices in the network space; empty for a network that is given as a file.
    network:  what the hardware's family runs; its weights are drawn where it is not trained yet.
    accuracy: on validation, in percent; None where it is not known (yet). origin: where it comes from.
    """

    label: str
    point: Mapping[str, Value]
    network: Any
    accuracy: float | None = None
    origin: str = ""


@dataclass(frozen=True, eq=False)
class Design:
    """A network on an accelerator, as realised.

    state:    "done" alone may be a result; "over limit": a measured figure exceeds a limit; "failed": the build did, or
              it differs from the network or the law; "not accurate": the trained network is too far from the reference.
    predicted, figures: what the model said; and what stands now, measured where it was measured.
    value:    of the objective, from `figures`; infinite unless done.
    """

    candidate: Candidate
    point: Mapping[str, Value]
    predicted: Mapping[str, Figure]
    figures: Mapping[str, Figure]
    state: Literal["done", "over limit", "failed", "not accurate"]
    value: float
    reason: str = ""
    job: Job | None = None
    outcome: Outcome | None = None
    accuracy: float | None = None
    arm: str = ""
    round: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def done(self) -> bool:
        """Whether it may be a result."""
        return self.state == "done"


def judge(
    candidate: Candidate,
    point: Mapping[str, Value],
    predicted: Mapping[str, Figure],
    outcome: Outcome,
    objective: Objective,
    *,
    least_accuracy: float | None,
    arm: str = "",
    round: int = 0,
) -> Design:
    """Make a design of what a job found: measured figures take the place of the model's, and limits are asked again.

    least_accuracy: validation accuracy, in percent, that a network trained by the job must reach.
    """
    figures = dict(predicted)
    trained = outcome.figures.get("accuracy_validation")
    accuracy = candidate.accuracy if trained is None else 100 * trained.value

    def made(state: Any, reason: str, value: float = float("inf")) -> Design:
        return Design(
            candidate, point, predicted, figures, state, value, reason, outcome.job, outcome, accuracy, arm, round
        )

    if not outcome.done:
        return made("failed", outcome.reason)
    found = outcome.figures
    wrong = found.get("vectors_mismatched")
    if wrong is not None and wrong.value:
        return made("failed", f"{wrong.value:g} answers of the Verilog are not the network's")
    for name in ("cycles", "interval"):
        if name in found and name in predicted and found[name].value != predicted[name].value:
            text = f"{name}: the simulation counted {found[name].value:,.0f}, the model says "
            return made("failed", f"{text}{predicted[name].value:,.0f}")
    figures |= {name: found[name] for name in ("cycles", "interval", *_COUNTED) if name in found}
    if (clock := found.get("fmax_mhz")) is not None and "cycles" in figures:
        latency = figures["cycles"].value / clock.value
        figures["fmax_mhz"] = clock
        figures["latency_us"] = Figure(latency, f"us at {clock.value:.1f} MHz", "routed")
        if "energy_nj" in figures:
            energy = figures["energy_nj"]
            figures["edp"] = Figure(energy.value * latency, "nJ us", energy.origin)
    if trained is not None and least_accuracy is not None and accuracy is not None and accuracy < least_accuracy:
        return made(
            "not accurate", f"validation accuracy {accuracy:.2f} %, at least {least_accuracy:.2f} % is asked for"
        )
    judged = objective.outcome(figures)
    if judged.over:
        text = ", ".join(
            f"{name} {met:,.6g} ({figures[name].origin}) exceeds {objective.limits[name]:,.6g}"
            for name, met in judged.over.items()
        )
        return made("over limit", text)
    return made("done", "", judged.value)
