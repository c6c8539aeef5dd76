"""A clocked circuit with observers on its nets, as one and-inverter graph with latches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codesign.errors import ToolFailed
from codesign.verify.formal.aig import FALSE, TRUE, Aig
from codesign.verify.formal.elaborate import Bit, Memory, Module

__all__ = ["Machine", "Observer"]


@dataclass(frozen=True)
class Observer:
    """A module that watches a design and says what must hold: outputs claim_*, assume_* and cover_*, one bit each.

    binds:   its input ports, each to a net of the design; a port that is not named has the net of its own name.
    ties:    its registers that begin with what a net of the design holds (or, of a pattern, what the followed words of
             memories hold, in the order of their numbers) rather than with anything. That is no assumption: no claim
             may rest on what such a register holds before its first use, and so its first contents can be chosen.
    follows: patterns of the design's memories, each with the register of the observer that holds, for ever, the
             address of the word that is followed.
    """

    name: str
    module: Module
    binds: Mapping[str, str]
    ties: Mapping[str, str] = field(default_factory=dict[str, str])
    follows: Mapping[str, str] = field(default_factory=dict[str, str])


class Machine:
    """A flattened design, the observers that are bound to it, and all that may differ from clock to clock.

    aig:     its inputs are the values of the latches in this clock, and what is free in it.
    latches: the input of each latch, and the literal of its next value. All are false in the first clock.
    free:    other inputs, by net of the design (bit by bit) or by what they stand for.

    The first clock is one of reset, out of any state: registers and memories hold anything. What observers say counts
    from the second clock on. Outputs of instances that were left out are free in each clock. Of a memory one word is
    followed where an observer asks for it; every other word reads as anything, anew each time. What holds with all
    these freedoms holds without them.
    """

    def __init__(
        self,
        design: Module,
        observers: Sequence[Observer],
        *,
        modules: Mapping[str, Module],
        clock: str,
        reset: tuple[str, bool],
    ):
        """modules: those of instances that were left out; clock: an input; reset: an input, and its value in reset."""
        self.aig = aig = Aig()
        self.design, self.observers = design, tuple(observers)
        self.latches: dict[int, int] = {}
        self.free: dict[str, list[int]] = {}
        self.running = aig.input()  # false in the first clock alone
        self._at: dict[Bit, int] = {}
        self._inside: list[dict[Bit, int]] = [{} for _ in observers]
        for name, bits in design.ports.items():
            if design.directions[name] == "input":
                word = [FALSE] * len(bits) if name == clock else self._word(name, len(bits))
                self._at.update(zip(bits, word, strict=True))
        self._leave_out(modules)
        waiting: list[tuple[int, Module, Bit, dict[Bit, int]]] = []
        for register in design.registers:
            latch, self._at[register.output] = self._latch()
            waiting.append((latch, design, register.data, self._at))
        for observer, inside in zip(observers, self._inside, strict=True):
            tied = {bit for name in observer.ties for bit in observer.module.word(name)}
            for register in observer.module.registers:
                if register.output not in tied:
                    latch, inside[register.output] = self._latch()
                    waiting.append((latch, observer.module, register.data, inside))
        followed = self._follow()
        self._ties: list[list[int]] = []
        for observer, inside in zip(observers, self._inside, strict=True):
            first = self._first(observer, followed)
            for register in observer.module.registers:
                if register.output in first:
                    latch, inside[register.output] = self._latch(first[register.output])
                    waiting.append((latch, observer.module, register.data, inside))
            pairs = [self.aig.xor_(inside[bit], literal) ^ 1 for bit, literal in first.items()]
            self._ties.append(pairs)
            for port, direction in observer.module.directions.items():
                if direction == "input":
                    net = self.net(observer.binds.get(port, port))
                    self._same_width(observer.binds.get(port, port), net, observer.module.ports[port])
                    inside.update(zip(observer.module.ports[port], net, strict=True))
        for latch, module, bit, at in waiting:
            self.latches[latch] = module.build(aig, [bit], at)[0]
        self.latches[self.running] = TRUE
        name, level = reset
        self.in_reset = self.net(name)[0] ^ (not level)

    # Building.

    def _word(self, name: str, bits: int) -> list[int]:
        self.free[name] = self.aig.word(bits)
        return self.free[name]

    def _latch(self, first: int | None = None) -> tuple[int, int]:
        """Return a new latch, and what stands in it: in the first clock `first` (anything where None)."""
        latch = self.aig.input()
        return latch, self.aig.mux(self.running, latch, self.aig.input() if first is None else first)

    def _leave_out(self, modules: Mapping[str, Module]) -> None:
        for instance in self.design.instances:
            if instance.module not in modules:
                raise ToolFailed(f"module {self.design.name} has an instance {instance.name} of {instance.module!r}")
            directions = modules[instance.module].directions
            for port, bits in instance.ports.items():
                if directions.get(port) == "output":
                    word = self._word(f"{instance.name}.{port}", len(bits))
                    self._at.update((b, w) for b, w in zip(bits, word, strict=True) if isinstance(b, int))

    def _follow(self) -> dict[str, list[int]]:
        """Give each memory's read port a value; return the contents of the words that are followed."""
        found: dict[str, list[int]] = {}
        follow: list[tuple[Memory, list[int], list[int]]] = []
        for observer, inside in zip(self.observers, self._inside, strict=True):
            for pattern, source in observer.follows.items():
                memories = [m for m in self.design.memories if re.fullmatch(pattern, m.name)]
                if not memories:
                    raise ToolFailed(f"{self.design.name} has no memory {pattern}; emit the design again")
                for memory in memories:
                    pairs = [self._latch() for _ in memory.read_data]
                    found[memory.name] = [now for _, now in pairs]
                    place = [inside[bit] for bit in observer.module.word(source)]
                    follow.append((memory, place, [latch for latch, _ in pairs]))
        for memory in self.design.memories:
            if memory.name not in found:
                word = self._word(f"{memory.name}.read", len(memory.read_data))
                self._at.update((b, w) for b, w in zip(memory.read_data, word, strict=True) if isinstance(b, int))
        aig = self.aig
        for memory, place, _ in follow:
            read = self._here(memory, self.design.build(aig, memory.read_address, self._at), place)
            other = self._word(f"{memory.name}.other", len(memory.read_data))
            for bit, word, rest in zip(memory.read_data, found[memory.name], other, strict=True):
                if isinstance(bit, int):
                    self._at[bit] = aig.mux(read, word, rest)
        for memory, place, latches in follow:
            here = self._here(memory, self.design.build(aig, memory.write_address, self._at), place)
            enables = self.design.build(aig, memory.write, self._at)
            data = self.design.build(aig, memory.write_data, self._at)
            for latch, now, enable, value in zip(latches, found[memory.name], enables, data, strict=True):
                self.latches[latch] = aig.mux(aig.and_(here, enable), value, now)
        return found

    def _here(self, memory: Memory, address: Sequence[int], place: Sequence[int]) -> int:
        """Whether an address is the followed place, and one that the memory has."""
        width = max(len(address), len(place))
        a, b = ([*word, *[FALSE] * (width - len(word))] for word in (address, place))
        legal = self.aig.at_least(a, memory.size, signed=False) ^ 1
        return self.aig.and_(legal, self.aig.differ(a, b) ^ 1)

    def _first(self, observer: Observer, followed: Mapping[str, list[int]]) -> dict[Bit, int]:
        """The first contents of an observer's registers that are tied."""
        first: dict[Bit, int] = {}
        for name, source in observer.ties.items():
            names = sorted((key for key in followed if re.fullmatch(source, key)), key=_numbers)
            word = [bit for key in names for bit in followed[key]] if names else self.net(source)
            self._same_width(source, word, observer.module.word(name))
            first.update(zip(observer.module.word(name), word, strict=True))
        return first

    def _same_width(self, name: str, net: Sequence[int], wanted: Sequence[Bit]) -> None:
        if len(net) != len(wanted):
            raise ToolFailed(
                f"{self.design.name}: {name} must have {len(wanted)} bits, not {len(net)}; emit the design again"
            )

    # Reading.

    def net(self, name: str) -> list[int]:
        """The literals of a net of the design, lowest bit first; an absent one is a ToolFailed."""
        return self.design.build(self.aig, self.design.word(name), self._at)

    def has(self, name: str) -> bool:
        """Whether something drives each bit of a net of the design."""
        try:
            self.net(name)
        except ToolFailed:
            return False
        return True

    def said(self, observer: int, kind: str) -> dict[str, int]:
        """The literals of an observer's outputs of one kind ("claim", "assume" or "cover"), by what follows it."""
        module = self.observers[observer].module
        names = [n for n, d in module.directions.items() if d == "output" and n.startswith(f"{kind}_")]
        bits = [module.ports[name][0] for name in names]
        made = module.build(self.aig, bits, self._inside[observer])
        return {name.removeprefix(f"{kind}_"): literal for name, literal in zip(names, made, strict=True)}

    def ties(self, observers: Sequence[int]) -> list[int]:
        """The literals of "this register is still equal to what it began with", bit by bit, which may serve a proof."""
        return [literal for observer in observers for literal in self._ties[observer]]

    def observed(self, observer: int) -> dict[str, list[int]]:
        """The literals of an observer's own nets, by name: its ports and registers."""
        module = self.observers[observer].module
        names = [name for name in module.names if "$" not in name]
        at = self._inside[observer]
        return {name: module.build(self.aig, module.names[name], at) for name in names}

    def under(self, assumptions: Iterable[int]) -> tuple[int, int]:
        """Add a latch that remembers whether assumptions were broken; return it, and "now, and up to now, they hold".

        Reset in the first clock is one of them; the others count from the second clock on.
        """
        aig = self.aig
        broken = aig.input()
        now = aig.mux(self.running, aig.all_(assumptions), self.in_reset)
        holds = aig.and_(now, broken ^ 1)
        self.latches[broken] = holds ^ 1
        return broken, holds

    def write(self, literal: int, path: Path) -> list[int]:
        """Write the circuit of one literal over all clocks as binary AIGER; return its free inputs, in order."""
        aig = self.aig
        nodes: set[int] = set()
        latches: set[int] = set()
        stack = [literal]
        while stack:
            cone = aig.cone(stack)
            fresh = [n for n in cone if 2 * n in self.latches and 2 * n not in latches]
            nodes.update(cone)
            latches.update(2 * n for n in fresh)
            stack = [self.latches[2 * n] for n in fresh]
        inputs = [n for n in sorted(nodes) if aig.is_input(2 * n) and 2 * n not in latches]
        held = sorted(latch >> 1 for latch in latches)
        gates = [n for n in sorted(nodes) if not aig.is_input(2 * n)]
        aig.write_file(path, inputs, held, [self.latches[2 * n] for n in held], gates, literal)
        return [2 * n for n in inputs]


def _numbers(name: str) -> list[int]:
    """The numbers in a name, by which lanes are put in order."""
    return [int(number) for number in re.findall(r"\d+", name)]
