"""What is emitted for small fixed networks, file by file, as it was last read by a person."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rtl_networks import tiny

from codesign.config import RegistersConfig, RtlConfig
from codesign.ir.store import load
from codesign.ir.text import digest
from codesign.rtl import emit

EVERY = RegistersConfig(every=1)
CASES = {
    "bare": (tiny(), RtlConfig(form="table", registers=EVERY)),
    "thermometer": (
        tiny(coding="thermometer", decide="threshold"),
        RtlConfig(form="case", registers=RegistersConfig(every=2), interface="ready_valid"),
    ),
    "stream": (
        tiny(decide="absent"),
        RtlConfig(form="table", registers=RegistersConfig(depth=2), interface="axi_stream", stream_bits=8),
    ),
    "depth": (
        tiny(classes=5),
        RtlConfig(form="table", registers=RegistersConfig(depth=3), interface="axi_stream", stream_bits=64),
    ),
    "combinational": (tiny(), RtlConfig(form="table", registers=RegistersConfig(), encoder="outside", lut_inputs=4)),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_emitted_files(case: str, golden: Callable[[str, str], None], tmp_path: Path) -> None:
    network, config = CASES[case]
    emit(network, config, tmp_path)
    kept = tmp_path / "vectors" / "network.npz"  # not text: it is the network itself
    assert digest(load(kept)) == digest(network)
    for path in sorted(p for p in tmp_path.rglob("*") if p.is_file() and p != kept):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".hex":
            text = "".join(text.splitlines(keepends=True)[:20])
        golden(f"rtl/{case}/{path.relative_to(tmp_path)}", text)
