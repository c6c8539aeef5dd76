"""Tools that hang, print rubbish, die by a signal, or end well without a file: at each stage that uses one."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_lines import FAMILIES, config, digests, finished

from codesign.config import RunConfig
from codesign.errors import CodesignError, ToolFailed
from codesign.line import LINES, Line, new_line
from codesign.tools import process

MODES = {
    "hang": "exec sleep 600",
    "rubbish": "head -c 5000 /dev/urandom; exit 3",
    "signal": "echo going down; kill -SEGV $$",
    "silent": "exit 0",
    "words": "echo Executing nothing; exit 0",
}
"""What a tool does after it told its version: all but `words` are silent about it where they can be."""

TOOLS = {
    ("emit", "ABC"): ("CODESIGN_ABC", "UC Berkeley, ABC 1.01 (compiled Jan  1 2025)"),
    ("emit", "Verilator"): ("CODESIGN_VERILATOR", "Verilator 5.048 2026-05-16"),
    ("simulate", "Verilator"): ("CODESIGN_VERILATOR", "Verilator 5.048 2026-05-16"),
    ("synth", "yosys"): ("CODESIGN_YOSYS", "Yosys 0.70 (git sha1 0000000)"),
    ("synth", "nextpnr"): ("CODESIGN_NEXTPNR_ECP5", "nextpnr-ecp5 -- Version nextpnr-0.11"),
}
"""Stage and tool: what names the tool's program, and what it says its version is."""

PATIENCE_S = 1.5


def program(folder: Path, name: str, version: str, does: str) -> Path:
    """A tool that tells its version, and for everything else does what is said."""
    path = folder / f"{name.lower()}_{len(list(folder.iterdir()))}"
    path.write_text(
        f'#!/bin/sh\ncase "$*" in --version|-V|-version|"-c version") echo "{version}"; exit 0;; esac\n{does}\n'
    )
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Simulators are compiled anew, and no table was mapped before."""
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path_factory.mktemp("cache")))


def be_impatient(monkeypatch: pytest.MonkeyPatch, bad: Path) -> None:
    """Give the bad program PATIENCE_S, whatever limit it was given."""
    real = process._wait  # pyright: ignore[reportPrivateUsage]

    def wait(child: Any, deadline: float, log: Path) -> Any:
        soon = time.monotonic() + PATIENCE_S
        return real(child, min(deadline, soon) if child.args[0] == str(bad) else deadline, log)

    monkeypatch.setattr(process, "_wait", wait)


def build_config(family: str, tool: str) -> RunConfig:
    """The small build, with the tool in it."""
    if tool == "ABC":
        return config(family, rtl={"form": "mapped", "workers": 1})
    if tool == "nextpnr":
        return config(family, synth={"devices": ["ecp5-25f"], "place_and_route": True})
    return config(family, synth={"devices": ["ecp5-25f"], "place_and_route": False})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Path]]:
    """Runs by family and the stage before which they end."""
    yield {}


def run_before(
    stage: str, family: str, tool: str, runs: dict[tuple[str, str], Path], where: pytest.TempPathFactory
) -> Path:
    """A run that is finished up to the stage before `stage`, made once by real tools."""
    late = stage in ("simulate", "synth")
    key = (family, "emitted" if late else tool)
    if key not in runs:
        known = list(LINES[family].stages)
        until = "emit" if late else known[known.index(stage) - 1]
        other = next((path for (kind, _), path in runs.items() if kind == family), None)
        run = where.mktemp(family) / "run"
        if other is not None:
            shutil.copytree(other, run)
        with pytest.MonkeyPatch.context() as patch:
            for name in {variable for variable, _ in TOOLS.values()}:
                patch.delenv(name, raising=False)
            new_line(build_config(family, tool), run, folder=run.parent).build(until=until)
        runs[key] = run
    return runs[key]


CASES = [
    pytest.param(family, stage, tool, mode, marks=[pytest.mark.sim] + ([pytest.mark.slow] if late else []))
    for (stage, tool) in TOOLS
    for family in FAMILIES
    for mode in MODES
    if not (tool == "ABC" and family == "engine")
    for late in [
        tool == "nextpnr" or mode == "words" or (family == "engine" and (stage, mode) != ("simulate", "silent"))
    ]
]


@pytest.mark.parametrize(("family", "stage", "tool", "mode"), CASES)
def test_a_tool_that_fails_is_named_and_its_stage_is_not_there(
    family: str,
    stage: str,
    tool: str,
    mode: str,
    runs: dict[tuple[str, str], Path],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = run_before(stage, family, tool, runs, tmp_path_factory)
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    before = digests(run)
    variable, version = TOOLS[stage, tool]
    bad = program(tmp_path, tool, version, MODES[mode])
    monkeypatch.setenv(variable, str(bad))
    be_impatient(monkeypatch, bad)
    if stage == "synth":  # it needs no simulation
        real = Line._stage  # pyright: ignore[reportPrivateUsage]
        monkeypatch.setattr(Line, "_stage", lambda line, one: None if one == "simulate" else real(line, one))
    started = time.monotonic()
    with pytest.raises(CodesignError) as caught:
        new_line(build_config(family, tool), run, folder=run.parent).build(until=stage)
    assert isinstance(caught.value, ToolFailed), caught.value
    assert str(run) in str(caught.value) or tool.lower() in str(caught.value).lower(), (
        "the tool or its log is not named"
    )
    assert caught.value.log is None or Path(str(caught.value.log)).is_file(), "the log that is named must stay"
    if mode == "hang":
        assert "did not end within" in str(caught.value) and time.monotonic() - started < 200
    if mode == "signal":
        assert "SIGSEGV" in str(caught.value)
    name = LINES[family].folder_name(stage)
    assert name not in finished(run), "a stage whose tool failed must not be there"
    after = digests(run)
    assert {key: after.get(key) for key in before if key[0].isdecimal()} == {
        key: value for key, value in before.items() if key[0].isdecimal()
    }, "a finished stage changed"
    assert not [key for key in after if key.startswith(name)], "a half-written stage is there"


@pytest.mark.slow
@pytest.mark.sim
@pytest.mark.synth
@pytest.mark.parametrize("family", FAMILIES)
def test_after_failures_of_every_tool_the_end_is_the_same_bytes(family: str, tmp_path: Path) -> None:
    """Each tool fails in each way, one after another, on one run; real tools then end it as if nothing had been."""
    build = config(family, synth={"devices": ["ecp5-25f"], "place_and_route": True})
    whole, run = tmp_path / "whole" / "run", tmp_path / "run"
    new_line(build, whole, folder=tmp_path).build()
    tools = [(*at, *how) for at, how in TOOLS.items() if at[1] != "ABC"]  # the form is `table`
    for index, (stage, tool, variable, version) in enumerate(tools):
        for mode in ("rubbish", "signal", "silent"):
            bad = program(tmp_path, tool, version, MODES[mode])
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv(variable, str(bad))
                with pytest.raises(ToolFailed):
                    new_line(build, run, folder=tmp_path).build(until=stage)
        if index + 1 == len(tools) or tools[index + 1][0] != stage:  # a stage that is done asks no tool again
            new_line(build, run, folder=tmp_path).build(until=stage)
    new_line(build, run, folder=tmp_path).build()
    assert digests(run) == digests(whole)


def test_a_tool_does_not_outlive_a_build_that_is_killed(tmp_path: Path) -> None:
    """The tool is asked to write its process number and hang; SIGKILL of the build ends it too."""
    told = tmp_path / "pid"
    does = f'echo $$ > "{told}.part"; mv "{told}.part" "{told}"; exec sleep 600'
    bad, work = program(tmp_path, "hang", "x", does), tmp_path / "work"
    text = "import sys; from pathlib import Path; from codesign.tools import run; "
    text += "run([sys.argv[1]], Path(sys.argv[2]), log='x.log', timeout_s=500)"
    child = subprocess.Popen([sys.executable, "-c", text, str(bad), str(work)])
    end = time.monotonic() + 120
    while not told.exists() and time.monotonic() < end:
        time.sleep(0.01)
    child.kill()
    child.wait()
    pid = int(told.read_text())
    state = Path(f"/proc/{pid}/stat")
    while time.monotonic() < end:
        try:
            if state.read_text().split()[2] == "Z":  # ended, and waits for its new parent
                return
        except OSError:
            return
        time.sleep(0.01)
    raise AssertionError("the tool still runs")
