"""The network search over convolutional spaces on real data: a super-network, exact costs in the loss, hard limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.accel import Device
from codesign.accel.engine import EnginePoint
from codesign.data import DataSet
from codesign.errors import ConfigError, did_you_mean
from codesign.search.gradient.legal import Function, Limit, Limited
from codesign.search.gradient.map_tables import map_costs, map_parameters
from codesign.search.gradient.search import Found, GradientConfig, Step, gradient_search
from codesign.search.gradient.supernet import SuperNet, SuperScore
from codesign.search.gradient.tables import Table, TableSum
from codesign.search.networks.maps import MapSpace
from codesign.search.networks.shape_figures import FIGURES, shape_figures
from codesign.search.networks.space import Point

__all__ = ["MapResult", "check_images", "search_maps"]

_DRAWN = 16
"""Networks drawn from the final distribution, whose mean accuracy is that of the relaxed network."""


@dataclass(frozen=True)
class MapResult:
    """The network that was found: a point of the space, its exact cycles and trained weights, and what was spent.

    figures: `FIGURES` and parameters of the network, by shape.
    found: scores are minus the validation loss in the super-network, which only ranks (or, where networks were scored,
    those of the regression, in deviations); train the network by itself.
    relaxed, discrete: validation accuracy in the super-network, in percent, of networks drawn from the final
    distribution, in the mean, and of the network that was found: what is lost from one to the other is the drop.
    rows_trained: training rows that went through the super-network.
    """

    point: Point
    cycles: int
    parameters: int
    found: Found
    rows_trained: int
    figures: Mapping[str, float] = field(default_factory=dict[str, float])
    relaxed: float = float("nan")
    discrete: float = float("nan")


def check_images(space: MapSpace, data: DataSet) -> None:
    """Raise a ConfigError where data are not images and classes of a space."""
    inputs = int(np.prod(space.file.input))
    if data.task != "classification" or data.inputs != inputs or data.answers != space.file.classes:
        raise ConfigError(
            f"network space {space.name!r} is for {inputs} features and {space.file.classes} classes; "
            f"data {data.name!r} is a {data.task} with {data.inputs} and {data.answers}"
        )


def search_maps(
    space: MapSpace,
    data: DataSet,
    point: EnginePoint,
    device: Device,
    *,
    limits: Mapping[str, float],
    figure: str = "cycles",
    config: GradientConfig | None = None,
    batch_size: int = 64,
    warm_up: int = 0,
    scored: int = 0,
    seed: int = 0,
    progress: Callable[[Step], None] | None = None,
) -> MapResult:
    """Search a space on training and validation rows; test rows are not looked at.

    point, device: the engine at which networks are costed. figure: of `FIGURES`, whose expectation stands in the loss.
    limits: most that `FIGURES` and parameters may be; the most probable network keeps them at every step.
    The data's features are the values of the space's input map, its classes the answers.
    warm_up: steps in which the super-network is trained on networks drawn uniformly, before the distribution moves:
    until then losses tell networks apart by chance alone, and the cost decides.
    scored: where it is given, so many networks are drawn after the warm-up and scored on validation rows, and the
    gradient is that of a ridge regression of these scores on the choices (in deviations of the scores), not of paths.

    Where weights are streamed and doubly buffered a layer's time depends on its neighbours: the loss then has the
    expectation for the same engine without that overlap, and the limits, as everywhere, each network's own figures.
    """
    config = config or GradientConfig(mode="one_path", cost_weight=0.1)
    if config.mode != ("exact" if scored else "one_path"):
        raise ConfigError(
            "a super-network runs one path a step: mode must be one_path (exact where networks are scored), not "
            f"{config.mode!r}"
        )
    known = (*FIGURES, "parameters")
    for name in (figure, *limits):
        if name not in (FIGURES if name == figure else known):
            raise ConfigError(f"no figure {name!r} of a network.{did_you_mean(name, known)} Known: {', '.join(known)}")
    check_images(space, data)
    shape = space.file.input
    sizes = [len(knob.values) for knob in space.choices.knobs]

    def point_of(indices: Sequence[int]) -> dict[str, int | bool | str]:
        return {knob.name: knob.values[i] for knob, i in zip(space.choices.knobs, indices, strict=True)}

    @lru_cache(maxsize=10_000)
    def refusal(indices: tuple[int, ...]) -> str:
        return space.refusal(point_of(indices))

    @lru_cache(maxsize=10_000)
    def own(indices: tuple[int, ...]) -> Mapping[str, float]:
        return {} if refusal(indices) else shape_figures(space.topology(point_of(indices)), point, device)

    apart = point.streamed and point.double_buffer
    costs = map_costs(space, replace(point, double_buffer=False) if apart else point, device)
    if apart:
        costs = {name: _Own(name, cost, own) for name, cost in costs.items()}
    weights = map_parameters(space)
    functions: dict[str, Function] = {**costs, "parameters": weights}
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
    bounds = Limited(sizes, [Limit(name, functions[name], most) for name, most in limits.items()], refusal=refusal)
    ranked = _regressed(score, space, scored, seed=seed) if scored else score
    found = gradient_search(ranked, costs[figure], legal=bounds, config=config, seed=seed, progress=progress)
    best = space.canonical(point_of(found.found))
    at = tuple(knob.index(best[knob.name]) for knob in space.choices.knobs)
    figures = {**own(at), "parameters": weights.at(at)}
    rng = np.random.default_rng([seed, 5])
    drawn = [tuple(int(rng.choice(len(one), p=one)) for one in found.distribution) for _ in range(_DRAWN)]
    return MapResult(
        best,
        round(figures["cycles"]),
        round(figures["parameters"]),
        replace(found, found=at),
        score.trained,
        figures,
        100 * float(np.mean([score.accuracy(one) for one in drawn])),
        100 * score.accuracy(at),
    )


@dataclass(frozen=True, eq=False)
class _Own:
    """A figure whose expectation is that of `relaxed`, and whose value at a network is the network's own."""

    name: str
    relaxed: Function
    own: Callable[[tuple[int, ...]], Mapping[str, float]]

    def __call__(self, weights: Sequence[torch.Tensor]) -> torch.Tensor:
        return self.relaxed(weights)

    def at(self, indices: Sequence[int]) -> float:
        return self.own(tuple(indices)).get(self.name) or self.relaxed.at(indices)


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
