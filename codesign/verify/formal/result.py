"""What a formal check says: proven, refuted with a counter-example, or not proven; and the table of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich.table import Table

from codesign.errors import MismatchError, NotProven

__all__ = ["Outcome", "Proof", "Tally", "formal_table", "require_proven"]

Outcome = Literal["proven", "refuted", "not proven", "by parts"]
"""by parts: it did not end as a whole, and follows from the other properties of the run, where those are proven."""

_OUTCOMES: tuple[Outcome, ...] = ("proven", "refuted", "not proven", "by parts")


@dataclass(frozen=True)
class Proof:
    """One statement and what became of it.

    subject: what it is about, such as "stage l0, neuron 3". how: who proved it.
    inputs:  assignments that it holds for: rows of a table that can occur, or two to the number of free bits.
    detail:  of a refuted one the counter-example, of one that was not proven the reason.
    """

    subject: str
    outcome: Outcome
    how: str
    inputs: int
    detail: str = ""


@dataclass(frozen=True)
class Tally:
    """All proofs of one property of a run; `note` says what it rests on, or what it does not cover."""

    name: str
    proofs: tuple[Proof, ...]
    seconds: float
    note: str = ""
    methods: dict[str, int] = field(default_factory=dict[str, int])

    @classmethod
    def of(cls, name: str, proofs: Iterable[Proof], *, seconds: float, note: str = "") -> Tally:
        """Count the methods of the proofs."""
        kept = tuple(proofs)
        methods: dict[str, int] = {}
        for proof in kept:
            if proof.outcome == "proven":
                methods[proof.how] = methods.get(proof.how, 0) + 1
        return cls(name, kept, seconds, note, methods)

    def count(self, outcome: Outcome) -> int:
        """How many have this outcome."""
        return sum(proof.outcome == outcome for proof in self.proofs)

    @property
    def inputs(self) -> int:
        """The sum of the inputs of what was proven."""
        return sum(proof.inputs for proof in self.proofs if proof.outcome == "proven")


def formal_table(tallies: Sequence[Tally]) -> Table:
    """The properties as a table, with what was proven, refuted and left open."""
    table = Table(title="formal proofs")
    table.add_column("property")
    for column in ("proven", "refuted", "not proven", "by parts", "inputs", "seconds"):
        table.add_column(column, justify="right")
    table.add_column("by")
    for tally in tallies:
        by = ", ".join(f"{how} {count}" for how, count in sorted(tally.methods.items()))
        counts = [str(tally.count(outcome)) for outcome in _OUTCOMES]
        table.add_row(tally.name, *counts, _amount(tally.inputs), f"{tally.seconds:.1f}", by)
    return table


def _amount(number: int) -> str:
    return f"{number:,}" if number < 10**12 else f"{number:.1e}"


def require_proven(tallies: Sequence[Tally]) -> None:
    """Raise MismatchError where something is refuted, NotProven where something is open."""
    refuted = [(t.name, p) for t in tallies for p in t.proofs if p.outcome == "refuted"]
    if refuted:
        name, proof = refuted[0]
        more = f" ({len(refuted) - 1} more are refuted)" if len(refuted) > 1 else ""
        raise MismatchError(f"{name}: {proof.subject}: {proof.detail}{more}")
    unproven = [(t.name, p) for t in tallies for p in t.proofs if p.outcome == "not proven"]
    if unproven:
        lines = "\n".join(f"  {name}: {proof.subject}: {proof.detail}" for name, proof in unproven[:10])
        more = f"\n  and {len(unproven) - 10} more" if len(unproven) > 10 else ""
        raise NotProven(f"{len(unproven)} statements were not proven; none of them was refuted:\n{lines}{more}")
