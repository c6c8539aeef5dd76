"""The flow over fake tools: figures read from their outputs, and every way in which a tool can fail."""

from dataclasses import replace

import pytest

from codesign.accel import device
from codesign.config import SynthConfig
from codesign.errors import DataError, ToolFailed, ToolNotFound, ToolTooOld
from codesign.rtl.design import Design
from codesign.synth import synthesize
from codesign.synth.place import latency_ns

QUICK = SynthConfig(timeout_s=20)


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_amd_device_gives_counts_but_no_clock_of_its_own(fake_tools, tiny, tmp_path):
    report = synthesize(tiny, device("xcvu9p"), config=QUICK, work=tmp_path / "work")
    assert (report.status, report.tool, report.tool_version) == ("done", "yosys", "0.70")
    assert (report.luts, report.luts_by_size) == (6, {"LUT2": 2, "LUT3": 3, "LUT4": 1})
    assert (report.luts_by_part, report.luts_by_stage) == ({"tables": 4, "interface": 2}, {"l0": 3, "l1": 1})
    assert (report.ffs, report.depth, report.parts_origin) == (6, 1, "flat")
    assert (report.fmax_mhz, report.fmax_origin, report.latency_ns, report.area_delay_lut_ns) == (None,) * 4
    assert "LUT4" in report.raw and report.wall_s > 0 and report.peak_bytes > 0
    # Vivado's figures stand apart.
    vivado = report.vivado
    assert (vivado.status, vivado.tool, vivado.tool_version) == ("done", "vivado", "2023.2")
    assert (vivado.luts, vivado.ffs, vivado.brams, vivado.fmax_mhz) == (214, 244, 1.5, 800.0)
    assert vivado.latency_ns == 2.5 and vivado.area_delay_lut_ns == 535.0  # 2 cycles at 800 MHz; 214 LUTs
    assert report.as_dict()["vivado"]["luts"] == 214


def test_ecp5_is_placed_and_the_best_seed_counts(fake_tools, tiny, tmp_path):
    work = tmp_path / "work"
    report = synthesize(tiny, device("ecp5-25f"), config=SynthConfig(seeds=2, timeout_s=20), work=work)
    assert (report.fmax_mhz, report.fmax_origin) == (564.016, "routed")
    assert report.seeds_mhz == {"1": 558.347, "2": 564.016}
    assert report.harness == {"luts": 1, "ffs": 10}  # 6 inputs, 2 outputs captured and folded
    assert report.routed_cells["TRELLIS_FF"] == report.ffs + 10
    assert report.latency_ns == pytest.approx(2000 / 564.016, abs=1e-3)
    assert report.area_delay_lut_ns == pytest.approx(report.luts * report.latency_ns, abs=0.1)
    assert report.router == "nextpnr-ecp5 0.11.1" and report.vivado is None
    kept = "harness.json harness.v nextpnr_seed1.log nextpnr_seed2.log routed_seed1.json routed_seed2.json stat.txt"
    assert files(work) == sorted([*kept.split(), "yosys.log", "yosys.ys"])  # and no copy of the sources
    assert files(tiny) == ["design.json", "tiny.v", "tiny_l0.v", "tiny_l1.v", "tiny_register.v"]


def test_place_and_route_can_be_left_out(fake_tools, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("CODESIGN_NEXTPNR_ECP5", "/nowhere/nextpnr")
    quick = SynthConfig(place_and_route=False)
    report = synthesize(tiny, device("ecp5-25f"), config=quick, work=tmp_path / "work")
    assert (report.status, report.luts, report.fmax_mhz, report.router) == ("done", 6, None, None)


def test_too_small_a_device_is_a_status_with_numbers(fake_tools, tiny, tmp_path):
    small = replace(device("xcvu9p"), name="small", luts=5)
    report = synthesize(tiny, small, config=QUICK, work=tmp_path / "work")
    assert report.status == "does not fit" and report.luts == 6
    assert report.reason == (
        "device 'small' has 5 LUT6s; the design needs 6 (l0: 3). Lower fan_in or bits, or choose a larger device."
    )
    assert (report.vivado.status, report.vivado.luts) == ("skipped", None)


def test_no_room_in_nextpnr_is_a_status_too(acting, tiny, tmp_path):
    acting("nextpnr-ecp5", "no_room")
    report = synthesize(tiny, device("ecp5-25f"), config=QUICK, work=tmp_path / "work")
    assert report.status == "does not fit" and report.luts == 6 and report.fmax_mhz is None
    assert "no BELs remaining" in report.reason and "24288 LUT4s" in report.reason


def test_a_harness_that_does_not_fit_is_not_the_designs_fault(fake_tools, tiny, tmp_path):
    small = replace(device("ecp5-25f"), name="small", ffs=8)
    report = synthesize(tiny, small, config=QUICK, work=tmp_path / "work")
    assert report.status == "done" and report.fmax_mhz is None
    assert report.reason.startswith("no clock: the design alone fits 'small' (6 of 24288 LUTs, 6 of 8 flip-flops)")


@pytest.mark.parametrize("mode", ["hang", "silent", "crash", "no_report", "truncated", "rubbish"])
@pytest.mark.parametrize("tool", ["yosys", "nextpnr-ecp5", "vivado"])
def test_a_failing_tool_is_an_error_that_names_its_log(acting, tiny, tmp_path, tool, mode):
    acting(tool, mode)
    config = SynthConfig(timeout_s=1.5 if mode == "hang" else 20)
    work = tmp_path / "work"
    with pytest.raises(ToolFailed) as caught:
        synthesize(tiny, device("xcvu9p" if tool == "vivado" else "ecp5-25f"), config=config, work=work)
    message = str(caught.value)
    log = {"yosys": "yosys.log", "nextpnr-ecp5": "nextpnr_seed1.log", "vivado": "vivado.log"}[tool]
    assert str(work / log) in message and (work / log).is_file()
    assert caught.value.log == work / log
    if mode == "hang":
        assert caught.value.status == "timeout"
    if mode == "crash":
        assert "something broke inside" in message
    assert not (work / "rtl").exists()  # the copies are gone whatever happens


def test_outputs_of_an_earlier_run_are_never_read(acting, tiny, tmp_path):
    work = tmp_path / "work"
    synthesize(tiny, device("ecp5-25f"), config=QUICK, work=work)
    for tool in ("nextpnr-ecp5", "yosys"):
        acting(tool, "no_report")
        with pytest.raises(ToolFailed, match="wrote no"):
            synthesize(tiny, device("ecp5-25f"), config=QUICK, work=work)


def test_a_damaged_folder_is_named(fake_tools, tiny, tmp_path):
    (tiny / "rtl" / "tiny_l1.v").unlink()
    with pytest.raises(DataError, match=r"tiny_l1.v is named in design.json but is missing"):
        synthesize(tiny, device("xcvu9p"), config=QUICK, work=tmp_path / "work")
    with pytest.raises(DataError, match="no design.json"):
        synthesize(tmp_path, device("xcvu9p"), config=QUICK, work=tmp_path / "work")


def test_vivado_is_skipped_with_a_reason(fake_tools, tiny, tmp_path, monkeypatch):
    never = SynthConfig(vivado="never", timeout_s=20)
    report = synthesize(tiny, device("xcvu9p"), config=never, work=tmp_path / "a")
    assert (report.vivado.status, report.vivado.luts) == ("skipped", None) and "`never`" in report.vivado.reason
    monkeypatch.delenv("CODESIGN_VIVADO")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    report = synthesize(tiny, device("xcvu9p"), config=QUICK, work=tmp_path / "b")
    assert report.status == "done" and report.vivado.status == "skipped"
    assert "was not found: CODESIGN_VIVADO is not set" in report.vivado.reason
    assert (tmp_path / "b" / "vivado.tcl").is_file()


def test_a_stated_but_too_old_vivado_is_an_error(acting, tiny, tmp_path):
    acting("vivado", "good", "2018.3")
    with pytest.raises(ToolTooOld, match=r"2018\.3.*must be 2019\.1 or newer"):
        synthesize(tiny, device("xcvu9p"), config=QUICK, work=tmp_path / "work")


def test_tools_are_looked_for_before_anything_runs(fake_tools, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("CODESIGN_NEXTPNR_ECP5", "/nowhere/nextpnr")
    with pytest.raises(ToolNotFound, match="CODESIGN_NEXTPNR_ECP5=/nowhere/nextpnr"):
        synthesize(tiny, device("ecp5-25f"), config=QUICK, work=tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_a_design_without_registers_takes_one_period(tiny):
    design = Design.load(tiny)
    assert latency_ns(design, 100.0) == 20.0
    assert latency_ns(replace(design, latency_cycles=0), 100.0) == 10.0
