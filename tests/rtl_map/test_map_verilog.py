"""The mapped form as Verilog: golden text, read by another reader, linted, and simulated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rtl_bench
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from map_cases import random_table, stages, threshold_table
from rtl_interpreter import Combinational, Folder, _parser
from rtl_networks import sums, tiny

from codesign.config import RegistersConfig, RtlConfig
from codesign.ir import Decide, Encode, Feature, Fixed, Format, LutNetwork, Neuron, Tables, check
from codesign.rtl import Design, emit
from codesign.rtl.mapped import evaluate_stage
from codesign.rtl.mapping import map_network
from codesign.rtl.tables_verilog import stage_verilog
from codesign.testing import random_codes

NODES = Tables(
    "l0",
    (
        Neuron((0, 1), np.arange(16, dtype=np.int32) % 5 % 4, Format(2)),
        Neuron((2, 0), np.arange(16, dtype=np.int32) * 3 % 7 % 4, Format(2)),
        Neuron((), np.array([2], np.int32), Format(2)),
        Neuron((1,), np.array([1, 0, 3, 2], np.int32), Format(2, True)),
        Neuron((0, 1), np.arange(16, dtype=np.int32) % 5 % 4, Format(2)),
        Neuron((2, 1, 0, 3), threshold_table(np.random.default_rng(1), 8, 1), Format(1)),
    ),
)
"""Nodes of one look-up table, a neuron of none, wires and inverters, a repeated neuron, one of several levels."""


def test_the_text_of_a_stage(golden: Callable[[str, str], None]) -> None:
    network = LutNetwork("net", (NODES,), (Format(2),) * 4)
    # Without ABC's part in it, whose netlists may change with its version: 4-input nodes of the structure.
    with pytest.MonkeyPatch.context() as patch:
        from codesign.errors import ToolNotFound
        from codesign.rtl import mapping

        def nothing(tool, path=None):
            raise ToolNotFound("ABC was not found")

        patch.setattr(mapping, "find", nothing)
        for lut_inputs in (4, 6):
            mapped = map_network(network, lut_inputs=lut_inputs)
            text = stage_verilog(
                NODES, mapped["l0"], module=f"net_l0_k{lut_inputs}", form="mapped", inputs=network.inputs
            )
            golden(f"rtl_map/net_l0_k{lut_inputs}.v", text)
            assert _run(text, network) == _wanted(network)


def _words(network: LutNetwork) -> range:
    return range(1 << sum(f.bits for f in network.inputs))


def _run(text: str, network: LutNetwork) -> list[int]:
    module = Combinational(_parser().parse(text).description.definitions[0])
    return [module.run(word) for word in _words(network)]


def _wanted(network: LutNetwork) -> list[int]:
    from codesign.ir import evaluate_codes

    low = np.cumsum([0] + [f.bits for f in network.inputs[:-1]])
    words = np.arange(len(_words(network)))
    codes = np.stack([words >> at & f.count - 1 for at, f in zip(low, network.inputs, strict=True)], axis=1)
    answers = evaluate_codes(network, codes.astype(np.int32))
    shifts = np.cumsum([0] + [f.bits for f in network.outputs[:-1]])
    return [sum(int(c) << int(s) for c, s in zip(row, shifts, strict=True)) for row in answers]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(network=stages(width=3), lut_inputs=st.sampled_from((4, 6)), seed=st.integers(0, 999))
def test_the_text_is_the_netlist(network: LutNetwork, lut_inputs: int, seed: int) -> None:
    """Don't-cares included: the Verilog does what the netlist does, wherever that is not the table."""
    mapped = map_network(network, lut_inputs=lut_inputs, workers=1, cache=False)
    stage = network.stages[0]
    assert isinstance(stage, Tables)
    text = stage_verilog(stage, mapped["t"], module="m", form="mapped", inputs=network.inputs)
    module = Combinational(_parser().parse(text).description.definitions[0])
    codes = random_codes(network, np.random.default_rng(seed), 40)
    wanted = evaluate_stage(mapped["t"], stage, codes, network.inputs)
    low = np.cumsum([0] + [f.bits for f in network.inputs])
    out = np.cumsum([0] + [f.bits for f in stage.formats])
    for row, answer in zip(codes, wanted, strict=True):
        word = sum(int(c) << int(b) for c, b in zip(row, low, strict=False))
        assert module.run(word) == sum(int(c) << int(b) for c, b in zip(answer, out, strict=False))


def wide(name: str) -> LutNetwork:
    """An encoder, tables of nine and eight address bits, sums, a decision: all parts of a design."""
    rng = np.random.default_rng(2)
    encode = Encode("encode", tuple(Feature(f"x{i}", (8.0, 96.0, 160.0), Fixed(8)) for i in range(6)))
    near = [(j, j + 1, j + 2, (j + 3) % 6) for j in range(4)]
    first = Tables("l0", tuple(Neuron(sources, threshold_table(rng, 8, 3), Format(3)) for sources in near))
    next_to = [(j, (j + 1) % 4, (j + 2) % 4) for j in range(4)]
    tables = [random_table(rng, 9, 2, "random") for _ in next_to]
    second = Tables(
        "l1", tuple(Neuron(sources, table, Format(2, True)) for sources, table in zip(next_to, tables, strict=True))
    )
    total = sums("total", second.formats, 3)
    return check(LutNetwork(name, (encode, first, second, total, Decide("answer", "argmax", total.formats))))


def test_a_design_of_mapped_tables_is_the_network(tmp_path: Path) -> None:
    network = wide("m0")
    design = emit(network, RtlConfig(registers=RegistersConfig(depth=3)), tmp_path / "a")
    assert (design.form, design.mapper) == ("mapped", "abc")
    reader = Folder(tmp_path / "a")
    inputs = (tmp_path / "a/vectors/inputs.hex").read_text().split()[:60]
    outputs = (tmp_path / "a/vectors/outputs.hex").read_text().split()[:60]
    assert [reader.run(int(word, 16)) for word in inputs] == [int(word, 16) for word in outputs]
    assert len(set(outputs)) == 3
    emit(network, RtlConfig(registers=RegistersConfig(depth=3)), tmp_path / "b")  # now from the cache
    for path in (p for p in (tmp_path / "a").rglob("*") if p.is_file()):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


@pytest.mark.sim
def test_mapped_designs_in_verilator(tmp_path: Path) -> None:
    cases = [
        (wide("m1"), RtlConfig()),
        (tiny("m2", coding="thermometer"), RtlConfig(interface="axi_stream", stream_bits=8, lut_inputs=4)),
    ]
    folders = []
    for network, config in cases:
        folder = tmp_path / network.name
        design = emit(network, config, folder)
        assert rtl_bench.lint(folder, design) == ""
        folders.append(folder)
    for folder, phases in zip(folders, rtl_bench.simulate(folders, tmp_path / "work"), strict=True):
        design = Design.load(folder)
        for phase in phases:
            assert (phase.errors, phase.answers) == (0, design.vectors * design.output_beats)
        assert phases[0].latency == design.latency_cycles
