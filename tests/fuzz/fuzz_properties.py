"""What must hold for drawn networks, topologies, configurations, engines and programs, and for illegal ones of each."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_guard import defect
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from codesign import testing
from codesign.accel import network_cost, topology_cost
from codesign.accel.engine import EnginePoint, compile_program, cycles
from codesign.accel.engine.check import check_program
from codesign.accel.engine.cycles import layer_cycles
from codesign.accel.engine.validate import validate
from codesign.config import build_model_of, dump_yaml, parse_build
from codesign.errors import CodesignError
from codesign.ir import LutNetwork, check, encode, evaluate_codes, load, save
from codesign.ir.conv_topology import ConvTopology, check_conv_topology
from codesign.ir.integer import Conv, IntegerNetwork, evaluate_integer
from codesign.ir.integer_random import random_network
from codesign.ir.integer_store import load_integer, save_integer
from codesign.ir.text import text
from codesign.ir.topology import Topology, check_topology
from codesign.passes import run_passes
from codesign.rtl.engine import generate

__all__ = ["EXAMPLES", "PROPERTIES", "Property"]

EXAMPLES = 10
"""Values that one input of a property draws at most: hypothesis' own examples, shrunk where one fails."""

PROPERTY_CPU_S = 120.0


@dataclass(frozen=True)
class Property:
    """A strategy and what must hold for all that it draws."""

    name: str
    strategy: st.SearchStrategy[Any]
    holds: Callable[[Any], object]

    def check(self, base: int, number: int, folder: Path) -> tuple[str, int]:
        """Draw and check EXAMPLES values; return what is wrong with the smallest of those that fail, and how many."""
        return self.run(base * 1_000_003 + number, EXAMPLES)

    def run(self, base: int, examples: int) -> tuple[str, int]:
        """Draw and check so many values; return what is wrong, or "", and how many were checked."""
        checked = 0

        @seed(zlib.crc32(self.name.encode()) ^ base)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=False,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
            print_blob=False,
        )
        @given(self.strategy)
        def property_holds(value: Any) -> None:
            nonlocal checked
            checked += 1
            try:
                self.holds(value)
            except CodesignError as problem:
                raise AssertionError(f"a legal value was refused: {problem}") from problem

        wrong, _ = defect(property_holds, limit_s=PROPERTY_CPU_S)
        return wrong, checked


def network_round_trips(network: LutNetwork) -> None:
    """A file of a network gives the network, and its text is that of the network and no other."""
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder) / "a.npz", Path(folder) / "b.npz"
        save(network, path)
        found = load(path)
        assert found == network and text(found) == text(network)
        save(found, again)
        assert again.read_bytes() == path.read_bytes()


def passes_keep(network: LutNetwork) -> None:
    """Default passes: the result is legal, answers as before, and needs no more LUTs in the worst case."""
    before = testing.random_codes(network, np.random.default_rng(0), 64)
    after, _ = run_passes(network)
    check(after)
    features = network.encode is not None
    if features:
        assert network.encode is not None
        rows = testing.random_features(network.encode, np.random.default_rng(1), 64)
        wanted = evaluate_codes(network, encode(network.encode, rows))
        got = evaluate_codes(after, encode(after.encode, rows)) if after.encode is not None else wanted
    else:
        wanted, got = evaluate_codes(network, before), evaluate_codes(after, before)
    assert np.array_equal(wanted, got)
    assert network_cost(after).table_bits <= network_cost(network).table_bits


def topology_is_network(topology: Topology) -> None:
    """Every legal topology can become a legal network of tables, whose tables are those that it was costed by."""
    network = testing.structured_network(topology, np.random.default_rng(0))
    if all(layer.terms == 1 for layer in topology.layers):  # sums of signed terms need other tables than the worst case
        assert network_cost(network).table_bits == topology_cost(topology).table_bits


def topology_cost_grows(topology: Topology) -> None:
    """One neuron, source, bit or term more in a layer never costs fewer LUTs, table bits or levels."""
    for lut_inputs in (4, 6):
        base = topology_cost(topology, lut_inputs=lut_inputs)
        for index, layer in enumerate(topology.layers):
            for field in ("width", "fan_in", "bits", "terms"):
                layers = list(topology.layers)
                layers[index] = replace(layer, **{field: getattr(layer, field) + 1})
                larger = replace(topology, layers=tuple(layers), max_address_bits=24)
                try:
                    check_topology(larger)
                except CodesignError:
                    continue
                cost = topology_cost(larger, lut_inputs=lut_inputs)
                for what in ("luts", "table_bits", "depth"):
                    assert getattr(cost, what) >= getattr(base, what), (what, field, layer)


def maps_are_network(topology: ConvTopology) -> None:
    """Every legal topology over feature maps can become a legal integer network; its file gives it back."""
    network = random_network(topology, seed=0)
    assert network.shapes() == topology.shapes()
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder) / "a.npz", Path(folder) / "b.npz"
        save_integer(network, path)
        found = load_integer(path)
        save_integer(found, again)
        assert again.read_bytes() == path.read_bytes()
        images = testing.random_inputs(network, np.random.default_rng(0), 2)
        assert np.array_equal(evaluate_integer(found, images), evaluate_integer(network, images))


def configuration_round_trips(config: dict[str, Any]) -> None:
    """A build file gives the configuration, and the resolved configuration, written, gives itself."""
    model = build_model_of(config, where="drawn").model_validate(config)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "build.yaml"
        path.write_text(dump_yaml(config), encoding="utf-8")
        assert parse_build(path) == model
        path.write_text(dump_yaml(model.model_dump(mode="json")), encoding="utf-8")
        assert parse_build(path) == model


def point_round_trips(point: EnginePoint) -> None:
    """A legal point breaks no rule, and its plain data give it back."""
    point.check()
    assert EnginePoint.from_dict(point.as_dict()) == point


def program_is_network(job: testing.Job) -> None:
    """The program, interpreted as the engine runs it, is the network, layer by layer; it fits what the rules say."""
    program = job.program
    assert validate(job.point, job.network) == ()
    check_program(program, job.network, job.images)
    assert np.array_equal(compile_program(job.network, job.point).descriptors(), program.descriptors())


def cycles_fall(job: testing.Job) -> None:
    """The cycle law, where it must be monotone; docs/verification.md says why, and where it is not."""
    point, network = job.point, job.network
    base = cycles(job.program, images=3)
    again = cycles(job.program, images=4)
    assert again.total > base.total and again.layers == base.layers
    for field in ("stream_in_bits", "stream_out_bits"):
        if getattr(point, field) < 512:
            wider = cycles(compile_program(network, replace(point, **{field: 2 * getattr(point, field)})), images=3)
            assert wider.total <= base.total and wider.load <= base.load, field
    if point.pipeline < 4:
        deeper = cycles(compile_program(network, replace(point, pipeline=point.pipeline + 1)), images=3)
        assert deeper.layers == tuple(clocks + 1 for clocks in base.layers)
    if not point.double_buffer:
        roomy = replace(point, double_buffer=True, weight_depth=2 * point.weight_depth)
        assert cycles(compile_program(network, roomy), images=3).total <= base.total
    more: list[EnginePoint] = []
    if point.pe < 64:
        more.append(replace(point, pe=2 * point.pe))
    if point.simd < 64:
        more.append(replace(point, simd=2 * point.simd))
    for larger in more:
        if validate(larger, network):
            continue
        program = compile_program(network, larger)
        for layer, one, other in zip(network.layers, job.program.layers, program.layers, strict=True):
            whole = isinstance(layer, Conv) and layer.groups == 1 and one.out.channels % larger.pe == 0
            if whole:
                assert layer_cycles(larger, other) <= layer_cycles(point, one), (larger, layer.name)


def _saved(network: LutNetwork) -> None:
    _nothing_written(lambda folder: save(network, folder / "network.npz"))


def _saved_integer(network: IntegerNetwork) -> None:
    _nothing_written(lambda folder: save_integer(network, folder / "network.npz"))


def _generated(point: EnginePoint) -> None:
    _nothing_written(lambda folder: generate(point, folder / "engine"))


def _nothing_written(write: Callable[[Path], object]) -> None:
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        try:
            write(folder)
        except CodesignError:
            left = sorted(path.name for path in folder.rglob("*"))
            assert not left, f"the refusal left {left}"
            raise


def _parsed(config: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "build.yaml"
        path.write_text(dump_yaml(config), encoding="utf-8")
        parse_build(path)


def _compiled(job: testing.Job) -> None:
    found = validate(job.point, job.network)
    assert found, "the rules let it pass"
    compile_program(job.network, job.point)


def _refusals(read: Callable[[Any], object]) -> Callable[[Any], None]:
    def holds(illegal: testing.Illegal[Any]) -> None:
        testing.refused(illegal, read)

    return holds


PROPERTIES: dict[str, Property] = {
    one.name: one
    for one in (
        Property("networks-stored", testing.networks(care="any"), network_round_trips),
        Property("passes", testing.networks(), passes_keep),
        Property("topologies", testing.topologies(), topology_is_network),
        Property("topology-cost", testing.topologies(), topology_cost_grows),
        Property("conv-topologies", testing.conv_topologies(), maps_are_network),
        Property("build-configs", testing.build_configs(), configuration_round_trips),
        Property("engine-configs", testing.engine_configs(), configuration_round_trips),
        Property("points", testing.engine_points(), point_round_trips),
        Property("programs", testing.jobs(), program_is_network),
        Property("cycles", testing.jobs(), cycles_fall),
        Property("illegal-networks", testing.illegal_networks(), _refusals(_saved)),
        Property("illegal-integer-networks", testing.illegal_integer_networks(), _refusals(_saved_integer)),
        Property("illegal-topologies", testing.illegal_topologies(), _refusals(check_topology)),
        Property("illegal-conv-topologies", testing.illegal_conv_topologies(), _refusals(check_conv_topology)),
        Property("illegal-configs", testing.illegal_configs(), _refusals(_parsed)),
        Property("illegal-points", testing.illegal_points(), _refusals(_generated)),
        Property("illegal-programs", testing.illegal_jobs(), _refusals(_compiled)),
    )
}
"""Every property, by name."""
