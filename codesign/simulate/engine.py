"""Runs programs on a generated engine in Verilator: one build, many programs; answers and counters of each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from codesign.accel.engine import EnginePoint, Program, cycles, register_map
from codesign.errors import ConfigError, ToolFailed
from codesign.ir.integer import Integers
from codesign.resources import resource_dir
from codesign.rtl.engine import EngineDesign
from codesign.simulate.build import Built, build_bench
from codesign.simulate.traced import Trace
from codesign.tools import run
from codesign.tools.verilator import Verilator, find_verilator

__all__ = ["EngineJob", "EngineRun", "Replies", "build_engine", "play", "read_runs", "run_programs", "script_of"]

HARNESS = "engine_harness.cpp"
WATCH = "engine_watch.sv"


@dataclass(frozen=True, eq=False)
class EngineJob:
    """A program and the images (samples, channels, height, width) that it is to run on.

    image_gaps: for each image, clocks in which the engine waits for each beat of it; weight_gaps: for each streamed
    load, in the order of the loads; stalls: for each image, clocks in which each answer beat waits for its receiver.
    What is not said is 0. Where `random_percent` is not 0, beats are offered and accepted at random instead, in so
    many percent of all clocks, with `seed`; the cycles are then not those of the law.
    """

    program: Program
    images: Integers
    image_gaps: Sequence[Sequence[int]] = ()
    weight_gaps: Sequence[Sequence[int]] = ()
    stalls: Sequence[Sequence[int]] = ()
    random_percent: int = 0
    seed: int = 1


@dataclass(frozen=True, eq=False)
class EngineRun:
    """What the hardware said about one job.

    answers: (samples, channels, height, width); cycles: of the run; load_cycles: of the LOAD command, 0 where there
    was nothing to load; layer_cycles: in the last image; stall_*: clocks spent waiting; error: name, "NONE" if well.
    """

    answers: Integers
    cycles: int
    load_cycles: int
    layer_cycles: tuple[int, ...]
    stall_data: int
    stall_weight: int
    stall_out: int
    error: str
    complaints: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Replies:
    """What the harness printed: register reads in order, answer beats as (last, value) up to each A, and complaints.

    seconds: wall time of the simulator, reading its script included.
    """

    reads: tuple[int, ...]
    beats: tuple[tuple[tuple[int, int], ...], ...]
    complaints: tuple[str, ...]
    seconds: float = 0.0


def build_engine(
    folder: Path,
    *,
    work: Path,
    verilator: Verilator | None = None,
    timeout_s: float = 600,
    jobs: int = 1,
    trace: Trace = "",
    quick: bool = False,
) -> Built:
    """Compile the engine of `folder` with its harness and its watch to `work`/Vengine, or fetch it from the cache.

    trace: so that it can write waveforms of this kind; it then runs several times slower. quick: so that compiling
    takes less time, and simulating more.
    """
    design = EngineDesign.load(folder)
    work.mkdir(parents=True, exist_ok=True)
    bench = {name: (resource_dir("sim") / name).read_bytes() for name in (HARNESS, WATCH)}
    return build_bench(
        design,
        folder,
        bench,
        prefix="Vengine",
        verilator=verilator or find_verilator(),
        work=work,
        timeout_s=timeout_s,
        jobs=jobs,
        trace=trace,
        **({"optimise": "-O0"} if quick else {}),
    )


def play(
    program: Path,
    script: Sequence[str],
    *,
    work: Path,
    seed: int = 1,
    timeout_s: float = 600,
    watch: Path | None = None,
) -> Replies:
    """Play a script (sim/engine_harness.cpp lists the commands) on a compiled engine.

    watch: the file that gets the counts of states and events, see `codesign.simulate.engine_coverage.read_watch`.
    """
    work.mkdir(parents=True, exist_ok=True)
    (work / "script.txt").write_text("\n".join(script) + "\n", encoding="ascii")
    command: list[str | Path] = [program.resolve(), (work / "script.txt").resolve(), str(seed)]
    command += [f"+watch={watch.resolve()}"] if watch is not None else []
    done = run(command, work, log="run.log", timeout_s=timeout_s)
    output = done.output
    reads: list[int] = []
    beats: list[list[tuple[int, int]]] = []
    complaints: list[str] = []
    fresh = True
    for line in output.splitlines():
        kind, *rest = line.split()
        if kind == "A":
            if fresh:
                beats.append([])
            beats[-1].append((int(rest[0]), int(rest[1], 16)))
        elif kind == "R":
            reads.append(int(rest[1], 16))
        elif kind == "E" or kind == "L":
            complaints.append("the engine is still busy" if kind == "L" else line[2:])
        elif kind != "T":
            raise ToolFailed(
                f"`{program}` printed {line!r}, which is no reply", command=str(program), tail=output[-500:]
            )
        fresh = kind != "A"
    return Replies(tuple(reads), tuple(map(tuple, beats)), tuple(complaints), done.wall_s)


def run_programs(
    built: Path, point: EnginePoint, jobs: Sequence[EngineJob], *, work: Path, seed: int = 1, timeout_s: float = 600
) -> tuple[EngineRun, ...]:
    """Run `jobs` one after another on the compiled engine `built`, whose configuration is `point`.

    A job for another point is a ConfigError; an engine that does not come to an end, or breaks a rule of its ports,
    is told in the run's `complaints`.
    """
    script: list[str] = []
    for job in jobs:
        if job.program.point != point:
            raise ConfigError(f"program {job.program.name!r} was compiled for another point than the engine's")
        script += script_of(job)
    return read_runs(jobs, play(built, script, work=work, seed=seed, timeout_s=timeout_s))


def read_runs(jobs: Sequence[EngineJob], replies: Replies) -> tuple[EngineRun, ...]:
    """Make sense of what the harness said to the scripts (`script_of`) of `jobs`, one after another."""
    runs: list[EngineRun] = []
    at = 0
    for index, job in enumerate(jobs):
        count = _FIXED_READS + len(job.program.layers)
        reads = replies.reads[at : at + count]
        at += count
        beats = replies.beats[index] if index < len(replies.beats) else ()
        runs.append(_result(job, reads, beats, replies.complaints))
    return tuple(runs)


_COUNTERS = ("CYCLES_LOW", "CYCLES_HIGH", "STALL_DATA", "STALL_WEIGHT", "STALL_OUT", "ERROR")
_FIXED_READS = 1 + len(_COUNTERS)
_SPARE = 100_000


def script_of(job: EngineJob) -> list[str]:
    """Return the harness commands of one job: program, load, run, counters.

    A run that takes twice as long as the law says, and 100,000 clocks more, counts as hung and is given up.
    """
    offsets = {register.name: register.offset for register in register_map().registers}
    program = job.program
    lines = program_lines(program, images=len(job.images))
    load = program.load_beats()
    lines += _beat_lines("Q", load, ())
    waits = {"image_gaps": job.image_gaps, "weight_gaps": job.weight_gaps, "stalls": job.stalls}
    law = cycles(program, images=len(job.images), **waits)
    slow = 400 // job.random_percent if job.random_percent else 2
    if load:
        lines += [f"W {offsets['CONTROL']:x} 2", f"B {2 * law.load + _SPARE:x}"]
    lines.append(f"R {offsets['CYCLES_LOW']:x}")
    gaps = _Gaps(job)
    for index, beats in enumerate(program.image_beats(job.images)):
        lines += _beat_lines("D", beats, gaps.image(index))
    if program.point.streamed:
        for number in range(len(job.images) * len(program.layers)):
            beats = program.weight_beats(program.layers[number % len(program.layers)])
            lines += _beat_lines("Q", beats, gaps.weight(number))
    answer_beats = program.point.answer_beats(program.answers)
    for index in range(len(job.images)):
        stalls = list(gaps.stall(index))
        lines += [f"O {stall:x}" for stall in stalls + [0] * (answer_beats - len(stalls))]
    lines += [f"G {job.random_percent:x} {job.seed:x}", f"W {offsets['CONTROL']:x} 1"]
    lines += [f"B {slow * law.total + _SPARE:x}", "G 0 0", "A"]
    lines += [f"R {offsets[name]:x}" for name in _COUNTERS]
    for index in range(len(program.layers)):
        lines += [f"W {offsets['LAYER_SELECT']:x} {index:x}", "C 2", f"R {offsets['LAYER_CYCLES']:x}"]
    return [*lines, f"W {offsets['CONTROL']:x} 4", "F"]


def program_lines(program: Program, *, images: int, settings: Mapping[str, int] | None = None) -> list[str]:
    """Return the commands that write the program window and the registers; `settings` replaces some of the latter."""
    known = register_map()
    lines: list[str] = []
    for index, words in enumerate(program.descriptors()):
        for word, value in enumerate(words):
            lines.append(f"W {known.window.offset + 64 * index + 4 * word:x} {int(value):x}")
    values = {
        "LAYERS": len(program.layers),
        "IMAGES": images,
        "IMAGE_WORDS": program.image_words,
        "ANSWERS": program.answers,
        "PARAMETERS": program.parameters,
        "WEIGHT_WORDS": program.weight_register,
        **(settings or {}),
    }
    return lines + [f"W {known.offset(name):x} {value:x}" for name, value in values.items()]


@dataclass(frozen=True)
class _Gaps:
    """The gaps and stalls of a job, 0 where nothing is said."""

    job: EngineJob

    def image(self, index: int) -> Sequence[int]:
        return self.job.image_gaps[index] if index < len(self.job.image_gaps) else ()

    def weight(self, index: int) -> Sequence[int]:
        return self.job.weight_gaps[index] if index < len(self.job.weight_gaps) else ()

    def stall(self, index: int) -> Sequence[int]:
        return self.job.stalls[index] if index < len(self.job.stalls) else ()


def _beat_lines(command: str, beats: Sequence[int], gaps: Sequence[int]) -> list[str]:
    return [
        f"{command} {gaps[i] if i < len(gaps) else 0:x} {int(i == len(beats) - 1)} {beat:x}"
        for i, beat in enumerate(beats)
    ]


def _result(
    job: EngineJob, reads: Sequence[int], beats: Sequence[tuple[int, int]], complaints: Sequence[str]
) -> EngineRun:
    """Make sense of what one job printed."""
    program = job.program
    per_image = program.point.answer_beats(program.answers)
    found = list(complaints)
    if len(beats) != per_image * len(job.images):
        found.append(f"{len(beats)} answer beats came, {per_image * len(job.images)} were due")
    elif any(last != int((i + 1) % per_image == 0) for i, (last, _) in enumerate(beats)):
        found.append("tlast is not on the last answer beat of each image, and there alone")
    answers: ArrayLike = np.zeros((0, program.answers), dtype=np.int64)
    if not found:
        values = [value for _, value in beats]
        answers = [program.read_answers(values[i : i + per_image]) for i in range(0, len(values), per_image)]
    load, low, high, data, weight, out, error, *layers = reads
    return EngineRun(
        program.answer_maps(answers),
        low | high << 32,
        load if program.load_beats() else 0,
        tuple(layers),
        data,
        weight,
        out,
        register_map().error(error & 15),
        tuple(found),
    )
