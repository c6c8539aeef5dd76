"""Random engines run random programs: `make fuzz N=...`, or `python tests/engine/fuzz.py N [--seed S] [--only S:P]`.

A seed is one engine, compiled once, and PROGRAMS programs on it, one after another without a reset, half of them with
gaps and stalls on their streams. Data must be bit-exact, and all cycles those of the law. The engine's memories are as
deep as its programs need, or a little deeper, and its sums as wide.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from codesign.accel.engine import EnginePoint, Program, compile_program
from codesign.accel.engine.draw import draw_network, draw_point
from codesign.accel.engine.validate import validate
from codesign.errors import CodesignError
from codesign.ir.integer import IntegerNetwork, Integers, trace_integer
from codesign.simulate.engine import EngineJob
from codesign.simulate.engine_pairs import Pair, draw_waits, generate_and_build, law_of, run_differences, run_pairs

PROGRAMS = 40
ROOM = {"weight_depth": 1 << 18, "bank_depth": 1 << 14, "param_depth": 1 << 12, "answer_depth": 1 << 14}


@dataclass(frozen=True)
class Failure:
    """What one program on one engine did wrong, or, where `program` is None, what went wrong with all of them."""

    seed: int
    program: int | None
    text: str

    @property
    def again(self) -> str:
        """The command that shows it again."""
        where = f"{self.seed}" if self.program is None else f"{self.seed}:{self.program}"
        return f"make fuzz ONLY={where}"


def draw(seed: int, count: int = PROGRAMS) -> tuple[EnginePoint, list[Pair]]:
    """Return an engine and programs for it; the engine does not depend on `count` up to PROGRAMS."""
    rng = np.random.default_rng(seed)
    roomy = replace(draw_point(rng), accumulator_bits=32, **ROOM)
    if rng.random() < 0.1:  # beyond the common sizes
        simd = int(rng.choice([1, 2, 16]))
        roomy = replace(roomy, pe=int(rng.choice([16, 32])), simd=simd, requantizers=min(simd, roomy.requantizers))
    nets = [
        draw_network(roomy, rng, layers=int(rng.integers(1, 6)), samples=int(rng.integers(1, 5)))
        for _ in range(PROGRAMS)
    ]
    point = fitted(roomy, [network for network, _ in nets], rng)
    return point, [_pair(point, *one, np.random.default_rng([seed, i])) for i, one in enumerate(nets[:count])]


def fitted(roomy: EnginePoint, networks: Sequence[IntegerNetwork], rng: np.random.Generator) -> EnginePoint:
    """Narrow every depth and the accumulator to what the networks need, or somewhat more."""
    programs = [compile_program(network, roomy) for network in networks]
    more = {
        "weight_depth": max(p.weight_words for p in programs) * (1 + (roomy.streamed and roomy.double_buffer)),
        "bank_depth": max(max(p.bank_words) for p in programs),
        "param_depth": max(p.parameters for p in programs),
        "answer_depth": max(p.answers for p in programs),
    }
    if roomy.stationary_weights:
        more["psum_depth"] = max(p.psum_words for p in programs)
    depths: dict[str, int] = {}
    for name, needed in more.items():
        least = max(2, needed)
        power = 1 << (least - 1).bit_length()
        depths[name] = int(rng.choice([least, power, int(rng.integers(least, 2 * power))]))
    depths["weight_depth"] += depths["weight_depth"] % 2
    bits = max(8, *(layer.sum_bits for p in programs for layer in p.layers))
    point = replace(roomy, **depths, accumulator_bits=int(rng.integers(bits, 33)))
    for network in networks:
        if found := validate(point, network):
            raise AssertionError(f"{point} was made to fit, but {found[0]}")
    return point


def _pair(point: EnginePoint, network: IntegerNetwork, images: Integers, rng: np.random.Generator) -> Pair:
    program: Program = compile_program(network, point)
    waits = draw_waits(rng, program, len(images)) if rng.random() < 0.5 else ((), (), ())
    job = EngineJob(program, images, *waits)
    return Pair(network, program, job, trace_integer(network, images)[network.layers[-1].name], law_of(job))


def check_seed(seed: int, work: Path, *, only: int | None = None, count: int = PROGRAMS) -> list[Failure]:
    """Build the engine of a seed and run its programs, or one of them; return what went wrong."""
    point, drawn = draw(seed, count)
    chosen = [(i, pair) for i, pair in enumerate(drawn) if only in (None, i)]
    try:
        runs = run_pairs(generate_and_build(point, work), point, [pair for _, pair in chosen], work)
    except CodesignError as problem:
        return [Failure(seed, only, f"{point}: {problem}")]
    return [
        Failure(seed, number, f"{point}: {problem}")
        for (number, pair), run in zip(chosen, runs, strict=True)
        for problem in run_differences(run, job=pair.job, answers=pair.answers, law=pair.law)[:1]
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run N pairs, or one; exit code 1 where any failed."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("pairs", type=int, nargs="?", default=400, help="pairs to run (400)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first engine")
    parser.add_argument("--only", metavar="SEED[:PROGRAM]", help="one engine, or one program on it")
    options = parser.parse_args(arguments)
    if options.pairs < 1:
        parser.error(f"N must be at least 1, not {options.pairs}")
    begin, done = time.monotonic(), 0
    failures: list[Failure] = []
    if options.only:
        seed, _, program = options.only.partition(":")
        jobs = [(int(seed), int(program) if program else None, PROGRAMS)]
    else:
        sizes = [PROGRAMS] * (options.pairs // PROGRAMS) + [options.pairs % PROGRAMS] * (options.pairs % PROGRAMS > 0)
        jobs = [(options.seed + i, None, size) for i, size in enumerate(sizes)]
    for seed, program, count in jobs:
        with tempfile.TemporaryDirectory(prefix="engine-fuzz-") as work:
            found = check_seed(seed, Path(work), only=program, count=count)
        done += 1 if program is not None else count
        for one in found:
            print(f"FAILED seed {one.seed}, program {one.program}: {one.text}\n  again: {one.again}", flush=True)
        failures += found
        print(f"{done} pairs, {len(failures)} failed, {time.monotonic() - begin:.0f} s", flush=True)
    if options.only and program is not None and not failures:
        print(f"It is right by itself. With the programs before it: make fuzz ONLY={jobs[0][0]}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
