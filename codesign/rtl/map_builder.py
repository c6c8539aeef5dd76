"""Builds netlists of small nodes; equal nodes are made once, constants, inverters and unused inputs vanish."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from codesign.rtl.mapped import CONSTANT, HIGH, LOW, Netlist, Node

__all__ = ["Builder", "cofactor", "opposite"]


@cache
def _rows_with(width: int, position: int) -> int:
    """Return the mask of a node of `width` inputs that copies input `position`."""
    return sum(1 << row for row in range(1 << width) if row >> position & 1)


def cofactor(mask: int, width: int, position: int, value: int) -> int:
    """Return the mask of width - 1 inputs that is left when input `position` is held at `value`."""
    block = 1 << position
    ones = (1 << block) - 1
    out = 0
    for at, start in enumerate(range(value * block, 1 << width, 2 * block)):
        out |= (mask >> start & ones) << at * block
    return out


def _flip(mask: int, width: int, position: int) -> int:
    """Return the mask with input `position` inverted."""
    high = _rows_with(width, position)
    return (mask & high) >> (1 << position) | (mask << (1 << position) & high)


def _merge(mask: int, width: int, kept: int, gone: int) -> int:
    """Return the mask of width - 1 inputs where input `gone` is the same signal as input `kept` (kept < gone)."""
    low, high = cofactor(mask, width, gone, 0), cofactor(mask, width, gone, 1)
    rows = _rows_with(width - 1, kept)
    return (low & ~rows) | (high & rows)


def _permute(mask: int, order: Sequence[int]) -> int:
    """Return the mask whose input i is input order[i] of the given one."""
    if list(order) == sorted(order):
        return mask
    out = 0
    for row in range(1 << len(order)):
        address = 0
        for new, old in enumerate(order):
            address |= (row >> new & 1) << old
        out |= (mask >> address & 1) << row
    return out


def opposite(literal: int) -> int:
    """Return the literal of the inverted signal."""
    return literal ^ 1


class Builder:
    """Collects nodes over `input_bits` input bits.

    A literal is twice a number plus 1 if inverted; number 0 is the constant 0, then come the input bits, then the
    nodes. Inversions cost nothing inside: they move into the readers' masks.
    """

    def __init__(self, input_bits: int):
        self.input_bits = input_bits
        self._nodes: list[tuple[tuple[int, ...], int]] = []
        self._owners: list[int] = []
        self._known: dict[tuple[tuple[int, ...], int], int] = {}

    def constant(self, value: int) -> int:
        """Return the literal of a constant bit."""
        return value & 1

    def input(self, bit: int) -> int:
        """Return the literal of an input bit."""
        return 2 * (1 + bit)

    def node(self, literals: Sequence[int], mask: int, *, owner: int = 0) -> int:
        """Return the literal of a node, literals[0] the lowest address bit; an equal node is made only once."""
        width = len(literals)
        signals: list[int] = []
        for literal in literals:
            position = len(signals)
            signal, inverted = literal >> 1, literal & 1
            if not signal:
                mask = cofactor(mask, width, position, inverted)
                width -= 1
                continue
            if inverted:
                mask = _flip(mask, width, position)
            if signal in signals:
                mask = _merge(mask, width, signals.index(signal), position)
                width -= 1
                continue
            signals.append(signal)
        for position in reversed(range(width)):
            low, high = cofactor(mask, width, position, 0), cofactor(mask, width, position, 1)
            if low == high:
                mask, width = low, width - 1
                del signals[position]
        order = sorted(range(width), key=signals.__getitem__)
        mask = _permute(mask, order)
        inputs = tuple(signals[i] for i in order)
        inverted = mask & 1
        if inverted:
            mask ^= (1 << (1 << width)) - 1
        if not width:
            return inverted
        if width == 1:  # in this phase it can only copy its input
            return 2 * inputs[0] + inverted
        key = (inputs, mask)
        if key not in self._known:
            self._known[key] = len(self._nodes)
            self._nodes.append(key)
            self._owners.append(owner)
        return 2 * (1 + self.input_bits + self._known[key]) + inverted

    def include(self, netlist: Netlist, literals: Sequence[int], *, owner: int = 0) -> list[int]:
        """Add a whole netlist whose input bits are the given literals; return the literals of its outputs."""
        made = list(literals)

        def literal(signal: int) -> int:
            return CONSTANT.index(signal) if signal < 0 else made[signal]

        for node in netlist.nodes:
            made.append(self.node([literal(s) for s in node.inputs], node.mask, owner=owner))
        return [literal(s) for s in netlist.outputs]

    def finish(self, outputs: Sequence[int]) -> tuple[Netlist, tuple[int, ...]]:
        """Return the nodes that the output literals need, and for each node its owner.

        A node stands in the polarity in which outputs ask for it; an inverter stands only where both are asked for or
        where an input bit is.
        """
        first = 1 + self.input_bits
        polarity: dict[int, set[int]] = {}
        for literal in outputs:
            polarity.setdefault(literal >> 1, set()).add(literal & 1)
        needed = {signal for signal in polarity if signal >= first}
        for k in range(len(self._nodes) - 1, -1, -1):
            if first + k in needed:
                needed.update(s for s in self._nodes[k][0] if s >= first)
        inverted = {signal: polarity.get(signal) == {1} for signal in needed}
        nodes: list[Node] = []
        owners: list[int] = []
        number = {1 + bit: bit for bit in range(self.input_bits)}
        for k, (inputs, mask) in enumerate(self._nodes):
            if first + k not in needed:
                continue
            width = len(inputs)
            for position, signal in enumerate(inputs):
                if inverted.get(signal):
                    mask = _flip(mask, width, position)
            if inverted[first + k]:
                mask ^= (1 << (1 << width)) - 1
            number[first + k] = self.input_bits + len(nodes)
            nodes.append(Node(tuple(number[s] for s in inputs), mask))
            owners.append(self._owners[k])
        ends: list[int] = []
        inverters: dict[int, int] = {}
        for literal in outputs:
            signal = literal >> 1
            if not signal:
                ends.append(HIGH if literal & 1 else LOW)
            elif (literal & 1) == inverted.get(signal, False):
                ends.append(number[signal])
            else:
                if signal not in inverters:
                    inverters[signal] = self.input_bits + len(nodes)
                    nodes.append(Node((number[signal],), 0b01))
                    owners.append(self._owners[signal - first] if signal >= first else -1)
                ends.append(inverters[signal])
        return Netlist(self.input_bits, tuple(nodes), tuple(ends)), tuple(owners)
