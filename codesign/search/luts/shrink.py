"""The smallest network that is accurate enough: of a row of ever smaller networks few are built."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from codesign.search.jobs import Outcome
from codesign.search.luts.problem import Candidate

__all__ = ["Built", "accuracy", "holds", "shrink"]

Built = tuple[Candidate, Outcome]
"""A network that was trained in full and realised; `done` where it keeps every limit."""


def accuracy(outcome: Outcome) -> float:
    """Validation accuracy of a network that was built."""
    return outcome.figures["accuracy_validation"].value


def holds(outcome: Outcome, floor: float) -> bool:
    """Whether a network was built within all limits and is accurate enough; the last digits do not matter."""
    return outcome.done and accuracy(outcome) >= floor - 1e-9


def shrink(
    smaller: Sequence[Candidate], build: Callable[[Sequence[Candidate]], list[Built]], *, floor: float, at_once: int
) -> None:
    """Build networks of a row, the largest first, by bisection: the next are smaller than the smallest that held.

    A network holds that is done and has validation accuracy `floor` or more. at_once: networks that are built between
    two decisions; with n of them 1 / (n + 1) of the row is left. One without an accuracy, since its build failed, says
    nothing: it is left out, and its neighbours are asked.
    """
    left = list(smaller)
    while left:
        count = min(at_once, len(left))
        places = [len(left) * (i + 1) // (count + 1) for i in range(count)]
        made = build([left[place] for place in places])
        told = {
            place: out for place, (_, out) in zip(places, made, strict=True) if "accuracy_validation" in out.figures
        }
        first = max((place + 1 for place, out in told.items() if holds(out, floor)), default=0)
        end = min((place for place in told if place >= first), default=len(left))
        left = [one for place, one in enumerate(left) if first <= place < end and place not in places]
