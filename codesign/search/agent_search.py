"""The reinforcement-learning agent as a search method: MaskablePPO that learns while the budget is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.search.environment import AcceleratorEnv
from codesign.search.problem import Problem, Trial
from codesign.search.search import Searcher
from codesign.search.settings import AgentSettings

__all__ = ["AgentSearch"]

Numbers = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Batch:
    """Episodes as they were played; each list has an entry a step."""

    numbers: list[int]
    observations: list[Numbers]
    actions: list[NDArray[np.int64]]
    masks: list[NDArray[np.bool_]]
    values: list[Any]
    log_probs: list[Any]


class AgentSearch(Searcher):
    """MaskablePPO (sb3-contrib), one knob a step, exact masks; one batch of episodes an update.

    The reward of an episode, at its last step, is how far the logarithm of the objective is below the median of all
    values so far, over their spread; an episode without a figure gets the worst one met and 1 less. Raw, masks say no
    more than which values a knob has.
    """

    name = "agent"

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int,
        raw: bool = False,
        settings: AgentSettings | None = None,
        policy: dict[str, Any] | None = None,
    ):
        """`policy`: parameters to begin with (of a trained `HardwareAgent`), in place of drawn ones."""
        super().__init__(problem, seed=seed, raw=raw)
        self.settings = settings or AgentSettings()
        self.encoding = AcceleratorEnv(problem, raw=raw).encoding
        self._base = self.encoding.base(problem)
        self._model = _model(problem, raw, self.settings, seed)
        if policy is not None:
            self._model.policy.load_state_dict(policy)
        self._completions = None if raw else problem.completions.copy()
        self._strides = np.array([_stride(problem, knob) for knob in self.encoding.knobs])
        self._pending: _Batch | None = None
        self._scores: dict[int, float] = {}
        self._elites: list[Trial] = []

    def ask(self) -> list[int]:
        """Play a batch of episodes; an empty list where every valid point is known."""
        import torch

        if self._completions is not None and self._completions.count == 0:
            return []
        count, policy = self.settings.episodes, self._model.policy
        policy.set_training_mode(False)
        chosen = np.zeros((count, 0), dtype=np.int64)
        batch = _Batch([], [], [], [], [], [])
        for _ in range(self.encoding.steps):
            seen, mask = self.encoding.observe(self._base, chosen), self._masks(chosen)
            with torch.no_grad():
                actions, values, log_probs = policy(torch.as_tensor(seen), action_masks=mask)
            batch.observations.append(seen)
            batch.masks.append(mask)
            batch.actions.append(actions.numpy())
            batch.values.append(values)
            batch.log_probs.append(log_probs)
            chosen = np.concatenate([chosen, actions.numpy()[:, None]], axis=1)
        batch.numbers.extend(int(number) for number in chosen @ self._strides)
        self._pending = batch
        return batch.numbers

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from the episodes. Trials that it did not ask for, of an earlier part of the search, are imitated."""
        for trial in trials:
            self._scores[trial.number] = trial.score
            if self._completions is not None and self.settings.fresh:
                self._completions.remove(trial.number)
        pool = {trial.number: trial for trial in (*self._elites, *trials) if np.isfinite(trial.score)}
        self._elites = sorted(pool.values(), key=lambda trial: trial.score)[: self.settings.elites]
        batch, self._pending = self._pending, None
        if batch is not None and all(number in self._scores for number in batch.numbers):
            self._anneal()
            self._learn(batch)
        self._imitate()

    def state(self) -> dict[str, Any]:
        """Parameters of the policy, as `policy` takes them."""
        return self._model.policy.state_dict()

    def _masks(self, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
        step = chosen.shape[1]
        size = self.encoding.sizes[step]
        found = np.zeros((len(chosen), self.encoding.actions), dtype=np.bool_)
        found[:, :size] = True
        if self._completions is not None:
            prefixes = chosen @ self._strides[:step]
            found[:, :size] = self._completions.allowed(prefixes, self.encoding.knobs[step])
        return found

    def _rewards(self, numbers: Sequence[int]) -> NDArray[np.float64]:
        known = np.array([score for score in self._scores.values() if np.isfinite(score)])
        if not len(known):
            return np.zeros(len(numbers))
        centre, spread = float(np.median(known)), max(float(known.std()), 1e-3)
        scores = np.array([self._scores[number] for number in numbers])
        worst = (known.max() - centre) / spread + 1
        return -np.where(np.isfinite(scores), (scores - centre) / spread, worst)

    def _anneal(self) -> None:
        first, last = self.settings.entropy
        done = min(1.0, len(self._scores) / self.settings.horizon)
        self._model.ent_coef = first + (last - first) * done

    def _learn(self, batch: _Batch) -> None:
        import torch

        buffer = self._model.rollout_buffer
        buffer.reset()
        rewards, steps = self._rewards(batch.numbers), self.encoding.steps
        for step in range(steps):
            buffer.add(
                batch.observations[step],
                batch.actions[step][:, None],
                rewards if step == steps - 1 else np.zeros(len(rewards)),
                np.full(len(rewards), step == 0),
                batch.values[step],
                batch.log_probs[step],
                action_masks=batch.masks[step],
            )
        buffer.compute_returns_and_advantage(
            last_values=torch.zeros(len(rewards)), dones=np.ones(len(rewards), dtype=np.bool_)
        )
        self._model.train()

    def _imitate(self) -> None:
        """Make the best points so far likelier: the log-likelihood of their settings, better ones weighing more."""
        import torch

        if not self._elites or not self.settings.imitations:
            return
        numbers = np.array([trial.number for trial in self._elites])
        indices = self.problem.space.indices(numbers)[:, list(self.encoding.knobs)]
        seen, actions, masks = [], [], []
        for step in range(self.encoding.steps):
            seen.append(self.encoding.observe(self._base, indices[:, :step]))
            actions.append(indices[:, step])
            mask = np.zeros((len(indices), self.encoding.actions), dtype=np.bool_)
            size, knob = self.encoding.sizes[step], self.encoding.knobs[step]
            mask[:, :size] = True
            if not self.raw:
                mask[:, :size] = self.problem.completions.allowed(indices[:, :step] @ self._strides[:step], knob)
            masks.append(mask)
        weight = 1.0 / (1.0 + np.arange(len(numbers)))
        weights = torch.as_tensor(np.tile(weight / weight.sum(), self.encoding.steps), dtype=torch.float32)
        policy, observed = self._model.policy, torch.as_tensor(np.concatenate(seen))
        policy.set_training_mode(True)
        for _ in range(self.settings.imitations):
            _, log_probs, _ = policy.evaluate_actions(
                observed, torch.as_tensor(np.concatenate(actions)), action_masks=np.concatenate(masks)
            )
            loss = -(weights * log_probs).sum()
            policy.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(policy.parameters(), 0.5)
            policy.optimizer.step()


def _model(problem: Problem, raw: bool, settings: AgentSettings, seed: int) -> Any:
    from sb3_contrib import MaskablePPO
    from stable_baselines3.common.logger import Logger
    from stable_baselines3.common.vec_env import DummyVecEnv

    envs = DummyVecEnv([lambda: AcceleratorEnv(problem, raw=raw) for _ in range(settings.episodes)])
    steps = AcceleratorEnv(problem, raw=raw).encoding.steps
    model = MaskablePPO(
        "MlpPolicy",
        envs,
        learning_rate=settings.learning_rate,
        n_steps=steps,
        batch_size=settings.minibatch,
        n_epochs=settings.epochs,
        gamma=1.0,
        gae_lambda=1.0,
        clip_range=settings.clip,
        ent_coef=settings.entropy[0],
        vf_coef=settings.value_weight,
        policy_kwargs={"net_arch": list(settings.hidden)},
        seed=seed,
        device="cpu",
    )
    model.set_logger(Logger(None, []))
    return model


def _stride(problem: Problem, knob: int) -> int:
    return int(np.prod([len(one.values) for one in problem.space.knobs[:knob]], dtype=np.int64))
