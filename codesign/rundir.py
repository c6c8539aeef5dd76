"""A run folder: the record of one build, one numbered folder a stage, each whole or absent."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codesign.errors import MALFORMED, CodesignError, RunError

__all__ = ["RunFolder", "digest_json", "is_search", "read_manifest", "write_json"]

_LOCK = ".lock"
_STAMP = "stage.json"


def write_json(path: Path, value: Any) -> None:
    """Write plain data (numpy scalars and arrays allowed) as JSON, whole or not at all."""
    text = json.dumps(value, indent=2, sort_keys=False, default=_plain, allow_nan=False) + "\n"
    write_text(path, text)


def write_text(path: Path, text: str) -> None:
    """Write a text file under a temporary name, then rename it."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except OSError as problem:
        part.unlink(missing_ok=True)
        raise disk_error(problem, path) from None


def read_json(path: Path) -> Any:
    """Read a JSON file of a run; a missing or damaged one is a RunError that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path} is missing; run the stage that writes it, or `cods resume` the run") from None
    except MALFORMED as problem:
        raise RunError(f"{path} cannot be read ({problem}); delete its stage folder and run `cods resume`") from None


def is_search(run: Path) -> bool:
    """Whether a folder is that of a search, not of a build."""
    manifest = run / "manifest.json"
    if not manifest.is_file():
        return False
    found = read_json(manifest)
    return isinstance(found, dict) and found.get("kind") == "search"


def read_manifest(run: Path) -> dict[str, Any]:
    """Read a run's manifest; a missing or damaged one is a RunError that says how it is written again."""
    path = run / "manifest.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and found.get("kind") == "search":
            raise RunError(_search_told(run))
        if isinstance(found, dict) and {"name", "folder", "keys", "config_digest"} <= found.keys():
            return found
        problem: object = "an entry is missing"
    except MALFORMED as error:
        problem = error
    raise RunError(
        f"{path} cannot be read ({problem}); build the run again with `cods build CONFIG --run {run}` and the "
        "configuration that it was made from: finished stages are kept"
    )


def _search_told(run: Path) -> str:
    """What the folder of a search is, and which command fits what it holds."""
    told = f"{run} is the folder of a search, not of a build. `cods resume {run}` goes on with it or writes its report"
    best, design = _returned(run), run / "design"
    if best is not None and (best / "manifest.json").is_file():
        return f"{told}; the design that it returned is a run of its own: give {best}"
    if (design / "design.json").is_file():
        return f"{told}; `cods ci {design}` checks the Verilog that it returned once more"
    if (design / "README.md").is_file():
        return f"{told}; {design / 'README.md'} says how the hardware that it returned is simulated"
    if best is not None:
        return f"{told}; it returned no Verilog that could be checked"
    return f"{told}; it has no result yet"


def _returned(run: Path) -> Path | None:
    """The folder of the job whose design a search returned; None where it has no result."""
    path = run / "result.json"
    found = read_json(path) if path.is_file() else None
    if not isinstance(found, dict):
        return None
    if "arms" in found:
        found = found["arms"][found["best"]]["best"]
    folder = str(found.get("folder") or "jobs")
    return run / folder  # an absolute one stays what it is


def disk_error(problem: OSError, path: Path) -> CodesignError:
    """Turn a failed write into an error that says what to do; finished stages are never touched."""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunError(
            f"the disk is full while writing {path}; finished stages are kept: free space and run `cods resume`"
        )
    return RunError(f"cannot write {path}: {problem.strerror or problem}")


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


def digest_json(value: Any) -> str:
    """SHA-256 of plain data in canonical JSON, 64 hex digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run. Use `locked()` around everything that writes."""

    path: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for writing; a second process is refused with a RunError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = (self.path / _LOCK).open("a+")
        except OSError as problem:
            raise disk_error(problem, self.path) from None
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(
                    f"{self.path} is in use by another process; wait for it or choose another --run"
                ) from None
            yield

    def folder(self, stage: str) -> Path:
        """The folder of a finished stage, such as `3_extract`."""
        return self.path / stage

    def stamp(self, stage: str) -> dict[str, Any] | None:
        """What is recorded of a finished stage (key, seconds, digests of files), or None where it is absent."""
        path = self.folder(stage) / _STAMP
        if not path.is_file():
            return None
        found = read_json(path)
        if (
            not isinstance(found, dict)
            or not isinstance(found.get("key"), str)
            or not isinstance(found.get("files"), dict)
            or not isinstance(found.get("made_from", {}), dict)
        ):
            raise RunError(f"{path} is not as a stage writes it; delete its stage folder and run `cods resume`")
        return found

    def content(self, stage: str) -> str:
        """A digest of all files of a finished stage as they were written; "" where it is absent."""
        stamp = self.stamp(stage)
        return digest_json(stamp.get("files", {})) if stamp is not None else ""

    def done(self, stage: str, key: str, sources: Sequence[str] = ()) -> bool:
        """True when the stage is there, was made for the same key from what `sources` hold, and is as it was written.

        sources: the stages that it reads.
        """
        stamp = self.stamp(stage)
        if stamp is None or stamp["key"] != key or self.damage(stage) is not None:
            return False
        return stamp.get("made_from", {}) == {name: self.content(name) for name in sources}

    def damage(self, stage: str) -> Path | None:
        """The first file of a finished stage that is not as the stage wrote it (changed or missing), or None."""
        stamp = self.stamp(stage) or {}
        folder = self.folder(stage)
        for name, digest in stamp.get("files", {}).items():
            if _file_digest(folder / name) != digest:
                return folder / name
        return None

    def need(self, stage: str) -> Path:
        """The folder of a stage that must be finished, else a RunError."""
        if self.stamp(stage) is None:
            raise RunError(f"{self.path} has no finished stage {stage}; run `cods resume {self.path}`")
        return self.folder(stage)

    def compute(
        self,
        stage: str,
        key: str,
        work: Callable[[Path], None],
        *,
        sources: Sequence[str] = (),
        keep_partial: bool = False,
    ) -> bool:
        """Run `work(folder)` unless the stage is `done` for this key and these sources; return True if it ran.

        The work is done in `.STAGE.partial`, renamed when whole. With `keep_partial` a partial folder of the
        same key is handed to `work` again, which then goes on where it was killed.
        """
        if self.done(stage, key, sources):
            return False
        partial = self.path / f".{stage}.partial"
        mark = partial / ".key"
        try:
            if partial.exists() and not (keep_partial and mark.is_file() and mark.read_text() == key):
                shutil.rmtree(partial)
            partial.mkdir(parents=True, exist_ok=True)
            mark.write_text(key)
            started = time.monotonic()
            work(partial)
            mark.unlink()
            seconds = round(time.monotonic() - started, 3)
            files = {path.relative_to(partial).as_posix(): _file_digest(path) for path in _files(partial)}
            made_from = {name: self.content(name) for name in sources}
            stamp = {"stage": stage, "key": key, "made_from": made_from, "seconds": seconds, "files": files}
            write_json(partial / _STAMP, stamp)
            target = self.folder(stage)
            if target.exists():
                old = self.path / f".{stage}.old"
                shutil.rmtree(old, ignore_errors=True)
                target.rename(old)
                partial.rename(target)
                shutil.rmtree(old)
            else:
                partial.rename(target)
        except OSError as problem:
            raise disk_error(problem, partial) from problem
        return True


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _file_digest(path: Path) -> str | None:
    """SHA-256 of a file; None where it is missing or cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
