"""The differentiable search over networks: gradient steps on relaxed choices under limits that hold at every step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.errors import ConfigError, did_you_mean
from codesign.search.gradient.legal import Function, Legality, Listed
from codesign.search.gradient.relaxed import Mode, RelaxedChoices, annealed
from codesign.search.gradient.tables import Table

__all__ = ["Drop", "Found", "GradientConfig", "Step", "gradient_search"]

Hold = Literal["projection", "penalty"]

_CHOICES: dict[str, tuple[str, ...]] = {"mode": get_args(Mode), "hold": get_args(Hold)}
_WHOLE = ("steps", "log_every")
_POSITIVE = ("steps", "learning_rate", "first_temperature", "last_temperature", "log_every")
_NOT_NEGATIVE = ("cost_weight", "entropy_weight", "penalty", "start_spread")


@dataclass(frozen=True)
class GradientConfig:
    """How to search.

    mode:        see `codesign.search.gradient.Mode`.
    cost_weight: what a factor of e in the cost is worth, in units of the score.
    hold:        "projection": after every step the distribution is moved, as little as possible, until its most
                 probable network is legal; "penalty": nothing is moved, and networks that are not legal cost `penalty`
                 times their probability.
    start_spread: deviation of the logits at the start, by the seed; 0 starts from equal probabilities.
    """

    steps: int = 300
    learning_rate: float = 0.1
    mode: Mode = "exact"
    first_temperature: float = 2.0
    last_temperature: float = 0.1
    cost_weight: float = 0.1
    entropy_weight: float = 0.02
    hold: Hold = "projection"
    penalty: float = 2.0
    log_every: int = 10
    start_spread: float = 0.0

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            value = getattr(self, name)
            if value not in known:
                hint = did_you_mean(str(value), known)
                raise ConfigError(f"{name} must be {', '.join(known[:-1])} or {known[-1]}, not {value!r}.{hint}")
        for name in (*_POSITIVE, *_NOT_NEGATIVE):
            value = getattr(self, name)
            if not _is_number(value, whole=name in _WHOLE):
                raise ConfigError(f"{name} must be a {'whole ' if name in _WHOLE else ''}number, not {value!r}")
            if name in _POSITIVE and not value > 0:
                raise ConfigError(f"{name} must be more than 0, not {value}")
            if value < 0:
                raise ConfigError(f"{name} must not be negative, not {value}")


def _is_number(value: Any, *, whole: bool) -> bool:
    """Whether a value is a finite number, and a whole one where that is asked for; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, Integral if whole else Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


@dataclass(frozen=True)
class Step:
    """A logged step.

    score, cost: of the relaxed network, as the gradient saw them; found: candidate indices of the most probable
    network,
    found_score, found_cost: its own figures; legal: whether it keeps all limits; legal_share: how probable a legal
    network is; projected: whether the distribution had to be moved since the last logged step.
    """

    step: int
    temperature: float
    loss: float
    score: float
    cost: float
    entropy_bits: float
    found: tuple[int, ...]
    found_score: float
    found_cost: float
    legal: bool
    legal_share: float
    projected: bool


@dataclass(frozen=True)
class Drop:
    """What is lost from the relaxed to the discrete network: positive where the discrete one is worse.

    score: in its own unit; cost: likewise, and relative: as a share of the relaxed network's.
    """

    score: float
    cost: float
    relative: float = 0.0


@dataclass(frozen=True)
class Found:
    """What a search found: the network as candidate indices, its figures, the drop, and the logged steps.

    distribution: the final probabilities of every choice's candidates.
    """

    found: tuple[int, ...]
    score: float
    cost: float
    legal: bool
    drop: Drop
    steps: tuple[Step, ...]
    distribution: tuple[tuple[float, ...], ...] = ()

    @property
    def violations(self) -> int:
        """Logged steps whose network exceeded a limit."""
        return sum(not step.legal for step in self.steps)


def gradient_search(
    score: Function,
    cost: Function,
    *,
    legal: Legality | NDArray[np.bool_],
    config: GradientConfig | None = None,
    seed: int,
    progress: Callable[[Step], None] | None = None,
) -> Found:
    """Maximise score - cost_weight * log(cost) over the networks that `legal` allows (an array: an axis a choice).

    With `projection` the most probable network is legal at every step, and where the space is listed and both figures
    are tables over it, the expectations of mode `exact` are conditional on a legal network. A space without a legal
    network is a SpaceError.
    """
    config = config or GradientConfig()
    bounds = legal if isinstance(legal, Legality) else Listed(legal)
    choices = RelaxedChoices(bounds.sizes)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for logits in choices.logits:
            logits += config.start_spread * torch.randn(len(logits), dtype=torch.float64, generator=generator)
    optimizer = torch.optim.Adam(choices.parameters(), lr=config.learning_rate)
    steps: list[Step] = []
    projected = _hold(choices, bounds, config)
    for number in range(config.steps):
        temperature = annealed(number, config.steps, first=config.first_temperature, last=config.last_temperature)
        optimizer.zero_grad()
        weights = choices.draw(temperature=temperature, mode=config.mode, generator=generator)
        loss, now_score, now_cost = _loss(choices, weights, score, cost, bounds, config, temperature)
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        optimizer.step()
        projected |= _hold(choices, bounds, config)
        if number % config.log_every == 0 or number == config.steps - 1:
            found = _most_probable(choices)
            with torch.no_grad():
                share = bounds.share(choices.probabilities())
            step = Step(
                number,
                temperature,
                float(loss.detach()),
                now_score,
                now_cost,
                choices.entropy(),
                found,
                score.at(found),
                cost.at(found),
                bounds.holds(found),
                float("nan") if share is None else float(share),
                projected,
            )
            steps.append(step)
            projected = False
            if progress is not None:
                progress(step)
    last = steps[-1]
    drop = Drop(last.score - last.found_score, last.found_cost - last.cost, last.found_cost / last.cost - 1)
    with torch.no_grad():
        left = tuple(tuple(float(p) for p in one) for one in choices.probabilities())
    return Found(last.found, last.found_score, last.found_cost, last.legal, drop, tuple(steps), left)


def _loss(
    choices: RelaxedChoices,
    weights: Sequence[Tensor],
    score: Function,
    cost: Function,
    bounds: Legality,
    config: GradientConfig,
    temperature: float,
) -> tuple[Tensor, float, float]:
    """The loss of a step, and score and cost as it saw them."""
    probabilities = choices.probabilities()
    if config.mode == "exact" and config.hold == "projection" and isinstance(bounds, Listed):
        now_score, now_cost = _given_legal(score, bounds, weights), _given_legal(cost, bounds, weights)
    else:
        now_score, now_cost = score(weights), cost(weights)
    loss = -now_score + config.cost_weight * torch.log(now_cost)
    if config.hold == "penalty":
        loss = loss + config.penalty * bounds.penalty(weights)
    spread = torch.stack([-(p * torch.log(p.clamp_min(1e-300))).sum() for p in probabilities]).sum()
    cold = 1 - (temperature - config.last_temperature) / max(1e-9, config.first_temperature - config.last_temperature)
    loss = loss + config.entropy_weight * cold * spread  # at the end few networks should be left
    return loss, float(now_score.detach()), float(now_cost.detach())


def _given_legal(figure: Function, bounds: Listed, weights: Sequence[Tensor]) -> Tensor:
    """The expectation of a figure over legal networks alone, where it is a table over the whole space."""
    if not isinstance(figure, Table) or figure.choices != bounds.table.choices:
        return figure(weights)
    mass = bounds.table(weights).clamp_min(1e-300)
    return Table(figure.choices, figure.values * bounds.table.values)(weights) / mass


def _most_probable(choices: RelaxedChoices) -> tuple[int, ...]:
    return tuple(int(logits.detach().argmax()) for logits in choices.logits)


def _hold(choices: RelaxedChoices, bounds: Legality, config: GradientConfig) -> bool:
    """Move the distribution where its most probable network is not legal; True where it was moved."""
    if config.hold == "penalty" or bounds.holds(_most_probable(choices)):
        return False
    return choices.project(bounds.nearest(choices.log_probabilities()))
