"""`cods ci`: good and broken folders of both families, JUnit XML, waveforms, time, damage, and no training packages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

import codesign
from codesign.accel.engine import EnginePoint, compile_program
from codesign.accel.engine.draw import draw_network
from codesign.ci import Check, check_rtl, rtl_folder, write_junit
from codesign.cli.app import app
from codesign.config import EngineSimulateConfig, RegistersConfig, RtlConfig
from codesign.errors import ConfigError, DataError
from codesign.ir import Layer, LutNetwork, Topology, load
from codesign.ir.integer import evaluate_integer
from codesign.rtl import emit
from codesign.rtl.engine import generate
from codesign.simulate import write_bench
from codesign.simulate.engine_bench import write_engine_bench
from codesign.simulate.engine_failure import CLOCKS_AFTER
from codesign.simulate.engine_stage import simulate_engine
from codesign.testing import structured_network


def network() -> LutNetwork:
    topology = Topology("small", inputs=6, input_bits=2, layers=(Layer("l0", 6, 3, 2), Layer("l1", 4, 3, 3)))
    return structured_network(topology, np.random.default_rng(5), words=True)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline") / "run" / "5_emit" / "design"
    emit(network(), RtlConfig(form="table", registers=RegistersConfig(every=1)), folder)
    write_bench(folder)
    return folder


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine") / "design"
    point = EnginePoint(2, 2, 3, 3, bank_depth=64, weight_depth=256, accumulator_bits=20)
    drawn, images = draw_network(point, np.random.default_rng(3), layers=2, size=4)
    program = compile_program(drawn, point)
    generate(point, folder)
    write_engine_bench(folder, program, images, evaluate_integer(drawn, images))
    return folder


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[Path], Path]:
    return lambda folder: Path(shutil.copytree(folder, tmp_path / "design"))


class Waves:
    """An FST file, read with the library of GTKWave; a signal is found by the end of its name."""

    def __init__(self, path: Path):
        self.fst = pytest.importorskip("pylibfst")
        self.file = self.fst.lib.fstReaderOpen(str(path).encode())
        assert self.file != self.fst.ffi.NULL, f"{path} is no FST file"
        _, signals = self.fst.get_scopes_signals2(self.file)
        self.names = {name.split(" ")[0]: one.handle for name, one in signals.by_name.items()}
        self.end = self.fst.lib.fstReaderGetEndTime(self.file)

    def __enter__(self) -> Waves:
        return self

    def __exit__(self, *problem: object) -> None:
        self.fst.lib.fstReaderClose(self.file)

    def value(self, name: str, time: int) -> int:
        (handle,) = {handle for known, handle in self.names.items() if known.endswith(f"engine_top.{name}")}
        text = self.fst.ffi.new("char[4097]")
        return int(self.fst.string(self.fst.lib.fstReaderGetValueFromHandleAtTime(self.file, time, handle, text)), 2)


def states(checks: tuple[Check, ...]) -> dict[str, str]:
    return {check.name: check.state for check in checks}


@pytest.mark.sim
def test_a_run_passes_and_junit_says_so(pipeline, tmp_path):
    run, junit = pipeline.parent.parent, tmp_path / "out" / "junit.xml"
    command = ["ci", str(run), "--junit", str(junit), "--work", str(tmp_path / "work")]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0 and "5 of 5 checks passed" in done.stdout
    suite = ElementTree.parse(junit).getroot().find("testsuite")
    assert suite is not None
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["5", "0", "0", "0"]
    names = [case.get("name") for case in suite]
    assert names == ["lint", "golden vectors", "latency and interval", "gaps and back-pressure", "protocol"]


@pytest.mark.sim
def test_a_broken_table_fails_with_vector_field_and_waveform(pipeline, copy, tmp_path):
    folder = copy(pipeline)
    stage = sorted((folder / "rtl").glob("*_l1.v"))[0]
    text = stage.read_text()
    found = re.search(r"_n0_t0 = \d+'h([0-9a-f]+);", text)
    assert found
    flipped = f"{int(found[1], 16) ^ (1 << 4 * len(found[1])) - 1:x}"
    stage.write_text(text[: found.start(1)] + flipped + text[found.end(1) :])
    junit = tmp_path / "junit.xml"
    command = ["ci", str(folder), "--no-cocotb", "--junit", str(junit), "--work", str(tmp_path / "work")]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 1 and "not: golden vectors, gaps and back-pressure" in done.stdout
    failure = ElementTree.parse(junit).getroot().find(".//testcase[@name='golden vectors']/failure")
    assert failure is not None and failure.text is not None
    assert re.search(r"first vector \d+: wanted \w+, got \w+ \(\w+: wanted", failure.text)
    found = re.search(
        r"vector (\d+): stage 'l1', neuron 0, row (\d+): "
        r"small_top\.l1_next\[2:0\] differs first: wanted (\d), got (\d)\n",
        failure.text,
    )
    assert found and found[3] != found[4], failure.text
    table = load(folder / "vectors" / "network.npz").core[1].neurons[0].table
    assert table[int(found[2])] == int(found[3])
    (waves,) = (tmp_path / "work" / "waves").glob("waves.*")
    assert waves.stat().st_size > 1000 and str(waves) in failure.text


@pytest.mark.sim
def test_an_engine_passes_and_a_broken_one_fails_in_answers_or_cycles(engine, copy, tmp_path):
    good = check_rtl(engine, work=tmp_path / "good", cocotb=False)
    assert states(good) == {"lint": "passed", "golden images": "passed", "cycles": "passed", "protocol": "skipped"}
    reached = dict(good[1].reached)
    assert reached["layers"] == "2 of 2" and reached["states"] == "20 of 21; not reached: unload closing"
    assert "sequencer RUN -> IDLE" in reached["transitions"] and "not foreseen" not in str(reached)
    assert reached["errors"].startswith("0 of 8; not reached: PROGRAM_LENGTH, BUSY")
    folder = copy(engine)
    path = folder / "rtl" / "engine_tree.v"
    sums = "{left[BITS-2], left} + {right[BITS-2], right}"
    assert sums in path.read_text()
    path.write_text(path.read_text().replace(sums, sums.replace("+", "-")))
    broken = {check.name: check for check in check_rtl(folder, work=tmp_path / "broken", cocotb=False)}
    assert broken["golden images"].state == "failed" and broken["cycles"].state == "passed"
    detail = broken["golden images"].detail
    assert re.match(r"image \d+, answer \d+: wanted -?\d+, got -?\d+", detail)
    found = re.search(
        r"image (\d+): layer \d 'l\d' \(\w+\), .*: core\.(result_\w+) differs first: wanted (\w+), got (\w+), "
        r"written at clock ([\d,]+)\nwaveform of clocks 0 to ([\d,]+) .*: (\S+)",
        detail,
    )
    assert found, detail
    signal, got, clock, end, waves = (
        found[2],
        int(found[4], 16),
        *(int(found[n].replace(",", "")) for n in (5, 6)),
        found[7],
    )
    assert found[3] != found[4] and end == clock + CLOCKS_AFTER
    assert waves.endswith(".fst") and Path(waves).stat().st_size > 2000
    with Waves(Path(waves)) as traced:
        assert traced.value(f"core.{signal}", 10 * clock) == got
        assert traced.value("core.result_write", 10 * clock) == 1
        assert traced.end <= 10 * end + 5 and "core.sequencer.state" in str(traced.names)


@pytest.mark.sim
def test_time_that_is_over_and_damage_are_errors_not_passes(pipeline, engine, copy, tmp_path):
    late = check_rtl(pipeline, work=tmp_path / "late", time_limit_s=1e-9)
    names = ["golden vectors", "latency and interval", "gaps and back-pressure", "protocol"]
    assert list(states(late)) == ["lint", *names] and {states(late)[name] for name in names} == {"error"}
    assert "time limit" in late[-1].detail
    folder = copy(engine)
    (folder / "vectors" / "program.json").write_text('{"answers": 7}')
    found = states(check_rtl(folder, work=tmp_path / "damaged", cocotb=False))
    assert found["golden images"] == found["cycles"] == "error"
    (folder / "rtl" / "engine_tree.v").unlink()
    assert states(check_rtl(folder, work=tmp_path / "missing", cocotb=False))["lint"] == "error"
    (folder / "design.json").write_text("[")
    with pytest.raises(DataError, match="design.json cannot be read"):
        check_rtl(folder, work=tmp_path / "unread")
    with pytest.raises(DataError, match="neither a run with emitted Verilog nor an emitted folder"):
        rtl_folder(tmp_path)


@pytest.mark.sim
def test_places_that_cannot_be_written_are_refused_before_any_check(pipeline, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("")
    for option, place, said in (
        ("--junit", tmp_path, "--junit must name a file"),
        ("--junit", taken / "junit.xml", "--junit: .*taken cannot be written to"),
        ("--work", taken, "--work: .*taken cannot be written to"),
    ):
        options = {"--work": str(tmp_path / "work"), option: str(place)}
        done = CliRunner().invoke(app, ["ci", str(pipeline), *chain(*options.items())])
        assert isinstance(done.exception, ConfigError) and re.search(said, str(done.exception))
        assert "passed" not in done.stdout


def test_junit_holds_any_text(tmp_path):
    checks = (
        Check("a", "failed", "x\x00<y>\n&", output="\x1b[31m"),
        Check("b", "skipped", "no"),
        Check("c", "error", ""),
    )
    write_junit(checks, tmp_path / "junit.xml", suite="s")
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()[0]
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("1", "1", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None and failure.text == "x?<y>\n&" and failure.get("message") == "x?<y>"


ONLY_THE_SIM_EXTRA = """
import os, re, sys
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

def known(name):
    return re.sub(r"[-_.]+", "-", name).lower()

wanted, allowed = ["codesign[sim]"], set()
while wanted:
    name, extras = re.match(r"([\\w.-]+)(?:\\[([^]]*)\\])?", wanted.pop()).groups()
    try:
        found = distribution(name)
    except PackageNotFoundError:  # of another platform
        continue
    fresh = known(name) not in allowed or extras
    allowed.add(known(name))
    for line in (found.requires or []) if fresh else []:
        extra = re.search(r"extra == [\\"\'](\\w+)", line)
        if extra is None or extra[1] in (extras or "").split(","):
            wanted.append(line)
assert "torch" not in allowed and "cocotb" in allowed and "numpy" in allowed, allowed
absent = {top for top, owners in packages_distributions().items() if not {known(o) for o in owners} & allowed}
assert {"torch", "brevitas", "sklearn", "hypothesis"} <= absent, absent

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in absent:
            with open(os.environ["ABSENT_LOG"], "a") as log:
                log.write(name + "\\n")
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
with open(os.environ["ABSENT_LOG"], "a") as log:
    log.write("started\\n")
"""


@pytest.mark.sim
@pytest.mark.parametrize("family", ["pipeline", "engine"])
def test_the_sim_extra_alone_is_enough(family, request, tmp_path):
    """Every package outside the closure of codesign[sim] is hidden, from `cods ci` and from each Python it starts."""
    (tmp_path / "sitecustomize.py").write_text(ONLY_THE_SIM_EXTRA)
    log = tmp_path / "log"
    paths = [str(tmp_path), str(Path(codesign.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path), "ABSENT_LOG": str(log)}
    command = [sys.executable, "-m", "codesign", "ci", str(request.getfixturevalue(family))]
    command += ["--work", str(tmp_path / "work"), *(["--no-cocotb"] if family == "engine" else [])]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0 and "checks passed" in done.stdout, done.stdout + done.stderr
    said = log.read_text().split()
    assert said.count("started") >= 2, "the Python of cocotb, or of the engine's program, was not restricted"
    torch = subprocess.run([sys.executable, "-c", "import torch"], capture_output=True, text=True, env=environment)
    assert torch.returncode == 1 and "No module named 'torch'" in torch.stderr


@pytest.mark.sim
@pytest.mark.slow
def test_an_engine_that_hangs_is_given_up_and_its_state_is_named(engine, copy, tmp_path):
    folder = copy(engine)
    path = folder / "rtl" / "engine_sequencer.v"
    ends = "WAIT: if (layer_done) state"
    assert ends in path.read_text()
    path.write_text(path.read_text().replace(ends, "WAIT: if (layer_done & (layer == 6'd0)) state"))
    detail = {check.name: check for check in check_rtl(folder, work=tmp_path / "ci", cocotb=False)}[
        "golden images"
    ].detail
    assert detail.startswith("the engine broke a rule: it is still busy") and re.search(
        r"image 1: 0 of its \d+ beats", detail
    ), "image 0 was answered"
    found = re.search(
        r"core\.sequencer\.state is WAIT of layer 1 'l1' \(\w+\) from clock ([\d,]+) until .* clock ([\d,]+)", detail
    )
    assert found, detail
    begun, stopped = (int(number.replace(",", "")) for number in found.groups())
    assert stopped > 100_000 + begun
    with Waves(tmp_path / "ci" / "waves" / "waves.fst") as traced:
        assert traced.value("core.sequencer.state", 10 * begun + 20) == 5
    point = EnginePoint(2, 2, 3, 3, bank_depth=64, weight_depth=256, accumulator_bits=20)
    drawn, images = draw_network(point, np.random.default_rng(3), layers=2, size=4)
    program = compile_program(drawn, point)
    config = EngineSimulateConfig(stress_vectors=0, cocotb=False)
    answers = evaluate_integer(drawn, images)
    waves = tmp_path / "waves"
    result = simulate_engine(folder, program, images, answers, config=config, work=tmp_path / "work", waves=waves)
    assert any("core.sequencer.state is WAIT of layer 1" in problem for problem in result.problems)
    assert (waves / "waves.fst").is_file() and result.coverage is not None
    assert result.coverage.groups[0].counts["sequencer UNLOAD"] == 0
