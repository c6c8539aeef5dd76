"""Limits in spaces that are too large to be listed, and the worst-case LUTs of LUT networks as tables."""

import numpy as np
import pytest
import torch

from codesign.accel import topology_cost
from codesign.accel.engine.point import EnginePoint
from codesign.errors import SpaceError
from codesign.search.gradient import (
    GradientConfig,
    Limit,
    Limited,
    Listed,
    Table,
    TableSum,
    gradient_search,
    map_cycles,
    nearest_legal,
    table_luts,
)
from codesign.search.networks import MapSpace, TableSpace, network_space


def _indices(space, point):
    return tuple(knob.index(point[knob.name]) for knob in space.choices.knobs)


def _sizes(space):
    return tuple(len(knob.values) for knob in space.choices.knobs)


def test_luts_are_those_of_the_topology():
    space = network_space("mnist-tables")
    assert isinstance(space, TableSpace)
    rng = np.random.default_rng(0)
    for lut_inputs in (6, 4):
        luts = table_luts(space, lut_inputs=lut_inputs)
        for _ in range(15):
            point = space.draw(rng=rng)
            assert luts.at(_indices(space, point)) == topology_cost(space.topology(point), lut_inputs=lut_inputs).luts


def _score(sizes, seed=0):
    """A score that grows with every choice's candidates, so that limits matter."""
    rng = np.random.default_rng(seed)
    values = [np.sort(rng.uniform(0, 1, size)) for size in sizes]
    return TableSum(tuple(Table((i,), torch.from_numpy(one)) for i, one in enumerate(values)))


def test_limits_hold_in_a_space_that_cannot_be_listed():
    space = network_space("cifar10-maps")
    assert isinstance(space, MapSpace) and space.choices.size > 10**8
    cycles = map_cycles(space, EnginePoint(8, 8, 8, 8))
    limit = 1.5 * cycles.at((0,) * len(_sizes(space)))
    bounds = Limited(_sizes(space), [Limit("cycles", cycles, limit)])
    run = {}
    for hold in ("projection", "penalty"):
        config = GradientConfig(mode="one_path", steps=40, log_every=1, hold=hold, penalty=0.01, cost_weight=0.0)
        run[hold] = gradient_search(_score(_sizes(space)), cycles, legal=bounds, config=config, seed=0)
    assert run["projection"].violations == 0 and max(step.found_cost for step in run["projection"].steps) <= limit
    assert run["projection"].cost > 1.1 * cycles.at((0,) * len(_sizes(space)))
    assert run["penalty"].violations > 10
    assert np.isnan(run["penalty"].steps[-1].legal_share)
    with pytest.raises(SpaceError, match="cycles .*, at most 5"):
        Limited(_sizes(space), [Limit("cycles", cycles, 5)]).nearest([np.zeros(n) for n in _sizes(space)])


def test_address_bits_are_a_limit_too():
    space = network_space("mnist-tables")
    assert isinstance(space, TableSpace)

    def refusal(indices):
        return space.refusal({k.name: k.values[i] for k, i in zip(space.choices.knobs, indices, strict=True)})

    luts = table_luts(space)
    bounds = Limited(_sizes(space), [Limit("LUTs", luts, 3000)], refusal=refusal)
    config = GradientConfig(mode="relaxed", steps=15, log_every=1, cost_weight=0.0)
    found = gradient_search(_score(_sizes(space)), luts, legal=bounds, config=config, seed=0)
    assert found.violations == 0 and found.cost <= 3000 and refusal(found.found) == ""
    assert refusal(tuple(n - 1 for n in _sizes(space))) != ""


def test_the_nearest_of_a_listed_space_is_the_nearest_of_an_unlisted_one():
    rng = np.random.default_rng(0)
    sizes = (3, 4, 2)
    values = rng.uniform(1, 2, sizes)
    table = Table((0, 1, 2), torch.from_numpy(values))
    for seed in range(10):
        logs = [np.log(np.random.default_rng(seed).dirichlet(np.ones(n))) for n in sizes]
        most = float(np.quantile(values, 0.2))
        wanted = nearest_legal(logs, values <= most)
        assert Limited(sizes, [Limit("x", table, most)]).nearest(logs) == wanted
        assert Listed(values <= most).nearest(logs) == wanted
    hot = [torch.eye(n, dtype=torch.float64)[0] for n in sizes]
    over = Limited(sizes, [Limit("x", table, values[0, 0, 0] / 2)]).penalty(hot)
    assert float(over) == pytest.approx(np.log(2))
