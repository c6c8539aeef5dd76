"""The pipeline as a family: its rules by name, its cycles equal to those that are emitted, a search, a simulation."""

import numpy as np
import pytest

from codesign.accel import Refusal, device
from codesign.errors import SpaceError
from codesign.families import find_family
from codesign.families.pipeline import RULES, rtl_config
from codesign.ir import Layer, Topology, save
from codesign.passes import run_passes
from codesign.rtl import emit
from codesign.search import Exhaustive, Objective, Problem, search
from codesign.testing import structured_network

PLAIN = {"registers": "every1", "form": "mapped", "interface": "bare", "stream_bits": 8}
TARGET = device("ecp5-25f")


@pytest.fixture(scope="module")
def family():
    return find_family("pipeline")


@pytest.fixture(scope="module")
def network():
    layers = (Layer("l0", 16, 4, 1), Layer("l1", 3, 4, 2, terms=3))
    topology = Topology("net", 12, 2, layers)
    return run_passes(structured_network(topology, np.random.default_rng(0), words=True))[0]


def test_every_register_setting_has_the_cycles_that_are_emitted(family, network, tmp_path):
    points = [{**PLAIN, "registers": value} for value in ("none", "every3", "every1", "depth8", "depth6", "depth4")]
    points += [{**PLAIN, "interface": "ready_valid"}, {**PLAIN, "interface": "axi_stream", "registers": "every2"}]
    points += [{**PLAIN, "interface": "axi_stream", "stream_bits": 64}]
    checked = 0
    for number, point in enumerate(points):
        if family.validate(point, network, TARGET):
            continue
        cost = family.cost(point, network, TARGET)
        folder = tmp_path / str(number)
        design = emit(network, rtl_config(point), folder)
        assert cost["cycles"].value == design.latency_cycles and cost["cycles"].origin == "exact", point
        assert cost["interval"].value == design.initiation_interval
        assert cost["depth"].value == max(design.depths)
        checked += 1
    assert checked >= 7


def test_rules(family, network):
    broken = {
        "stream_bits": {"stream_bits": 64},
        "registers": {"registers": "none", "interface": "ready_valid"},
        "depth": {"registers": "depth2"},
    }
    for rule, change in broken.items():
        found = family.validate({**PLAIN, **change}, network, TARGET)
        assert {one.rule for one in found} == {rule}
        with pytest.raises(Refusal, match=rule):
            family.cost({**PLAIN, **change}, network, TARGET)
    small = type(TARGET)(**{**TARGET.as_dict(), "luts": 20, "ffs": 10})
    assert {one.rule for one in family.validate(PLAIN, network, small)} == {"device_luts", "device_ffs"}
    wide = structured_network(Topology("wide", 30, 1, (Layer("l0", 140, 15, 1),)), np.random.default_rng(0))
    assert {one.rule for one in family.validate({**PLAIN, "form": "case"}, wide)} == {"case"}
    assert set(broken) | {"device_luts", "device_ffs", "case"} == set(RULES)
    with pytest.raises(SpaceError, match="must be one of"):
        family.validate({**PLAIN, "form": "rom"}, network)


def test_it_can_be_searched(family, network):
    """The fastest answer within few flip-flops, by trying all; estimated nanoseconds fall with fewer levels."""
    problem = Problem(family, network, device=TARGET, objective=Objective("latency", limits={"ffs": 120}))
    found = search(Exhaustive(problem), budget=family.space.size)
    assert found.best is not None and found.best.figures["ffs"].value <= 120
    assert found.best.point["interface"] == "bare" and 30 < problem.valid.sum() < family.space.size / 2


def test_a_run_is_read(family, network, tmp_path):
    save(network, tmp_path / "network.npz")
    read = family.read_network(tmp_path / "network.npz")
    assert family.cost(PLAIN, read, TARGET) == family.cost(PLAIN, network, TARGET)


@pytest.mark.sim
def test_generated_and_simulated(family, network, tmp_path):
    point = {**PLAIN, "registers": "every2"}
    family.generate(point, network, tmp_path / "design")
    inputs = np.random.default_rng(3).uniform(0, 4, size=(50, 12))
    played = family.simulate(tmp_path / "design", network, inputs, work=tmp_path / "work")
    assert (played.inputs, played.mismatched) == (50, 0)
    assert played.cycles == family.cost(point, network, device("xcvu9p"))["cycles"].value
