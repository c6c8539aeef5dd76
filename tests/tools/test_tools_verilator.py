"""Verilator's adapter: what its builds need, where its version stands, and lint's complaints."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codesign.errors import ToolFailed, ToolNotFound, ToolTooOld
from codesign.tools.verilator import find_verilator, lint


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def needed(monkeypatch, tmp_path):
    """Return a folder that is the whole PATH and holds perl, make and c++ (none of which is run)."""
    folder = tmp_path / "bin"
    for name in ("perl", "make", "c++"):
        write(folder / name, "exit 1")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("CXXFLAGS", "-DVL_TIME_CONTEXT")
    monkeypatch.delenv("CODESIGN_VERILATOR", raising=False)
    return folder


@pytest.mark.parametrize(("missing", "package"), [("perl", "perl"), ("make", "make"), ("c++", r"g\+\+")])
def test_what_its_builds_need_is_named(needed, tmp_path, missing, package):
    program = write(tmp_path / "verilator", "echo Verilator 5.040")
    (needed / missing).unlink()
    with pytest.raises(ToolNotFound, match=rf"Verilator needs .*apt install {package}`"):
        find_verilator(program)


def test_the_environment_of_a_build(needed, tmp_path):
    program = write(tmp_path / "v/verilator", "echo Verilator 5.040 2025-08-30 rev x")
    found = find_verilator(program)
    assert (found.path, found.version) == (program, "5.040")
    assert found.environment["CXXFLAGS"] is None, "flags of other builds must not leak in"
    assert found.environment["PATH"].split(os.pathsep) == [str(tmp_path / "v"), str(needed)]


def test_one_that_is_too_old_for_cocotb(needed):
    write(needed / "verilator", "echo Verilator 5.006 2023-01-22 rev Debian")
    with pytest.raises(ToolTooOld, match=r"is Verilator 5\.006, which must be 5\.036 or newer"):
        find_verilator(needed / "verilator")


def test_a_root_tells_the_version_that_its_program_does_not(needed, tmp_path, monkeypatch):
    program = write(tmp_path / "root/bin/verilator", "echo '%Error: verilator: Cannot find verilated_std.sv'")
    header = tmp_path / "root/include/verilated_config.h"
    header.parent.mkdir()
    for version, accepted in (("5.048", True), ("5.006", False)):
        header.write_text(f'#define VERILATOR_PRODUCT "Verilator"\n#define VERILATOR_VERSION "{version} rev x"\n')
        monkeypatch.setenv("CODESIGN_VERILATOR", str(program))
        if accepted:
            found = find_verilator()
            assert (found.version, found.environment["VERILATOR_ROOT"]) == (version, str(tmp_path / "root"))
        else:
            with pytest.raises(ToolTooOld, match="does not tell its version"):
                find_verilator()
    header.unlink()
    with pytest.raises(ToolTooOld, match="does not tell its version"):
        find_verilator()


def test_lint_says_what_is_wrong(needed, tmp_path):
    program = write(
        tmp_path / "verilator",
        'case "$*" in --version) echo Verilator 5.040;; *) echo "$*"; echo "%Warning-WIDTH: a.v:3:5: too wide"; '
        'echo "      : ... note"; exit 1;; esac',
    )
    tool = find_verilator(program)
    with pytest.raises(ToolFailed) as caught:
        lint([tmp_path / "a.v"], "top", tmp_path / "work", verilator=tool)
    assert str(caught.value) == (
        "the Verilog of 'top' must lint without a warning, but Verilator 5.040 says:\n%Warning-WIDTH: a.v:3:5: too wide"
    )
    log = (tmp_path / "work/lint.log").read_text()
    assert log.startswith(f"--lint-only -Wall --top-module top {tmp_path / 'a.v'}\n")


def test_lint_that_dies_without_a_word_is_a_failure_of_the_tool(needed, tmp_path):
    program = write(tmp_path / "verilator", 'case "$*" in --version) echo Verilator 5.040;; *) kill -9 $$;; esac')
    with pytest.raises(ToolFailed, match="was ended by SIGKILL"):
        lint([tmp_path / "a.v"], "top", tmp_path / "work", verilator=find_verilator(program))


def test_lint_that_says_nothing_has_linted_nothing(needed, tmp_path):
    program = write(tmp_path / "verilator", 'case "$*" in --version) echo Verilator 5.040;; esac')
    with pytest.raises(ToolFailed, match="ended without its report; log: .*lint.log"):
        lint([tmp_path / "a.v"], "top", tmp_path / "work", verilator=find_verilator(program))
