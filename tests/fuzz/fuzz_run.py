"""`make fuzz SECONDS=60 SEED=1`: damaged files, drawn networks, configurations and programs, for a given time.

Inputs run in a process of their own, under limits of CPU time and memory. The next input is always of the target that
has had the least of its share of the time, and the process ends with the time, in the middle of an input if need be.
What goes wrong is printed with the command that shows it again: `make fuzz ONLY=TARGET:SEED:NUMBER`.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).parent))

from fuzz_guard import limit_memory
from fuzz_parsers import PARSERS
from fuzz_properties import PROPERTIES

WALL_LIMIT_S = 300.0
"""Seconds of real time that one input may take before its process is killed."""

SHARE_OF_PROPERTIES = 0.4
"""Of the time without engines; the rest is for files."""

SHARE_OF_ENGINES = 0.2
"""Of the time, where they take part."""

LEAST_FOR_ENGINES_S = 240.0
"""A run of less leaves engines out: one of them takes half a minute, most of it the compilation of the simulator."""

GRACE = 0.05
"""An input that is not done so much of the time, and at least a second, after its end is stopped."""

SLOW_IMPORTS = ("codesign.search.luts.config", "codesign.nn", "codesign.rtl", "codesign.synth", "pyarrow.parquet")
"""Imported before the time begins: it takes seconds, which the first target to need them would have to pay."""


class Target(Protocol):
    """What is fuzzed. check: runs input `number` of a seed in an empty folder.

    It returns what is wrong, or "", and how many values, files or programs were checked.
    """

    def check(self, seed: int, number: int, folder: Path) -> tuple[str, int]: ...


class Engines:
    """Drawn engines in Verilator, PROGRAMS programs on each: data and cycles are those of network and law."""

    def check(self, seed: int, number: int, folder: Path) -> tuple[str, int]:
        own = engine_fuzzer()
        found = own.check_seed(seed * 100_003 + number, folder)
        for one in folder.iterdir():
            shutil.rmtree(one) if one.is_dir() else one.unlink()
        return "; ".join(f"{one.text} (again: {one.again})" for one in found), int(own.PROGRAMS)


TARGETS: dict[str, Target] = {**PARSERS, **PROPERTIES, "engines": Engines()}


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
    """Inputs `first`, `first` + 1, ... of one target: `count` of them, or as many as its `share` of the time allows.

    spent: seconds that the inputs before `first` took.
    """

    target: str
    seed: int
    first: int = 0
    count: int | None = None
    share: float = 1.0
    spent: float = 0.0


@dataclass
class Fuzzed:
    """What was run. counts: inputs that were checked, seconds: what they took, by target.

    cut: the input, as TARGET:SEED:NUMBER, that was not done when the time was over, or "". startup_s: seconds from the
    start of the process until its first input.
    """

    counts: dict[str, int]
    seconds: dict[str, float]
    failures: list[Failure] = field(default_factory=list)
    cut: str = ""
    startup_s: float = 0.0


def run_inputs(tasks: Sequence[Task], link: Connection, folder: Path, timed: bool) -> None:
    """Work of a process: run the tasks, least served first, until all are done or the time that it is told is over.

    It tells (task, number, None) before and (task, number, (what is wrong, inputs, seconds)) after each input.
    """
    if timed:
        for module in SLOW_IMPORTS:
            importlib.import_module(module)
        for task in tasks:
            if task.target in PARSERS:
                PARSERS[task.target].seeds()  # some are written by a short training
    link.send(None)
    end: float | None = link.recv()
    spent, numbers = [task.spent for task in tasks], [task.first for task in tasks]
    left = [task.count for task in tasks]
    first = True
    while end is None or time.monotonic() < end:
        open_ = [index for index, count in enumerate(left) if count is None or count > 0]
        if not open_:
            break
        index = min(open_, key=lambda i: spent[i] / tasks[i].share)
        task, number = tasks[index], numbers[index]
        place = folder / f"{index}"
        place.mkdir(exist_ok=True)
        link.send((index, number, None))
        begun = time.monotonic()
        wrong, inputs = TARGETS[task.target].check(task.seed, number, place)
        seconds = time.monotonic() - begun
        link.send((index, number, (wrong, inputs, seconds)))
        spent[index] += seconds
        numbers[index] += 1
        count = left[index]
        left[index] = None if count is None else count - 1
        if first:  # what every input needs is imported now
            limit_memory()
            first = False


def fuzz(tasks: Sequence[Task], *, seconds: float | None = None, wall_limit_s: float = WALL_LIMIT_S) -> Fuzzed:
    """Run tasks in a process of their own, for `seconds` or, where that is None, until their counts are reached.

    A process that dies, or is silent for longer than the limit, is a failure of the input that it had begun; the tasks
    go on with the next input in a new process. What is not done `GRACE` after the end is stopped and not counted.
    """
    names = [task.target for task in tasks]
    done = Fuzzed(dict.fromkeys(names, 0), dict.fromkeys(names, 0.0))
    left = list(tasks)
    context = multiprocessing.get_context("spawn")
    end: float | None = None
    while True:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            mine, theirs = context.Pipe()
            process = context.Process(
                target=run_inputs, args=(left, theirs, Path(folder), seconds is not None), daemon=True
            )
            process.start()
            theirs.close()
            begun: tuple[int, int] | None = None
            since, trouble, over = started, "", False
            try:
                while True:
                    now = time.monotonic()
                    until = wall_limit_s
                    if end is not None and seconds is not None:
                        until = max(0.0, min(until, end + max(1.0, GRACE * seconds) - now))
                    if not mine.poll(until):
                        over = until < wall_limit_s
                        trouble = f"no answer within {wall_limit_s:g} s"
                        process.kill()
                        break
                    said = mine.recv()
                    if said is None:
                        if seconds is not None and end is None:
                            done.startup_s = time.monotonic() - started
                            end = time.monotonic() + seconds
                        mine.send(end)
                        continue
                    index, number, found = said
                    task = left[index]
                    if found is None:
                        begun, since = (index, number), time.monotonic()
                        continue
                    wrong, inputs, took = found
                    begun = None
                    done.counts[task.target] += inputs
                    done.seconds[task.target] += took
                    left[index] = _after(task, number, took)
                    if wrong:
                        done.failures.append(Failure(task.target, task.seed, number, wrong))
            except EOFError:
                pass
            process.join()
        if begun is None:
            if process.exitcode and not over:
                raise RuntimeError(
                    f"the process that runs the inputs ended with {process.exitcode} between two of them"
                )
            return done
        index, number = begun
        task = left[index]
        if over:
            done.cut = f"{task.target}:{task.seed}:{number}"
            return done
        trouble = trouble or f"the process died (exit code {process.exitcode})"
        done.failures.append(Failure(task.target, task.seed, number, trouble))
        done.counts[task.target] += 1
        took = time.monotonic() - since
        done.seconds[task.target] += took
        left[index] = _after(task, number, took)


def _after(task: Task, number: int, took: float) -> Task:
    """What is left of a task after one of its inputs, which took so many seconds."""
    count = None if task.count is None else task.count - 1
    return replace(task, first=number + 1, count=count, spent=task.spent + took)


def shared(names: Sequence[str], *, seed: int) -> list[Task]:
    """Tasks for all names with their shares of the time, which are 1 together."""
    parsers = [name for name in names if name in PARSERS]
    drawn = [name for name in names if name not in PARSERS and name != "engines"]
    shares = dict.fromkeys(parsers, (1 - SHARE_OF_PROPERTIES) / max(1, len(parsers)))
    shares |= dict.fromkeys(drawn, SHARE_OF_PROPERTIES / max(1, len(drawn)))
    if "engines" in names:
        shares["engines"] = SHARE_OF_ENGINES / (1 - SHARE_OF_ENGINES)
    whole = sum(shares[name] for name in names)
    return [Task(name, seed, share=shares[name] / whole) for name in names]


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
        if not seed.isdecimal() or (number and not number.isdecimal()):
            parser.error(f"an input is TARGET:SEED:NUMBER with two whole numbers, not {options.only!r}")
        tasks, seconds = [Task(name, int(seed), int(number or 0), count=1)], None
        if options.keep is not None:
            if name not in PARSERS:
                parser.error(f"--keep writes the file of a reader; {name!r} reads none")
            options.keep.mkdir(parents=True, exist_ok=True)
            one = PARSERS[name]
            (options.keep / one.file).write_bytes(one.content(int(seed), int(number or 0)))
    else:
        names = [one for one in TARGETS if one != "engines" or options.seconds >= LEAST_FOR_ENGINES_S]
        tasks, seconds = shared([name] if name else names, seed=options.seed), max(1.0, options.seconds)
    found = fuzz(tasks, seconds=seconds)
    for one in found.failures:
        print(f"FAILED {one.target}, seed {one.seed}, input {one.number}: {one.text}\n  again: {one.again}")
    width = max(map(len, found.counts))
    for target, count in found.counts.items():
        bad = sum(one.target == target for one in found.failures)
        print(f"{target:{width}}  {count:7d} inputs {found.seconds[target]:8.2f} s{f', {bad} failed' if bad else ''}")
    if not name and "engines" not in found.counts:
        print(f"engines are left out of runs under {LEAST_FOR_ENGINES_S:g} s: make fuzz-engine")
    if found.cut:
        print(f"stopped at the end of the time, not counted: {found.cut}")
    total, wall = sum(found.counts.values()), time.monotonic() - begin - found.startup_s
    startup = f" after {found.startup_s:.0f} s to begin" if seconds is not None else ""
    print(f"{total} inputs, {len(found.failures)} failed, {wall:.0f} s{startup}, seed {options.seed}")
    return 1 if found.failures else 0


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
