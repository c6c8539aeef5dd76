"""The real tools on small designs: exact counts of known circuits, a routed clock, scripts that stand alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import write_tiny

from codesign.accel import device
from codesign.config import RtlConfig, SynthConfig
from codesign.errors import CodesignError
from codesign.ir import Decide, Encode, Feature, Fixed, Format, LutNetwork, Neuron, Tables
from codesign.synth import synthesize, write_scripts
from codesign.tools.nextpnr import find_nextpnr
from codesign.tools.yosys import find_yosys

try:
    find_yosys()
    find_nextpnr("ecp5")
    find_nextpnr("ice40")
    MISSING = ""
except CodesignError as problem:
    MISSING = str(problem)

pytestmark = [pytest.mark.synth, pytest.mark.skipif(bool(MISSING), reason=MISSING)]
CONFIG = SynthConfig(vivado="never", timeout_s=300)


def test_counts_of_a_known_circuit(tiny, tmp_path):
    report = synthesize(tiny, device("xcvu9p"), config=CONFIG, work=tmp_path / "work")
    # Three functions of at most four inputs, a majority of three, and two valid bits cleared by reset.
    assert report.luts_by_stage == {"l0": 3, "l1": 1}
    assert report.luts_by_part == {"tables": 4, "interface": 2}
    assert (report.luts, report.ffs, report.depth, report.parts_origin) == (6, 6, 1, "flat")
    assert (report.muxes, report.carries, report.brams, report.dsps) == (0, 0, 0, 0)


def test_parts_of_a_design_with_a_stage_that_no_register_follows(tmp_path):
    write_tiny(tmp_path / "emitted", registers=(1,))
    report = synthesize(tmp_path / "emitted", device("xc7a35t"), config=CONFIG, work=tmp_path / "work")
    # Flattened, all of it is one function of the four input bits; kept apart, the stages are what they were.
    assert (report.luts, report.parts_origin) == (2, "hierarchical")
    assert report.luts_by_stage == {"l0": 3, "l1": 1}


def network():
    """An encoder in hardware, two layers of tables of 6 address bits, and an argmax."""
    rng = np.random.default_rng(1)
    features = tuple(Feature(f"x{i}", (9.0, 20.0, 41.0), Fixed(6)) for i in range(4))
    sources = [(0, 1, 2), (1, 2, 3), (0, 2, 3), (0, 1, 3)]
    layers = [tuple(Neuron(s, rng.integers(0, 4, 64).astype(np.int32), Format(2)) for s in sources[:n]) for n in (4, 3)]
    decide = Decide("decide", "argmax", (Format(2),) * 3)
    stages = (Encode("encode", features), Tables("l0", layers[0]), Tables("l1", layers[1]), decide)
    return LutNetwork("small", stages)


def test_every_part_of_an_emitted_stream_design_is_found(tmp_path):
    pytest.importorskip("pyverilog")
    from codesign.rtl import emit

    config = RtlConfig(form="table", interface="axi_stream", stream_bits=8)
    emit(network(), config, tmp_path / "emitted")
    report = synthesize(tmp_path / "emitted", device("xczu3eg"), config=CONFIG, work=tmp_path / "work")
    assert list(report.luts_by_stage) == ["encode", "l0", "l1", "decide"]
    assert report.parts_origin == "flat" and sum(report.luts_by_part.values()) == report.luts
    # Random tables of 6 address bits: one LUT6 an output bit.
    assert (report.luts_by_stage["l0"], report.luts_by_stage["l1"], report.luts_by_part["tables"]) == (8, 6, 14)
    assert all(report.luts_by_part[part] > 0 for part in ("encoder", "decide", "interface"))


def test_ecp5_clock_is_routed(tiny, tmp_path):
    report = synthesize(tiny, device("ecp5-25f"), config=CONFIG, work=tmp_path / "work")
    assert (report.status, report.luts, report.ffs, report.fmax_origin) == ("done", 6, 6, "routed")
    assert 100 < report.fmax_mhz < 1500
    assert report.latency_ns == pytest.approx(2000 / report.fmax_mhz, abs=1e-3)
    # The harness: 6 input bits, 2 output bits captured and folded. What is placed is both, and a constant or two.
    assert report.harness == {"luts": 1, "ffs": 10} and report.routed_cells["TRELLIS_FF"] == 16
    assert 0 <= report.routed_cells["TRELLIS_COMB"] - report.luts - 1 <= 2
    assert "Critical path report" in report.raw and "core.l" in report.raw


def test_ice40_scripts_stand_alone(tiny, tmp_path):
    write_scripts(tiny, [device("ice40-hx8k")])
    moved = shutil.move(tiny, tmp_path / "elsewhere")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", f"{moved}/synth/ice40-hx8k/run.sh"],
        cwd="/",
        env={**os.environ, "PATH": path},
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "SB_LUT4" in done.stdout and "Max frequency for clock" in done.stdout
    report = synthesize(moved, device("ice40-hx8k"), config=CONFIG, work=tmp_path / "work")
    assert f"{report.fmax_mhz:.2f} MHz" in done.stdout  # the same scripts, the same clock
    assert report.luts_by_stage == {"l0": 3, "l1": 1}
