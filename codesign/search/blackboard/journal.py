"""A journal file as Optuna's storage: locks die with their holder, a line that a killed writer left half is dropped."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend

__all__ = ["JournalFile"]

_PAUSE_S = 0.002

_HEAD = 256
"""Bytes of the first line by which a journal is known again: it names its writer by a random number."""


class JournalFile(BaseJournalBackend):
    """One JSON line a record, in the format of Optuna's own `JournalFileBackend`, which reads the same file.

    What differs: writers hold a lock of the kernel (flock), which ends with the process that holds it, in place of a
    lock file, which a killed process leaves behind; and a file that was removed or replaced is an OSError, where a
    new one would be begun silently in its place.
    """

    def __init__(self, path: Path, *, create: bool, lock_s: float = 30.0):
        """create: begin the file where it is absent; otherwise a FileNotFoundError. lock_s: patience with the lock."""
        self.path = path
        self.lock_s = lock_s
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        path.stat()
        self._head = b""
        self._offsets: dict[int, int] = {0: 0}

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield the whole lines from that number on."""
        with self._opened(os.O_RDONLY) as file:
            known = log_number_from if log_number_from in self._offsets else 0
            offset = self._offsets[known]
            size = os.fstat(file).st_size
            if size < offset:
                raise OSError(errno.EIO, "the journal became shorter", str(self.path))
            data = _read(file, offset, size - offset)
        for number, line in enumerate(data.splitlines(keepends=True), start=known):
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            self._offsets[number + 1] = offset
            if number < log_number_from:
                continue
            try:
                record = json.loads(line)
            except ValueError:
                raise OSError(errno.EIO, f"line {number + 1} of the journal is damaged", str(self.path)) from None
            yield record

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write lines at the end, whole and on disk."""
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with self._opened(os.O_RDWR | os.O_APPEND) as file:
            self._lock(file)
            self._drop_half_line(file)
            while text:
                text = text[os.write(file, text) :]
            os.fsync(file)

    @contextmanager
    def _opened(self, flags: int) -> Iterator[int]:
        file = os.open(self.path, flags | os.O_CLOEXEC)
        try:
            first = os.pread(file, _HEAD, 0)
            if not first.startswith(self._head):
                raise OSError(errno.ESTALE, "the journal was replaced by another file", str(self.path))
            if not self._head and b"\n" in first:
                self._head = first[: first.index(b"\n") + 1]
            elif not self._head and len(first) == _HEAD:
                self._head = first
            yield file
        finally:
            os.close(file)

    def _lock(self, file: int) -> None:
        deadline = time.monotonic() + self.lock_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    text = f"the journal has been locked by another process for {self.lock_s:g} s"
                    raise OSError(errno.EAGAIN, text, str(self.path)) from None
                time.sleep(_PAUSE_S)

    def _drop_half_line(self, file: int) -> None:
        """Cut what a writer that was killed left after the last whole line; nobody has read it."""
        size = os.fstat(file).st_size
        if not size or os.pread(file, 1, size - 1) == b"\n":
            return
        end, step = size, 1 << 16
        while end:
            start = max(0, end - step)
            at = os.pread(file, end - start, start).rfind(b"\n")
            if at >= 0:
                os.ftruncate(file, start + at + 1)
                return
            end = start
        os.ftruncate(file, 0)


def _read(file: int, offset: int, size: int) -> bytes:
    parts: list[bytes] = []
    while size > 0 and (part := os.pread(file, min(size, 1 << 24), offset)):
        parts.append(part)
        offset += len(part)
        size -= len(part)
    return b"".join(parts)
