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
from codesign.errors import ConfigError, DataError, ToolNotFound
from codesign.ir.integer import Integers, trace_integer
from codesign.rtl.engine import generate
from codesign.simulate import engine_bench
from codesign.simulate.engine_bench import run_engine_bench, write_engine_bench
from codesign.tools.verilator import find_verilator

# Streamed, double buffered, weight stationary: every unit is at work, and the program is short.
POINT = EnginePoint(
    4, 2, 3, 4, "weight_stationary", "streamed", "lutram", 1024, 256, 3, 64, 24, "dsp", 2, True, 32, 64, 64, 64
)


def drawn(point: EnginePoint, seed: int, layers: int = 3) -> tuple[Program, Integers, Integers]:
    network, images = draw_network(point, np.random.default_rng(seed), layers=layers, size=4)
    return compile_program(network, point), images, trace_integer(network, images)[network.layers[-1].name]


def alone(folder: Path, target: str) -> subprocess.CompletedProcess[str]:
    """Run a target of the folder's Makefile without this package on Python's path."""
    root = str(find_verilator().path.parent.parent)
    environment = {**os.environ, "PYTHONPATH": "", "VERILATOR_ROOT": root}
    command = ["make", "-C", str(folder), target, f"PYTHON={sys.executable}"]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=550, check=False)


def test_the_bench_refuses_what_does_not_belong_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    monkeypatch.setattr(engine_bench, "find_spec", lambda name: None)
    with pytest.raises(ToolNotFound, match="cocotbext-axi .* is not installed"):
        run_engine_bench(tmp_path, verilator=find_verilator(), work=tmp_path / "w", timeout_s=60)
    before = [file.read_bytes() for file in files]
    assert write_engine_bench(tmp_path, program, images, answers) == files
    assert [file.read_bytes() for file in files] == before


@pytest.mark.sim
def test_a_folder_simulates_itself_and_notices_what_is_wrong(tmp_path: Path) -> None:
    """One build each of harness and cocotb, by the folder's own Makefile; then golden vectors that are off."""
    program, images, answers = drawn(POINT, 1)
    generate(POINT, tmp_path / "engine")
    write_engine_bench(tmp_path / "engine", program, images, answers)
    folder = Path(shutil.move(tmp_path / "engine", tmp_path / "moved"))
    for file in folder.rglob("*.py"):
        assert "import codesign" not in file.read_text() and "from codesign" not in file.read_text()
    for target, words in {
        "help": "make cocotb",
        "lint": "--lint-only",
        "sim": "all answers bit-exact, all cycles equal",
        "cocotb": "15 tests passed, 0 failed",
    }.items():
        done = alone(folder, target)
        assert done.returncode == 0 and words in done.stdout, done.stdout[-3000:] + done.stderr[-3000:]
    right = (folder / "vectors/program.json").read_text()
    for path, text in ((("answers", 0, -1), "answer"), (("law", "layers", 0), "by the law"), (("law", "total"), "by")):
        wrong = json.loads(right)
        place = wrong
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] += 1
        (folder / "vectors/program.json").write_text(json.dumps(wrong))
        done = alone(folder, "sim")
        assert done.returncode != 0 and text in done.stdout
    command = [sys.executable, "sim/run_cocotb.py", "--only-test", "--build", "build/cocotb"]
    wrong = json.loads(right)
    wrong["answers"][0][-1] += 1
    (folder / "vectors/program.json").write_text(json.dumps(wrong))
    environment = {**os.environ, "VERILATOR_ROOT": str(find_verilator().path.parent.parent), "CODESIGN_IMAGES": "1"}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=environment, timeout=300, check=False
    )
    assert done.returncode == 1 and "failed: beats_without_a_gap" in done.stdout, done.stdout[-3000:]
    assert "1 tests passed" in done.stdout  # the registers alone
