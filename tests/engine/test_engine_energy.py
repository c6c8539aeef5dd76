"""Model energy: counts that are exact, a table that names its sources, toggles, and how rankings depend on it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from codesign.accel import device
from codesign.accel.engine import (
    EnginePoint,
    Program,
    actions,
    compile_program,
    cycles,
    energy,
    sensitivity,
    sensitivity_table,
)
from codesign.accel.engine.actions import ACTIONS
from codesign.accel.engine.draw import draw_network, draw_point
from codesign.accel.engine.energy import COEFFICIENTS, COMPONENTS, Energy, energy_table, read_energy_table
from codesign.accel.engine.estimates import program_estimates, scaled_energy
from codesign.errors import ConfigError, DataError
from codesign.resources import resource_dir
from codesign.rtl.engine import generate
from codesign.simulate.engine import EngineJob
from codesign.simulate.engine_toggles import build_counting_engine, measure_activity, read_saif

DEVICE = device("xc7a35t")


def drawn(seed: int, **given: object) -> Program:
    rng = np.random.default_rng(seed)
    point = replace(draw_point(rng), accumulator_bits=32, **given)  # type: ignore[arg-type]
    network, _ = draw_network(point, rng, layers=4)
    return compile_program(network, point)


def walked(program: Program) -> dict[str, int]:
    """The same counts by walking through every loop, one step at a time, as the hardware does."""
    point = program.point
    found = dict.fromkeys(ACTIONS, 0)
    found["bank_writes"] = program.image_words
    lanes_out = max(1, point.stream_out_bits // 32)
    for layer, words in zip(program.layers, program.descriptors(), strict=True):
        found["descriptor_reads"] += len(words)
        f = layer.fields
        taps = list(
            product(range(1 + f["two_sources"]), range(f["kernel_height"]), range(f["kernel_width"]), range(f["count"]))
        )
        for group, _y, _x in product(range(f["groups"]), range(f["out_height"]), range(f["out_width"])):
            for number, _ in enumerate(taps):
                found["bank_reads"] += 1
                found["products"] += point.pe * point.simd
                found["tap_sums"] += point.pe
                if not point.stationary_weights:
                    found["weight_reads"] += 1
                elif number > 0:
                    found["psum_reads"] += 1
                if point.stationary_weights and number < len(taps) - 1:
                    found["psum_writes"] += 1
            for row in range(point.pe):
                found["requantizations"] += point.requantizers if layer.last else 1
                kept = group * point.pe + row < f["channels"]
                found["answer_writes"] += int(kept and layer.last)
        if point.stationary_weights:
            found["weight_reads"] += f["groups"] * len(taps)
        if not layer.last:
            found["bank_writes"] += program.banks[layer.name][2]
        if point.streamed:
            found["weight_beats"] += len(program.weight_beats(layer))
    found["weight_writes"] = found["weight_beats"]
    found["answer_reads"] = -(-program.answers // lanes_out)
    found["image_beats"] = program.image_words * point.image_beats
    found["answer_beats"] = point.answer_beats(program.answers)
    found["cycles"] = cycles(program).total
    return found


@pytest.mark.parametrize("seed", range(12))
def test_actions_are_those_of_every_step(seed):
    program = drawn(seed)
    assert actions(program) == walked(program)
    three = actions(program, images=3)
    assert all(three[name] == 3 * count for name, count in walked(program).items() if name != "cycles")
    assert three["cycles"] == cycles(program, images=3).total


def test_both_orders_and_both_ways_of_loading_were_walked():
    points = [drawn(seed).point for seed in range(12)]
    assert {(p.dataflow, p.weights) for p in points} == {
        (flow, load) for flow in ("output_stationary", "weight_stationary") for load in ("resident", "streamed")
    }


@pytest.mark.sim
@pytest.mark.parametrize(
    "settings",
    [
        {"dataflow": "output_stationary", "weights": "resident", "requantizers": 2},
        {"dataflow": "weight_stationary", "weights": "streamed", "psum_depth": 64, "double_buffer": True},
    ],
)
def test_actions_are_those_that_the_hardware_counts(settings, tmp_path: Path):
    point = EnginePoint(2, 2, 3, 4, bank_depth=128, weight_depth=1024, accumulator_bits=24, **settings)
    network, images = draw_network(point, np.random.default_rng(4), layers=3, size=4)
    program = compile_program(network, point)
    generate(point, tmp_path)
    built = build_counting_engine(tmp_path, work=tmp_path / "build")
    found = measure_activity(built.program, EngineJob(program, images[:1]), work=tmp_path / "run")
    law = actions(program)
    seen = {
        "weight_reads": found.high("weight_memory", "read"),
        "bank_writes": found.high("bank", "write"),
        "requantizations": found.high("requantizer", "in_valid"),
        "answer_writes": found.high("unload", "write"),
        "answer_reads": found.high("unload", "read"),
        "image_beats": found.high("image_loader", "take"),
        "bank_reads": found.high("order", "issue"),
        "cycles": found.high("counters", "running"),
    }
    if point.stationary_weights:
        seen["psum_reads"] = found.high("accumulator", "early")
        seen["psum_writes"] = found.high("accumulator", "weight_stationary", "write")
        seen["weight_beats"] = found.high("weight_loader", "take")
    assert seen == {name: law[name] for name in seen}
    assert 0 < found.rates["array"] < 1 and found.clocks >= law["cycles"]
    plain = energy(program, point, DEVICE)
    scaled = energy(program, point, DEVICE, toggles=found.rates)
    reference = energy_table()[0].reference_toggle_rate
    for component, group in COMPONENTS.items():
        factor = found.rates[group] / reference if group else 1.0
        assert scaled.components[component] == pytest.approx(plain.components[component] * factor)
    estimate = program_estimates(program, network, DEVICE)["energy"]
    again = scaled_energy(estimate, found.rates)
    assert again["components"] == pytest.approx(dict(scaled.components))
    assert again["total_nj"] == pytest.approx(scaled.total_nj) and again["static_nj"] == estimate["static_nj"]


def test_energy_is_the_table_times_the_counts():
    program = drawn(3, activation_bits=4, weight_bits=4, multiplier="lut")
    found = energy(program, program.point, DEVICE, clock_mhz=50.0)
    n = actions(program)
    assert found.actions == n and found.origin == "model energy"
    assert found.components["multipliers"] == pytest.approx(n["products"] * 0.2 * 16 / 64 * 14 / 1000)
    assert found.components["streams"] == pytest.approx(
        ((n["image_beats"] + n["weight_beats"]) * program.point.stream_in_bits
        + n["answer_beats"] * program.point.stream_out_bits) * 0.1 / 32 * 14 / 1000
    )  # fmt: skip
    assert found.static_nj == pytest.approx(0.137 * n["cycles"] / 50.0 * 1000)
    assert found.total_nj == pytest.approx(sum(found.components.values()) + found.static_nj)
    assert found.edp == pytest.approx(found.total_nj * n["cycles"] / 50.0)
    assert (found.clock_mhz, found.clock_origin) == (50.0, "given")
    assert energy(program, program.point, DEVICE).clock_origin == "assumed"


def test_every_share_is_proportional_to_its_coefficient():
    program = drawn(7)
    table, digest = energy_table()
    base = energy(program, program.point, DEVICE, clock_mhz=100.0)
    for name in COEFFICIENTS:
        if name == "logic_factor":
            changed = table.model_copy(
                update={"logic_factor": table.logic_factor.model_copy(update={"value": 2 * table.logic_factor.value})}
            )
        elif name == "static":
            rows = {k: v.model_copy(update={"watts": 2 * v.watts}) for k, v in table.static_w.items()}
            changed = table.model_copy(update={"static_w": rows})
        else:
            field = "register_" if name == "register" else name
            row = getattr(table.actions, field)
            moved = table.actions.model_copy(update={field: row.model_copy(update={"pj": 2 * row.pj})})
            changed = table.model_copy(update={"actions": moved})
        found = energy(program, program.point, DEVICE, clock_mhz=100.0, table=(changed, digest))
        assert found.total_nj - base.total_nj == pytest.approx(base.by_coefficient[name]), name
    assert sum(base.by_coefficient[name] for name in COEFFICIENTS if name != "logic_factor") == pytest.approx(
        base.total_nj
    )


def test_every_row_of_the_table_names_its_source():
    table, digest = energy_table()
    rows = [getattr(table.actions, name) for name in type(table.actions).model_fields]
    assert all(row.source and row.in_source and row.how for row in rows)
    assert all(row.source and row.in_source for row in table.static_w.values())
    assert len(digest) == 64 and table.version >= 1


def test_a_device_without_static_power_has_none_and_says_so():
    program = drawn(1)
    other = replace(DEVICE, name="own")
    found = energy(program, program.point, other)
    assert found.static_nj is None and found.total_nj == found.dynamic_nj


def test_what_does_not_belong_together_is_refused(tmp_path: Path):
    program = drawn(2)
    with pytest.raises(ConfigError, match="another point"):
        energy(program, replace(program.point, pipeline=(program.point.pipeline + 1) % 5), DEVICE)
    with pytest.raises(ConfigError, match="toggle rates are of the groups"):
        energy(program, program.point, DEVICE, toggles={"clock": 0.1})
    with pytest.raises(ConfigError, match="clock_mhz must be more than 0"):
        energy(program, program.point, DEVICE, clock_mhz=0.0)
    text = (resource_dir("accel_space") / "energy" / "engine.yaml").read_text(encoding="utf-8")
    (tmp_path / "bad.yaml").write_text(text.replace("pj: 0.2", "pj: -1"))
    with pytest.raises(ConfigError, match=r"bad\.yaml:\d+: actions\.multiply\.pj"):
        read_energy_table(tmp_path / "bad.yaml")


def made(total: float, cycles_: int, **shares: float) -> Energy:
    return Energy({}, total, 0.0, total, {"cycles": cycles_}, 1, 100.0, "given", "t", "d", {}, shares)


def test_a_ranking_survives_or_not_and_the_place_is_named():
    close = {
        "a": made(10.0, 100, multiply=9.0, memory=1.0),
        "b": made(11.0, 100, multiply=1.0, memory=10.0),
        "c": made(50.0, 100, multiply=25.0, memory=25.0),
    }
    found = sensitivity(close, by="energy")
    assert found.order == ("a", "b", "c") and not found.survives
    by_move = {(one.coefficient, one.factor): one for one in found.moved}
    assert by_move["multiply", 2.0].order == ("b", "a", "c") and by_move["multiply", 2.0].first_change == 1
    assert by_move["multiply", 0.5].survives and by_move["memory", 2.0].survives
    assert not by_move["memory", 0.5].survives
    assert len(found.moved) == 2 * len(COEFFICIENTS)
    table = sensitivity_table(found)
    assert table[0] == ["coefficient", "x 2", "x 0.5"] and len(table) == 1 + len(COEFFICIENTS)
    assert ["multiply", "changes from place 1", "survives"] in table
    slow = {"a": made(10.0, 300), "b": made(11.0, 100)}
    assert sensitivity(slow).order == ("b", "a") and sensitivity(slow).survives
    assert sensitivity(slow, by="energy").order == ("a", "b")
    assert len(sensitivity({str(i): made(i + 1.0, 1) for i in range(12)}).order) == 10
    with pytest.raises(ConfigError, match="one table"):
        sensitivity({"a": made(1.0, 1), "b": replace(made(1.0, 1), digest="other")})


SAIF = """(SAIFILE
(DURATION 10)
(INSTANCE engine
 (INSTANCE engine_top
  (INSTANCE core
   (INSTANCE array
    (NET
     (lanes\\[0\\] (T0 5) (T1 5) (TX 0) (TC 4))
     (lanes\\[1\\] (T0 10) (T1 0) (TX 0) (TC 0))
    )
    (INSTANCE sums[0] (INSTANCE tree (NET (total\\[0\\] (T0 0) (T1 10) (TX 0) (TC 1)))))
   )
   (INSTANCE weight_memory (NET (read (T0 3) (T1 7) (TX 0) (TC 2)) (words\\[0\\][1] (T0 3) (T1 7) (TX 0) (TC 9))))
   (INSTANCE banks[1] (INSTANCE bank (NET (write (T0 8) (T1 2) (TX 0) (TC 3)))))
  )
 )
)
)
"""


def test_activity_is_read_by_group(tmp_path: Path):
    (tmp_path / "a.saif").write_text(SAIF)
    found = read_saif(tmp_path / "a.saif")
    assert found.clocks == 10
    assert found.rates == pytest.approx({"array": 4 / 2 / 10, "tree": 1 / 10, "memories": 5 / 2 / 10})
    assert found.high("weight_memory", "read") == 7 and found.high("banks[1]", "bank", "write") == 2
    with pytest.raises(ConfigError, match=r"no signal 'weight_memory\.wrote'"):
        found.high("weight_memory", "wrote")


@pytest.mark.parametrize("text", ["", "(SAIFILE (DURATION 10))", SAIF.replace("(DURATION 10)", ""), SAIF[:200]])
def test_what_is_no_activity_is_refused(tmp_path: Path, text: str):
    (tmp_path / "a.saif").write_text(text)
    with pytest.raises(DataError, match=r"a\.saif"):
        read_saif(tmp_path / "a.saif")
