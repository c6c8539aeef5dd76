"""LUTs, flip-flops and cycles of every network of a space as functions of relaxed choices, corrected by content.

Each figure is a sum of tables over a few choices, so it is multilinear in the candidates' weights: at one-hot weights
it is that network's figure, at probabilities the expectation, and its gradient is that of finite differences. What the
shape alone would cost is multiplied by corrections: what the calibrated laws say of the networks that were looked at
while they trained, over what the shape says, averaged in cells of alike layers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.accel import worst_case_luts
from codesign.accel.space import Value
from codesign.ir import bits_for_range
from codesign.search.gradient.tables import Table, TableSum
from codesign.search.luts.content import Content
from codesign.search.luts.lut_model import LutModel
from codesign.search.networks.tables import TableSpace

__all__ = ["EVERY", "Corrected", "Figures"]

EVERY = "registers_every"
"""The choice of the hardware: a register after every so many stages."""

_PRIOR = 2.0
"""Looks at a cell that its group's mean counts for."""

_KEEP = 0.95
"""What is left of the weight of earlier looks after each new one: tables go on changing."""


@dataclass(eq=False)
class _Part:
    """One table of a figure. base: by shape; group: whose corrections it takes ("" for none); cells: which of them."""

    choices: tuple[int, ...]
    base: NDArray[np.float64]
    group: str
    cells: NDArray[np.int64]


@dataclass(eq=False)
class _Group:
    """Corrections of alike layers: sums of logarithms and of weights, cell by cell."""

    cells: dict[tuple[int, ...], int] = field(default_factory=dict)
    logs: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def cell(self, key: tuple[int, ...]) -> int:
        if key not in self.cells:
            self.cells[key] = len(self.cells)
            self.logs.append(0.0)
            self.weights.append(0.0)
        return self.cells[key]

    def factors(self) -> NDArray[np.float64]:
        logs, weights = np.array(self.logs), np.array(self.weights)
        mean = logs.sum() / weights.sum() if weights.sum() > 0 else 0.0
        return np.exp((logs + _PRIOR * mean) / (weights + _PRIOR))


class Corrected:
    """A figure as a sum of tables with corrections; see `codesign.search.gradient.legal.Function`."""

    def __init__(self, parts: Sequence[_Part], groups: Mapping[str, _Group], *, constant: float = 0.0):
        self.parts, self.groups, self.constant = tuple(parts), dict(groups), constant
        self._sum = self._made()

    def __call__(self, weights: Sequence[Tensor]) -> Tensor:
        """The figure at weights of all choices' candidates."""
        return self._sum(weights)

    def at(self, indices: Sequence[int]) -> float:
        """The figure of one network."""
        return self._sum.at(indices)

    def observe(self, indices: Sequence[int], values: Mapping[str, float]) -> None:
        """Correct by what was seen in one network: for a group, the value that its part should have had."""
        for part in self.parts:
            if part.group not in values:
                continue
            at = tuple(indices[choice] for choice in part.choices)
            if part.base[at] <= 0 or values[part.group] <= 0:
                continue
            group, cell = self.groups[part.group], int(part.cells[at])
            group.logs[cell] = _KEEP * group.logs[cell] + float(np.log(values[part.group] / part.base[at]))
            group.weights[cell] = _KEEP * group.weights[cell] + 1
        self._sum = self._made()

    def scale(self, factor: float) -> None:
        """Multiply the figure: by what a realised network took over what was predicted."""
        self.parts = tuple(_Part(p.choices, p.base * factor, p.group, p.cells) for p in self.parts)
        self.constant *= factor
        self._sum = self._made()

    def _made(self) -> TableSum:
        factors = {name: group.factors() for name, group in self.groups.items()}
        tables = [
            Table(p.choices, torch.from_numpy(p.base * factors[p.group][p.cells] if p.group else p.base))
            for p in self.parts
        ]
        return TableSum(tuple(tables), self.constant)


class Figures:
    """The figures of a space: `luts`, `ffs` (both corrected) and `cycles` (exact before passes, which only lower it).

    every: candidates of the choice `registers_every`, which stands after the space's own. encoder: mean LUTs that a
    signal of the encoder takes (0 where it is wires, or outside); stands: whether the encoder is a stage in hardware.
    """

    def __init__(
        self, space: TableSpace, model: LutModel, *, every: Sequence[int], encoder: float, stands: bool, lut_inputs: int
    ):
        self.space, self.model, self.every = space, model, tuple(every)
        self.names = (*space.choices.names, EVERY)
        self.candidates: tuple[tuple[Value, ...], ...] = (*(k.values for k in space.choices.knobs), self.every)
        self.sizes = tuple(len(one) for one in self.candidates)
        self._encoder, self._stands, self._lut_inputs = encoder, stands, lut_inputs
        self._groups: dict[str, dict[str, _Group]] = {"luts": {}, "ffs": {}}
        self.luts = self._luts()
        self.ffs = self._ffs()
        self.cycles = self._cycles()

    def point(self, indices: Sequence[int]) -> dict[str, Value]:
        """A network and its registers, as plain values by name."""
        return {name: values[i] for name, values, i in zip(self.names, self.candidates, indices, strict=True)}

    def indices(self, point: Mapping[str, Value]) -> tuple[int, ...]:
        """Candidate indices of a point."""
        return tuple(values.index(point[name]) for name, values in zip(self.names, self.candidates, strict=True))

    def observe(self, indices: Sequence[int], content: Content) -> None:
        """Correct both figures by what a network holds now."""
        model, layers = self.model, content.layers
        luts: dict[str, float] = {f"l{i}": model.layer(one) for i, one in enumerate(layers[:-1])}
        luts["last"] = model.layer(layers[-1])
        luts["encoder"] = model.encoder * content.encoder_luts
        self.luts.observe(indices, luts)
        point, scale = self.point(indices), self.model.ffs[0]
        after = self._registered(int(point["depth"]), int(point.get("last_terms", 1)), int(point[EVERY]))
        held = {f"l{i}": scale * one.live * one.bits for i, one in enumerate(layers[:-1]) if f"l{i}" in after}
        if "encoder" in after:
            held["encoder"] = scale * layers[0].signals * content.input_bits
        self.ffs.observe(indices, held)

    # ---- the parts by shape

    def _luts(self) -> Corrected:
        parts = [self._hidden(i, ffs=False) for i in range(len(self.space.file.layers))]
        before = [self._before(depth) for depth in self.space.file.depth]

        def last(at: dict[str, int]) -> tuple[float, tuple[int, ...]]:
            address = at["last_fan_in"] * self._source_bits(at, at["depth"])
            tables = self.space.file.answers * at.get("last_terms", 1)
            luts = tables * worst_case_luts(address, at["last_bits"], lut_inputs=self._lut_inputs)
            return luts, (at["depth"], address)

        names = ["depth", *[n for n in before if n], "last_fan_in", "last_bits", *self._terms()]
        parts.append(self._part("luts", "last", names, last))

        def fixed(at: dict[str, int]) -> tuple[float, tuple[int, ...]]:
            terms, bits = at.get("last_terms", 1), at["last_bits"]
            stages = len(self._stages(at["depth"], terms))
            return self.model.fixed(terms=terms, term_bits=bits, answers=self.space.file.answers, stages=stages), ()

        parts.append(self._part("luts", "", ["depth", "last_bits", *self._terms()], fixed))
        if self._encoder:
            parts.append(self._signals("luts", self.model.encoder * self._encoder))
        return Corrected(parts, self._groups["luts"])

    def _ffs(self) -> Corrected:
        scale, constant = self.model.ffs
        parts = [self._hidden(i, ffs=True) for i in range(len(self.space.file.layers))]
        if self._stands:
            parts.append(self._signals("ffs", scale))
        answers = self.space.file.answers

        def ends(at: dict[str, int]) -> tuple[float, tuple[int, ...]]:
            terms, bits = at.get("last_terms", 1), at["last_bits"]
            after = self._registered(at["depth"], terms, at[EVERY])
            width = bits_for_range(0, terms * ((1 << bits) - 1)).bits
            held = answers * terms * bits * ("last" in after) + answers * width * ("sums" in after)
            return scale * held, ()

        parts.append(self._part("ffs", "", ["depth", "last_bits", *self._terms(), EVERY], ends))
        return Corrected(parts, self._groups["ffs"], constant=max(0.0, constant))

    def _cycles(self) -> TableSum:
        def cycles(at: dict[str, int]) -> tuple[float, tuple[int, ...]]:
            stages = len(self._stages(at["depth"], at.get("last_terms", 1)))
            return float(-(-stages // at[EVERY])), ()

        part = self._part("cycles", "", ["depth", *self._terms(), EVERY], cycles)
        return TableSum((Table(part.choices, torch.from_numpy(part.base)),))

    def _hidden(self, index: int, *, ffs: bool) -> _Part:
        """A hidden layer: its tables that something reads, were sources drawn at random, times LUTs or bits of each."""
        file = self.space.file
        own = [f"l{index}_{key}" for key in ("width", "fan_in", "bits")]
        after = [f"l{index + 1}_width", f"l{index + 1}_fan_in"] if index + 1 < len(file.layers) else []
        before = [name] if (name := self._before(index)) else []

        def value(at: dict[str, int]) -> tuple[float, tuple[int, ...]]:
            depth = at["depth"]
            if depth <= index:
                return 0.0, (0,)
            last = depth == index + 1
            pins = file.answers * at.get("last_terms", 1) * at["last_fan_in"] if last else at[after[0]] * at[after[1]]
            address = at[own[1]] * self._source_bits(at, index)
            read, bits = _read(at[own[0]], pins), at[own[2]]
            if not ffs:
                luts = worst_case_luts(address, bits, lut_inputs=self._lut_inputs)
                return read * luts, (depth, address, bits)
            held = f"l{index}" in self._registered(depth, at.get("last_terms", 1), at[EVERY])
            return self.model.ffs[0] * read * bits * held, (depth, address, bits)

        names = ["depth", *before, *own, *after, "last_fan_in", *self._terms(), *([EVERY] if ffs else [])]
        return self._part("ffs" if ffs else "luts", f"l{index}", names, value)

    def _signals(self, figure: str, each: float) -> _Part:
        """What a signal of the encoder takes, times those that something reads, were sources drawn at random."""
        file = self.space.file
        thermometer = file.coding == "thermometer"
        first = ["l0_width", "l0_fan_in"] if file.layers else []

        def value(at: dict[str, int]) -> tuple[float, tuple[int, ...]]:
            none = at["depth"] == 0
            terms = at.get("last_terms", 1)
            pins = file.answers * terms * at["last_fan_in"] if none else at["l0_width"] * at["l0_fan_in"]
            signals = file.inputs * (at["input_bits"] if thermometer else 1)
            held = figure == "luts" or "encoder" in self._registered(at["depth"], terms, at[EVERY])
            bits = 1 if thermometer or figure == "luts" else at["input_bits"]
            return each * _read(signals, pins) * bits * held, (at["depth"], at["input_bits"])

        names = ["input_bits", "depth", *first, "last_fan_in", *self._terms(), *([EVERY] if figure == "ffs" else [])]
        return self._part(figure, "encoder", names, value)

    # ---- details

    def _terms(self) -> list[str]:
        return ["last_terms"] if "last_terms" in self.names else []

    def _before(self, index: int) -> str | None:
        """The choice that says how many bits a source of layer `index` has; None where it is always one."""
        if index:
            return f"l{index - 1}_bits"
        return None if self.space.file.coding == "thermometer" else "input_bits"

    def _source_bits(self, at: Mapping[str, int], index: int) -> int:
        name = self._before(index)
        return at[name] if name else 1

    def _stages(self, depth: int, terms: int) -> list[str]:
        """The stages that hold logic, in order."""
        first = ["encoder"] if self._stands else []
        return [*first, *(f"l{i}" for i in range(depth)), "last", *(["sums"] if terms > 1 else []), "decide"]

    def _registered(self, depth: int, terms: int, every: int) -> set[str]:
        """The stages that a register follows."""
        stages = self._stages(depth, terms)
        return {name for at, name in enumerate(stages, 1) if at % every == 0 or at == len(stages)}

    def _part(
        self,
        figure: str,
        group: str,
        names: Sequence[str],
        value: Callable[[dict[str, int]], tuple[float, tuple[int, ...]]],
    ) -> _Part:
        names = list(dict.fromkeys(names))
        choices = tuple(self.names.index(name) for name in names)
        shape = [self.sizes[choice] for choice in choices]
        known = self._groups[figure].setdefault(group, _Group()) if group else _Group()
        base, cells = np.empty(shape), np.empty(shape, dtype=np.int64)
        for at in product(*(range(size) for size in shape)):
            chosen = zip(names, choices, at, strict=True)
            found, key = value({name: int(self.candidates[choice][i]) for name, choice, i in chosen})
            base[at], cells[at] = found, known.cell(key)
        return _Part(choices, base, group, cells)


def _read(signals: int, pins: int) -> float:
    """Signals of `signals` that at least one of `pins` pins reads, each drawn by itself."""
    return signals * (1 - (1 - 1 / signals) ** pins)
