"""The example repository: the very steps of its workflow pass on a fresh design, and fail on a broken one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from codesign.accel.engine import EnginePoint, compile_program, cycles
from codesign.accel.engine.draw import draw_network
from codesign.config import RegistersConfig, RtlConfig
from codesign.errors import MismatchError
from codesign.hwtest import run_cocotb
from codesign.ir import Layer, Topology
from codesign.ir.integer import evaluate_integer
from codesign.rtl import emit
from codesign.rtl.engine import generate
from codesign.simulate import write_bench
from codesign.simulate.engine_bench import write_engine_bench
from codesign.testing import structured_network

EXAMPLE = Path(__file__).parents[2] / "examples" / "ci"


def emit_small(folder: Path, *, interface: str) -> None:
    topology = Topology("small", inputs=6, input_bits=2, layers=(Layer("l0", 6, 3, 2), Layer("l1", 4, 3, 3)))
    network = structured_network(topology, np.random.default_rng(5), words=True)
    bits = {"stream_bits": 8} if interface == "axi_stream" else {}
    emit(network, RtlConfig(form="table", registers=RegistersConfig(every=1), interface=interface, **bits), folder)
    write_bench(folder)


@pytest.mark.sim
def test_the_steps_of_the_workflow_pass(tmp_path):
    repository = Path(shutil.copytree(EXAMPLE, tmp_path / "repository"))
    emit_small(repository / "accelerator", interface="axi_stream")
    workflow = yaml.safe_load((EXAMPLE / ".github" / "workflows" / "rtl.yml").read_text(encoding="utf-8"))
    steps = [step["run"] for step in workflow["jobs"]["simulate"]["steps"] if "run" in step]
    assert steps[0].startswith("pip install") and len(steps) == 3
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for step in steps[1:]:
        command = step.replace("cods ", f"{sys.executable} -m codesign ").replace(
            "pytest", f"{sys.executable} -m pytest"
        )
        done = subprocess.run(command, shell=True, cwd=repository, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (repository / "build" / "ci" / "junit.xml").is_file()
    path = sorted((repository / "accelerator" / "rtl").glob("*_l1.v"))[0]
    text = path.read_text()
    found = re.search(r"_n0_t0 = \d+'h([0-9a-f]+);", text)
    assert found
    flipped = f"{int(found[1], 16) ^ (1 << 4 * len(found[1])) - 1:x}"
    path.write_text(text[: found.start(1)] + flipped + text[found.end(1) :])
    with pytest.raises(MismatchError, match="golden_answers"):
        run_cocotb(repository / "accelerator", EXAMPLE / "tests" / "test_accelerator.py", work=tmp_path / "work")


OWN = """
import cocotb
from codesign.hwtest import accelerator

@cocotb.test()
async def words_and_fields(dut):
    design = await accelerator(dut)
    word, wanted = design.golden[3]
    fields = [(word >> f["low"] & (1 << f["bits"]) - 1, f["bits"], f["signed"]) for f in design.facts["input_fields"]]
    values = [value - (signed and value >> bits - 1) * (1 << bits) for value, bits, signed in fields]
    assert design.pack(values) == word and await design.infer(word) == wanted
    assert len(design.unpack(wanted)) == len(design.facts["output_fields"])
    await design.reset()
    assert await design.infer_all([w for w, _ in design.golden[:30]]) == [a for _, a in design.golden[:30]]
"""


@pytest.mark.sim
@pytest.mark.parametrize("interface", ["bare", "ready_valid"])
def test_own_tests_of_other_interfaces(interface, tmp_path):
    emit_small(tmp_path / "design", interface=interface)
    (tmp_path / "own_words.py").write_text(OWN)
    assert run_cocotb(tmp_path / "design", tmp_path / "own_words.py", work=tmp_path / "work") == 1


ENGINE = """
import cocotb
from codesign.hwtest import accelerator

@cocotb.test()
async def images_and_cycles(dut):
    engine = await accelerator(dut)
    images = [beats for beats, _ in engine.golden]
    assert await engine.infer(images[:1]) == [engine.golden[0][1]]
    assert await engine.cycles() == CYCLES
    assert await engine.infer(images) == [answers for _, answers in engine.golden]
    await engine.reset()
    assert await engine.infer(images[:1]) == [engine.golden[0][1]]
"""


@pytest.mark.sim
def test_own_tests_of_an_engine(tmp_path):
    point = EnginePoint(2, 2, 3, 3, bank_depth=64, weight_depth=256, accumulator_bits=20)
    network, images = draw_network(point, np.random.default_rng(3), layers=2, size=4)
    program = compile_program(network, point)
    generate(point, tmp_path / "design")
    write_engine_bench(tmp_path / "design", program, images, evaluate_integer(network, images))
    (tmp_path / "own_engine.py").write_text(ENGINE.replace("CYCLES", str(cycles(program).total)))
    assert run_cocotb(tmp_path / "design", tmp_path / "own_engine.py", work=tmp_path / "work") == 1
