"""Tables of a convolutional space: at every network exactly its own cycles and weights."""

import numpy as np
import pytest
import torch

from codesign.accel.engine.point import EnginePoint
from codesign.errors import SpaceError
from codesign.search.gradient import RelaxedChoices
from codesign.search.gradient.map_tables import map_cycles, map_parameters
from codesign.search.networks import MapSpace, network_space
from codesign.search.networks.maps import MapSpaceFile
from codesign.search.networks.shape_cost import shape_cycles


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


def test_doubly_buffered_streams_are_refused():
    space = MapSpace(MapSpaceFile(name="a", kind="maps", input=(3, 8, 8), classes=2, blocks=[{"channels": [8]}]))
    with pytest.raises(SpaceError, match="without double_buffer"):
        map_cycles(space, EnginePoint(4, 4, 4, 4, weights="streamed", double_buffer=True))


def test_the_expectation_is_that_of_drawn_networks():
    block = {"channels": [8, 16], "kernel": [1, 3], "repeats": [0, 2], "expansion": [0, 1]}
    file = MapSpaceFile(name="a", kind="maps", input=(3, 8, 8), classes=2, blocks=[{"channels": [8, 24]}, block, block])
    space, point = MapSpace(file), EnginePoint(8, 4, 4, 4)
    cycles = map_cycles(space, point)
    every = [shape_cycles(space.topology(space.choices.point(n)), point) for n in range(space.choices.size)]
    uniform = [torch.full((len(k.values),), 1 / len(k.values), dtype=torch.float64) for k in space.choices.knobs]
    assert float(cycles(uniform)) == pytest.approx(np.mean(every), rel=1e-12)
