"""Synthesised netlists are proven against the Verilog, and a flipped bit of one cell is caught and named."""

import json
import re
import shutil

import pytest
from formal_nets import flip_netlist, small_network

from codesign.accel import device
from codesign.config import RegistersConfig, RtlConfig
from codesign.errors import MismatchError, ToolFailed
from codesign.passes import run_passes
from codesign.rtl import emit
from codesign.verify.formal.netlist import prove_lut_models, prove_netlist, read_flat, read_mapped, synthesise
from codesign.verify.formal.result import require_proven

pytestmark = pytest.mark.synth

DEVICES = {"xcvu9p": "LUT6", "ecp5-25f": "LUT4", "ice40-hx8k": "SB_LUT4"}


@pytest.fixture(scope="module")
def emitted(tmp_path_factory):
    """The small network, optimized and emitted with a register after each stage, and the Verilog read flat."""
    optimized, _ = run_passes(small_network())
    folder = tmp_path_factory.mktemp("netlist")
    config = RtlConfig(registers=RegistersConfig(every=1), interface="ready_valid", workers=1)
    design = emit(optimized, config, folder / "design")
    return optimized, folder, design, read_flat(folder / "design", design, work=folder / "flat", timeout_s=60)


@pytest.mark.parametrize("name", DEVICES)
def test_look_up_tables_read_the_row_that_their_pins_state(tmp_path, name):
    assert prove_lut_models(device(name), work=tmp_path, timeout_s=60).outcome == "proven"


@pytest.mark.parametrize("name", ["ice40-hx8k", "xcvu9p"])
def test_a_netlist_is_proven_and_a_flipped_bit_in_it_is_caught(emitted, tmp_path, name):
    optimized, folder, design, rtl = emitted
    target = device(name)
    path = synthesise(folder / "design", design, target, work=tmp_path / "n", timeout_s=300, memory_gb=8)

    def prove(netlist, where):
        module = read_mapped(netlist, target, design.top, work=tmp_path / where / "g", timeout_s=60)
        work = tmp_path / where / "q"
        return prove_netlist(rtl, module, design, optimized, device=name, work=work, timeout_s=30)

    tally = prove(path, "good")
    require_proven([tally])
    assert tally.count("proven") >= sum(len(s.formats) for s in optimized.stages)
    cells = json.loads(path.read_text())["modules"]["tiny"]["cells"].values()
    kinds = sorted({cell["type"] for cell in cells if re.fullmatch(r"(SB_)?LUT[456]", cell["type"])})
    found: list[str] = []
    for bit in range(4):
        broken = tmp_path / f"broken{bit}.json"
        shutil.copy(path, broken)
        flip_netlist(broken, kinds[-1], 0, bit)
        bad = prove(broken, f"bad{bit}")
        assert bad.count("not proven") == 0
        if not bad.count("refuted"):
            continue  # a row that cannot occur, such as one of a LUT with equal inputs
        with pytest.raises(MismatchError, match=r"wanted \d+, got \d+"):
            require_proven([bad])
        found += [p.detail for p in bad.proofs if p.outcome == "refuted" and "neuron" in p.detail]
        if found:
            break
    assert found
    for text in found:
        assert re.search(r"stage '\w+', neuron \d+: input codes signal \d+ = \d+.*: wanted \d+, got \d+", text), text


def test_a_netlist_without_a_register_of_the_verilog_is_not_proven(emitted, tmp_path):
    optimized, folder, design, rtl = emitted
    target = device("ice40-hx8k")
    path = synthesise(folder / "design", design, target, work=tmp_path / "n", timeout_s=300, memory_gb=8)
    value = json.loads(path.read_text())
    names = value["modules"]["tiny"]["netnames"]
    for name in list(names):
        if "t0_data" in name or "t0_register" in name or "s1.in_data" in name:
            del names[name]
    path.write_text(json.dumps(value))
    module = read_mapped(path, target, design.top, work=tmp_path / "g", timeout_s=60)
    tally = prove_netlist(rtl, module, design, optimized, device="x", work=tmp_path / "q", timeout_s=30)
    assert tally.count("not proven") > 0
    assert tally.count("refuted") == 0


def test_a_cell_without_a_model_is_refused(emitted, tmp_path):
    _, _, design, _ = emitted
    cell = {"type": "MYSTERY", "parameters": {}, "attributes": {}, "connections": {"Y": [2]}}
    cell["port_directions"] = {"Y": "output"}
    ports = {"out_valid": {"direction": "output", "bits": [2]}}
    netlist = {"modules": {"tiny": {"ports": ports, "cells": {"c": cell}, "netnames": {}}}}
    path = tmp_path / "netlist.json"
    path.write_text(json.dumps({"creator": "test", **netlist}))
    with pytest.raises(ToolFailed, match="cells without a model: MYSTERY"):
        read_mapped(path, device("ice40-hx8k"), design.top, work=tmp_path / "g", timeout_s=60)
