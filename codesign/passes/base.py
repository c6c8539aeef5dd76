"""What a pass is: a named, lossless step from one legal network to another, with an account of what it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from codesign.errors import DataError
from codesign.ir import LutNetwork, check

__all__ = ["Details", "Pass", "lossless"]

Details: TypeAlias = dict[str, int]
"""Counts that a pass states beyond the sizes, by name ("neurons_exact": 31)."""


@dataclass(frozen=True)
class Pass:
    """A named pass; calling it takes a legal network and returns a legal network, the same object if nothing changed.

    name:        as written in a `passes` list.
    description: one line.
    body:        network to (network, details); `lossless` makes a Pass of such a function.
    """

    name: str
    description: str
    body: Callable[[LutNetwork], tuple[LutNetwork, Details]]

    def __call__(self, network: LutNetwork) -> LutNetwork:
        """Return the network after the pass; an illegal network is a DataError."""
        return self.apply(network)[0]

    def apply(self, network: LutNetwork) -> tuple[LutNetwork, Details]:
        """Return the network after the pass and what the pass counted. Legality is checked before and after."""
        check(network)
        result, details = self.body(network)
        if result == network:
            return network, details
        try:
            check(result)
        except DataError as problem:
            raise DataError(f"pass {self.name!r} made an illegal network: {problem}; this is a defect in it") from None
        if result.outputs != network.outputs or result.inputs != network.inputs:
            raise DataError(
                f"pass {self.name!r} must keep the network's inputs and answers, but made {result.inputs} -> "
                f"{result.outputs} of {network.inputs} -> {network.outputs}; this is a defect in it"
            )
        return result, details


def lossless(description: str) -> Callable[[Callable[[LutNetwork], tuple[LutNetwork, Details]]], Pass]:
    """Make a Pass of a function from network to (network, details); the function's name is the pass's."""

    def make(body: Callable[[LutNetwork], tuple[LutNetwork, Details]]) -> Pass:
        made = Pass(body.__name__, description, body)
        object.__setattr__(made, "__doc__", body.__doc__)
        return made

    return make
