"""The amortised hardware agent: trained over a distribution of networks, it proposes points for a new one at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, CheckpointCallback
from stable_baselines3.common.vec_env import DummyVecEnv

from codesign.errors import ConfigError, RunError
from codesign.search.environment import AcceleratorEnv, Encoding
from codesign.search.problem import Problem, Trial
from codesign.search.settings import AgentSettings

__all__ = ["HardwareAgent"]

_REFERENCE_POINTS = 32
_CHECKPOINT = "agent"


class HardwareAgent:
    """A MaskablePPO whose observation says which device and network it chooses for.

    Train it over problems that differ in network (or device) and share a space; then `propose` gives, for a problem
    that it never saw, a valid point without evaluating any. Its parameters are a good beginning for `AgentSearch` too.
    """

    def __init__(self, model: MaskablePPO, problems: Sequence[Problem]):
        """`model`: as `new` or `load` make it."""
        self.model, self.problems = model, tuple(problems)
        self.encoding = Encoding(self.problems[0].space, len(self.problems[0].features))

    @classmethod
    def new(
        cls,
        problems: Sequence[Problem],
        *,
        seed: int,
        settings: AgentSettings | None = None,
        log_folder: Path | None = None,
        references: Sequence[float] | None = None,
    ) -> HardwareAgent:
        """Make an untrained agent for the problems' space. log_folder: where TensorBoard's events go.

        references: of each problem, the score whose reward is 0; None: the mean score of 32 random valid points, so
        that rewards of problems of every size are alike.
        """
        chosen = settings or AgentSettings()
        envs = _envs(problems, chosen, seed, references)
        model = MaskablePPO(
            "MlpPolicy",
            envs,
            learning_rate=chosen.learning_rate,
            n_steps=envs.envs[0].encoding.steps * chosen.rollouts,  # type: ignore[attr-defined]
            batch_size=chosen.minibatch * 4,
            n_epochs=chosen.epochs,
            gamma=1.0,
            gae_lambda=1.0,
            clip_range=chosen.clip,
            ent_coef=chosen.entropy[0],
            vf_coef=chosen.value_weight,
            policy_kwargs={"net_arch": list(chosen.hidden)},
            tensorboard_log=str(log_folder) if log_folder is not None else None,
            seed=seed,
            device="cpu",
        )
        return cls(model, problems)

    def learn(
        self,
        episodes: int,
        *,
        callbacks: Sequence[BaseCallback] = (),
        checkpoints: Path | None = None,
        every_episodes: int = 1000,
    ) -> int:
        """Play that many episodes more and learn from them; return how many have been played in all.

        callbacks: of stable-baselines3. checkpoints: a folder that gets the agent every `every_episodes` episodes, and
        at the end; `resume` goes on from the newest.
        """
        found = list(callbacks)
        steps = self.encoding.steps
        if checkpoints is not None:
            checkpoints.mkdir(parents=True, exist_ok=True)
            every = max(1, every_episodes * steps // self.model.n_envs)
            found.append(CheckpointCallback(every, str(checkpoints), name_prefix=_CHECKPOINT))
        self.model.learn(
            episodes * steps, callback=CallbackList(found), reset_num_timesteps=False, tb_log_name="hardware_agent"
        )
        if checkpoints is not None:
            self.model.save(checkpoints / f"{_CHECKPOINT}_{self.model.num_timesteps}_steps.zip")
        return self.model.num_timesteps // steps

    @property
    def evaluations(self) -> int:
        """Distinct points evaluated in training, those for the references not counted."""
        return len(self.known)

    @property
    def known(self) -> dict[tuple[int, int], Trial]:
        """The trials of training, by the problem's index and the point's number."""
        envs: Any = self.model.get_env()
        return envs.envs[0].known

    def propose(self, problem: Problem, *, count: int = 1, seed: int = 0) -> list[int]:
        """Return numbers of `count` distinct valid points, best guess first; nothing is evaluated.

        The first one takes the likeliest allowed value of every knob; others are drawn from the policy. Fewer come back
        where the space has fewer valid points, or the policy has settled on fewer.
        """
        if problem.space.knobs != self.problems[0].space.knobs:
            raise ConfigError(f"the agent was trained on another space than {problem.space.name!r}")
        self.model.set_random_seed(seed)
        found = [self._episode(problem, greedy=True)]
        for _ in range(20 * (count - 1)):
            if len(found) == count:
                break
            number = self._episode(problem, greedy=False)
            if number not in found:
                found.append(number)
        return found

    def parameters(self) -> dict[str, Any]:
        """The policy's parameters, as `AgentSearch` takes them to begin with."""
        return self.model.policy.state_dict()

    def save(self, path: Path) -> None:
        """Write the agent to one file (stable-baselines3's zip; it holds pickles: load only files that you trust)."""
        self.model.save(path)

    @classmethod
    def load(
        cls, path: Path, problems: Sequence[Problem], *, settings: AgentSettings | None = None, seed: int = 0
    ) -> HardwareAgent:
        """Read an agent; `problems` are what it goes on learning from, and say its space."""
        if not path.is_file():
            raise RunError(f"{path}: no such agent; `save` or a checkpoint of `learn` writes one")
        envs = _envs(problems, settings or AgentSettings(), seed)
        try:
            model = MaskablePPO.load(path, env=envs, device="cpu")
        except ValueError as problem:
            raise RunError(f"{path}: this agent was trained on another space or other features ({problem})") from None
        return cls(model, problems)

    @classmethod
    def resume(
        cls, checkpoints: Path, problems: Sequence[Problem], *, settings: AgentSettings | None = None, seed: int = 0
    ) -> HardwareAgent:
        """Read the newest checkpoint of a folder."""
        found = sorted(checkpoints.glob(f"{_CHECKPOINT}_*_steps.zip"), key=_steps_of)
        if not found:
            raise RunError(f"{checkpoints}: has no checkpoint of an agent")
        return cls.load(found[-1], problems, settings=settings, seed=seed)

    def _episode(self, problem: Problem, *, greedy: bool) -> int:
        env = AcceleratorEnv(problem)
        seen, _ = env.reset()
        for _ in range(self.encoding.steps):
            action, _ = self.model.predict(seen, action_masks=env.action_masks(), deterministic=greedy)
            seen = env.choose(int(action))
        return env.number


def _steps_of(path: Path) -> int:
    return int(path.stem.split("_")[-2])


def _envs(
    problems: Sequence[Problem], settings: AgentSettings, seed: int, references: Sequence[float] | None = None
) -> DummyVecEnv:
    rng = np.random.default_rng(seed)
    zeros = list(references) if references is not None else [_reference(problem, rng) for problem in problems]
    known: dict[tuple[int, int], Trial] = {}

    def make() -> AcceleratorEnv:
        return AcceleratorEnv(problems, references=zeros, known=known)

    return DummyVecEnv([make for _ in range(settings.episodes)])


def _reference(problem: Problem, rng: np.random.Generator) -> float:
    numbers = np.flatnonzero(problem.valid)
    drawn = rng.choice(numbers, size=min(_REFERENCE_POINTS, len(numbers)), replace=False)
    scores = [trial.score for trial in problem.evaluate([int(n) for n in drawn]) if np.isfinite(trial.score)]
    if not scores:
        raise ConfigError(f"problem {problem.name!r}: none of {len(drawn)} valid points has a figure to learn from")
    return float(np.mean(scores))
