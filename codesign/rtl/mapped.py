"""The netlist of a mapped stage: nodes of at most six input bits, each with the mask of its truth table."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CONSTANT", "MappedStage", "Node"]

CONSTANT = (-1, -2)
"""Signal numbers of the constants 0 and 1."""


@dataclass(frozen=True)
class Node:
    """One small truth table: output = bit `address` of `mask`.

    inputs: signal numbers, lowest address bit first: 0 to W-1 are bits of the stage's packed input word, W+k is
            the output of node k. `owner` is the neuron that the node was first made for.
    """

    inputs: tuple[int, ...]
    mask: int
    owner: int


@dataclass(frozen=True)
class MappedStage:
    """Nodes in topological order, and for every neuron the signal number of each bit of its code, lowest first."""

    name: str
    input_bits: int
    nodes: tuple[Node, ...]
    outputs: tuple[tuple[int, ...], ...]
