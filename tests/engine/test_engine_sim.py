"""Engines in Verilator: random programs bit-exact in data and equal in cycles to the law; ports that misbehave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codesign.accel.engine import EnginePoint, Program, cycles, register_map
from codesign.errors import ConfigError, MismatchError
from codesign.simulate.engine import EngineJob, play, program_lines, run_programs, script_of
from codesign.simulate.engine_pairs import check_pair, draw_pairs, generate_and_build, run_pairs

pytestmark = pytest.mark.sim

# Small ones that between them have every value of dataflow, weights, buffering, multiplier, memory and pipeline,
# one-bit operands on either side and on both, streams narrower and wider than a word, rows fewer and more than lanes.
POINTS = {
    "plain": EnginePoint(4, 2, 4, 4, pipeline=0, weight_depth=4096, stream_in_bits=16, stream_out_bits=32),
    "bits": EnginePoint(2, 4, 1, 1, pipeline=1, weight_depth=4096, stream_in_bits=8, stream_out_bits=8, banks=4),
    "pairs": EnginePoint(
        8,
        4,
        4,
        3,
        "weight_stationary",
        "streamed",
        "lutram",
        4096,
        2048,
        3,
        64,
        24,
        "dsp",
        4,
        True,
        64,
        128,
        requantizers=4,
    ),
    "wide": EnginePoint(
        2,
        8,
        8,
        8,
        "output_stationary",
        "streamed",
        "lutram",
        4097,
        2000,
        4,
        0,
        32,
        "dsp",
        3,
        False,
        32,
        64,
        requantizers=2,
    ),
    "ahead": EnginePoint(
        4, 4, 3, 1, "weight_stationary", "resident", "bram", 8192, 2048, 3, 99, 20, "lut", 2, True, 256, 16
    ),
    "rows": EnginePoint(
        4, 1, 1, 5, "output_stationary", "streamed", "bram", 8192, 2048, 3, 0, 24, "lut", 2, True, 512, 512
    ),
}
PROGRAMS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


def built(name: str, folder: Path) -> Path:
    done = folder / name / "build" / "Vengine"
    return done if done.exists() else generate_and_build(POINTS[name], folder / name)


@pytest.mark.parametrize("name", POINTS)
def test_random_programs_are_bit_exact_and_take_the_cycles_of_the_law(name: str, folder: Path) -> None:
    point = POINTS[name]
    drawn = draw_pairs(point, np.random.default_rng(sorted(POINTS).index(name)), PROGRAMS)
    runs = run_pairs(built(name, folder), point, drawn, folder / name)
    assert len(runs) == PROGRAMS
    for pair, run in zip(drawn, runs, strict=True):
        check_pair(pair, run)
    assert max(len(np.unique(pair.answers)) for pair in drawn) > 8, "the answers hardly differ"


def test_the_check_notices_a_wrong_cycle_and_a_wrong_answer(folder: Path) -> None:
    point = POINTS["plain"]
    (pair,) = draw_pairs(point, np.random.default_rng(5), 1)
    (run,) = run_pairs(built("plain", folder), point, [pair], folder / "notice")
    check_pair(pair, run)
    with pytest.raises(MismatchError):
        check_pair(pair, replace(run, cycles=run.cycles + 1))
    with pytest.raises(MismatchError):
        check_pair(pair, replace(run, answers=run.answers + 1))
    with pytest.raises(ConfigError, match="another point"):
        run_programs(built("plain", folder), POINTS["bits"], [pair.job], work=folder / "notice")


@pytest.mark.parametrize("name", ["plain", "pairs"])
def test_masters_that_come_and_go_at_random_change_no_answer(name: str, folder: Path) -> None:
    point = POINTS[name]
    drawn = draw_pairs(point, np.random.default_rng(77), 4)
    jobs = [EngineJob(p.program, p.job.images, random_percent=20 + 20 * i, seed=i) for i, p in enumerate(drawn)]
    runs = run_programs(built(name, folder), point, jobs, work=folder / "random")
    assert sum(run.stall_data + run.stall_out for run in runs) > 100
    for pair, run in zip(drawn, runs, strict=True):
        assert (run.error, run.complaints) == ("NONE", ())
        np.testing.assert_array_equal(run.answers, pair.answers)
        assert run.cycles >= cycles(pair.program, images=len(pair.job.images)).total
        if not point.double_buffer:  # every clock of waiting is then on the way to the answer
            waits = run.stall_data + run.stall_weight + run.stall_out
            assert run.cycles == cycles(pair.program, images=len(pair.job.images)).total + waits


# Faults. Each ends with its code, and the program after CLEAR (or a reset) is right.


class Session:
    """A script on one engine, with a good program at hand."""

    def __init__(self, name: str, folder: Path):
        self.point = POINTS[name]
        drawn = draw_pairs(self.point, np.random.default_rng(3), 20, layers=4)
        self.pair = next(p for p in drawn if len(p.program.layers) > 2 and p.law.total > 150 and p.law.image > 4)
        self.simulator, self.work = built(name, folder), folder / "faults"
        self.offset = register_map().offset

    @property
    def program(self) -> Program:
        return self.pair.program

    def good(self) -> list[str]:
        """The commands of the good program."""
        return script_of(EngineJob(self.program, self.pair.job.images))

    def status(self) -> list[str]:
        return [f"R {self.offset('ERROR'):x}", f"R {self.offset('STATUS'):x}"]

    def back(self, how: str) -> tuple[str, ...]:
        """What makes the engine ready again, its masters too."""
        return ("F", self.control(4) if how == "clear" else "X")

    def control(self, bits: int) -> str:
        return f"W {self.offset('CONTROL'):x} {bits:x}"

    def beats(self, command: str, beats: list[int], last: int | None) -> list[str]:
        return [f"{command} 0 {int(i == last)} {beat:x}" for i, beat in enumerate(beats)]

    def play(self, script: list[str], recover: tuple[str, ...]) -> tuple[list[tuple[str, int]], int]:
        """Play the fault, its status, the recovery and the good program; check that one; return error and status."""
        replies = play(self.simulator, [*script, *self.status(), *recover, *self.good()], work=self.work)
        assert replies.complaints == ()
        error, status, *reads = replies.reads
        wanted = cycles(self.program, images=len(self.pair.job.images))
        assert (reads[0] if wanted.load else 0, reads[1]) == (wanted.load, wanted.total)
        per_image = self.point.answer_beats(self.program.answers)
        values = [value for _, value in replies.beats[-1]][-per_image * len(self.pair.job.images) :]
        got = [self.program.read_answers(values[i : i + per_image]) for i in range(0, len(values), per_image)]
        np.testing.assert_array_equal(self.program.answer_maps(got), self.pair.answers)
        return [(register_map().error(error & 15), error >> 8)], status


@pytest.fixture(params=["plain", "pairs"])
def session(request: pytest.FixtureRequest, folder: Path) -> Session:
    return Session(request.param, folder)


IDLE_AFTER_ERROR = 4  # FAILED, neither BUSY nor DONE


def loaded(session: Session, **settings: int) -> list[str]:
    """Program, registers and the load; ready to start."""
    lines = program_lines(session.program, images=1, settings=settings)
    load = session.program.load_beats()
    return lines + session.beats("Q", load, len(load) - 1) + [session.control(2), "B 100000"]


def images(session: Session) -> list[int]:
    return session.program.image_beats(session.pair.job.images[:1])[0]


def weights(session: Session) -> list[str]:
    if not session.point.streamed:
        return []
    lines: list[str] = []
    for layer in session.program.layers:
        beats = session.program.weight_beats(layer)
        lines += session.beats("Q", beats, len(beats) - 1)
    return lines


@pytest.mark.parametrize("recover", ["clear", "reset"])
@pytest.mark.parametrize("early", [True, False])
def test_an_image_that_ends_early_or_late(session: Session, early: bool, recover: str) -> None:
    beats = images(session)
    data = session.beats("D", beats, len(beats) - 2 if early else None)
    script = [*loaded(session), *data, *weights(session), session.control(1), "B 100000"]
    found, status = session.play(script, session.back(recover))
    assert found == [("IMAGE_EARLY" if early else "IMAGE_LATE", 0)]
    assert status == IDLE_AFTER_ERROR


@pytest.mark.parametrize("recover", ["clear", "reset"])
@pytest.mark.parametrize("early", [True, False])
def test_a_load_that_ends_early_or_late(session: Session, early: bool, recover: str) -> None:
    load = session.program.load_beats()
    script = program_lines(session.program, images=1)
    script += session.beats("Q", load, len(load) - 2 if early else None)
    script += [session.control(2), "B 100000"]
    found, status = session.play(script, session.back(recover))
    assert found == [("WEIGHT_EARLY" if early else "WEIGHT_LATE", 0)]
    assert status == IDLE_AFTER_ERROR


@pytest.mark.parametrize("recover", ["clear", "reset"])
@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("layer", [0, 1, -1])
def test_streamed_weights_that_end_early_or_late(folder: Path, layer: int, early: bool, recover: str) -> None:
    """In mid-run, in the weights of the first layer, of the second, and of the last."""
    session = Session("pairs", folder)
    beats = images(session)
    script = [*loaded(session), *session.beats("D", beats, len(beats) - 1)]
    for index, one in enumerate(session.program.layers):
        weights = session.program.weight_beats(one)
        last: int | None = len(weights) - 1
        if index == layer % len(session.program.layers):
            last = len(weights) - 2 if early else None
        script += session.beats("Q", weights, last)
    found, status = session.play([*script, session.control(1), "B 100000"], session.back(recover))
    assert (found[0][0], status) == ("WEIGHT_EARLY" if early else "WEIGHT_LATE", IDLE_AFTER_ERROR)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"LAYERS": 65}, "PROGRAM_LENGTH"),
        ({"LAYERS": 0}, "PROGRAM_LENGTH"),
        ({"IMAGES": 0}, "PROGRAM_LENGTH"),
        ({"IMAGE_WORDS": 1 << 16}, "MEMORY"),
        ({"IMAGE_WORDS": 0}, "MEMORY"),
        ({"ANSWERS": 1025}, "MEMORY"),
    ],
)
def test_a_run_that_cannot_be(session: Session, settings: dict[str, int], error: str) -> None:
    script = [*loaded(session, **settings), session.control(1), "B 100"]
    for recover in ("clear", "reset"):
        assert session.play(script, session.back(recover)) == ([(error, 0)], IDLE_AFTER_ERROR)


@pytest.mark.parametrize("settings", [{"PARAMETERS": 1025}, {"WEIGHT_WORDS": 8193}])
def test_a_load_that_cannot_be(folder: Path, settings: dict[str, int]) -> None:
    session = Session("plain", folder)
    script = [*program_lines(session.program, images=1, settings=settings), session.control(2), "B 100"]
    for recover in ("clear", "reset"):
        assert session.play(script, session.back(recover)) == ([("MEMORY", 0)], IDLE_AFTER_ERROR)


@pytest.mark.parametrize(
    ("word", "mask", "error"),
    [(0, 0xF000_0000, "DESCRIPTOR"), (4, 0xFFFF_0000, "DESCRIPTOR"), (8, 0xFFFFF, "MEMORY"), (10, 0xFFFF8, "MEMORY")],
)
def test_a_descriptor_that_is_wrong(session: Session, word: int, mask: int, error: str) -> None:
    """Layer 0 is spoilt: no tag, a count of 0, a result or parameters beyond the end of their memories."""
    right = int(session.program.descriptors()[0][word])
    wrong = right & ~mask if error == "DESCRIPTOR" else right | mask
    beats = images(session)
    script = [*loaded(session), f"W {0x1000 + 4 * word:x} {wrong:x}"]
    script += [*session.beats("D", beats, len(beats) - 1), *weights(session), session.control(1), "B 100000"]
    for recover in ("clear", "reset"):
        assert session.play(script, session.back(recover)) == ([(error, 0)], IDLE_AFTER_ERROR)


def test_parameters_that_do_not_begin_at_a_multiple_of_the_requantizers(folder: Path) -> None:
    session = Session("pairs", folder)
    wrong = int(session.program.descriptors()[0][10]) | 2
    script = [*loaded(session), f"W {0x1000 + 40:x} {wrong:x}", session.control(1), "B 100000"]
    beats = images(session)
    script[-2:-2] = [*session.beats("D", beats, len(beats) - 1), *weights(session)]
    for recover in ("clear", "reset"):
        assert session.play(script, session.back(recover)) == ([("DESCRIPTOR", 0)], IDLE_AFTER_ERROR)


@pytest.mark.parametrize("after", [3, 40, 90])
@pytest.mark.parametrize("recover", ["clear", "reset"])
def test_a_second_start_while_busy_stops_the_run(session: Session, after: int, recover: str) -> None:
    beats = images(session)
    script = [*loaded(session), *session.beats("D", beats, len(beats) - 1), *weights(session)]
    script += [session.control(1), f"C {after:x}", session.control(1), "B 100"]
    found, status = session.play(script, session.back(recover))
    assert (found[0][0], status) == ("BUSY", IDLE_AFTER_ERROR)


@pytest.mark.parametrize("after", [2, 17, 60, 100])
@pytest.mark.parametrize("how", ["clear", "reset"])
def test_stopping_in_the_middle_leaves_nothing_behind(session: Session, after: int, how: str) -> None:
    beats = images(session)
    script = [*loaded(session), *session.beats("D", beats, len(beats) - 1), *weights(session)]
    script += [session.control(1), f"C {after:x}", "F", session.control(4) if how == "clear" else "X", "C 20"]
    assert session.play(script, ("A",)) == ([("NONE", 0)], 0)


def test_a_beat_on_offer_stays_when_a_run_is_stopped(folder: Path) -> None:
    """The receiver is away while the first answer is on offer; the run is stopped; the beat must not vanish."""
    session = Session("plain", folder)
    beats = images(session)
    until = cycles(session.program).total
    script = [*loaded(session), *session.beats("D", beats, len(beats) - 1)]
    script += [
        "O ffff",
        session.control(1),
        f"C {until + 20:x}",
        session.control(1),
        "C 5",
        f"R {session.offset('STATUS'):x}",
    ]
    script += ["F", "C 5", *session.status(), session.control(4), "A", *session.good()]
    replies = play(session.simulator, script, work=session.work)
    assert replies.complaints == ()  # among them: a beat that changed before it was taken
    assert replies.reads[0] == 5  # failed, and busy until the beat is taken
    assert (register_map().error(replies.reads[1] & 15), replies.reads[2]) == ("BUSY", IDLE_AFTER_ERROR)
    assert len(replies.beats[0]) == 1


def test_capabilities_tell_the_point(folder: Path) -> None:
    for name in ("plain", "pairs"):
        point, offset = POINTS[name], register_map().offset
        names = ["ID", "VERSION", "SHAPE", "FEATURES", "BANK_DEPTH", "WEIGHT_DEPTH", "PSUM_DEPTH", "STREAMS", "LAYERS"]
        script = [f"W {offset('LAYERS'):x} 2a"] + [f"R {offset(n):x}" for n in names]
        got = dict(zip(names, play(built(name, folder), script, work=folder / "capabilities").reads, strict=True))
        shape, features = got["SHAPE"], got["FEATURES"]
        assert got["ID"].to_bytes(4, "big") == b"CNG1"
        assert (shape & 255, shape >> 8 & 255, shape >> 16 & 15, shape >> 20 & 15) == (
            point.pe,
            point.simd,
            point.weight_bits,
            point.activation_bits,
        )
        assert shape >> 24 == point.accumulator_bits
        assert [features >> i & 1 for i in range(3)] == [point.stationary_weights, point.streamed, point.double_buffer]
        found = tuple(features >> low & 15 for low in (4, 8, 12))
        assert found == (point.banks, point.pipeline, point.requantizers)
        assert [got[n] for n in names[4:7]] == [point.bank_depth, point.weight_depth, point.psum_depth]
        assert (got["STREAMS"] & 0xFFFF, got["STREAMS"] >> 16) == (point.stream_in_bits, point.stream_out_bits)
        assert got["LAYERS"] == 42
