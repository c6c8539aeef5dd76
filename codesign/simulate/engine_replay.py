"""Plays the golden run of an emitted engine folder in Verilator; needs nothing but the folder."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from codesign.errors import MALFORMED, DataError, ToolFailed
from codesign.resources import resource_dir
from codesign.simulate.engine import build_engine
from codesign.simulate.engine_bench import WATCHED
from codesign.simulate.engine_failure import Failed
from codesign.tools import run
from codesign.tools.verilator import Verilator, find_verilator

__all__ = ["Replayed", "read_replayed", "replay_engine"]


@dataclass(frozen=True)
class Replayed:
    """What the golden run showed: images compared, counts of cycles compared, and what is wrong with either.

    image: the first whose answers are wrong; layer: the first whose cycles are; None where there is none.
    program: the compiled engine; watch: the file with the counts of states and events (`read_watch`).
    """

    images: int
    counts: int
    answers: tuple[str, ...]
    cycles: tuple[str, ...]
    text: str
    image: int | None = None
    layer: int | None = None
    program: Path | None = None
    watch: Path | None = None

    @property
    def wrong(self) -> bool:
        """Whether anything differs."""
        return bool(self.answers or self.cycles)

    def failed(self, folder: Path) -> Failed:
        """Say which image to look at: the first with a wrong answer, else the last, whose cycles are counted."""
        image = self.images - 1 if self.image is None else self.image
        return Failed(folder / "vectors" / "script.txt", image, image, self.layer)


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
    except MALFORMED as problem:
        raise DataError(f"{path} does not hold golden vectors ({problem!r}); emit the design again") from None
    work.mkdir(parents=True, exist_ok=True)
    built = build_engine(folder, work=work, verilator=verilator or find_verilator(), timeout_s=timeout_s, jobs=2)
    script, report = resource_dir("sim") / "check_engine.py", (work / "replay.json").resolve()
    report.unlink(missing_ok=True)
    watch = work.resolve() / WATCHED
    watch.unlink(missing_ok=True)
    command: list[str | Path] = [sys.executable, script, built.program.resolve(), folder.resolve(), str(seed), report]
    command.append(f"+watch={watch}")
    log = work / "replay.log"
    try:
        run(command, work, log=log.name, timeout_s=timeout_s)
    except ToolFailed as problem:
        if problem.status != 1:
            raise
    text = log.read_text(encoding="utf-8", errors="replace")
    if not report.is_file():  # it ended before it could compare: what it printed says why
        return Replayed(images, 0, (text.strip() or "the simulation ended without a word",), (), text)
    return replace(read_replayed(report, text, log=log), program=built.program, watch=watch)


def read_replayed(report: Path, text: str, *, log: Path) -> Replayed:
    """Read what the script that compares has written; a foreign or half-written file is a ToolFailed naming the log."""
    try:
        found = json.loads(report.read_text(encoding="utf-8"))
        said = [tuple(str(line) for line in found[key]) for key in ("answers", "cycles")]
        image, layer = (None if (value := found.get(key)) is None else int(value) for key in ("image", "layer"))
        return Replayed(int(found["images"]), int(found["counts"]), said[0], said[1], text, image, layer)
    except MALFORMED as problem:
        raise ToolFailed(f"{report} cannot be read ({problem!r}); log: {log}", log=log) from None
