"""What a command that is stopped says: how to go on, once there is something to go on with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["begins", "hint"]

_Stamp = tuple[int, int] | None
_open: list[tuple[Path | None, str, _Stamp]] = []
"""A command's folder, how it goes on, and the folder's manifest before the command; the innermost last."""


@contextmanager
def begins(run: Path | None = None, *, again: str = "", known: bool = False) -> Iterator[None]:
    """What runs inside writes a run folder, which `cods resume` goes on with from its manifest on.

    again: what goes on in place of `cods resume RUN`, at any time. known: the folder stands already, and is this
    command's own.
    """
    _open.append((run, again, None if known or run is None else _stamp(run)))
    try:
        yield
    finally:
        _open.pop()


def hint() -> str:
    """How to go on with what the command in hand did so far; "" of a command that leaves nothing to go on with."""
    if not _open:
        return ""
    run, again, before = _open[-1]
    if again:
        return f"what is finished is kept: {again} goes on"
    if run is None or not (run / "config.yaml").is_file() or _stamp(run) in (None, before):
        return "nothing was begun"
    return f"what is finished is kept: `cods resume {run}` goes on"


def _stamp(run: Path) -> _Stamp:
    """Which writing of the manifest stands; it is written under another name, then renamed."""
    try:
        found = (run / "manifest.json").stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
