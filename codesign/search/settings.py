"""How the hardware agent learns: settings of MaskablePPO for spaces of some million points and a small budget."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AgentSettings"]


@dataclass(frozen=True)
class AgentSettings:
    """How the agent learns in a search of some hundred evaluations.

    episodes:      points proposed between updates; epochs, minibatch: of an update (PPO).
    learning_rate, clip, value_weight: of PPO; hidden: widths of policy and value network.
    entropy:       weight of the entropy bonus, falling linearly from the first to the second value over `horizon`.
    horizon:       evaluations over which it falls.
    fresh:         whether points that were evaluated are masked, so that every episode is a new point (not when raw).
    elites:        best points so far that the policy imitates after each update (self-imitation), in `imitations`
                   steps; 0 switches it off.
    rollouts:      batches of episodes between updates where an agent is trained over many networks.
    """

    episodes: int = 16
    epochs: int = 4
    minibatch: int = 256
    learning_rate: float = 3e-3
    clip: float = 0.2
    value_weight: float = 0.5
    hidden: tuple[int, ...] = (64, 64)
    entropy: tuple[float, float] = (0.02, 0.002)
    horizon: int = 1000
    fresh: bool = True
    elites: int = 8
    imitations: int = 2
    rollouts: int = 1
