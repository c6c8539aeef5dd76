"""What users may get wrong: each is refused by an error of ours that says what must hold, before anything runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codesign.accel import space
from codesign.accel.engine import EnginePoint, Program, Refusal, compile_program, interpret
from codesign.accel.engine.validate import validate
from codesign.errors import CodesignError, ConfigError, DataError, SpaceError
from codesign.ir.integer import INPUT, Conv, IntegerNetwork, Levels, MapShape, Requantize, dense
from codesign.rtl.engine import generate
from codesign.simulate.engine import EngineJob, run_programs

POINT = EnginePoint(4, 2, 4, 4)
SHAPE, INNER = MapShape(2, 3, 3), MapShape(4, 3, 3)


def network(*, weight: int = 7) -> IntegerNetwork:
    levels = Levels(4)
    scale = Requantize(np.full(4, 3), np.zeros(4, dtype=np.int64), 6)
    weights = np.full((4, 2, 3, 3), weight)
    first = Conv("first", INPUT, weights, Levels(8, signed=True), padding=1, requantize=scale, levels=levels)
    last = dense("last", "first", np.ones((3, 36), dtype=np.int64), weight_levels=Levels(8, signed=True), shape=INNER)
    return IntegerNetwork("small", SHAPE, levels, (first, last))


def program() -> Program:
    return compile_program(network(), POINT)


def rules(problem: pytest.ExceptionInfo[Refusal]) -> set[str]:
    return {one.rule for one in problem.value.violations}


def test_a_point_outside_the_space(tmp_path: Path) -> None:
    declared = space("engine")
    point = {name: declared.knob(name).values[0] for name in declared.names}
    assert declared.check(point) == point
    with pytest.raises(SpaceError, match="'pe' must be one of 1, 2, 4, .*, not 3"):
        declared.check({**point, "pe": 3})
    with pytest.raises(SpaceError, match="missing: simd"):
        declared.check({name: value for name, value in point.items() if name != "simd"})
    with pytest.raises(SpaceError, match="no setting 'lanes'"):
        EnginePoint.from_dict({**POINT.as_dict(), "lanes": 4})
    for change, text in (
        ({"pe": 3}, "pe must be one of"),
        ({"accumulator_bits": 33}, "accumulator_bits must be one of"),
        ({"double_buffer": 1}, "double_buffer must be one of"),
        ({"bank_depth": 1}, "bank_depth must be 2 to"),
        ({"psum_depth": 64}, "output_stationary needs psum_depth 0"),
    ):
        bad = replace(POINT, **change)
        for refuse in (bad.check, lambda bad=bad: generate(bad, tmp_path / "x")):
            with pytest.raises(Refusal, match=text):
                refuse()
        with pytest.raises(Refusal, match=text):
            compile_program(network(), bad)
        assert validate(bad, network())
    assert not (tmp_path / "x").exists()


def test_a_program_for_another_width(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="layer 'input': levels .* do not fit activations of 3 bits") as problem:
        compile_program(network(), replace(POINT, activation_bits=3))
    assert rules(problem) == {"activation_bits"}
    with pytest.raises(Refusal, match="activations of 1 bit"):
        compile_program(network(), replace(POINT, activation_bits=1))
    job = EngineJob(program(), np.zeros((1, 2, 3, 3), dtype=np.int64))
    for other in (replace(POINT, activation_bits=8), replace(POINT, weight_bits=8), replace(POINT, stream_in_bits=8)):
        with pytest.raises(ConfigError, match="compiled for another point"):
            run_programs(tmp_path / "none", other, [job], work=tmp_path)


@pytest.mark.parametrize(("weight", "bits", "fits"), [(7, 4, True), (8, 4, False), (-8, 4, True), (-9, 4, False)])
def test_weights_out_of_range(weight: int, bits: int, fits: bool) -> None:
    point = replace(POINT, weight_bits=bits, accumulator_bits=32)
    if fits:
        assert compile_program(network(weight=weight), point).layers[0].weights.max() < 1 << bits
        return
    with pytest.raises(Refusal, match=rf"layer 'first': weights are .*{weight}.*weight_bits 4") as problem:
        compile_program(network(weight=weight), point)
    assert rules(problem) == {"weight_bits"}
    assert {one.rule for one in validate(point, network(weight=weight))} == {"weight_bits"}


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 2, 3, 2)),  # a short stream
        np.zeros((1, 1, 3, 3)),
        np.zeros((2, 18)),
        np.full((1, 2, 3, 3), 16),  # more than 4 bits
        np.full((1, 2, 3, 3), -1),
        np.full((1, 2, 3, 3), 0.5),
        np.full((1, 2, 3, 3), np.nan),
    ],
)
def test_images_that_are_none_of_the_programs(images: np.ndarray) -> None:
    good = np.zeros((1, 2, 3, 3))
    assert program().image_beats(good) == program().image_beats(good.astype(np.int8))
    with np.errstate(invalid="ignore"):
        for use in (program().image_beats, lambda given: interpret(program(), given)):
            with pytest.raises(DataError, match="'small' takes images .*2, 3, 3"):
                use(images)


def test_answers_that_are_cut_short() -> None:
    one = program()
    assert one.point.answer_beats(one.answers) == 2
    assert one.read_answers([1, 2]).tolist() == [1, 0, 2]
    for beats in ([], [1], [1, 2, 3]):
        with pytest.raises(DataError, match=f"3 answers of an image take 2 beats of 64 bits, not {len(beats)}"):
            one.read_answers(beats)


def test_every_refusal_is_an_error_of_ours() -> None:
    assert issubclass(Refusal, SpaceError) and issubclass(SpaceError, CodesignError)
    assert issubclass(DataError, CodesignError) and issubclass(ConfigError, CodesignError)
