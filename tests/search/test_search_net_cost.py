"""Cycles from shape alone are those of the compiled program; so are validity and energy of all cells at once."""

from dataclasses import replace

import numpy as np
import pytest

from codesign.accel import device
from codesign.accel.engine import EngineRules, compile_program, cycles, energy
from codesign.accel.engine.defaults import default_point
from codesign.accel.engine.point import EnginePoint
from codesign.ir import random_network
from codesign.search.networks import CellSpace, network_space
from codesign.search.networks.cell_cost import CellCosts
from codesign.search.networks.cells import CellSpaceFile
from codesign.search.networks.shape_cost import resident_cycles, shape_cycles, topology_layers

_LARGE = {"weight_depth": 16384, "bank_depth": 16384, "banks": 4}
POINTS = (
    EnginePoint(8, 8, 4, 4, accumulator_bits=32, weight_depth=4096, bank_depth=1024, banks=4),
    EnginePoint(4, 2, 8, 8, weights="streamed", stream_in_bits=32, stream_out_bits=32, pipeline=4, **_LARGE),
    EnginePoint(2, 8, 8, 8, weights="streamed", double_buffer=True, stream_in_bits=8, pipeline=0, **_LARGE),
    EnginePoint(8, 4, 4, 4, dataflow="weight_stationary", psum_depth=1024, double_buffer=True, **_LARGE),
)


@pytest.fixture(scope="module")
def space():
    return CellSpace(CellSpaceFile(name="small", kind="cells", input=(3, 16, 16), channels=8))


@pytest.fixture(scope="module")
def costs(space):
    return CellCosts(space)


@pytest.mark.parametrize("point", POINTS, ids=lambda p: f"{p.dataflow}-{p.weights}-{p.double_buffer}")
def test_cell_cycles_are_the_programs(space, costs, point):
    rng = np.random.default_rng(0)
    found = costs.cycles(point)
    ecp5 = device("ecp5-85f")
    figures = costs.figures(point, ecp5) if point is POINTS[0] else None
    for number in (0, *rng.integers(0, space.choices.size, 4)):
        network = random_network(space.topology(space.choices.point(int(number))), seed=0)
        program = compile_program(network, point)
        assert (
            cycles(program).total
            == found[number]
            == shape_cycles(space.topology(space.choices.point(int(number))), point)
        )
        if figures is not None:
            real = energy(program, point, ecp5)
            assert figures.valid[number] and figures.clock_mhz == real.clock_mhz
            assert figures.energy_nj[number] == pytest.approx(real.total_nj, rel=1e-12)
            assert figures.edp[number] == pytest.approx(real.edp, rel=1e-12)


def test_other_networks_too():
    other = network_space("cifar10-maps")
    rng = np.random.default_rng(1)
    for point in POINTS:
        topology = other.topology(other.draw(rng=rng))
        wider = {"weight_bits": 8, "activation_bits": 8, "accumulator_bits": 32, "param_depth": 4096}
        point = replace(point, **wider, **_LARGE | {"weight_depth": 65536})
        network = random_network(topology, seed=0)
        total = cycles(compile_program(network, point)).total
        assert shape_cycles(topology, point) == total
        if not (point.streamed and point.double_buffer):
            counts = {}
            for layer in topology_layers(topology):
                counts[layer] = counts.get(layer, 0) + 1
            assert resident_cycles(counts, point, topology.input_shape, answers=10) == total
        else:
            with pytest.raises(ValueError, match="order of the layers matters"):
                resident_cycles({}, point, topology.input_shape, answers=10)


def test_rules_agree_with_the_engines(space, costs):
    """Exact rules are equal; those that depend on weights refuse at least what a drawn network breaks."""
    rng = np.random.default_rng(2)
    points = [
        EnginePoint(8, 8, 4, 4, weight_depth=256, bank_depth=256, banks=3, accumulator_bits=12, param_depth=256),
        EnginePoint(8, 8, 4, 4, weight_depth=1024, bank_depth=256, banks=2, accumulator_bits=24),
        EnginePoint(8, 8, 4, 4, weight_depth=64, weights="streamed", bank_depth=256, banks=4, answer_depth=8),
        EnginePoint(16, 2, 4, 3, weight_depth=4096, bank_depth=1024, banks=3),
    ]  # fmt: skip
    by_weights = {"accumulator", "weight_bits", "zero_weight"}
    seen = set()
    for point in points:
        found = costs.broken(point)
        for number in rng.integers(0, space.choices.size, 4):
            network = random_network(space.topology(space.choices.point(int(number))), seed=0)
            real = {one.rule for one in EngineRules(network).violations(point)}
            real = {"bank_conflict" if rule == "bank_depth" else rule for rule in real}
            mine = {rule for rule, mask in found.items() if mask[number]}
            assert real - by_weights == mine - by_weights
            assert real <= mine
            seen |= mine
    assert {"weight_depth", "bank_conflict", "accumulator", "param_depth", "answer_depth", "divisibility"} <= seen


def test_all_cells_on_the_default_accelerator():
    found = CellCosts(network_space("nasbench201")).figures(default_point(device("ecp5-85f")).point, device("ecp5-85f"))
    assert len(found.cycles) == 15625 and 0 < found.valid.sum() < 15625
    assert found.cycles.min() > 50_000 and found.energy_nj.min() > 0
