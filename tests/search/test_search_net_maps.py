"""Tables of a convolutional space: at every network exactly its own cycles, time, energy, their product and weights."""

import numpy as np
import pytest
import torch

from codesign.accel import device
from codesign.accel.engine.cost import engine_cost
from codesign.accel.engine.point import EnginePoint
from codesign.errors import SpaceError
from codesign.ir.integer_random import random_network
from codesign.search.gradient import RelaxedChoices
from codesign.search.gradient.map_tables import map_costs, map_cycles, map_parameters
from codesign.search.networks import MapSpace, network_space
from codesign.search.networks.maps import MapSpaceFile
from codesign.search.networks.shape_cost import shape_cycles
from codesign.search.networks.shape_figures import FIGURES, shape_figures

DEEP = {"weight_depth": 65536, "bank_depth": 65536, "param_depth": 4096, "accumulator_bits": 32}


def _indices(space, point):
    return tuple(knob.index(point[knob.name]) for knob in space.choices.knobs)


@pytest.mark.parametrize(
    "point",
    [
        EnginePoint(8, 8, 8, 8),
        EnginePoint(4, 4, 8, 8, dataflow="weight_stationary", psum_depth=1024, weights="streamed", stream_in_bits=32),
    ],
    ids=["resident", "streamed"],
)
def test_tables_are_the_networks_own_cycles(point):
    space = network_space("cifar10-maps")
    assert isinstance(space, MapSpace)
    cycles, weights = map_cycles(space, point), map_parameters(space)
    rng = np.random.default_rng(0)
    totals = []
    for _ in range(12):
        drawn = space.draw(rng=rng)
        topology = space.topology(drawn)
        totals.append(shape_cycles(topology, point))
        assert cycles.at(_indices(space, drawn)) == totals[-1]
        assert weights.at(_indices(space, drawn)) == topology.parameters()
        hot = [
            torch.eye(len(k.values), dtype=torch.float64)[i]
            for k, i in zip(space.choices.knobs, _indices(space, drawn), strict=True)
        ]
        assert float(cycles(hot)) == totals[-1]
    expected = float(cycles(RelaxedChoices([len(k.values) for k in space.choices.knobs]).probabilities()).detach())
    assert min(totals) < expected < max(totals)


@pytest.mark.parametrize(
    ("point", "part"),
    [
        (EnginePoint(8, 8, 8, 8, **DEEP), "ecp5-85f"),
        (EnginePoint(4, 4, 8, 8, dataflow="weight_stationary", psum_depth=1024, weights="streamed", **DEEP), "xc7z020"),
        (EnginePoint(8, 4, 8, 8, weights="streamed", double_buffer=True, stream_in_bits=8, **DEEP), "ecp5-85f"),
    ],
    ids=["resident", "streamed", "double buffer"],
)
def test_figures_by_shape_are_those_of_the_compiled_program(point, part):
    space, rng = network_space("cifar10-maps"), np.random.default_rng(1)
    apart = point.streamed and point.double_buffer
    costs = {} if apart else map_costs(space, point, device(part))
    for _ in range(2):
        drawn = space.draw(rng=rng)
        topology = space.topology(drawn)
        own = shape_figures(topology, point, device(part))
        whole = engine_cost(point, random_network(topology, seed=0), device(part))
        assert own == pytest.approx({name: whole[name].value for name in FIGURES}, rel=1e-9)
        for name, cost in costs.items():
            assert cost.at(_indices(space, drawn)) == pytest.approx(own[name], rel=1e-9)


@pytest.mark.parametrize("figure", FIGURES)
def test_the_gradient_of_every_objective_is_that_of_finite_differences(figure):
    space, part = network_space("cifar10-small-maps"), device("ecp5-85f")
    cost = map_costs(space, EnginePoint(8, 4, 8, 8, pipeline=2), part)[figure]
    choices = RelaxedChoices([len(k.values) for k in space.choices.knobs])
    draws = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for logits in choices.logits:
            logits += torch.randn(len(logits), dtype=torch.float64, generator=draws)
    torch.log(cost(choices.probabilities())).backward()
    for logits in choices.logits:
        slope = torch.zeros_like(logits) if logits.grad is None else logits.grad  # a choice that costs nothing
        for at in range(len(logits)):
            step, ends = 1e-6, []
            for sign in (1, -1):
                with torch.no_grad():
                    logits[at] += sign * step
                    ends.append(float(torch.log(cost(choices.probabilities()))))
                    logits[at] -= sign * step
            assert float(slope[at]) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5, abs=1e-8)


def test_doubly_buffered_streams_are_refused():
    space = MapSpace(MapSpaceFile(name="a", kind="maps", input=(3, 8, 8), classes=2, blocks=[{"channels": [8]}]))
    with pytest.raises(SpaceError, match="without double_buffer"):
        map_cycles(space, EnginePoint(4, 4, 4, 4, weights="streamed", double_buffer=True))


def test_the_expectation_is_that_of_drawn_networks():
    block = {"channels": [8, 16], "kernel": [1, 3], "repeats": [0, 2], "expansion": [0, 1]}
    file = MapSpaceFile(name="a", kind="maps", input=(3, 8, 8), classes=2, blocks=[{"channels": [8, 24]}, block, block])
    space, point = MapSpace(file), EnginePoint(8, 4, 4, 4)
    part = device("ecp5-25f")
    costs = map_costs(space, point, part)
    every = [shape_figures(space.topology(space.choices.point(n)), point, part) for n in range(space.choices.size)]
    uniform = [torch.full((len(k.values),), 1 / len(k.values), dtype=torch.float64) for k in space.choices.knobs]
    for name, cost in costs.items():  # of the product too, whose factors depend on each other
        assert float(cost(uniform)) == pytest.approx(np.mean([own[name] for own in every]), rel=1e-12)
