"""The choice of a hardware point as a gymnasium environment: one knob a step, exact masks across knobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from codesign.accel import device as find_device
from codesign.accel.space import Space
from codesign.errors import ConfigError
from codesign.families import find_family
from codesign.search.encode import DEVICE_FEATURES, encode_device
from codesign.search.objective import Objective
from codesign.search.problem import Problem, Trial

__all__ = ["ENVIRONMENT", "PENALTY", "AcceleratorEnv", "Encoding"]

ENVIRONMENT = "codesign/Accelerator-v0"
"""Name under which gymnasium knows the environment once this module is imported (gymnasium does it by itself for
`codesign.search.environment:codesign/Accelerator-v0`)."""

PENALTY = -5.0
"""Reward of an episode that ends without a figure. Rewards of others are -log(value / reference), so this is a point
about 150 times worse than the reference."""


class Encoding:
    """What the agent sees: device, network, the settings so far (one-hot), and which knob is next (one-hot)."""

    def __init__(self, space: Space, network_features: int):
        self.knobs = tuple(i for i, knob in enumerate(space.knobs) if len(knob.values) > 1)
        self.sizes = tuple(len(space.knobs[i].values) for i in self.knobs)
        self.steps, self.actions = len(self.knobs), max(self.sizes, default=1)
        if not self.knobs:
            raise ConfigError(f"space {space.name!r} has one point: there is nothing to choose")
        self.first = len(DEVICE_FEATURES) + network_features
        self.starts = self.first + np.concatenate([[0], np.cumsum(self.sizes)])
        self.length = int(self.starts[-1]) + self.steps

    def base(self, problem: Problem) -> NDArray[np.float32]:
        """The part that says which problem it is."""
        found = np.zeros(self.length, dtype=np.float32)
        features = np.concatenate([encode_device(problem.device), problem.features])
        if len(features) != self.first:
            raise ConfigError(
                f"all networks must have {self.first - len(DEVICE_FEATURES)} features; {problem.name!r} has "
                f"{len(problem.features)}"
            )
        found[: self.first] = features
        return found

    def observe(self, base: NDArray[np.float32], chosen: NDArray[np.int64]) -> NDArray[np.float32]:
        """Observations (episodes, length) of the settings (episodes, steps made) of knobs that have a choice."""
        count, made = chosen.shape
        found = np.tile(base, (count, 1))
        for step in range(made):
            found[np.arange(count), self.starts[step] + chosen[:, step]] = 1.0
        if made < self.steps:
            found[:, int(self.starts[-1]) + made] = 1.0
        return found


class AcceleratorEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """An episode sets one knob a step, in the order of the space; its last step's reward is the point's.

    Action a is the a-th value of the knob; `action_masks` says which actions some valid point still has, exactly. An
    action that a mask forbids ends the episode with the reward `PENALTY`, and so does a point without figures. With
    `raw` masks say no more than which values a knob has, so that invalid points can be reached.

    Each reset draws one of the problems (or takes `options={"problem": index}`); all have one space. The reward is the
    problem's reference less the objective's score, both logarithms, limits included; without `references` the first
    score that a problem met is its reference. A point is evaluated once, however often it is met.
    """

    metadata = {"render_modes": []}

    def __init__(
        self,
        problems: Problem | Sequence[Problem] | None = None,
        *,
        raw: bool = False,
        space: str = "",
        network: str = "",
        device: str = "",
        objective: str = "cycles",
        references: Sequence[float] | None = None,
        known: dict[tuple[int, int], Trial] | None = None,
    ):
        """`problems`, or the names of a space, a network and a device as `cods space evaluate` takes them.

        references: of each problem, the score whose reward is 0. known: evaluated points by problem and number, which
        environments may share.
        """
        if problems is None:
            family = find_family(space)
            target = find_device(device)
            problems = Problem(
                family, family.read_network(Path(network)), device=target, objective=Objective(objective), name=network
            )
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        if not self.problems:
            raise ConfigError("an environment needs at least one problem")
        self.raw = raw
        first = self.problems[0].space
        for problem in self.problems:
            if problem.space.knobs != first.knobs:
                raise ConfigError(f"all problems must have one space; {problem.name!r} has {problem.space.name!r}")
        self.encoding = Encoding(first, len(self.problems[0].features))
        self.bases = [self.encoding.base(problem) for problem in self.problems]
        self.references: list[float | None] = [None] * len(self.problems)
        if references is not None:
            self.references = list(references)
        self.known: dict[tuple[int, int], Trial] = {} if known is None else known
        self.observation_space = spaces.Box(-1.0, 4.0, (self.encoding.length,), np.float32)
        self.action_space = spaces.Discrete(self.encoding.actions)
        self._strides = (1, *(int(n) for n in np.cumprod([len(knob.values) for knob in first.knobs])))
        self._index, self._chosen = 0, np.zeros((1, 0), dtype=np.int64)
        self.number = 0

    @property
    def problem(self) -> Problem:
        """The problem of the current episode."""
        return self.problems[self._index]

    @property
    def made(self) -> int:
        """Knobs that are set, of those that have a choice."""
        return self._chosen.shape[1]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode with no knob set."""
        super().reset(seed=seed)
        self._index = int(self.np_random.integers(len(self.problems)))
        if options and "problem" in options:
            self._index = int(options["problem"])
        self._chosen, self.number = np.zeros((1, 0), dtype=np.int64), 0
        return self._observation(), {"problem": self._index}

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions are allowed at this step: exactly those from which some valid point can still be reached."""
        step = self.made
        found = np.zeros(self.encoding.actions, dtype=np.bool_)
        if step == self.encoding.steps:
            return np.ones_like(found)
        size = self.encoding.sizes[step]
        found[:size] = True
        if not self.raw:
            knob = self.encoding.knobs[step]
            found[:size] = self.problem.completions.allowed(np.array([self.number]), knob)[0]
        return found

    def choose(self, action: int) -> NDArray[np.float32]:
        """Set the next knob, evaluate nothing, and return the observation; the action must be one of the knob's."""
        step = self.made
        knob, size = self.encoding.knobs[step], self.encoding.sizes[step]
        if not 0 <= action < size:
            raise IndexError(f"knob {self.problem.space.knobs[knob].name!r} has values 0 to {size - 1}, not {action}")
        self.number += action * self._strides[knob]
        self._chosen = np.append(self._chosen, [[action]], axis=1)
        return self._observation()

    def step(self, action: np.int64) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Set the next knob; the last one's info has the trial of the point."""
        if not self.action_masks()[int(action)]:
            return self._observation(), PENALTY, True, False, {"forbidden": True}
        seen = self.choose(int(action))
        if self.made < self.encoding.steps:
            return seen, 0.0, False, False, {}
        key = (self._index, self.number)
        if key not in self.known:
            self.known[key] = self.problem.evaluate([self.number])[0]
        trial = self.known[key]
        return seen, self.reward(trial), True, False, {"trial": trial}

    @property
    def evaluations(self) -> int:
        """Points evaluated so far, over all problems, each once."""
        return len(self.known)

    def reward(self, trial: Trial) -> float:
        """Of a finished episode."""
        if not np.isfinite(trial.score):
            return PENALTY
        reference = self.references[self._index]
        if reference is None:
            reference = self.references[self._index] = trial.score
        return max(PENALTY, reference - trial.score)

    def _observation(self) -> NDArray[np.float32]:
        return self.encoding.observe(self.bases[self._index], self._chosen)[0]


if ENVIRONMENT not in gymnasium.registry:
    gymnasium.register(ENVIRONMENT, entry_point="codesign.search.environment:AcceleratorEnv")
