"""What the portable Verilog is inferred as: DSP blocks, block RAM and LUT RAM, where the point asks for them alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from codesign.accel.engine import EnginePoint
from codesign.rtl.engine import generate
from codesign.tools import run
from codesign.tools.verilator import find_verilator
from codesign.tools.yosys import find_yosys, run_yosys

POINT = EnginePoint(4, 2, 8, 8, weight_depth=256, bank_depth=64, accumulator_bits=20, param_depth=64, answer_depth=64)
REQUANTIZER = 1  # DSP blocks of a sum of 20 bits by a multiplier of 16


def inferred(point: EnginePoint, folder: Path) -> dict[str, int]:
    """Memories and DSP blocks on Xilinx 7 series, before logic is mapped; no latch anywhere."""
    design = generate(point, folder)
    script = [f"read_verilog {source}" for source in design.sources]
    script += [f"hierarchy -check -top {design.top}", "proc", "check -assert", "select -assert-none t:$dlatch"]
    script += [f"synth_xilinx -family xc7 -flatten -noiopad -top {design.top} -run begin:fine"]
    (folder / "synth.ys").write_text("\n".join([*script, "tee -q -o stat.json stat -json"]) + "\n")
    run_yosys(find_yosys(), "synth.ys", folder, log="synth.log", timeout_s=300, memory_gb=None)
    cells: dict[str, int] = json.loads((folder / "stat.json").read_text())["design"]["num_cells_by_type"]
    kinds = {"DSP": "dsp", "RAMB": "block", "RAM": "distributed"}
    found = dict.fromkeys(kinds.values(), 0)
    for name, count in cells.items():
        kind = next((kinds[prefix] for prefix in kinds if name.startswith(prefix)), None)
        if kind:
            found[kind] += count
        assert not name.startswith("$mem"), f"a memory became {name}"
    return found


@pytest.mark.synth
def test_multipliers_become_dsp_blocks_two_products_each_at_four_bits(tmp_path: Path) -> None:
    eight = inferred(replace(POINT, multiplier="dsp"), tmp_path / "eight")
    four = inferred(replace(POINT, multiplier="dsp", weight_bits=4, activation_bits=4), tmp_path / "four")
    assert eight["dsp"] == POINT.pe * POINT.simd + REQUANTIZER
    assert four["dsp"] == POINT.pe * POINT.simd // 2 + REQUANTIZER


@pytest.mark.synth
def test_memories_become_what_the_point_says(tmp_path: Path) -> None:
    luts = inferred(replace(POINT, weight_memory="lutram"), tmp_path / "luts")
    block = inferred(replace(POINT, bank_depth=65, param_depth=65), tmp_path / "block")
    assert luts["dsp"] == block["dsp"] == 0
    assert luts["block"] == 1  # the program memory
    weights, banks, parameters = 1, POINT.banks, 1  # 64, 16 and 62 bits wide
    assert block["block"] == 1 + weights + banks + parameters
    assert luts["distributed"] > block["distributed"] > 0


@pytest.mark.synth
@pytest.mark.parametrize(
    "point",
    [
        replace(POINT, stream_out_bits=8, pipeline=0),
        EnginePoint(4, 2, 1, 1, "weight_stationary", "streamed", psum_depth=64, double_buffer=True, weight_depth=64),
    ],
    ids=["output-stationary", "weight-stationary"],
)
def test_no_output_follows_an_input_without_a_register(point: EnginePoint, tmp_path: Path) -> None:
    """AXI demands it: no combinational path from any input of the engine to any output."""
    design = generate(point, tmp_path)
    script = [f"read_verilog {source}" for source in design.sources]
    script += [f"hierarchy -check -top {design.top}", "proc", "flatten", "opt_clean"]
    script += ["select -assert-count 16 o:*", "select -set cone o:* %ci*:-$dff,$sdff,$dffe,$sdffe"]
    script += ["select -assert-none @cone i:* %i"]
    (tmp_path / "paths.ys").write_text("\n".join(script) + "\n")
    run_yosys(find_yosys(), "paths.ys", tmp_path, log="paths.log", timeout_s=300, memory_gb=None)


@pytest.mark.sim
def test_the_verilog_is_verilog_2005(tmp_path: Path) -> None:
    tool = find_verilator()
    for index, point in enumerate((POINT, replace(POINT, dataflow="weight_stationary", psum_depth=64, pipeline=4))):
        folder = tmp_path / str(index)
        design = generate(point, folder)
        command = [tool.path, "--lint-only", "-Wall", "--language", "1364-2005", "--top-module", design.top]
        run([*command, *design.sources], folder, log="lint.log", timeout_s=120, environment=tool.environment)
