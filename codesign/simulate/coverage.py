"""What a simulation reached, counted: groups of named things that can occur, and how often each of them did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Coverage", "Group", "merge"]


@dataclass(frozen=True)
class Group:
    """Things of one kind that can occur, each with its count; `unit` is what is counted.

    unexpected: things that occurred though nothing says that they can.
    """

    name: str
    unit: str
    counts: Mapping[str, int]
    unexpected: Mapping[str, int]

    @property
    def reached(self) -> int:
        """How many of the things occurred."""
        return sum(count > 0 for count in self.counts.values())

    @property
    def missed(self) -> tuple[str, ...]:
        """The things that did not occur, by name."""
        return tuple(name for name, count in self.counts.items() if not count)

    def __str__(self) -> str:
        return f"{self.reached} of {len(self.counts)} {self.name}"


@dataclass(frozen=True)
class Coverage:
    """Groups of one simulation. origin: which runs were counted."""

    origin: str
    groups: tuple[Group, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.groups))

    def lines(self, *, most: int = 12) -> tuple[tuple[str, str], ...]:
        """Return (group, how much of it was reached, and at `most` of what was not), a pair a group."""
        out: list[tuple[str, str]] = []
        for group in self.groups:
            text = f"{group.reached} of {len(group.counts)}"
            if missed := group.missed:
                more = f", and {len(missed) - most} more" if len(missed) > most else ""
                text += f"; not reached: {', '.join(missed[:most])}{more}"
            if group.unexpected:
                text += f"; not foreseen: {', '.join(group.unexpected)}"
            out.append((group.name, text))
        return tuple(out)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "origin": self.origin,
            "groups": [
                {
                    "name": group.name,
                    "unit": group.unit,
                    "reached": group.reached,
                    "possible": len(group.counts),
                    "missed": list(group.missed),
                    "unexpected": dict(group.unexpected),
                    "counts": dict(group.counts),
                }
                for group in self.groups
            ],
        }


def merge(parts: Iterable[Coverage]) -> Coverage:
    """Add up what several simulations of one design reached; they have the same groups. At least one is needed."""
    found = list(parts)
    groups = [
        Group(
            group.name,
            group.unit,
            {name: sum(part.groups[index].counts[name] for part in found) for name in group.counts},
            {
                name: sum(part.groups[index].unexpected.get(name, 0) for part in found)
                for name in dict.fromkeys(name for part in found for name in part.groups[index].unexpected)
            },
        )
        for index, group in enumerate(found[0].groups)
    ]
    return Coverage(", ".join(part.origin for part in found), tuple(groups))
