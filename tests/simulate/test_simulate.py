"""`simulate` on emitted folders: exact ones, ones with a fault in table, register or statement, and damaged ones."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from codesign.config import RegistersConfig, RtlConfig, SimulateConfig
from codesign.errors import DataError, MismatchError, ToolFailed, ToolNotFound
from codesign.ir import Layer, LutNetwork, Tables, Topology
from codesign.rtl import Design, emit
from codesign.simulate import lint, require_exact, simulate, write_bench
from codesign.simulate.protocol import read_results
from codesign.testing import structured_network

EVERY = RegistersConfig(every=1)
PLAIN = SimulateConfig(cocotb=False, stress_vectors=100)


def network() -> LutNetwork:
    topology = Topology("small", inputs=6, input_bits=2, layers=(Layer("l0", 6, 3, 2), Layer("l1", 4, 3, 3)))
    return structured_network(topology, np.random.default_rng(5), words=True)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory):
    """Compiled simulators of this module alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODESIGN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bare") / "design"
    emit(network(), RtlConfig(form="table", registers=EVERY), folder)
    write_bench(folder)
    return folder


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stream") / "design"
    emit(network(), RtlConfig(form="table", registers=EVERY, interface="axi_stream", stream_bits=8), folder)
    write_bench(folder)
    return folder


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[Path], Path]:
    return lambda folder: Path(shutil.copytree(folder, tmp_path / "design"))


@pytest.mark.sim
def test_an_exact_design_and_its_second_build(bare, tmp_path):
    design = Design.load(bare)
    first = simulate(bare, config=PLAIN, work=tmp_path / "first")
    require_exact(first)
    assert first.vectors_checked == design.vectors > 0
    assert (first.vectors_mismatched, first.problems, first.cocotb) == (0, (), None)
    assert (first.latency_cycles, first.initiation_interval) == (design.latency_cycles, design.initiation_interval)
    assert first.stress_vectors > 0
    assert not first.build_cached
    again = simulate(bare, config=PLAIN, work=tmp_path / "again")
    assert again.build_cached
    assert (again.vectors_checked, again.cycles) == (first.vectors_checked, first.cycles)
    few = simulate(bare, config=SimulateConfig(cocotb=False, vectors=7), work=tmp_path / "few")
    assert few.vectors_checked == 7
    assert lint(bare, work=tmp_path / "lint")["warnings"] == 0


@pytest.mark.sim
def test_cocotb_checks_the_protocol_of_a_stream(stream, tmp_path):
    result = simulate(stream, config=SimulateConfig(stress_vectors=100), work=tmp_path)
    require_exact(result)
    assert result.cocotb is not None
    assert result.cocotb.failed == ()
    assert result.cocotb.passed == result.cocotb.tests >= 8
    assert result.cocotb.skipped == 0
    assert result.initiation_interval == Design.load(stream).input_beats > 1


@pytest.mark.sim
def test_a_register_that_ignores_back_pressure_is_caught_twice(stream, copy, tmp_path):
    folder = copy(stream)
    (register,) = (folder / "rtl").glob("*_register.v")
    text = register.read_text()
    broken = text.replace("if (enable) out_data <= in_data;", "out_data <= in_data;")
    assert broken != text
    register.write_text(broken)
    result = simulate(folder, config=SimulateConfig(stress_vectors=300), work=tmp_path / "work")
    assert result.vectors_mismatched == 0, "at full rate nothing is held back"
    assert result.stress_mismatched > 0
    assert result.cocotb is not None
    assert any(name.startswith("back_pressure") for name in result.cocotb.failed)
    with pytest.raises(MismatchError, match="with gaps and back-pressure") as caught:
        require_exact(result)
    assert "cocotb test failed: back_pressure" in str(caught.value)


@pytest.mark.sim
def test_a_broken_table_is_named_by_vector_and_field(bare, copy, tmp_path):
    folder = copy(bare)
    last = [s.name for s in network().stages if isinstance(s, Tables)][-1]
    (stage,) = (folder / "rtl").glob(f"*_{last}.v")
    text = stage.read_text()
    found = re.search(r"_n0_t0 = \d+'h([0-9a-f]+);", text)
    assert found
    flipped = f"{int(found[1], 16) ^ (1 << 4 * len(found[1])) - 1:x}"
    stage.write_text(text[: found.start(1)] + flipped + text[found.end(1) :])
    result = simulate(folder, config=PLAIN, work=tmp_path / "work")
    assert 0 < result.vectors_mismatched <= result.vectors_checked
    first = result.first_mismatch
    assert first is not None and first.fields
    assert all(field.wanted != field.got for field in first.fields)
    with pytest.raises(MismatchError, match=rf"first vector {first.vector}: wanted .*{first.fields[0].name}: wanted"):
        require_exact(result)


@pytest.mark.sim
def test_a_wrong_latency_in_the_statement_is_caught(bare, copy, tmp_path):
    folder = copy(bare)
    stated = json.loads((folder / "design.json").read_text())
    stated["latency_cycles"] += 1
    (folder / "design.json").write_text(json.dumps(stated))
    result = simulate(folder, config=PLAIN, work=tmp_path / "work")
    assert result.vectors_mismatched == 0
    with pytest.raises(MismatchError, match="latency"):
        require_exact(result)


@pytest.mark.sim
def test_missing_vectors_and_sources_are_named(bare, copy, tmp_path):
    folder = copy(bare)
    for name in ("inputs.hex", "outputs.hex"):
        path = folder / "vectors" / name
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:5]))
    with pytest.raises(DataError, match="as design.json states, but holds 5; emit the design again"):
        simulate(folder, config=PLAIN, work=tmp_path / "work")
    source = folder / Design.load(folder).sources[0]
    source.unlink()
    with pytest.raises(DataError, match=rf"{source.name} is missing, though design.json lists it"):
        simulate(folder, config=PLAIN, work=tmp_path / "work")


@pytest.mark.sim
def test_verilog_that_does_not_compile_names_its_log(bare, copy, tmp_path):
    folder = copy(bare)
    source = folder / Design.load(folder).sources[0]
    source.write_text(source.read_text().replace("endmodule", ""))
    with pytest.raises(ToolFailed, match="log"):
        simulate(folder, config=PLAIN, work=tmp_path / "work")


def test_a_missing_verilator_says_how_to_get_it(bare, tmp_path, monkeypatch):
    monkeypatch.setenv("CODESIGN_VERILATOR", str(tmp_path / "nowhere"))
    with pytest.raises(ToolNotFound, match="nowhere"):
        simulate(bare, config=PLAIN, work=tmp_path / "work")


def test_results_of_cocotb_are_read(tmp_path):
    path = tmp_path / "results.xml"
    path.write_text(
        '<testsuites><testsuite><testcase name="a"/><testcase name="b"><skipped/></testcase>'
        '<testcase name="c"><failure message="first&#10;last"/></testcase></testsuite></testsuites>'
    )
    assert read_results(path) == (["a"], ["c: last"], ["b"])
    path.write_text("<testsuites><testcase")
    with pytest.raises(ToolFailed, match=re.escape(f"{path} must be cocotb's results")):
        read_results(path)
