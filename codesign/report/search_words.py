"""How a search's report calls what was made of its result: synthesised, simulated alone, or costed alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Words", "words_of"]


@dataclass(frozen=True)
class Words:
    """title: of the result; note: what was done to it, in sentences; designs, tried: of the table of all designs."""

    title: str
    note: str
    designs: str
    built: bool


def words_of(result: Mapping[str, Any]) -> Words:
    """Say what was done to the design that is returned, no more and no less."""
    best = result["arms"][result["best"]]["best"]
    measured, figures = best["measured"], best["figures"]
    origins = {name: origin for name, (_, _, origin) in figures.items()}
    rest = [name for name, origin in origins.items() if origin not in ("simulated", "synthesised", "routed")]
    left = (
        f"; {', '.join(rest)} {'are' if len(rest) > 1 else 'is'} by the model, with the origin that it gives"
        if rest
        else ""
    )
    if not measured:
        return Words(
            "the point that was found: costed alone, nothing was built",
            "Nothing was built: every figure is what the family's cost function says, under the origin that it gives.",
            "Points that were costed for the result",
            False,
        )
    if "synthesised" in origins.values():
        routed = ", placed and routed" if "routed" in origins.values() else ""
        done = "generated, simulated, synthesised" + routed
        note = (
            f"The design was generated, linted, simulated bit for bit against its network, synthesised{routed}{left}."
        )
        return Words(f"the design that was built: {done}", note, "Designs that were built", True)
    return Words(
        "the design that was built: generated and simulated, not synthesised",
        f"The design was generated and simulated bit for bit against its network. It was not synthesised{left}.",
        "Designs that were built",
        True,
    )
