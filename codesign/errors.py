"""Every error that codesign raises on purpose; the command line prints their message and exits with 1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

__all__ = [
    "MALFORMED",
    "CodesignError",
    "ConfigError",
    "DataError",
    "MismatchError",
    "NotProven",
    "RunError",
    "SpaceError",
    "StorageError",
    "TableTooLarge",
    "ToolFailed",
    "ToolNotFound",
    "ToolTooOld",
    "UnsupportedModel",
    "did_you_mean",
    "under",
]

MALFORMED: tuple[type[Exception], ...] = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""What reading a damaged or hand-edited record raises: the file, its JSON, or a value of another type than was written.
Readers catch these around the parsing of one file alone and say which file it was."""


class CodesignError(Exception):
    """Base of all our errors. The message says what must hold, what was met, where, and what to do."""


class ConfigError(CodesignError):
    """A configuration, topology or command line that cannot mean anything legal."""


class SpaceError(CodesignError):
    """A configuration space or a point in it breaks a named rule."""


class StorageError(CodesignError):
    """The storage of a search that cannot be reached, went away, or no longer holds the search."""


class DataError(CodesignError):
    """A data set or stored file that is missing, malformed or damaged."""


class RunError(CodesignError):
    """A run folder that is locked, incomplete or belongs to another configuration."""


class UnsupportedModel(CodesignError):
    """A network with a layer that has no exact table or circuit form."""


class TableTooLarge(CodesignError):
    """A neuron whose truth table would exceed the cap on address bits."""


class MismatchError(CodesignError):
    """Two forms of one network disagree; names layer, neuron, input code, wanted and got."""


class NotProven(CodesignError):
    """A formal proof that did not end within its limits: neither proven nor refuted."""


class ToolNotFound(CodesignError):
    """An external program is absent; the message gives the line that installs it."""


class ToolTooOld(CodesignError):
    """An external program is older than the version that codesign was tested with."""


class ToolFailed(CodesignError):
    """An external program ended badly, timed out, or wrote something that cannot be read.

    `command`, `status` (exit code, or a word such as "timeout"), `log` (path of the full
    output, or None) and `tail` (its last lines) are kept for callers.
    """

    def __init__(self, message: str, *, command: str = "", status: object = None, log: object = None, tail: str = ""):
        super().__init__(message)
        self.command = command
        self.status = status
        self.log = log
        self.tail = tail


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``' Did you mean "x"?'`` for the nearest known word, or an empty string."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f' Did you mean "{near[0]}"?' if near else ""


@contextmanager
def under(key: str) -> Iterator[None]:
    """Say before a ConfigError which key of a file it is about."""
    try:
        yield
    except ConfigError as problem:
        raise ConfigError(f"{key}: {problem}") from None
