"""Emitted designs in Verilator: lint, bit-exact answers, latency and interval, back-pressure, samples cut off."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import rtl_bench
from rtl_networks import popcount, tiny

from codesign.config import RegistersConfig, RtlConfig
from codesign.rtl import Design, emit

pytestmark = pytest.mark.sim

EVERY, TWO, NONE = RegistersConfig(every=1), RegistersConfig(every=2), RegistersConfig()
DESIGNS = [
    (tiny("d0"), RtlConfig(form="table", registers=EVERY)),
    (
        tiny("d1", coding="thermometer", decide="threshold"),
        RtlConfig(form="case", registers=NONE, interface="ready_valid"),
    ),
    (popcount("d2", classes=3), RtlConfig(form="table", registers=RegistersConfig(depth=2), interface="ready_valid")),
    (tiny("d3", decide="absent"), RtlConfig(form="table", registers=TWO, interface="axi_stream", stream_bits=8)),
    (tiny("d4", classes=5), RtlConfig(form="table", registers=NONE, interface="axi_stream", stream_bits=16)),
    (
        tiny("d5", coding="thermometer"),
        RtlConfig(form="table", registers=EVERY, interface="axi_stream", stream_bits=64, encoder="outside"),
    ),
    (tiny("d6", decide="absent"), RtlConfig(form="table", registers=EVERY, interface="axi_stream", stream_bits=24)),
    (
        popcount("d7", inputs=150, terms=10, classes=40, decide=False),
        RtlConfig(form="table", registers=EVERY, interface="axi_stream", stream_bits=136),
    ),
]


def emit_all(root: Path) -> list[Path]:
    folders: list[Path] = []
    for network, config in DESIGNS:
        folder = root / network.name
        design = emit(network, config, folder)
        assert rtl_bench.lint(folder, design) == ""
        answers = (folder / "vectors/outputs.hex").read_text().split()
        assert max(answers.count(a) for a in set(answers)) < 0.8 * len(answers), "the answers hardly differ"
        folders.append(folder)
    return folders


def test_designs_answer_bit_for_bit_and_on_time(tmp_path: Path) -> None:
    folders = emit_all(tmp_path)
    broken = tmp_path / "broken"
    network, config = tiny("broken"), RtlConfig(form="table", registers=EVERY)
    emit(network, config, broken)
    stage = broken / "rtl/broken_l1.v"
    text = stage.read_text()
    match = re.search(r"l1_n0_t0 = \d+'h([0-9a-f]+);", text)
    assert match
    wrong = f"{int(match[1], 16) ^ (1 << 4 * len(match[1])) - 1:x}"
    stage.write_text(text[: match.start(1)] + wrong + text[match.end(1) :])

    *outcomes, of_broken = rtl_bench.simulate([*folders, broken], tmp_path / "work")

    for folder, (steady, rough) in zip(folders, outcomes, strict=True):
        design = Design.load(folder)
        assert steady.errors == rough.errors == 0, folder.name
        assert steady.answers == rough.answers == design.vectors * design.output_beats
        assert steady.latency == design.latency_cycles, folder.name
        # The span runs from the end of the first answer to the end of the last.
        assert steady.span == (design.vectors - 1) * design.initiation_interval, folder.name
        assert (steady.cuts, steady.frame_errors) == (0, 0)
        assert rough.cuts == rough.frame_errors
        assert (rough.cuts > 10) == (design.input_beats > 1)
        assert rough.span > 1.2 * steady.span
    assert of_broken[0].errors > 10 and of_broken[1].errors > 10
