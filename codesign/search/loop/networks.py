"""The network half: what the loop asks of a space of networks, whatever kind it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from codesign.accel.space import Value
from codesign.config.search import SearchConfig
from codesign.errors import ConfigError, did_you_mean
from codesign.ir.integer import Conv, IntegerNetwork
from codesign.search.gradient import GradientConfig
from codesign.search.jobs import Job
from codesign.search.loop.designs import Candidate, Design
from codesign.search.loop.log import Log
from codesign.search.objective import OBJECTIVES

__all__ = ["NetworkDrop", "Networks", "gradient_options", "network_figure", "widest"]

Point = Mapping[str, Value]


def widest(network: IntegerNetwork) -> IntegerNetwork:
    """A network of the same shape whose weights are all as low as their bits allow.

    A point that can run it can run every network of that shape and those bits, whatever training makes of the weights.
    """
    layers = tuple(
        replace(layer, weights=np.full_like(layer.weights, layer.weight_levels.low))
        if isinstance(layer, Conv)
        else layer
        for layer in network.layers
    )
    return replace(network, layers=layers)


@dataclass(frozen=True)
class NetworkDrop:
    """What a gradient search lost from the relaxed network (the distribution) to the discrete one (the most probable).

    unit: of `relaxed` and `discrete`, of which more is better. cost: by what share the discrete network's figure is
    above the relaxed one's; below it where negative.
    """

    round: int
    unit: str
    relaxed: float
    discrete: float
    figure: str
    cost: float

    @property
    def text(self) -> str:
        """One line."""
        way = "more" if self.cost >= 0 else "less"
        return (
            f"from the relaxed to the discrete network: {self.relaxed:.4g} to {self.discrete:.4g} {self.unit}, "
            f"{self.figure} {100 * abs(self.cost):.2f} % {way}"
        )


class Networks(ABC):
    """A network half. It keeps what it learned of networks from round to round; `used` counts what the budget counts.

    trains: whether a network's accuracy comes from training it, in the job that realises it.
    """

    trains = False
    cost_unit = ""
    """What the cost at the logged steps of a gradient search is a multiple of; "": it is in the figure's own unit."""

    def __init__(self, config: SearchConfig, *, folder: Path, seed: int, log: Log, arm: str = "loop"):
        """folder: what relative paths are relative to."""
        self.config, self.folder, self.seed, self.log, self.arm = config, folder, seed, log, arm
        self.used = 0
        self.round = 0
        self.drops: list[NetworkDrop] = []
        """Of the gradient searches so far."""

    def check(self) -> None:  # noqa: B027 - a half that reads no data has nothing to check
        """Read what the search reads later, and refuse what does not fit, before anything is made."""

    @abstractmethod
    def reference(self, default: Point | None) -> Candidate:
        """The reference network; default: the default accelerator, which must run it (None: there is none)."""

    def least(self) -> Candidate | None:
        """The network whose figures are the least at every accelerator, and which runs wherever another does.

        None where nobody knows one: then what limits can be kept is not known before networks are searched.
        """
        return None

    def least_figures(self, point: Point) -> Mapping[str, float]:
        """The least that figures of any network can be at a hardware point, where that is known without training."""
        return {}

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Candidate:
        """Draw a legal network, for the agent to learn from; its accuracy is not looked at."""

    @abstractmethod
    def search(
        self, point: Point, *, share: float, limits: Mapping[str, float], least: float | None
    ) -> list[Candidate]:
        """Search networks at a hardware point; the best first.

        share: of the budget, to which `used` may go. limits: most that figures may be. least: validation accuracy that
        is asked for, in percent; None where it is not known yet.
        """

    def learn(self, designs: Sequence[Design]) -> None:  # noqa: B027 - a half that learns nothing needs none
        """Take the designs of a round; nothing by default."""

    @abstractmethod
    def job(self, candidate: Candidate, point: Point) -> Job:
        """The job that realises a network on a hardware point."""

    def test_accuracy(self, candidate: Candidate) -> tuple[float, str] | None:
        """The test accuracy of the result, in percent, and its origin; asked for once, at the end; None where the job
        that realised it has it, or nobody."""
        return None

    def facts(self) -> dict[str, Any]:
        """What a report says of this half."""
        return {}


def network_figure(config: SearchConfig, known: Sequence[str], *, what: str) -> str:
    """The figure by which networks are searched: the objective's; a ConfigError where networks do not decide it."""
    figure = OBJECTIVES.get(config.objective.figure, config.objective.figure)
    found = "cycles" if figure == "interval" else figure  # of one network at a time they are the same
    if found not in known:
        raise ConfigError(
            f"objective.figure: {_why_not(config.objective.figure, known, what)}; it must be latency, energy, edp or "
            "cycles"
        )
    return found


def _why_not(asked: str, known: Sequence[str], what: str) -> str:
    """Why networks cannot be searched for a figure."""
    if asked == "accuracy":
        return f"{what} are searched for a cost, and `network.within` holds their accuracy, so it cannot be accuracy"
    short = [name for name, figure in OBJECTIVES.items() if figure in (*known, "interval")]
    hint = did_you_mean(asked, [*short, *known]) if asked not in OBJECTIVES else ""
    if hint:
        return f"there is no figure {asked!r}.{hint} {what[0].upper()}{what[1:]} are searched for a cost"
    return f"{what} cannot be searched for {asked!r}, which no network decides"


def gradient_options(config: SearchConfig, preset: Mapping[str, Any], *, also: Sequence[str] = ()) -> GradientConfig:
    """The settings of a gradient search: those of `network.options` over `preset`; a ConfigError names a wrong one.

    also: options that are not the gradient's.
    """
    known = [*(field.name for field in fields(GradientConfig)), *also]
    for name in config.network.options:
        if name not in known:
            raise ConfigError(
                f"network.options: {name!r} is no option.{did_you_mean(name, known)} Known: {', '.join(known)}"
            )
    try:
        own = {name: value for name, value in config.network.options.items() if name not in also}
        return GradientConfig(**{**preset, **own})
    except ConfigError as problem:
        raise ConfigError(f"network.options.{problem}") from None
