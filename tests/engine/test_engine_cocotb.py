"""The bench that ships with an engine: cocotb with cocotbext-axi, from the folder alone; what it is written for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from codesign.accel.engine import EnginePoint, Program
from codesign.accel.engine.compile import compile_program
from codesign.accel.engine.draw import draw_network
from codesign.errors import ConfigError, DataError
from codesign.ir.integer import Integers, trace_integer
from codesign.rtl.engine import generate
from codesign.simulate.engine_bench import run_engine_bench, write_engine_bench
from codesign.tools.verilator import find_verilator

# Streamed, double buffered, weight stationary: every unit is at work, and the program is short.
POINT = EnginePoint(
    4, 2, 3, 4, "weight_stationary", "streamed", "lutram", 1024, 256, 3, 64, 24, "dsp", 2, True, 32, 64, 64, 64
)


def drawn(point: EnginePoint, seed: int, layers: int = 3) -> tuple[Program, Integers, Integers]:
    network, images = draw_network(point, np.random.default_rng(seed), layers=layers, size=4)
    return compile_program(network, point), images, trace_integer(network, images)[network.layers[-1].name]


def alone(folder: Path, target: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a target of the folder's Makefile without this package on Python's path."""
    environment = {**os.environ, "PYTHONPATH": "", "VERILATOR_ROOT": "", **variables}
    environment["VERILATOR_ROOT"] = str(find_verilator().path.parent.parent)
    command = ["make", "-C", str(folder), target, f"PYTHON={sys.executable}"]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=550, check=False)


def test_the_bench_refuses_what_does_not_belong_together(tmp_path: Path) -> None:
    program, images, answers = drawn(POINT, 1)
    with pytest.raises(DataError, match="no design.json"):
        write_engine_bench(tmp_path, program, images, answers)
    generate(EnginePoint(4, 2, 4, 4), tmp_path)
    with pytest.raises(ConfigError, match="another point"):
        write_engine_bench(tmp_path, program, images, answers)
    generate(POINT, tmp_path)
    for bad in (answers[:1], answers[:, :0], answers.reshape(len(answers), -1)):
        with pytest.raises(DataError, match="answers must be"):
            write_engine_bench(tmp_path, program, images, bad)
    with pytest.raises(DataError, match="no vectors/program.json"):
        run_engine_bench(tmp_path, verilator=find_verilator(), work=tmp_path / "w", timeout_s=60)
    files = write_engine_bench(tmp_path, program, images, answers)
    before = [file.read_bytes() for file in files]
    assert write_engine_bench(tmp_path, program, images, answers) == files
    assert [file.read_bytes() for file in files] == before


@pytest.mark.sim
def test_the_bench_passes_on_a_right_engine_and_fails_on_a_wrong_answer(tmp_path: Path) -> None:
    program, images, answers = drawn(POINT, 1)
    generate(POINT, tmp_path / "engine")
    write_engine_bench(tmp_path / "engine", program, images, answers)
    # The folder alone, somewhere else.
    folder = tmp_path / "moved"
    shutil.move(tmp_path / "engine", folder)
    result, text = run_engine_bench(folder, verilator=find_verilator(), work=tmp_path / "work", timeout_s=500)
    assert result.failed == () and result.passed == result.tests >= 14, text
    again = json.loads((folder / "vectors/program.json").read_text())
    again["answers"][0][-1] += 1
    again["law"]["layers"][0] += 1
    (folder / "vectors/program.json").write_text(json.dumps(again))
    result, _ = run_engine_bench(folder, verilator=find_verilator(), work=tmp_path / "work", timeout_s=500)
    assert result.passed < result.tests / 2
