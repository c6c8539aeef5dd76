"""Runs one input under a limit of CPU time: a result or an error of ours is right, anything else is a defect."""

from __future__ import annotations

import resource
import signal
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from codesign.errors import CodesignError

__all__ = ["CPU_LIMIT_S", "MEMORY_LIMIT", "TooSlow", "defect", "limit_memory"]

CPU_LIMIT_S = 5.0
"""CPU seconds that one input may take."""

MEMORY_LIMIT = 3 << 29
"""Bytes of address space that a process may take beyond what it has before its first input: 1.5 GiB."""


class TooSlow(BaseException):
    """Raised by the timer. No handler of `Exception` can swallow it."""


def limit_memory() -> None:
    """Hold this process to MEMORY_LIMIT more than it has now: what asks for more meets a MemoryError."""
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY_LIMIT, resource.RLIM_INFINITY))


def defect(act: Callable[[], object], *, named: str | None = None, limit_s: float = CPU_LIMIT_S) -> tuple[str, bool]:
    """Run `act`; return ("", whether it gave a result) where it did what it may, else what is wrong.

    named: what the message of an error must hold, such as the file's name.
    """

    def late(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, limit_s)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            act()
    except CodesignError as problem:
        said = str(problem)
        if not said.strip():
            return f"{type(problem).__name__} without a message", False
        if named is not None and named not in said:
            return f"{type(problem).__name__} does not name {named!r}: {said[:300]}", False
        return "", False
    except TooSlow:
        return f"took more than {limit_s:g} s of CPU", False
    except Exception as problem:  # noqa: BLE001 - that is what is looked for
        frame = traceback.extract_tb(problem.__traceback__)
        ours = [one for one in frame if "/codesign/" in one.filename] or list(frame)
        where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno} in {ours[-1].name}"
        return f"{type(problem).__name__}: {str(problem)[:200]} ({where})", False
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return "", True
