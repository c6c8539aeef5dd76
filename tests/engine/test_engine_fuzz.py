"""`make fuzz`: it draws what it says, finds what is wrong, names it, and shows it again; some of its pairs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fuzz
import numpy as np
import pytest

from codesign.accel.engine import compile_program
from codesign.accel.engine.validate import validate
from codesign.errors import ToolFailed
from codesign.simulate.engine import EngineRun

SLOW_SEEDS = range(101, 111)


def right(pair: fuzz.Pair) -> EngineRun:
    """What an engine that is right says."""
    job, law = pair.job, pair.law
    waits = [sum(map(sum, given)) for given in (job.image_gaps, job.weight_gaps, job.stalls)]
    return EngineRun(pair.answers, law.total, law.load, law.layers, *waits, "NONE")


def test_a_seed_is_always_the_same_and_its_programs_are_of_every_kind() -> None:
    kinds, sizes, waiting = set(), set(), 0
    for seed in range(1, 6):
        point, drawn = fuzz.draw(seed)
        again, fewer = fuzz.draw(seed, 7)
        assert again == point and len(drawn) == fuzz.PROGRAMS and len(fewer) == 7
        for one, other in zip(fewer, drawn, strict=False):
            np.testing.assert_array_equal(one.program.descriptors(), other.program.descriptors())
            assert (one.law, one.job.image_gaps) == (other.law, other.job.image_gaps)
        kinds |= {layer.kind for pair in drawn for layer in pair.program.layers}
        sizes.add((point.pe, point.simd, point.accumulator_bits, point.weight_depth))
        waiting += sum(bool(pair.job.image_gaps) for pair in drawn)
        assert all(validate(point, pair.network) == () for pair in drawn)
    assert kinds == {"conv", "depthwise", "add", "max", "average"}
    assert len(sizes) == 5 and 0.4 < waiting / (5 * fuzz.PROGRAMS) < 0.6


def test_some_engines_have_not_a_word_nor_a_bit_more_than_they_need() -> None:
    tight = set()
    for seed in range(1, 23):
        point, drawn = fuzz.draw(seed)
        for name in ("weight_depth", "bank_depth", "param_depth", "answer_depth", "accumulator_bits"):
            value = getattr(point, name) - (2 if name == "weight_depth" else 1)
            if value >= (8 if name == "accumulator_bits" else 2):
                less = replace(point, **{name: value})
                tight |= {name for pair in drawn if validate(less, pair.network)}
    assert tight == {"weight_depth", "bank_depth", "param_depth", "answer_depth", "accumulator_bits"}


def test_a_failure_is_named_with_the_command_that_shows_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Engines that are wrong in a third program, in a cycle; the report, the exit code, and the repetition."""
    monkeypatch.setattr(fuzz, "generate_and_build", lambda point, work: Path("none"))

    def runs(_simulator: Path, _point: object, drawn: list[fuzz.Pair], _work: Path) -> tuple[EngineRun, ...]:
        bad = fuzz.draw(5, 3)[1][2].program.descriptors()
        found = [right(pair) for pair in drawn]
        for i, pair in enumerate(drawn):
            if np.array_equal(pair.program.descriptors(), bad):
                found[i] = replace(found[i], cycles=found[i].cycles + 1)
        return tuple(found)

    monkeypatch.setattr(fuzz, "run_pairs", runs)
    assert fuzz.main(["45", "--seed", "5"]) == 1
    printed = capsys.readouterr().out
    assert "FAILED seed 5, program 2" in printed and "make fuzz ONLY=5:2" in printed
    assert "cycles of the run: wanted" in printed
    assert "45 pairs, 1 failed" in printed
    assert fuzz.main(["--only", "5:2"]) == 1
    assert fuzz.main(["--only", "5:3"]) == 0
    assert "right by itself" in capsys.readouterr().out
    assert fuzz.main(["10", "--seed", "6"]) == 0

    def crash(*_: object) -> tuple[EngineRun, ...]:
        raise ToolFailed("the simulator died", command="x")

    monkeypatch.setattr(fuzz, "run_pairs", crash)
    assert fuzz.main(["10", "--seed", "7"]) == 1
    assert "make fuzz ONLY=7\n" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        fuzz.main(["0"])


@pytest.mark.sim
def test_some_pairs(tmp_path: Path) -> None:
    assert fuzz.check_seed(3, tmp_path) == []


@pytest.mark.slow
@pytest.mark.sim
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_more_pairs(seed: int, tmp_path: Path) -> None:
    assert fuzz.check_seed(seed, tmp_path) == []


def test_a_program_compiles_the_same_for_the_narrowed_engine() -> None:
    point, drawn = fuzz.draw(2, 3)
    for pair in drawn:
        np.testing.assert_array_equal(compile_program(pair.network, point).descriptors(), pair.program.descriptors())
