"""Random (point, program) pairs on the real hardware: one build, many programs; what every check of them shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from engine_networks import Maker

from codesign.accel.engine import Cycles, EnginePoint, Program, compile_program, cycles
from codesign.ir.integer import IntegerNetwork, Integers, trace_integer
from codesign.rtl.engine import generate
from codesign.simulate.engine import EngineJob, EngineRun, build_engine, run_programs


@dataclass(frozen=True, eq=False)
class Pair:
    """A program for a point, what it must answer, and how long it must take."""

    network: IntegerNetwork
    program: Program
    job: EngineJob
    answers: Integers
    law: Cycles


def engine(point: EnginePoint, folder: Path) -> Path:
    """Generate and compile; return the simulator."""
    generate(point, folder)
    return build_engine(folder, work=folder / "build").program


def pairs(point: EnginePoint, rng: np.random.Generator, count: int, *, layers: int = 5) -> list[Pair]:
    """Draw programs; every other one with gaps and stalls on its streams."""
    found: list[Pair] = []
    while len(found) < count:
        maker = Maker(rng, point, samples=int(rng.integers(1, 5)))
        network, images = maker.network(int(rng.integers(1, layers + 1)))
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


def run_pairs(simulator: Path, point: EnginePoint, drawn: list[Pair], work: Path) -> tuple[EngineRun, ...]:
    """Run all programs, in order, without a reset between them."""
    return run_programs(simulator, point, [pair.job for pair in drawn], work=work)


def check_pair(pair: Pair, run: EngineRun) -> None:
    """Data bit for bit; cycles of the run, of the load and of each layer, and all clocks of waiting, as integers."""
    assert (run.error, run.complaints) == ("NONE", ())
    np.testing.assert_array_equal(run.answers, pair.answers)
    assert run.layer_cycles == pair.law.layers
    assert run.cycles == pair.law.total
    assert run.load_cycles == pair.law.load
    given = (pair.job.image_gaps, pair.job.weight_gaps, pair.job.stalls)
    assert (run.stall_data, run.stall_weight, run.stall_out) == tuple(sum(map(sum, waits)) for waits in given)
