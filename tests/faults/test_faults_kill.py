"""SIGKILL at random moments of every stage of both families: what was finished stays, and the end is the same bytes."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from fault_lines import (
    FAMILIES,
    HOLD_S,
    ONE_FAMILY,
    QUICK,
    config,
    digests,
    finished,
    kill,
    kill_in,
    spawn,
    stages,
    told,
    wait,
)

from codesign.errors import RunError
from codesign.line import LINES, new_line, open_run

KILLS = 4
"""Of each stage, in the slow test."""


def seconds_of(run: Path, family: str, stage: str) -> float:
    return json.loads((run / LINES[family].folder_name(stage) / "stage.json").read_text())["seconds"]


def disturb(family: str, undisturbed: Path, run: Path, *, until: str, kills: int, draw: random.Random) -> int:
    """Kill `kills` times in each stage, then go on to the end; return how many kills hit a running build."""
    hits, build = 0, config(family)
    for stage in stages(family, until):
        name = LINES[family].folder_name(stage)
        for _ in range(kills):
            before = {one: (run / one).stat().st_ino for one in finished(run)} if run.exists() else {}
            after_s = draw.uniform(0, min(seconds_of(undisturbed, family, stage), 20) / 2 + HOLD_S / 2)
            hit = kill_in(build, run, stage=stage, after_s=after_s, until=until)
            hits += hit
            after = {one: (run / one).stat().st_ino for one in finished(run)}
            assert before.items() <= after.items(), f"a finished stage was lost or made again: {before} {after}"
            for one in after:
                assert (run / one / "stage.json").is_file(), f"{one} stands there half-written"
            if name in after and stage != until:
                break
    assert wait(spawn(build, run, until=until)) == 0, told(run)
    assert digests(run) == digests(undisturbed)
    left = [path.name for path in run.iterdir() if path.name.endswith((".partial", ".old", ".part"))]
    assert not left, left
    return hits


def test_a_kill_in_every_stage(undisturbed: tuple[str, Path], tmp_path: Path) -> None:
    family, whole = undisturbed
    hits = disturb(family, whole, tmp_path / "run", until=QUICK[family], kills=1, draw=random.Random(20261122))
    assert hits >= 2, "too few kills came while something ran: nothing was tested"


@ONE_FAMILY
def test_a_kill_between_the_two_renames_of_a_stage_that_is_made_anew(
    undisturbed: tuple[str, Path], tmp_path: Path
) -> None:
    """Only there no folder of the stage stands: the old one is aside, the new one not yet in its place."""
    family, whole = undisturbed
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    name = LINES[family].folder_name(QUICK[family])
    shutil.copytree(run / name, run / f".{name}.partial")
    (run / name).rename(run / f".{name}.old")
    assert wait(spawn(config(family), run, until=QUICK[family])) == 0, told(run)
    assert digests(run) == digests(whole)


@ONE_FAMILY
def test_half_written_files_are_never_read(undisturbed: tuple[str, Path], tmp_path: Path) -> None:
    """Whatever a killed process left under a temporary name: it is made anew, never taken for finished."""
    family, whole = undisturbed
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    for stage in stages(family, QUICK[family]):
        name = LINES[family].folder_name(stage)
        partial = run / f".{name}.partial"
        shutil.move(run / name, partial)
        for path in partial.rglob("*"):
            if path.is_file():
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        (partial / ".key").write_text("a" * 64)
    for name in (".config.yaml.part", ".manifest.json.part"):
        (run / name).write_text("{")
    assert finished(run) == []
    with pytest.raises(RunError, match="no finished stage"):
        open_run(run).run.need(LINES[family].folder_name("train"))
    assert wait(spawn(config(family), run, until=QUICK[family])) == 0, told(run)
    assert digests(run) == digests(whole)


@ONE_FAMILY
def test_a_second_process_on_a_run_is_refused(undisturbed: tuple[str, Path], tmp_path: Path) -> None:
    """While one process trains, another can neither build nor resume there; afterwards it can."""
    family, whole = undisturbed
    run, build = tmp_path / "run", config(family, train={**config(family).train.model_dump(), "epochs": 400})
    child = spawn(build, run, until="train")
    try:
        partial = run / f".{LINES[family].folder_name('train')}.partial"
        while not partial.exists():
            pass
        with pytest.raises(RunError, match="in use by another process"):
            new_line(config(family), run, folder=tmp_path).build(until="data")
        with pytest.raises(RunError, match="in use by another process"):
            open_run(run).build(until="data")
    finally:
        kill(child)
    assert wait(spawn(config(family), run, until=QUICK[family])) == 0, told(run)
    assert digests(run) == digests(whole)


@pytest.mark.slow
@pytest.mark.sim
@pytest.mark.synth
@pytest.mark.parametrize("family", FAMILIES)
def test_many_kills_from_data_to_report(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real tools; the compiled simulators are kept nowhere, so that a kill hits their compilation too."""
    whole, run = tmp_path / "whole" / "run", tmp_path / "run"
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))
    new_line(config(family), whole, folder=tmp_path).build()
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "other"))
    hits = disturb(family, whole, run, until="report", kills=KILLS, draw=random.Random(family))
    assert hits >= 8, "too few kills came while something ran"
