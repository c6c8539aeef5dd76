"""What an illegal input is: a legal one with one named defect, and the words that must stand in every refusal of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from codesign.errors import CodesignError

__all__ = ["Illegal", "refused"]

Value = TypeVar("Value")


@dataclass(frozen=True)
class Illegal(Generic[Value]):
    """A value that must be refused.

    defect: what was done to a legal one, for messages of tests. named: words that the error's message must hold: the
    rule, or the field with where it stands.
    """

    value: Value
    defect: str
    named: tuple[str, ...]


def refused(illegal: Illegal[Value], read: Callable[[Value], object]) -> CodesignError:
    """Return the error by which `read` refuses the value; an AssertionError where it takes it or does not say why.

    An exception that is no CodesignError passes through.
    """
    try:
        read(illegal.value)
    except CodesignError as problem:
        said = str(problem)
        missing = [word for word in illegal.named if word not in said]
        if missing:
            raise AssertionError(f"{illegal.defect}: the refusal must name {missing}, but says: {said}") from problem
        return problem
    raise AssertionError(f"{illegal.defect}: it was not refused: {illegal.value}")
