"""Keeps compiled simulators, each under a digest of all that it was made from; safe to delete at any time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

__all__ = ["BuildCache", "cache_folder", "digest", "file_digest"]

LIMIT_BYTES = 1 << 30
"""Size above which the entries that were used longest ago are removed."""


def cache_folder() -> Path:
    """Where compiled simulators are kept: CODESIGN_CACHE, else ~/.cache/codesign, each with /verilator after it."""
    stated = os.environ.get("CODESIGN_CACHE")
    return (Path(stated) if stated else Path.home() / ".cache" / "codesign") / "verilator"


def digest(parts: Iterable[str | bytes]) -> str:
    """Return the sha256 of `parts`, each preceded by its length, so that no two lists of parts share one."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(f"{len(data)}:".encode())
        state.update(data)
    return state.hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's bytes, read once as long as it is not written; "" where there is none."""
    resolved = path.resolve()
    try:
        state = resolved.stat()
    except OSError:
        return ""
    return _file_digest(resolved, state.st_size, state.st_mtime_ns)


@lru_cache
def _file_digest(path: Path, size: int, written: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class BuildCache:
    """A folder of entries `<digest>/`, each a few files, written under another name and renamed whole.

    Several processes may share it. A cache that cannot be written is as good as an empty one.
    """

    def __init__(self, folder: Path | None = None, *, limit_bytes: int = LIMIT_BYTES):
        """`folder`: see `cache_folder` for the default."""
        self.folder = folder if folder is not None else cache_folder()
        self.limit_bytes = limit_bytes

    def fetch(self, key: str, target: Path) -> bool:
        """Copy the files of entry `key` into the folder `target`; False where there is no such entry."""
        entry = self.folder / key
        try:
            os.utime(entry)
            target.mkdir(parents=True, exist_ok=True)
            for file in entry.iterdir():
                shutil.copy2(file, target / file.name)
        except OSError:  # absent, or removed by another process just now
            return False
        return True

    def store(self, key: str, files: Iterable[Path]) -> None:
        """Add an entry that holds copies of `files`; an entry that another process has added meanwhile stays."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
            try:
                for file in files:
                    shutil.copy2(file, fresh / file.name)
                fresh.chmod(0o755)
                fresh.rename(self.folder / key)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
            self._trim()

    def discard(self, key: str) -> None:
        """Remove an entry that turned out to be unusable."""
        shutil.rmtree(self.folder / key, ignore_errors=True)

    def _trim(self) -> None:
        """Remove the entries used longest ago until the rest fits; half-written ones of dead processes age as well."""
        entries: list[tuple[float, int, Path]] = []
        for entry in self.folder.iterdir():
            with contextlib.suppress(OSError):
                size = sum(file.stat().st_size for file in entry.iterdir())
                entries.append((entry.stat().st_mtime, size, entry))
        total = sum(size for _, size, _ in entries)
        for _, size, entry in sorted(entries)[:-1]:
            if total <= self.limit_bytes:
                return
            shutil.rmtree(entry, ignore_errors=True)
            total -= size
