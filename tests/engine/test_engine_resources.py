"""The resource model: exact block RAMs and DSP blocks, calibrated LUTs and flip-flops, and what a device refuses."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from codesign.accel import device, devices, space
from codesign.accel.engine import EnginePoint, EngineRules, fmax, resources, validate
from codesign.accel.engine.cost import engine_cost, engine_cost_columns
from codesign.accel.engine.draw import draw_network, draw_point
from codesign.accel.engine.fmax import fmax_calibration
from codesign.accel.engine.memories import block_memory, distributed_memory
from codesign.accel.engine.resources import RESOURCES, calibration, estimate, resource_columns
from codesign.accel.engine.structure import columns_of, structure
from codesign.cli.app import app
from codesign.errors import ConfigError, DataError
from codesign.resources import resource_dir
from codesign.rtl.engine import generate
from codesign.synth import engine_sample
from codesign.synth.engine_fit import error_table, fit_resources, halves
from codesign.synth.engine_place import Timed, fit_fmax
from codesign.synth.engine_sample import draw_point as draw_sample
from codesign.synth.engine_sample import engine_cells, read_table, sample_points, synthesize_engine
from codesign.tools.yosys import Yosys, find_yosys

FOLDER = resource_dir("accel_space") / "calibration"
FAMILIES = sorted(path.stem.removeprefix("engine_") for path in FOLDER.glob("engine_*.yaml") if "fmax" not in path.stem)
POINT = EnginePoint(8, 4, 4, 4, bank_depth=1024, weight_depth=1024, multiplier="dsp")

# What yosys 0.70 made of single memories: (family, width, depth, one port) to (kind, cells).
MEMORIES = [
    ("xc7", 36, 512, False, "RAMB18", 1),
    ("xc7", 40, 64, False, "RAMB36", 1),
    ("xc7", 100, 512, False, "RAMB18", 3),
    ("xc7", 40, 1024, False, "RAMB18", 3),
    ("xc7", 62, 1024, False, "RAMB36", 2),
    ("xc7", 62, 2048, False, "RAMB18", 7),
    ("xc7", 128, 2048, False, "RAMB18", 15),
    ("xc7", 20, 4096, False, "RAMB18", 5),
    ("xc7", 13, 8192, False, "RAMB18", 7),
    ("xc7", 9, 16384, False, "RAMB36", 4),
    ("xc7", 128, 16384, False, "RAMB36", 60),
    ("xc7", 1, 65536, False, "RAMB36", 2),
    ("xc7", 9, 65536, False, "RAMB36", 16),
    ("xc7", 20, 65536, False, "RAMB36", 40),
    ("xc7", 62, 65536, False, "RAMB36", 112),
    ("xc7", 3, 64, True, "RAMB18", 1),
    ("xc7", 64, 64, True, "RAMB36", 1),
]


@pytest.mark.parametrize(("family", "width", "depth", "one_port", "kind", "cells"), MEMORIES)
def test_the_law_of_single_memories(family, width, depth, one_port, kind, cells):
    found = block_memory(family, width, depth, one_port=one_port)
    assert (found.kind, found.cells) == (kind, cells)


def test_lut_ram_grows_with_its_bits():
    assert distributed_memory("xc7", 32, 64).cells == 11
    assert distributed_memory("xc7", 64, 64, one_port=True).kind == "RAM64X1S"
    assert distributed_memory("ecp5", 32, 64).cells == 32
    assert distributed_memory("xc7", 32, 4096).luts == 64 * distributed_memory("xc7", 32, 64).luts


@pytest.mark.parametrize("family", FAMILIES)
def test_every_calibration_point_has_the_block_rams_and_dsp_blocks_of_the_law(family):
    samples, known = _table(family), calibration(family)
    assert len(samples) == known.of_points == known.exact_brams == known.exact_dsps
    found = structure(columns_of(*(one.point for one in samples)), family)
    assert found.half_brams.tolist() == [one.half_brams for one in samples]
    assert found.full_brams.tolist() == [one.full_brams for one in samples]
    assert found.dsps.tolist() == [one.dsps for one in samples]
    for one in read_table(FOLDER / known.table):
        assert draw_sample(known.seed, one.index) == one.point


@pytest.mark.parametrize("family", FAMILIES)
def test_the_errors_stated_are_those_of_the_table(family):
    samples, known = _table(family), calibration(family)
    found = structure(columns_of(*(one.point for one in samples)), family)
    fit, other = halves(len(samples), known.seed)
    assert set(fit) | set(other) == set(range(len(samples))) and not set(fit) & set(other)
    for terms, fitted, name in ((found.lut_terms, known.luts, "luts"), (found.ff_terms, known.ffs, "ffs")):
        measured = np.array([getattr(one, name) for one in samples])
        errors = np.abs(np.rint(estimate(terms, fitted.coefficients)) - measured) / measured
        assert float(np.median(errors[other])) == pytest.approx(fitted.held_out.median, abs=1e-4)
        assert float(errors[other].max()) == pytest.approx(fitted.held_out.worst, abs=1e-4)
        assert float(np.median(errors[fit])) == pytest.approx(fitted.fit.median, abs=1e-4)
        assert fitted.held_out.median <= 0.10
        assert (fitted.fit.points, fitted.held_out.points) == (len(fit), len(other))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_fit_can_be_repeated(family):
    known = calibration(family)
    again = fit_resources(
        _table(family), family=family, seed=known.seed, command=known.command, table=known.table, also=known.also
    )
    for name in ("luts", "ffs"):
        for term, value in getattr(known, name).coefficients.items():
            assert getattr(again, name).coefficients[term] == pytest.approx(value, rel=0.02, abs=0.02)


def test_the_main_family_has_sixty_points():
    assert calibration("xc7").of_points >= 60


@pytest.mark.synth
def test_a_real_synthesis_has_the_block_rams_and_dsp_blocks_of_the_law(tmp_path):
    """Sums narrower than a product: without the Verilog's `keep`, yosys cuts one product and spares its DSP block."""
    point = EnginePoint(
        2, 1, 7, 5, bank_depth=1024, weight_depth=4096, multiplier="dsp", accumulator_bits=8, stream_in_bits=16,
        pipeline=3, param_depth=256, answer_depth=16,
    )  # fmt: skip
    cells = synthesize_engine(generate(point, tmp_path), tmp_path, "xc7", yosys=find_yosys())
    luts, ffs, halves_, blocks, dsps = engine_cells(cells)
    law, found = resources(point, device("xc7a35t")), structure(columns_of(point), "xc7")
    assert (halves_, blocks, dsps) == (found.half_brams[0], found.full_brams[0], law.dsps)
    assert law.luts == pytest.approx(luts, rel=0.25) and law.ffs == pytest.approx(ffs, rel=0.25)


def _table(family: str):
    known = calibration(family)
    return tuple(one for name in (known.table, *known.also) for one in read_table(FOLDER / name))


# Points and columns.


def test_a_point_of_the_space_is_a_point_of_the_engine():
    engine = space("engine")
    assert set(engine.names) == set(POINT.as_dict())
    rng = np.random.default_rng(1)
    for number in rng.integers(engine.size, size=50):
        settings = engine.point(int(number))
        assert EnginePoint.from_dict(settings).as_dict() == {name: settings[name] for name in POINT.as_dict()}


@pytest.mark.parametrize("name", ["xc7a35t", "ecp5-25f"])
def test_columns_agree_with_single_points(name):
    target, rng = device(name), np.random.default_rng(3)
    points = [draw_point(rng) for _ in range(60)]
    columns = resource_columns(columns_of(*points), target.family)
    for index, point in enumerate(points):
        found = resources(point, target)
        assert found.as_dict() == {key: int(columns[key][index]) for key in RESOURCES}
        assert sum(found.luts_by_group.values()) == pytest.approx(found.luts, abs=1)
        assert sum(found.ffs_by_group.values()) == pytest.approx(found.ffs, abs=1)
        assert found.origin == "estimated" and "median error" in found.calibration


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_violations_agree_with_columns_rule_by_rule(share):
    rng, target, engine = np.random.default_rng(5), device("xc7a35t"), space("engine")
    network, _ = draw_network(POINT, rng, layers=3)
    rules = EngineRules(network)
    columns = engine.columns(engine.sample(300, rng=rng))
    broken = rules.broken(columns, target, share=share)
    met: set[str] = set()
    for index in range(300):
        point = EnginePoint.from_dict({name: values[index].item() for name, values in columns.items()})
        named = {one.rule for one in rules.violations(point, target, share=share)}
        assert named & set(RESOURCES) == {rule for rule in RESOURCES if broken[rule][index]}
        met |= named & set(RESOURCES)
    assert met == set(RESOURCES)


def test_all_figures_in_columns_are_those_of_single_points():
    rng, target = np.random.default_rng(6), device("xc7a100t")
    for _ in range(12):
        point = replace(draw_point(rng), accumulator_bits=32)
        network, _ = draw_network(point, rng, layers=4)
        single = engine_cost(point, network, target)
        many = engine_cost_columns(EngineRules(network), columns_of(point), target)
        assert set(single) == set(many)
        for name, figure in single.items():
            assert figure.value == pytest.approx(float(many[name][0]), rel=1e-9), name


def test_a_device_refuses_with_the_numbers_that_clash():
    rng = np.random.default_rng(8)
    small, large = device("ecp5-25f"), device("xc7a100t")
    point = replace(POINT, pe=8, simd=8, weight_bits=8, activation_bits=8, accumulator_bits=32)
    network, _ = draw_network(point, rng, layers=2)
    structural = validate(point, network)
    assert validate(point, network, large) == structural
    found = {one.rule: one.message for one in validate(point, network, small) if one.rule in RESOURCES}
    assert "dsps" in found
    needed, total, allowed = map(int, re.search(r"needs (\d+) .* has (\d+), .*: (\d+)$", found["dsps"]).groups())
    assert (needed, total, allowed) == (resources(point, small).dsps, small.dsps, int(small.dsps * 0.9))
    assert "exact by law" in found["dsps"] and "0.9" in found["dsps"]
    relaxed = {one.rule for one in validate(point, network, large, share=1.0)}
    assert not relaxed & set(RESOURCES)
    with pytest.raises(ConfigError, match="share must be more than 0"):
        validate(point, network, large, share=0)


def test_a_family_without_calibration_is_named():
    with pytest.raises(ConfigError, match="not calibrated for family 'ice40'"):
        resources(POINT, device("ice40-up5k"))


@pytest.mark.parametrize("one", devices(), ids=lambda one: one.name)
def test_there_is_a_clock_only_where_one_was_timed(one):
    known, found = fmax_calibration(one.family), fmax(POINT, one)
    if known is None:
        assert found.mhz is None and f"no place-and-route runs were made for family {one.family!r}" in found.reason
        return
    assert known.lowest_mhz <= found.mhz <= known.highest_mhz
    assert found.error == known.median_error and "placed and routed" in found.source
    other = fmax(POINT, replace(one, speed="none"))
    assert other.mhz is None and "speed grade" in other.reason


def test_the_clock_is_fitted_and_its_error_found_by_leaving_points_out():
    """Clocks that follow the terms exactly are found again; a clock of noise has an error as large as the noise."""

    def products(index: int) -> int:
        return (draw_sample(1, index).pe * draw_sample(1, index).simd).bit_length()

    smooth = [Timed(i, 60.0 - 4.0 * products(i), "nextpnr 1") for i in range(40)]
    found = fit_fmax([*smooth, Timed(40, 0.0, "nextpnr 1")], device("ecp5-85f"), seed=1, command="", table="")
    assert found.points == 40
    assert found.median_error < 0.06 < found.constant_error
    assert found.coefficients["log2_products"] < 0
    rng = np.random.default_rng(0)
    noise = [Timed(i, float(rng.uniform(20, 100)), "nextpnr 1") for i in range(40)]
    assert fit_fmax(noise, device("ecp5-85f"), seed=1, command="", table="").median_error > 0.15
    few = fit_fmax(smooth[:4], device("ecp5-85f"), seed=1, command="", table="")
    assert few.median_error == few.constant_error and set(few.coefficients.values()) - {few.coefficients["one"]} == {0}
    with pytest.raises(ConfigError, match="too few"):
        fit_fmax(smooth[:2], device("ecp5-85f"), seed=1, command="", table="")


# The calibration's command, on a synthesiser that follows a known law.


@pytest.fixture
def lawful_yosys(monkeypatch):
    """Stands in for yosys: block RAMs and DSP blocks by the law, LUTs and flip-flops by known coefficients."""
    asked: list[str] = []

    def cells(design, folder, family, **_):
        asked.append(folder.name)
        found = structure(columns_of(design.point), family)
        luts = 1500 + 1.5 * found.lut_terms["tree.adders"][0] + 3 * found.lut_terms["accumulators.sums"][0]
        ffs = 1600 + found.ff_terms["accumulators.sums"][0] + found.ff_terms["array.operands"][0]
        return {
            "LUT4": round(luts),
            "FDRE": round(ffs),
            "RAMB18E1": int(found.half_brams[0]),
            "RAMB36E1": int(found.full_brams[0]),
            "DSP48E1": int(found.dsps[0]),
        }

    monkeypatch.setattr(engine_sample, "synthesize_engine", cells)
    monkeypatch.setattr("codesign.tools.yosys.find_yosys", lambda: Yosys("system", ("yosys",), "0.99"))
    return asked


def test_the_command_fits_and_goes_on_where_it_was_stopped(tmp_path, lawful_yosys):
    arguments = ["calibrate", "engine", "--family", "xc7", "--seed", "7", "--out", str(tmp_path), "--points"]
    first = CliRunner().invoke(app, [*arguments, "12"], catch_exceptions=False)
    assert first.exit_code == 0 and "held out" in first.stdout
    assert len(lawful_yosys) == 12
    before = read_table(tmp_path / "engine_xc7.csv")
    second = CliRunner().invoke(app, [*arguments, "60"], catch_exceptions=False)
    assert second.exit_code == 0
    assert len(lawful_yosys) == 60
    after = read_table(tmp_path / "engine_xc7.csv")
    assert after[:12] == before and len(after) == 60
    fitted = fit_resources(after, family="xc7", seed=7, command="", table="")
    assert fitted.ffs.held_out.median < 0.05 and fitted.luts.held_out.median < 0.10
    wrong = CliRunner().invoke(app, [*arguments[:-3], "8", *arguments[-2:], "60"])
    assert isinstance(wrong.exception, ConfigError) or wrong.exit_code != 0


def test_points_that_break_the_law_are_not_fitted(tmp_path, lawful_yosys):
    samples = sample_points("xc7", points=8, seed=1, table=tmp_path / "t.csv", work=tmp_path, yosys=find_fake())
    bad = [replace(samples[0], dsps=samples[0].dsps + 1), *samples[1:]]
    with pytest.raises(ConfigError, match="break the law of block RAMs and DSP blocks"):
        fit_resources(bad, family="xc7", seed=1, command="", table="")
    (tmp_path / "t.csv").write_text(
        (tmp_path / "t.csv").read_text().replace("output_stationary", "stationary", 1) + "9\n"
    )
    with pytest.raises(DataError, match=r"t\.csv:\d+"):
        read_table(tmp_path / "t.csv")


def find_fake() -> Yosys:
    return Yosys("system", ("yosys",), "0.99")


def test_unknown_cells_are_not_counted_as_nothing():
    with pytest.raises(DataError, match="LUT7"):
        engine_cells({"LUT7": 1})
    assert engine_cells({"LUT4": 2, "RAM64M": 1, "TRELLIS_FF": 3, "DP16KD": 1, "MULT18X18D": 4}) == (6, 3, 0, 1, 4)


def test_every_calibrated_device_has_all_resources():
    for one in devices():
        if one.family in FAMILIES:
            assert set(resources(POINT, one).as_dict()) == set(RESOURCES)
    assert json.dumps(resources(POINT, device("xc7a35t")).as_dict())
    assert isinstance(Path(calibration("xc7").table).suffix, str)


# The page.

PAGE = Path(__file__).resolve().parents[2] / "docs" / "engine_model.md"


def test_the_pages_code_runs_and_its_errors_are_those_of_the_files():
    text = PAGE.read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert block is not None
    names: dict[str, object] = {}
    exec(compile(block[1], "docs/engine_model.md", "exec"), names)
    headings, *rows = error_table(*(calibration(family) for family in FAMILIES))
    lines = [
        f"| {' | '.join(headings)} |",
        "|---|---|---:|---:|---:|---:|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    assert "\n".join(lines) in text
    clock = fmax_calibration("ecp5")
    if clock is None:
        assert "No family was timed" in text
        return
    said = f"{clock.points} points, {clock.lowest_mhz:.0f} to {clock.highest_mhz:.0f} MHz"
    assert said in text and f"median error {100 * clock.median_error:.1f} %" in text
