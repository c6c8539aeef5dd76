"""Random (point, program) pairs on the real hardware: one build, many programs; data and cycles checked as integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from codesign.accel.engine import Cycles, EnginePoint, Program, compile_program, cycles
from codesign.accel.engine.draw import draw_network, draw_point
from codesign.errors import MismatchError
from codesign.ir.integer import IntegerNetwork, Integers, trace_integer
from codesign.rtl.engine import generate
from codesign.simulate.engine import EngineJob, EngineRun, build_engine, run_programs

__all__ = ["Pair", "check_pair", "check_random_pairs", "check_run", "draw_pairs", "generate_and_build", "run_pairs"]


@dataclass(frozen=True, eq=False)
class Pair:
    """A program for a point, what it must answer, and how long it must take."""

    network: IntegerNetwork
    program: Program
    job: EngineJob
    answers: Integers
    law: Cycles


def check_random_pairs(seed: int, count: int, *, work: Path) -> EnginePoint:
    """Draw a point and `count` programs from `seed`, generate, compile and run them, and check every one.

    The point is returned. A difference is a MismatchError that names the seed, the program's number and the point,
    with which `check_random_pairs(seed, count, ...)` shows it again.
    """
    rng = np.random.default_rng(seed)
    point = replace(draw_point(rng), accumulator_bits=32)
    drawn = draw_pairs(point, rng, count)
    runs = run_pairs(generate_and_build(point, work), point, drawn, work)
    for number, (pair, run) in enumerate(zip(drawn, runs, strict=True)):
        try:
            check_pair(pair, run)
        except MismatchError as problem:
            raise MismatchError(f"seed {seed}, program {number} of {count}, {point}: {problem}") from None
    return point


def generate_and_build(point: EnginePoint, folder: Path) -> Path:
    """Generate the engine into `folder`, compile it in `folder`/build, and return the simulator."""
    generate(point, folder)
    return build_engine(folder, work=folder / "build").program


def draw_pairs(point: EnginePoint, rng: np.random.Generator, count: int, *, layers: int = 5) -> list[Pair]:
    """Draw programs; every other one with gaps and stalls on its streams."""
    found: list[Pair] = []
    while len(found) < count:
        samples = int(rng.integers(1, 5))
        network, images = draw_network(point, rng, layers=int(rng.integers(1, layers + 1)), samples=samples)
        program = compile_program(network, point)
        patterns = _patterns(rng, program, len(images)) if len(found) % 2 else ((), (), ())
        job = EngineJob(program, images, *patterns)
        law = cycles(program, images=len(images), image_gaps=patterns[0], weight_gaps=patterns[1], stalls=patterns[2])
        answers = trace_integer(network, images)[network.layers[-1].name]
        found.append(Pair(network, program, job, answers, law))
    return found


def _patterns(
    rng: np.random.Generator, program: Program, images: int
) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
    def waits(beats: int) -> list[int]:
        return (rng.integers(0, 9, beats) * (rng.random(beats) < rng.choice([0.05, 0.5]))).tolist()

    point = program.point
    loads = [layer.weight_words * point.weight_beats for layer in program.layers] * images if point.streamed else []
    return (
        [waits(program.image_words * point.image_beats) for _ in range(images)],
        [waits(beats) for beats in loads],
        [waits(point.answer_beats(program.answers)) for _ in range(images)],
    )


def run_pairs(simulator: Path, point: EnginePoint, drawn: Sequence[Pair], work: Path) -> tuple[EngineRun, ...]:
    """Run all programs, in order, without a reset between them."""
    return run_programs(simulator, point, [pair.job for pair in drawn], work=work)


def check_pair(pair: Pair, run: EngineRun) -> None:
    """Compare what a run gave with what its pair must give; see `check_run`."""
    check_run(run, job=pair.job, answers=pair.answers, law=pair.law)


def check_run(run: EngineRun, *, job: EngineJob, answers: Integers, law: Cycles) -> None:
    """Data bit for bit; cycles of the run, of the load and of each layer, and all clocks of waiting, as integers.

    answers: (samples, channels, height, width) that `job` must give; law: its cycles. The first difference is a
    MismatchError with image and channel, or layer, wanted and got.
    """
    name = job.program.name
    if run.error != "NONE" or run.complaints:
        raise MismatchError(f"{name}: the engine ended with {run.error}; {'; '.join(run.complaints) or 'no complaint'}")
    if run.answers.shape != answers.shape:
        raise MismatchError(f"{name}: answers of shape {run.answers.shape}, wanted {answers.shape}")
    if (run.answers != answers).any():
        at = tuple(int(i) for i in np.argwhere(run.answers != answers)[0])
        raise MismatchError(
            f"{name}: image {at[0]}, channel {at[1]}, row {at[2]}, column {at[3]} of the answer: "
            f"wanted {answers[at]}, got {run.answers[at]}"
        )
    layers = [f"layer {layer.name!r}" for layer in job.program.layers]
    waits = [sum(map(sum, given)) for given in (job.image_gaps, job.weight_gaps, job.stalls)]
    found = [
        *zip(layers, law.layers, run.layer_cycles, strict=True),
        ("the load", law.load, run.load_cycles),
        ("the run", law.total, run.cycles),
        ("clocks that wait for images", waits[0], run.stall_data),
        ("clocks that wait for weights", waits[1], run.stall_weight),
        ("clocks that answers wait", waits[2], run.stall_out),
    ]
    for what, wanted, got in found:
        if wanted != got:
            raise MismatchError(f"{name}: cycles of {what}: wanted {wanted}, got {got}")
