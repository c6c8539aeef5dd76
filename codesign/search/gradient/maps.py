"""The network search over convolutional spaces on real data: a super-network, exact cycles in the loss, hard limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.accel.engine import EnginePoint
from codesign.data import DataSet
from codesign.errors import ConfigError
from codesign.search.gradient.legal import Limit, Limited
from codesign.search.gradient.map_tables import map_cycles, map_parameters
from codesign.search.gradient.search import Found, GradientConfig, Step, gradient_search
from codesign.search.gradient.supernet import SuperNet, SuperScore
from codesign.search.gradient.tables import Table, TableSum
from codesign.search.networks.maps import MapSpace
from codesign.search.networks.space import Point

__all__ = ["MapResult", "search_maps"]


@dataclass(frozen=True)
class MapResult:
    """The network that was found: a point of the space, its exact cycles and trained weights, and what was spent.

    found: scores are minus the validation loss in the super-network, which only ranks; train the network by itself.
    rows_trained: training rows that went through the super-network.
    """

    point: Point
    cycles: int
    parameters: int
    found: Found
    rows_trained: int


def search_maps(
    space: MapSpace,
    data: DataSet,
    point: EnginePoint,
    *,
    most_cycles: float,
    most_parameters: float | None = None,
    config: GradientConfig | None = None,
    batch_size: int = 64,
    warm_up: int = 0,
    scored: int = 0,
    seed: int = 0,
    progress: Callable[[Step], None] | None = None,
) -> MapResult:
    """Search a space on training and validation rows; test rows are not looked at.

    point: the engine whose exact cycles stand in the loss. most_cycles, most_parameters: limits that the most probable
    network keeps at every step. The data's features are the values of the space's input map, its classes the answers.
    warm_up: steps in which the super-network is trained on networks drawn uniformly, before the distribution moves:
    until then losses tell networks apart by chance alone, and the cost decides.
    scored: where it is given, so many networks are drawn after the warm-up and scored on validation rows, and the
    gradient is that of a ridge regression of these scores on the choices (in deviations of the scores), not of paths.
    """
    config = config or GradientConfig(mode="one_path", cost_weight=0.1)
    if config.mode != ("exact" if scored else "one_path"):
        raise ConfigError(
            "a super-network runs one path a step: mode must be one_path (exact where networks are scored), not "
            f"{config.mode!r}"
        )
    shape = space.file.input
    if data.task != "classification" or data.inputs != int(np.prod(shape)) or data.answers != space.file.classes:
        raise ConfigError(
            f"network space {space.name!r} is for {int(np.prod(shape))} features and {space.file.classes} classes; "
            f"data {data.name!r} is a {data.task} with {data.inputs} and {data.answers}"
        )
    sizes = [len(knob.values) for knob in space.choices.knobs]
    cycles, weights = map_cycles(space, point), map_parameters(space)

    def point_of(indices: Sequence[int]) -> dict[str, int | bool | str]:
        return {knob.name: knob.values[i] for knob, i in zip(space.choices.knobs, indices, strict=True)}

    @lru_cache(maxsize=10_000)
    def refusal(indices: tuple[int, ...]) -> str:
        return space.refusal(point_of(indices))

    limits = [Limit("cycles", cycles, most_cycles)]
    if most_parameters is not None:
        limits.append(Limit("parameters", weights, most_parameters))
    low, high = float(data.x_train.min()), float(data.x_train.max())

    def images(features: NDArray[np.float32]) -> NDArray[np.float32]:
        return ((features - low) / max(high - low, 1e-9)).astype(np.float32).reshape(-1, *shape)

    score = SuperScore(
        SuperNet(space, seed=seed),
        train=(images(data.x_train), np.asarray(data.y_train, dtype=np.int64)),
        validation=(images(data.x_validation), np.asarray(data.y_validation, dtype=np.int64)),
        batch_size=batch_size,
        seed=seed,
    )
    score.warm_up(warm_up)
    bounds = Limited(sizes, limits, refusal=refusal)
    ranked = _regressed(score, space, scored, seed=seed) if scored else score
    found = gradient_search(ranked, cycles, legal=bounds, config=config, seed=seed, progress=progress)
    best = space.canonical(point_of(found.found))
    at = tuple(knob.index(best[knob.name]) for knob in space.choices.knobs)
    return MapResult(best, round(cycles.at(at)), round(weights.at(at)), replace(found, found=at), score.trained)


def _regressed(score: SuperScore, space: MapSpace, count: int, *, seed: int) -> TableSum:
    """Score drawn networks, and return the ridge regression of the scores on the choices, as a table a choice.

    Scores are in deviations from their mean; the ridge is one observation a candidate.
    """
    rng = np.random.default_rng([seed, 3])
    knobs = space.choices.knobs
    drawn = [space.draw(rng=rng) for _ in range(count)]
    rows = [tuple(knob.index(point[knob.name]) for knob in knobs) for point in drawn]
    values = np.array([score.at(row) for row in rows])
    hot = np.array([np.concatenate([np.eye(len(k.values))[i] for k, i in zip(knobs, r, strict=True)]) for r in rows])
    centred, goal = hot - hot.mean(axis=0), (values - values.mean()) / max(float(values.std()), 1e-9)
    weights = np.linalg.solve(centred.T @ centred + np.eye(hot.shape[1]), centred.T @ goal)
    starts = np.cumsum([0, *(len(knob.values) for knob in knobs)])
    tables = [Table((i,), torch.from_numpy(weights[starts[i] : starts[i + 1]].copy())) for i in range(len(knobs))]
    return TableSum(tuple(tables))
