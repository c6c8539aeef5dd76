"""The smallest network that is accurate enough: of a row of ever smaller networks few are built."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from codesign.search.jobs import Outcome
from codesign.search.luts.problem import Candidate

__all__ = ["Built", "accuracy", "shrink"]

Built = tuple[Candidate, Outcome]
"""A network that was trained in full and realised; `done` where it keeps every limit."""


def accuracy(outcome: Outcome) -> float:
    """Validation accuracy of a network that was built."""
    return outcome.figures["accuracy_validation"].value


def shrink(
    smaller: Sequence[Candidate], build: Callable[[Sequence[Candidate]], list[Built]], *, floor: float, at_once: int
) -> None:
    """Build networks of a row, the largest first, by bisection: the next are smaller than the smallest that held.

    A network holds that is done and has validation accuracy `floor` or more. at_once: networks that are built between
    two decisions; with n of them 1 / (n + 1) of the row is left.
    """
    first, end = 0, len(smaller)
    while first < end:
        count = min(at_once, end - first)
        places = [first + (end - first) * (i + 1) // (count + 1) for i in range(count)]
        made = build([smaller[place] for place in places])
        held = [place for place, (_, out) in zip(places, made, strict=True) if out.done and accuracy(out) >= floor]
        if held:
            first = held[-1] + 1
        end = min((place for place in places if place >= first), default=end)
