"""Calls of functions that may raise, return nonsense or never end: in a process of their own, with a time limit."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

__all__ = ["Guard", "told"]


class Guard:
    """Calls one function in a forked process that is stopped, and started anew, where a call takes too long.

    The process is a copy of this one, so the function may be anything (a method of a user's own class too), but what it
    changes is lost where it was stopped. `close` ends it; so does the end of this process.
    """

    def __init__(self, function: Callable[[Any], Any], *, limit_s: float):
        self.function, self.limit_s = function, limit_s
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def __call__(self, argument: Any) -> tuple[Any, str]:
        """Return the function's value and "", or None and what went wrong."""
        if self._process is None or self._pipe is None:
            self._start()
        assert self._pipe is not None
        self._pipe.send(argument)
        try:
            if self._pipe.poll(self.limit_s):
                value, problem = self._pipe.recv()
                return value, problem
        except EOFError:
            self.close()
            return None, "the process that evaluated it ended"
        self.close()
        return None, f"took more than {self.limit_s:g} s and was stopped"

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None

    def _start(self) -> None:
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(self.function, theirs, self._pipe), daemon=True)
        self._process.start()
        theirs.close()


def told(problem: BaseException) -> str:
    """An error of a user's own function, as a report names it."""
    return f"{type(problem).__name__}: {problem}"


def _serve(function: Callable[[Any], Any], pipe: Connection, other: Connection) -> None:
    other.close()
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            argument = pipe.recv()
            try:
                answer = function(argument), ""
            except Exception as problem:  # noqa: BLE001 - whatever a user's own function raises is a failed trial
                answer = None, told(problem)
            pipe.send(answer)
