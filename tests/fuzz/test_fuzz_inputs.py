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
    found = fuzz_run.fuzz(tasks, wall_limit_s=240)
    assert not found.failures, "\n".join(f"{one.text}\n  again: {one.again}" for one in found.failures)
    assert found.counts == {name: SLOW_READERS.get(name, INPUTS) for name in PARSERS}


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_holds(name: str) -> None:
    wrong, checked = PROPERTIES[name].run(SEED, EXAMPLES)
    assert wrong == "" and 1 <= checked <= EXAMPLES


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

    def check(self, seed: int, number: int, folder: Path) -> tuple[str, int]:
        if number == 2:
            os._exit(9)
        return "bad" if number == 3 else "", 1


class Slow:
    """A target whose inputs take 60 ms and are worth 7 each; from the one that hangs on, they never end."""

    def __init__(self, hangs: int = 1_000_000):
        self.hangs = hangs

    def check(self, seed: int, number: int, folder: Path) -> tuple[str, int]:
        time.sleep(60 if number >= self.hangs else 0.06)
        return "", 7


def forked(monkeypatch: pytest.MonkeyPatch, **targets: fuzz_run.Target) -> None:
    """Make the targets known, also to the process that runs them, and its imports none."""
    for name, target in targets.items():
        monkeypatch.setitem(fuzz_run.TARGETS, name, target)
    monkeypatch.setattr(fuzz_run, "SLOW_IMPORTS", ())
    monkeypatch.setattr(fuzz_run.multiprocessing, "get_context", lambda _kind: get_context("fork"))


def test_a_process_that_dies_is_a_failure_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    forked(monkeypatch, crash=Crash())
    found = fuzz_run.fuzz([fuzz_run.Task("crash", 1, count=5), fuzz_run.Task("idx", 1, count=3)])
    assert found.counts == {"crash": 5, "idx": 3}
    assert [(one.number, one.again) for one in found.failures] == [
        (2, "make fuzz ONLY=crash:1:2"),
        (3, "make fuzz ONLY=crash:1:3"),
    ]
    assert "died (exit code 9)" in found.failures[0].text and found.failures[1].text == "bad"


def test_time_is_a_cap_and_is_shared_by_slow_and_fast_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    forked(monkeypatch, slow=Slow())
    tasks = [fuzz_run.Task("slow", 1, share=0.5), fuzz_run.Task("idx", 1, share=0.25)]
    tasks.append(fuzz_run.Task("blif", 1, share=0.25))
    begin = time.monotonic()
    found = fuzz_run.fuzz(tasks, seconds=1.5)
    assert time.monotonic() - begin < 4 and not found.failures and not found.cut
    assert found.counts["slow"] % 7 == 0 and 7 <= found.counts["slow"] <= 7 * 25
    assert found.seconds["slow"] < 1.2 and found.seconds["idx"] > 0.1 and found.seconds["blif"] > 0.1
    assert found.counts["idx"] > 20 and found.counts["blif"] > 20


def test_what_is_not_done_at_the_end_is_stopped_told_and_not_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forked(monkeypatch, slow=Slow(hangs=2))
    begin = time.monotonic()
    assert fuzz_run.main(["--seconds", "1", "--only", "slow", "--seed", "4"]) == 0
    assert time.monotonic() - begin < 6
    said = capsys.readouterr().out
    assert "stopped at the end of the time, not counted: slow:4:2" in said and "14 inputs, 0 failed" in said


def test_shares_are_whole_and_bad_targets_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    tasks = fuzz_run.shared(list(fuzz_run.TARGETS), seed=5)
    assert sum(task.share for task in tasks) == pytest.approx(1)
    assert {task.target for task in tasks} == set(fuzz_run.TARGETS)
    shares = {task.target: task.share for task in tasks}
    assert shares["engines"] == pytest.approx(0.2) and shares["idx"] == pytest.approx(0.48 / len(PARSERS))
    for wrong, named in (("buidl:1:2", "no target 'buidl'"), ("idx:1:x", "TARGET:SEED:NUMBER")):
        with pytest.raises(SystemExit):
            fuzz_run.main(["--only", wrong])
        assert named in capsys.readouterr().err
