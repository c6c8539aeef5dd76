"""Plays the golden run of an emitted engine folder in Verilator; needs nothing but the folder."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from codesign.errors import DataError, ToolFailed
from codesign.resources import resource_dir
from codesign.simulate.engine import build_engine
from codesign.tools import run
from codesign.tools.verilator import Verilator, find_verilator

__all__ = ["Replayed", "replay_engine"]


@dataclass(frozen=True)
class Replayed:
    """What the golden run showed: images compared, counts of cycles compared, and what is wrong with either."""

    images: int
    counts: int
    answers: tuple[str, ...]
    cycles: tuple[str, ...]
    text: str


def replay_engine(
    folder: Path, *, work: Path, timeout_s: float, seed: int = 1, verilator: Verilator | None = None
) -> Replayed:
    """Compile the engine of `folder` (or fetch it) and play vectors/script.txt; compare answers and cycle counters.

    Differences are returned, not raised. A folder without golden vectors, or with damaged ones, is a DataError, a
    simulator that hangs or crashes a ToolFailed.
    """
    path = folder / "vectors" / "program.json"
    try:
        images = len(json.loads(path.read_text(encoding="utf-8"))["answers"])
    except FileNotFoundError:
        raise DataError(f"{path} is missing; emit the design again") from None
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise DataError(f"{path} does not hold golden vectors ({problem!r}); emit the design again") from None
    work.mkdir(parents=True, exist_ok=True)
    built = build_engine(folder, work=work, verilator=verilator or find_verilator(), timeout_s=timeout_s, jobs=2)
    script, report = resource_dir("sim") / "check_engine.py", (work / "replay.json").resolve()
    report.unlink(missing_ok=True)
    command: list[str | Path] = [sys.executable, script, built.program.resolve(), folder.resolve(), str(seed), report]
    log = work / "replay.log"
    try:
        run(command, work, log=log.name, timeout_s=timeout_s)
    except ToolFailed as problem:
        if problem.status != 1:
            raise
    text = log.read_text(encoding="utf-8", errors="replace")
    if not report.is_file():  # it ended before it could compare: what it printed says why
        return Replayed(images, 0, (text.strip() or "the simulation ended without a word",), (), text)
    found = json.loads(report.read_text(encoding="utf-8"))
    return Replayed(found["images"], found["counts"], tuple(found["answers"]), tuple(found["cycles"]), text)
