"""Finding a program: argument, variable, wheel, PATH; versions too old, unreadable, hanging; the message's help."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import time
from importlib import import_module

import pytest

from codesign.errors import ToolNotFound, ToolTooOld
from codesign.tools.find import Tool, find, wheel_version

TOOL = Tool(
    name="Grinder",
    programs=("grinder", "grinder2"),
    variable="CODESIGN_GRINDER",
    pip="codesign[grind]",
    adds="grinds",
    minimum=(2, 10),
    pattern=r"Grinder (\d+(?:\.\d+)+)",
)


@pytest.fixture
def path(monkeypatch, tmp_path):
    """Return a folder that is the whole PATH but for the shell's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.delenv("CODESIGN_GRINDER", raising=False)
    return folder


def write(path, text, *, mode=0o755):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return path


class Distribution:
    """A wheel laid out in a folder."""

    def __init__(self, folder, version):
        self.folder, self.version = folder, version

    def locate_file(self, name):
        return self.folder / name


@pytest.fixture
def wheel(monkeypatch, tmp_path):
    """Return a function that installs a wheel `millstone` of that version."""

    def install(version="3.0"):
        known = importlib.metadata.distribution
        made = Distribution(tmp_path / "site", version)

        def distribution(name):
            return made if name == "millstone" else known(name)

        monkeypatch.setattr(importlib.metadata, "distribution", distribution)
        monkeypatch.setattr(importlib.metadata, "version", lambda name: distribution(name).version)
        return tmp_path / "site"

    return install


WHEEL = dataclasses.replace(TOOL, wheel="millstone", wheel_paths=("millstone/bin/grinder",))


def test_nothing_at_all(path):
    with pytest.raises(ToolNotFound) as caught:
        find(TOOL)
    assert str(caught.value) == (
        "Grinder (grinds) was not found: CODESIGN_GRINDER is not set; looked on PATH for grinder or grinder2. "
        "Install it with `pip install 'codesign[grind]'`, or set CODESIGN_GRINDER to its path."
    )
    with pytest.raises(ToolNotFound, match=r"looked in the wheel 'millstone' \(not installed\) and on PATH"):
        find(WHEEL)
    with pytest.raises(ToolNotFound, match=r"grinder2\. Set CODESIGN_GRINDER to its path"):
        find(dataclasses.replace(TOOL, pip=None))


def test_on_path(path):
    write(path / "grinder2", "echo Grinder 2.10.1 of 1999")
    found = find(TOOL)
    assert (found.path, found.origin, found.version, found.version_text) == (
        path / "grinder2",
        "PATH",
        (2, 10, 1),
        "2.10.1",
    )
    write(path / "grinder", "echo 'Grinder 2.9'")  # 2.9 is older than 2.10, and the next name serves
    assert find(TOOL).path == path / "grinder2"


def test_versions_are_compared_as_numbers(path):
    write(path / "grinder", "echo Grinder 2.9")
    with pytest.raises(
        ToolTooOld, match=r"Grinder must be 2\.10 or newer, but .*/grinder is version 2\.9\. Install it"
    ):
        find(TOOL)
    write(path / "grinder2", "echo Grinder 1.99")
    with pytest.raises(ToolTooOld, match=r"grinder is version 2\.9; .*grinder2 is version 1\.99"):
        find(TOOL)


def test_the_version_may_stand_on_stderr_and_beside_a_bad_exit_code(path):
    write(path / "grinder", "echo 'usage: ...'; echo Grinder 4.0 >&2; exit 3")
    assert find(TOOL).version == (4, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("echo hello", r"does not tell its version \(it printed 'hello'\)"),
        ("true", r"does not tell its version \(it printed ''\)"),
        ("head -c 300000 /dev/zero | tr '\\0' x", r"it printed 'x{80}'"),
        ("printf '\\377\\376 Grinder two'", r"does not tell its version"),
    ],
)
def test_rubbish_instead_of_a_version(path, text, message):
    write(path / "grinder", text)
    with pytest.raises(ToolTooOld, match=message):
        find(TOOL)


def test_a_program_that_hangs_when_asked(path, monkeypatch):
    monkeypatch.setattr(import_module("codesign.tools.find"), "_PROBE_S", 0.3)  # the package has a `find` too
    write(path / "grinder", "exec sleep 60")
    started = time.monotonic()
    with pytest.raises(ToolTooOld, match=r"does not answer within"):
        find(TOOL)
    assert time.monotonic() - started < 10


def test_a_program_of_another_machine(path):
    (path / "grinder").write_bytes(b"\x7fELF rubbish")
    (path / "grinder").chmod(0o755)
    with pytest.raises(ToolTooOld, match=r"cannot be run \(.*Exec format error"):
        find(TOOL)


def test_a_named_program_is_used_or_refused(path, monkeypatch, tmp_path):
    good = write(path / "grinder", "echo Grinder 3.0")
    other = write(tmp_path / "other", "echo Grinder 3.1")
    old = write(tmp_path / "old", "echo Grinder 1.0")
    odd = write(tmp_path / "odd", "echo nothing")
    assert find(TOOL).path == good
    assert (find(TOOL, other).path, find(TOOL, other).origin) == (other, "argument")
    monkeypatch.setenv("CODESIGN_GRINDER", str(other))
    assert (find(TOOL).path, find(TOOL).origin) == (other, "environment")
    assert find(TOOL, good).path == good, "the argument counts before the variable"
    monkeypatch.setenv("CODESIGN_GRINDER", "grinder")  # a name on PATH will do
    assert find(TOOL).path == good
    for stated, error, message in (
        (old, ToolTooOld, r"CODESIGN_GRINDER=.*old is Grinder 1\.0, which must be 2\.10 or newer"),
        (odd, ToolTooOld, r"odd does not tell its version .*; Grinder must be 2\.10 or newer"),
        (tmp_path / "none", ToolNotFound, r"none does not name a program that can be run; Grinder is wanted there"),
        (write(tmp_path / "plain", "echo", mode=0o644), ToolNotFound, "does not name a program that can be run"),
    ):
        monkeypatch.setenv("CODESIGN_GRINDER", str(stated))
        with pytest.raises(error, match=message):
            find(TOOL)
    with pytest.raises(ToolTooOld, match="the path given, .*old, is Grinder"):
        find(TOOL, old)


def test_the_wheel_comes_before_path_or_after(path, wheel):
    site = wheel()
    inside = write(site / "millstone/bin/grinder", "echo Grinder 3.0")
    outside = write(path / "grinder", "echo Grinder 9.0")
    assert (find(WHEEL).path, find(WHEEL).origin) == (inside, "wheel")
    later = dataclasses.replace(WHEEL, wheel_first=False)
    assert (find(later).path, find(later).origin) == (outside, "PATH")
    write(path / "grinder", "echo Grinder 1.0 of long ago")
    assert find(later).path == inside, "a too old system program gives way"


def test_the_wheel_s_environment(path, wheel):
    site = wheel()
    write(site / "millstone/bin/grinder", 'echo "Grinder ${STONES##*/}.${FLAGS-7}"')
    tool = dataclasses.replace(WHEEL, environment={"STONES": "{site}/3", "FLAGS": None})
    found = find(tool)
    assert found.version == (3, 7)
    assert found.environment == {"STONES": f"{site}/3", "FLAGS": None}
    on_path = write(path / "grinder", "echo Grinder 3.5")
    assert find(tool, on_path).environment == {}, "it is the wheel's alone"


def test_a_wheel_whose_program_does_not_know_its_version(path, wheel):
    site = wheel("2.11.post3")
    write(site / "millstone/bin/grinder", "echo Grinder UNKNOWN")
    assert find(WHEEL).version == (2, 11)
    write(path / "grinder", "echo Grinder UNKNOWN")
    with pytest.raises(ToolTooOld, match="does not tell its version"):
        find(TOOL)


def test_a_program_is_asked_once_and_again_when_it_changes(path, tmp_path):
    log = tmp_path / "asked"
    program = write(path / "grinder", f"echo x >> {log}; echo Grinder 3.0")
    assert find(TOOL) == find(TOOL)
    assert log.read_text() == "x\n"
    time.sleep(0.02)
    write(program, f"echo x >> {log}; echo Grinder 3.1")
    assert find(TOOL).version == (3, 1) and log.read_text() == "x\nx\n"


def test_wheel_version():
    assert wheel_version("pytest") == pytest.__version__
    assert wheel_version("no-such-distribution") is None
