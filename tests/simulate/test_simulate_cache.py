"""A compiled simulator is found again though its tools were installed anew, elsewhere and later; not after a change."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from codesign.simulate import build
from codesign.simulate.build import build_bench
from codesign.simulate.cache import file_digest
from codesign.tools.verilator import Verilator


@dataclasses.dataclass(frozen=True)
class Tiny:
    top: str = "tiny"
    sources: tuple[str, ...] = ("tiny.v",)

    def save(self, folder: Path) -> None:
        (folder / "design.json").write_text("{}")


def installed(folder: Path, text: str = "the program") -> Verilator:
    """A Verilator of two files, as a package manager puts it there."""
    folder.mkdir(parents=True)
    for name in ("verilator", "verilator_bin"):
        (folder / name).write_text(text)
    return Verilator(folder / "verilator", "5.48.0", {}, ())


def test_the_same_tools_anew_find_what_was_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "tiny.v").write_text("module tiny; endmodule\n")
    compiled: list[list[str]] = []

    def run(command: list[str | Path], folder: Path, **named: object) -> None:
        compiled.append([str(word) for word in command])
        if Path(command[0]).name == "verilator":
            (folder / "obj").mkdir()
            (folder / "obj" / "Vtiny").write_text("#!/bin/sh\n")
            (folder / "obj" / "Vtiny").chmod(0o755)
        elif command[0] == "ar":
            Path(command[2]).write_text("")

    monkeypatch.setattr(build, "run", run)

    def compile_with(verilator: Verilator, name: str) -> bool:
        work = tmp_path / name
        work.mkdir()
        found = build_bench(
            Tiny(), tmp_path, {"main.cpp": b"int main;"}, prefix="Vtiny", verilator=verilator, work=work, timeout_s=60
        )
        assert os.access(found.program, os.X_OK)
        return found.cached

    first = installed(tmp_path / "here")
    assert not compile_with(first, "a") and compile_with(first, "b")
    anew = installed(tmp_path / "there")
    os.utime(anew.path, (1, 1))
    assert compile_with(anew, "c"), "the same bytes elsewhere, with another time"
    assert not compile_with(installed(tmp_path / "other", "another program"), "d")
    (tmp_path / "tiny.v").write_text("module tiny; wire a; endmodule\n")
    assert not compile_with(anew, "e"), "other Verilog"
    assert any("main.cpp" in command for command in compiled)


def test_a_digest_is_of_the_bytes_that_are_there_now(tmp_path: Path) -> None:
    one = tmp_path / "one"
    one.write_text("x")
    before = file_digest(one)
    assert before == file_digest(Path(shutil.copy(one, tmp_path / "two")))
    one.write_text("longer")
    assert file_digest(one) != before and file_digest(tmp_path / "none") == ""
