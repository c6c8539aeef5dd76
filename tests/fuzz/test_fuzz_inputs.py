"""A short run of `make fuzz`: INPUTS damaged files of every kind, and each property on EXAMPLES drawn values."""

from __future__ import annotations

import os
import time
from multiprocessing import get_context
from pathlib import Path

import fuzz_run
import pytest
from fuzz_guard import defect
from fuzz_parsers import PARSERS
from fuzz_properties import PROPERTIES

from codesign.errors import ConfigError

SEED = 20261122
INPUTS = 24
"""Of each reader; `make fuzz` takes as many as it has time for."""

EXAMPLES = 8
"""Of each property."""

SLOW_READERS = {"checkpoint": 8, "lut-table": 4}


def test_damaged_files_give_a_result_or_a_named_error() -> None:
    tasks = [fuzz_run.Task(name, SEED, count=SLOW_READERS.get(name, INPUTS)) for name in PARSERS]
    counts, failures = fuzz_run.fuzz(tasks, wall_limit_s=240)
    assert not failures, "\n".join(f"{one.text}\n  again: {one.again}" for one in failures)
    assert counts == {name: SLOW_READERS.get(name, INPUTS) for name in PARSERS}


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_holds(name: str) -> None:
    assert PROPERTIES[name].run(SEED, EXAMPLES) == ""


@pytest.mark.slow
def test_a_minute_of_fuzzing_finds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    code = fuzz_run.main(["--seconds", "60", "--seed", str(SEED)])
    assert code == 0, capsys.readouterr().out


def hold(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_what_is_wrong_is_seen_and_named() -> None:
    def refuse(text: str) -> None:
        raise ConfigError(text)

    assert defect(lambda: None) == ("", True)
    assert defect(lambda: refuse("build.yaml: no"), named="build") == ("", False)
    assert "does not name" in defect(lambda: refuse("no"), named="build")[0]
    assert "without a message" in defect(lambda: refuse(" "))[0]
    assert defect(lambda: {}["x"])[0].startswith("KeyError")
    assert "more than 0.05 s" in defect(lambda: hold(5), limit_s=0.05)[0]


def test_every_input_is_the_same_each_time_and_real_files_come_first() -> None:
    one = PARSERS["build"]
    seeds = one.seeds()
    assert [one.content(1, i) for i in range(len(seeds))] == list(seeds)
    assert one.content(1, 99) == one.content(1, 99) != one.content(2, 99)
    assert len({PARSERS["csv"].content(3, i) for i in range(40)}) > 30


class Crash:
    """A target that leaves its process on one of its inputs."""

    def check(self, seed: int, number: int, folder: Path) -> str:
        if number == 2:
            os._exit(9)
        return "bad" if number == 3 else ""


def test_a_process_that_dies_is_a_failure_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fuzz_run.TARGETS, "crash", Crash())
    monkeypatch.setattr(fuzz_run.multiprocessing, "get_context", lambda _kind: get_context("fork"))
    counts, failures = fuzz_run.fuzz([fuzz_run.Task("crash", 1, count=5), fuzz_run.Task("idx", 1, count=3)])
    assert counts == {"crash": 5, "idx": 3}
    assert [(one.number, one.again) for one in failures] == [
        (2, "make fuzz ONLY=crash:1:2"),
        (3, "make fuzz ONLY=crash:1:3"),
    ]
    assert "died (exit code 9)" in failures[0].text and failures[1].text == "bad"


def test_time_is_shared_and_unknown_targets_are_refused() -> None:
    tasks = fuzz_run.timed(list(fuzz_run.TARGETS), seconds=100, seed=5)
    assert sum(task.seconds or 0 for task in tasks) == pytest.approx(100)
    assert {task.target for task in tasks} == set(fuzz_run.TARGETS)
    with pytest.raises(SystemExit):
        fuzz_run.main(["--only", "buidl:1:2"])
