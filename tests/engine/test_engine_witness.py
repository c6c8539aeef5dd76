"""The benchmark beside SCALE-Sim and ZigZag: an absent witness is told as absent, a wrong law ends it with an error."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from codesign.accel.engine import compile_program, cycles
from codesign.ir.integer import IntegerNetwork

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def witness(monkeypatch: pytest.MonkeyPatch):
    """The benchmark, without its Verilator runs: the law stands in for the RTL."""
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import engine_witness

    def engine(network: IntegerNetwork, size: int, dataflow: str, work: Path) -> engine_witness.Hardware:
        point = engine_witness.EnginePoint(
            size, size, 4, 4, dataflow, psum_depth=64 if dataflow == "weight_stationary" else 0
        )
        law = cycles(compile_program(network, point))
        return engine_witness.Hardware(law.layers, law.layers, (law.total, law.total), 1e-5, 0.1, 1.0, 0.5, law.total)

    monkeypatch.setattr(engine_witness, "engine", engine)
    return engine_witness


def interpreter(folder: Path, body: str) -> str:
    """A witness's python that does as `body` says."""
    program = folder / "python"
    program.write_text(f"#!{sys.executable}\nimport json, sys\n{body}\n")
    program.chmod(0o755)
    return str(program)


def test_absent_witnesses_are_absent_in_every_cell(
    witness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = interpreter(tmp_path, "sys.exit('ModuleNotFoundError: No module named scalesim')")
    for python, reason in (
        (failing, "ModuleNotFoundError: No module named scalesim"),
        (str(tmp_path / "none"), "No such file"),
    ):
        monkeypatch.setenv("CODESIGN_WITNESSES", python)
        monkeypatch.setattr(sys, "argv", ["x", "--networks", "mnist-dense", "--arrays", "8"])
        witness.main()
        printed = capsys.readouterr().out
        assert f"SCALE-Sim ABSENT: {reason}" in printed.replace("[Errno 2] ", "") and "ZigZag ABSENT" in printed
        assert "witnesses/bin/pip install -r benchmarks/witnesses.txt" in printed
        rows = [line for line in printed.splitlines() if line.startswith("| mnist-dense | 8x8 | dense0")]
        assert rows[0].split(" | ")[5:8] == ["absent"] * 3 and rows[0].endswith("| 806 | 806 | 2,407 | 2,407 |")
        assert printed.count("| absent | absent | 1.0 s |") == 2
    assert (ROOT / "benchmarks" / "witnesses.txt").is_file()


def test_witnesses_are_asked_for_the_layers_and_their_figures_are_shown(
    witness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = """
asked = json.load(sys.stdin)
assert (asked["rows"], asked["lanes"]) == (8, 8)
told = {"cycles": 77, "seconds": 2.0}
found = [{"name": a["name"], "os": a["channels"], "ws": a["outputs"], **told} for a in asked["layers"]]
print(json.dumps({"version": "9.9", "results": found}))
"""
    monkeypatch.setenv("CODESIGN_WITNESSES", interpreter(tmp_path, body))
    monkeypatch.setattr(
        sys, "argv", ["x", "--networks", "mnist-dense", "--arrays", "8", "--out", str(tmp_path / "table.md")]
    )
    witness.main()
    printed = capsys.readouterr().out
    assert "SCALE-Sim 9.9. ZigZag 9.9" in printed and "| 784 | 784 | 64 | 77 | 806 |" in printed
    assert "| 6.0 s | 6.0 s |" in printed
    assert (tmp_path / "table.md").read_text() == printed
    right = witness.engine

    def slower(*given):
        one = right(*given)
        return replace(one, counted=(one.counted[0] + 1, *one.counted[1:]))

    monkeypatch.setattr(witness, "engine", slower)
    with pytest.raises(SystemExit):
        witness.main()
    assert "NOT EQUAL" in capsys.readouterr().out


def test_the_committed_table_is_of_equal_law_and_rtl() -> None:
    text = (ROOT / "benchmarks" / "engine_witness.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ") and "x" in line]
    layers = [row for row in rows if len(row) == 12 and row[2] not in ("os", "ws")]
    cells = [row for row in layers if row[0] in ("mnist-dense", "cifar10-small", "resnet-8")]
    assert len(cells) == 38 and "ABSENT" not in text
    assert all(row[8] == row[9] and row[10] == row[11] for row in cells)
    assert json.dumps(cells).count("absent") == 0
