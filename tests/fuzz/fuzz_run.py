"""`make fuzz SECONDS=60 SEED=1`: damaged files, drawn networks, configurations and programs, for a given time.

Each target runs its inputs in a process of its own kind, under limits of CPU time and memory. What goes wrong is
printed with the command that shows it again: `make fuzz ONLY=TARGET:SEED:NUMBER`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).parent))

from fuzz_guard import limit_memory
from fuzz_parsers import PARSERS
from fuzz_properties import EXAMPLES, PROPERTIES

WALL_LIMIT_S = 300.0
"""Seconds of real time that one input may take before its process is killed."""

SHARE_OF_PROPERTIES = 0.4
"""Of the time; the rest is for files."""


class Target(Protocol):
    """What is fuzzed. check: runs input `number` of a seed in an empty folder and returns what is wrong, or ""."""

    def check(self, seed: int, number: int, folder: Path) -> str: ...


class Engines:
    """Drawn engines in Verilator, PROGRAMS programs on each: data and cycles are those of network and law."""

    def check(self, seed: int, number: int, folder: Path) -> str:
        own = engine_fuzzer()
        found = own.check_seed(seed * 100_003 + number, folder)
        for one in folder.iterdir():
            shutil.rmtree(one) if one.is_dir() else one.unlink()
        return "; ".join(f"{one.text} (again: {one.again})" for one in found)


TARGETS: dict[str, Target] = {**PARSERS, **PROPERTIES, "engines": Engines()}

LEAST_FOR_ENGINES_S = 60.0
"""A run of less leaves engines out: one of them takes half a minute, most of it the compilation of the simulator."""


@dataclass(frozen=True)
class Failure:
    """One input that did what it must not."""

    target: str
    seed: int
    number: int
    text: str

    @property
    def again(self) -> str:
        """The command that shows it again."""
        return f"make fuzz ONLY={self.target}:{self.seed}:{self.number}"


@dataclass(frozen=True)
class Task:
    """Inputs `first`, `first` + 1, ... of one target: `count` of them, or as many as fit in `seconds`."""

    target: str
    seed: int
    first: int = 0
    count: int | None = None
    seconds: float | None = None


def run_inputs(tasks: Sequence[Task], told: Connection) -> None:
    """Work of a process: run the tasks, and tell (task, number) before and what is wrong after each input."""
    started = False
    for index, task in enumerate(tasks):
        target, number = TARGETS[task.target], task.first
        end = None if task.seconds is None else time.monotonic() + task.seconds
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            while (task.count is None or number < task.first + task.count) and (
                end is None or time.monotonic() < end or number == task.first
            ):
                told.send((index, number, None))
                wrong = target.check(task.seed, number, Path(folder))
                told.send((index, number, wrong))
                number += 1
                if not started:  # what every input needs is imported now
                    limit_memory()
                    started = True


def fuzz(tasks: Sequence[Task], *, wall_limit_s: float = WALL_LIMIT_S) -> tuple[dict[str, int], list[Failure]]:
    """Run tasks in a process each time; return the number of inputs by target, and what failed.

    A process that dies, or is silent for longer than the limit, is a failure of the input that it had begun; its task
    goes on with the next input in a new process.
    """
    counts: dict[str, int] = dict.fromkeys((task.target for task in tasks), 0)
    failures: list[Failure] = []
    left = list(tasks)
    context = multiprocessing.get_context("spawn")
    while left:
        mine, theirs = context.Pipe(duplex=False)
        process = context.Process(target=run_inputs, args=(left, theirs), daemon=True)
        process.start()
        theirs.close()
        begun: tuple[int, int] | None = None
        last, since = 0, time.monotonic()
        trouble = ""
        try:
            while True:
                if not mine.poll(wall_limit_s):
                    trouble = f"no answer within {wall_limit_s:g} s"
                    process.kill()
                    break
                index, number, wrong = mine.recv()
                if index != last:
                    last, since = index, time.monotonic()
                if wrong is None:
                    begun = (index, number)
                    continue
                begun = None
                counts[left[index].target] += 1
                if wrong:
                    failures.append(Failure(left[index].target, left[index].seed, number, wrong))
        except EOFError:
            pass
        process.join()
        if begun is None:
            if process.exitcode:
                raise RuntimeError(f"the process that runs {left[last].target} ended with {process.exitcode}")
            return counts, failures
        index, number = begun
        task = left[index]
        trouble = trouble or f"the process died (exit code {process.exitcode})"
        counts[task.target] += 1
        failures.append(Failure(task.target, task.seed, number, trouble))
        spent = time.monotonic() - since
        done = number + 1 - task.first
        rest = Task(
            task.target,
            task.seed,
            number + 1,
            None if task.count is None else task.count - done,
            None if task.seconds is None else task.seconds - spent,
        )
        over = rest.count == 0 or (rest.seconds is not None and rest.seconds <= 0)
        left = left[index + 1 :] if over else [rest, *left[index + 1 :]]
    return counts, failures


def timed(names: Sequence[str], *, seconds: float, seed: int) -> list[Task]:
    """Tasks for all names that take `seconds` together; properties get their share."""
    parsers = [name for name in names if name in PARSERS]
    others = [name for name in names if name not in PARSERS]
    share = SHARE_OF_PROPERTIES if parsers and others else float(bool(others))
    of = {name: seconds * (1 - share) / len(parsers) for name in parsers}
    of |= {name: seconds * share / len(others) for name in others}
    return [Task(name, seed, seconds=of[name]) for name in names]


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz for a time, or repeat one input; exit code 1 where anything failed."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long (60)")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn (1)")
    parser.add_argument("--only", metavar="TARGET[:SEED:NUMBER]", help="one target, or one input of it")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="with one input of a reader: write the file there")
    options = parser.parse_args(arguments)
    name, _, place = (options.only or "").partition(":")
    if name.isdecimal():  # an engine and its programs
        return engines(["--only", options.only])
    if name and name not in TARGETS:
        parser.error(f"no target {name!r}; there are {', '.join(TARGETS)}")
    begin = time.monotonic()
    if place:
        seed, _, number = place.partition(":")
        tasks = [Task(name, int(seed), int(number or 0), count=1)]
        if options.keep is not None:
            options.keep.mkdir(parents=True, exist_ok=True)
            one = PARSERS[name]
            (options.keep / one.file).write_bytes(one.content(int(seed), int(number or 0)))
    else:
        names = [one for one in TARGETS if one != "engines" or options.seconds >= LEAST_FOR_ENGINES_S]
        tasks = timed([name] if name else names, seconds=max(1.0, options.seconds), seed=options.seed)
    counts, failures = fuzz(tasks)
    for one in failures:
        print(f"FAILED {one.target}, seed {one.seed}, input {one.number}: {one.text}\n  again: {one.again}")
    width = max(map(len, counts))
    total = 0
    for target, count in counts.items():
        bad = sum(one.target == target for one in failures)
        inputs = count * inputs_each(target)
        print(f"{target:{width}}  {inputs:7d} inputs{f', {bad} failed' if bad else ''}")
        total += inputs
    print(f"{total} inputs, {len(failures)} failed, {time.monotonic() - begin:.0f} s, seed {options.seed}")
    return 1 if failures else 0


def inputs_each(target: str) -> int:
    """Values that one numbered input of a target stands for: drawn values, or programs on one engine."""
    if target == "engines":
        return int(engine_fuzzer().PROGRAMS)
    return EXAMPLES if target in PROPERTIES else 1


def engines(arguments: Sequence[str]) -> int:
    """Hand over to the engines' own fuzzer."""
    return int(engine_fuzzer().main(arguments))


def engine_fuzzer() -> Any:
    """tests/engine/fuzz.py."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
    import fuzz as engine_fuzz

    return engine_fuzz


if __name__ == "__main__":
    sys.exit(main())
