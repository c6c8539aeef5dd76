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

__all__ = [
    "Pair",
    "check_pair",
    "check_random_pairs",
    "check_run",
    "draw_pairs",
    "draw_waits",
    "generate_and_build",
    "law_of",
    "run_differences",
    "run_pairs",
]


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
        patterns = draw_waits(rng, program, len(images)) if len(found) % 2 else ((), (), ())
        job = EngineJob(program, images, *patterns)
        answers = trace_integer(network, images)[network.layers[-1].name]
        found.append(Pair(network, program, job, answers, law_of(job)))
    return found


def law_of(job: EngineJob) -> Cycles:
    """Return the cycles that the law gives for a job, its gaps and stalls included."""
    waits = {"image_gaps": job.image_gaps, "weight_gaps": job.weight_gaps, "stalls": job.stalls}
    return cycles(job.program, images=len(job.images), **waits)


def draw_waits(
    rng: np.random.Generator, program: Program, images: int
) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
    """Draw gaps of the images, gaps of the weights and stalls of the answers for a run, as `EngineJob` takes them."""

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
    """Raise a MismatchError with the first of `run_differences`, if there is one."""
    for problem in run_differences(run, job=job, answers=answers, law=law):
        raise MismatchError(f"{job.program.name}: {problem}")


def run_differences(run: EngineRun, *, job: EngineJob, answers: Integers, law: Cycles) -> list[str]:
    """Say all that differs: data bit for bit; cycles of the run, of the load and of each layer, and clocks of waiting.

    answers: (samples, channels, height, width) that `job` must give; law: its cycles, with the job's gaps and stalls.
    """
    if run.error != "NONE" or run.complaints:
        return [f"the engine ended with {run.error}: {'; '.join(run.complaints) or 'no complaint'}"]
    if run.answers.shape != answers.shape:
        return [f"answers of shape {run.answers.shape}, wanted {answers.shape}"]
    found: list[str] = []
    wrong = np.argwhere(run.answers != answers)
    if len(wrong):
        at = tuple(int(i) for i in wrong[0])
        found.append(
            f"{len(np.unique(wrong[:, 0]))} of {len(answers)} images have a wrong answer; first image {at[0]}, "
            f"channel {at[1]}, row {at[2]}, column {at[3]}: wanted {answers[at]}, got {run.answers[at]}"
        )
    layers = [f"layer {layer.name!r}" for layer in job.program.layers]
    waits = [sum(map(sum, given)) for given in (job.image_gaps, job.weight_gaps, job.stalls)]
    counts = [
        *zip(layers, law.layers, run.layer_cycles, strict=True),
        ("the load", law.load, run.load_cycles),
        ("the run", law.total, run.cycles),
        ("waiting for images", waits[0], run.stall_data),
        ("waiting for weights", waits[1], run.stall_weight),
        ("answers that wait", waits[2], run.stall_out),
    ]
    found += [f"cycles of {what}: wanted {wanted}, got {got}" for what, wanted, got in counts if wanted != got]
    return found
