"""Runs one external program with a time, memory and log limit, in a folder of its own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesign.errors import ToolFailed, ToolNotFound

__all__ = ["Finished", "run"]

_LOG_LIMIT = 200 * 2**20
_TAIL_LINES = 20
_STOPS = {signal.SIGINT, signal.SIGTERM}
"""Signals that end us in good order, and what we started with us."""

_PR_SET_PDEATHSIG = 1
_libc: Any = ctypes.CDLL(None)


@dataclass(frozen=True)
class Finished:
    """A program that ended with exit code 0: its log's path, wall seconds and peak memory (bytes)."""

    command: str
    log: Path
    wall_s: float
    peak_bytes: int

    @property
    def output(self) -> str:
        """The whole log as text."""
        return self.log.read_text(encoding="utf-8", errors="replace")


def run(
    command: Sequence[str | Path],
    folder: Path,
    *,
    log: str,
    timeout_s: float,
    memory_gb: float | None = None,
    environment: Mapping[str, str | None] | None = None,
    stdin: bytes | None = None,
) -> Finished:
    """Run `command` in `folder`, with stdout and stderr in `folder/log`.

    environment: values to set; None unsets. stdin: what the program reads there; nothing where None. Raises
    ToolFailed (exit code, signal, "timeout", "log limit") with the log's tail, ToolNotFound when the program does not
    exist or cannot be started. The whole process group is killed on a limit and when we are interrupted; the program
    itself also when our process is killed (Linux, PR_SET_PDEATHSIG).
    """
    words = [str(word) for word in command]
    text = shlex.join(words)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / log
    env = {k: v for k, v in {**os.environ, **(environment or {})}.items() if v is not None}

    def limit() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if memory_gb is not None:
            size = int(memory_gb * 2**30)
            resource.setrlimit(resource.RLIMIT_AS, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    started = time.monotonic()
    with path.open("wb") as out, tempfile.TemporaryFile() as given:
        if stdin is not None:  # a file, not a pipe: a program that does not read it must not hold us up
            given.write(stdin)
            given.seek(0)
        child: subprocess.Popen[bytes] | None = None
        try:
            before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)  # none between the start and our knowing of it
            try:
                child = subprocess.Popen(
                    words,
                    cwd=folder,
                    env=env,
                    stdin=given if stdin is not None else subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=limit,
                )
            except FileNotFoundError:
                raise ToolNotFound(f"program {words[0]!r} does not exist; run `cods doctor`") from None
            except PermissionError:
                raise ToolNotFound(f"program {words[0]!r} may not be executed; run `cods doctor`") from None
            except OSError as problem:  # such as "Exec format error": it was built for another machine
                raise ToolNotFound(f"program {words[0]!r} cannot be started ({problem.strerror})") from None
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            status = _wait(child, started + timeout_s, path)
        finally:
            if child is not None:
                _kill_group(child)
    wall = time.monotonic() - started
    if status[0] != 0:
        tail = _tail(path)
        raise ToolFailed(
            f"`{_short(text)}` {_describe(status[0], timeout_s)} after {wall:.1f} s; log: {path}\n{tail}",
            command=text,
            status=status[0],
            log=path,
            tail=tail,
        )
    return Finished(text, path, wall, status[1])


def _wait(child: subprocess.Popen[bytes], deadline: float, log: Path) -> tuple[int | str, int]:
    """Wait for the child; return (exit code or reason, peak bytes)."""
    pause = 0.002
    while True:
        pid, code, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(code)
            return child.returncode, usage.ru_maxrss * 1024
        if time.monotonic() > deadline:
            return "timeout", 0
        if log.stat().st_size > _LOG_LIMIT:
            return "log limit", 0
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    if child.returncode is None:
        child.wait()


def _describe(status: int | str, timeout_s: float) -> str:
    if status == "timeout":
        return f"did not end within {timeout_s:g} s and was killed"
    if status == "log limit":
        return f"wrote more than {_LOG_LIMIT >> 20} MiB of log and was killed"
    if isinstance(status, int) and status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"failed with exit code {status}"


def _short(text: str) -> str:
    return text if len(text) < 200 else text[:197] + "..."


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 8192))
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:])
