"""What the sources of a neuron can take *together*: the network before them as relations, or enumerated."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.ir import MAX_ADDRESS_BITS, Codes, Encode, Format, LutNetwork, Neuron, Sum, Sums, Tables
from codesign.passes.codes import (
    Reached,
    all_codes,
    cared_rows,
    input_codes,
    product_rows,
    reachable_levels,
    stage_codes,
    total_codes,
)
from codesign.passes.relations import Relation, Variable, cost, join, project

__all__ = ["JOIN_LIMIT", "Cones", "Method"]

JOIN_LIMIT = 1 << 22
"""Entries of the largest join, and inputs enumerated at most, for one neuron."""

_MAX_RELATIONS = 64
"""Relations in one cone at most; a deeper cone with more of them is cut."""

Method: TypeAlias = Literal["exact", "joint", "bounded", "product"]
"""How a joint set was found. exact: from the network's inputs on. joint: from inner signals taken as independent.
bounded: the same, with a join split. product: no common origin found, so each source by itself."""

_Scopes: TypeAlias = dict[Variable, frozenset[Variable]]


@dataclass(frozen=True)
class _Cone:
    """Relations to build: `scopes[v]` holds the variables kept of the neuron behind v; `pairs` of thermometer bits."""

    scopes: _Scopes
    pairs: tuple[tuple[Variable, Variable], ...]
    complete: bool
    join: int


class Cones:
    """The stages passed so far, level by level: level 0 enters the core, level k leaves its k-th stage.

    A variable is (level, signal). Stages are added as the care sets are found, so that each cone profits from those
    before it.
    """

    def __init__(self, network: LutNetwork, *, limit: int = JOIN_LIMIT):
        self.limit = limit
        self.formats: list[tuple[Format, ...]] = [network.code_inputs]
        self.reached: list[Reached] = [input_codes(network)]
        self.stages: list[Tables | Sums] = []
        self._groups = _thermometer_groups(network.encode)
        self._patterns = _thermometer_patterns(network.encode)
        self._index: dict[Variable, Codes] = {}
        self._rows: dict[Variable, NDArray[np.intp]] = {}

    def append(self, stage: Tables | Sums) -> None:
        """Add the next stage, its neurons with the care sets found."""
        if isinstance(stage, Tables):
            self.reached.append(stage_codes(stage, self.formats[-1], self.reached[-1]))
        else:
            self.reached.append([self._sum_codes(s) for s in stage.sums])
        self.stages.append(stage)
        self.formats.append(stage.formats)

    def rows(self, sources: Sequence[int]) -> tuple[NDArray[np.bool_], Method]:
        """Return which addresses over signals of the last level can occur (2**address_bits,), and how it was found."""
        level = len(self.stages)
        formats, reached = self.formats[level], self.reached[level]
        if any(not len(reached[s]) for s in sources):
            return product_rows(sources, formats, reached), "product"
        targets = tuple((level, s) for s in sources)
        relations, method = self._joint(targets)
        if not relations:
            return product_rows(sources, formats, reached), method
        # Axes from the last source to the first, so that flattening puts source 0 lowest.
        scope = targets[::-1]
        allowed = join(relations, scope, self._sizes(targets))
        rows = np.zeros(tuple(formats[s].count for s in reversed(sources)), dtype=np.bool_)
        rows[np.ix_(*(reached[s] for s in reversed(sources)))] = allowed
        return rows.ravel(), method

    # Cones as scopes: which relations matter, before any is built.

    def _joint(self, targets: tuple[Variable, ...]) -> tuple[list[Relation], Method]:
        """Return relations over the targets, by the deepest cone that can be joined, or by enumeration."""
        best = _Cone({}, (), complete=False, join=1)
        for depth in range(len(self.stages) + 1):
            cone = self._cone(targets, depth)
            # One stage back is worth a split join; further back only what can be joined whole.
            if cone is None or (cone.join > self.limit and depth > 1):
                break
            best = cone
            if cone.complete or cone.join > self.limit:
                break
        if not best.complete and (found := self._enumerated_relation(targets)) is not None:
            return found, "exact"
        scopes = [*best.scopes.values(), *best.pairs, targets]
        sizes = self._sizes({v for scope in scopes for v in scope})
        built = [self._relation(v, scope) for v, scope in best.scopes.items()]
        built += [self._pair(a, b) for a, b in best.pairs]
        relations, whole = project(built, frozenset(targets), sizes, self.limit)
        if best.complete and whole:
            return relations, "exact"
        if not built:
            return relations, "product"
        return relations, "joint" if whole else "bounded"

    def _cone(self, targets: tuple[Variable, ...], depth: int) -> _Cone | None:
        """Return the relations of `depth` stages before the targets that can bind them, or None past the limits."""
        scopes: _Scopes = {}
        frontier = set(targets)
        complete = True
        for _ in range(depth):
            before: set[Variable] = set()
            for v in sorted(frontier):
                sources = self._sources(v)
                if sources is None:
                    complete = False
                else:
                    scopes[v] = frozenset((*sources, v))
                    before.update(sources)
            frontier = before
            if len(scopes) > 8 * _MAX_RELATIONS:
                return None
        complete = complete and all(level == 0 for level, _ in frontier)
        pairs = self._chain({v for s in scopes.values() for v in s} | set(targets))
        scopes = _pruned(scopes, pairs, targets)
        if len(scopes) > _MAX_RELATIONS:
            return None
        kept = {v for s in scopes.values() for v in s} | set(targets)
        pairs = self._chain(kept)
        sizes = self._sizes(kept)
        largest = cost([*scopes.values(), *map(frozenset, pairs)], frozenset(targets), sizes)
        return _Cone(scopes, pairs, complete, largest)

    def _sources(self, v: Variable) -> tuple[Variable, ...] | None:
        """Return the variables behind v, or None where its relation would be too large to build."""
        level, signal = v
        stage = self.stages[level - 1]
        unit = stage.neurons[signal] if isinstance(stage, Tables) else stage.sums[signal]
        sources = tuple(dict.fromkeys((level - 1, s) for s in unit.sources))
        if any(not len(self.reached[level - 1][s]) for _, s in sources):
            return None
        if isinstance(stage, Sums) and math.prod(self._sizes(sources).values()) > self.limit:
            return None
        return sources

    def _chain(self, used: set[Variable]) -> tuple[tuple[Variable, Variable], ...]:
        """Return neighbouring thermometer bits among those used; bound in pairs, they are bound exactly."""
        bits = sorted(s for level, s in used if level == 0)
        groups = self._groups
        return tuple(
            ((0, a), (0, b)) for a, b in zip(bits, bits[1:], strict=False) if groups and groups[a] == groups[b]
        )

    def _sizes(self, variables: Iterable[Variable]) -> dict[Variable, int]:
        return {(level, s): len(self.reached[level][s]) for level, s in variables}

    # Relations as tensors.

    def _place(self, v: Variable) -> Codes:
        """Return, for each code of a signal, its index among the reachable ones (0 for the others)."""
        if v not in self._index:
            level, s = v
            index = np.zeros(self.formats[level][s].count, dtype=np.int32)
            index[self.reached[level][s]] = np.arange(len(self.reached[level][s]))
            self._index[v] = index
        return self._index[v]

    def _relation(self, v: Variable, scope: frozenset[Variable]) -> Relation:
        level, signal = v
        stage = self.stages[level - 1]
        kept = tuple(sorted(scope))
        sizes = self._sizes(kept)
        allowed = np.zeros(tuple(sizes.values()), dtype=np.bool_)
        unit = stage.neurons[signal] if isinstance(stage, Tables) else stage.sums[signal]
        columns = self._table_columns(v, unit, scope) if isinstance(unit, Neuron) else self._sum_columns(v, unit)
        allowed[tuple(columns[variable] for variable in kept)] = True
        return Relation(kept, allowed)

    def _table_columns(self, v: Variable, neuron: Neuron, scope: frozenset[Variable]) -> dict[Variable, Codes]:
        level = v[0] - 1
        if v not in self._rows:
            self._rows[v] = np.flatnonzero(cared_rows(neuron, self.formats[level], self.reached[level]))
        rows = self._rows[v]
        columns = {v: self._place(v)[neuron.table[rows]]} if v in scope else {}
        shift = 0
        for s in neuron.sources:
            fmt = self.formats[level][s]
            if (level, s) in scope:
                columns[level, s] = self._place((level, s))[(rows >> shift) & (fmt.count - 1)]
            shift += fmt.bits
        return columns

    def _sum_columns(self, v: Variable, total: Sum) -> dict[Variable, Codes]:
        level = v[0] - 1
        sources = tuple(dict.fromkeys(total.sources))
        codes = np.meshgrid(*(self.reached[level][s] for s in sources), indexing="ij")
        value = np.full(codes[0].size if codes else 1, total.bias, dtype=np.int64)
        columns: dict[Variable, Codes] = {}
        for s, grid in zip(sources, codes, strict=True):
            weight = sum(g for t, g in zip(total.sources, total.signs, strict=True) if t == s)
            value += weight * self.formats[level][s].values(grid.ravel())
            columns[level, s] = self._place((level, s))[grid.ravel()]
        reached = self.reached[v[0]][v[1]]
        possible = np.isin(out := total.format.codes(value), reached)
        columns[v] = self._place(v)[out]
        return {variable: places[possible] for variable, places in columns.items()}

    def _pair(self, a: Variable, b: Variable) -> Relation:
        sizes = self._sizes((a, b))
        allowed = np.zeros((sizes[a], sizes[b]), dtype=np.bool_)
        first, second = self._patterns[a[1]], self._patterns[b[1]]
        allowed[self._place(a)[first], self._place(b)[second]] = True
        return Relation((a, b), allowed)

    # Enumeration from the inputs.

    def _enumerated_relation(self, targets: tuple[Variable, ...]) -> list[Relation] | None:
        sizes = self._sizes(targets)
        if math.prod(sizes.values()) > 1 << MAX_ADDRESS_BITS or (codes := self._enumerated(targets)) is None:
            return None
        allowed = np.zeros(tuple(sizes.values()), dtype=np.bool_)
        allowed[tuple(self._place(v)[codes[v]] for v in sizes)] = True
        return [Relation(tuple(sizes), allowed)]

    def _enumerated(self, targets: Iterable[Variable]) -> dict[Variable, Codes] | None:
        """Return the targets' codes on every input of their cone (inputs,), or None where there are too many."""
        cone: list[set[int]] = [set() for _ in range(len(self.stages) + 1)]
        cone[-1].update(s for _, s in targets)
        for level in range(len(self.stages), 0, -1):
            units = _units(self.stages[level - 1])
            cone[level - 1].update(s for j in cone[level] for s in units[j].sources)
        if sum(map(len, cone)) > 4 * _MAX_RELATIONS or any(not len(self.reached[0][s]) for s in cone[0]):
            return None
        atoms: dict[int, list[int]] = {}
        for s in sorted(cone[0]):
            atoms.setdefault(self._groups[s] if self._groups else s, []).append(s)
        patterns = [self._atom(signals) for signals in atoms.values()]
        shape = tuple(map(len, patterns))
        if math.prod(shape) > self.limit // 4:
            return None
        codes: dict[int, Codes] = {}
        for signals, pattern, index in zip(atoms.values(), patterns, np.indices(shape, sparse=True), strict=True):
            for column, s in enumerate(signals):
                codes[s] = np.broadcast_to(pattern[:, column][index], shape).ravel()
        alive = np.ones(math.prod(shape), dtype=np.bool_)
        for stage, formats, wanted in zip(self.stages, self.formats, cone[1:], strict=False):
            units = _units(stage)
            before, codes = codes, {}
            for j in sorted(wanted):
                codes[j], met = _run(units[j], before, formats, alive.size)
                alive &= met
        return {v: codes[v[1]][alive] for v in targets}

    def _atom(self, signals: list[int]) -> Codes:
        """Return the code combinations (patterns, signals) of input signals that one feature drives."""
        if not self._groups:
            return self.reached[0][signals[0]][:, None]
        return np.unique(np.stack([self._patterns[s] for s in signals], axis=1), axis=0)

    # Sums.

    def _sum_codes(self, total: Sum) -> Codes:
        """Return the codes that a sum can take, counting sources with a common origin together."""
        level = len(self.stages)
        formats, reached = self.formats[level], self.reached[level]
        if any(not len(reached[s]) for s in total.sources):
            return all_codes(total.format)
        weights: dict[Variable, int] = {}
        for s, sign in zip(total.sources, total.signs, strict=True):
            weights[level, s] = weights.get((level, s), 0) + sign
        targets = tuple(v for v, weight in weights.items() if weight)

        def values(v: Variable, codes: Codes) -> NDArray[np.int64]:
            return weights[v] * formats[v[1]].values(codes)

        if (codes := self._enumerated(targets)) is not None:
            part = sum((values(v, codes[v]) for v in targets), np.zeros(1, dtype=np.int64))
            return total_codes(total, [part])
        relations, _ = self._joint(targets)
        parts: list[NDArray[np.int64]] = []
        for group in _components(targets, relations):
            sizes = self._sizes(group)
            if math.prod(sizes.values()) > self.limit:
                parts += [values(v, reached[v[1]]) for v in group]
                continue
            allowed = join([r for r in relations if r.scope[0] in sizes], group, sizes)
            places = zip(group, np.nonzero(allowed), strict=True)
            parts.append(sum((values(v, reached[v[1]][at]) for v, at in places), np.zeros(1, dtype=np.int64)))
        return total_codes(total, parts)


def _units(stage: Tables | Sums) -> tuple[Neuron, ...] | tuple[Sum, ...]:
    return stage.neurons if isinstance(stage, Tables) else stage.sums


def _run(
    unit: Neuron | Sum, codes: dict[int, Codes], formats: tuple[Format, ...], rows: int
) -> tuple[Codes, NDArray[np.bool_]]:
    """Return what a neuron or sum gives (rows,), and in which rows its care set allows the address."""
    if isinstance(unit, Sum):
        value = np.full(rows, unit.bias, dtype=np.int64)
        for s, sign in zip(unit.sources, unit.signs, strict=True):
            value += sign * formats[s].values(codes[s])
        return unit.format.codes(value), np.ones(rows, dtype=np.bool_)
    address = np.zeros(rows, dtype=np.int32)
    shift = 0
    for s in unit.sources:
        address |= codes[s] << shift
        shift += formats[s].bits
    met = np.ones(rows, dtype=np.bool_) if unit.care is None else unit.care[address]
    return unit.table[address], met


def _components(targets: Sequence[Variable], relations: Sequence[Relation]) -> list[tuple[Variable, ...]]:
    """Group the targets that relations bind, directly or through one another."""
    group = {v: i for i, v in enumerate(targets)}
    for relation in relations:
        numbers = {group[v] for v in relation.scope}
        for v in targets:
            if group[v] in numbers:
                group[v] = min(numbers)
    return [tuple(v for v in targets if group[v] == number) for number in sorted(set(group.values()))]


def _pruned(scopes: _Scopes, pairs: Sequence[tuple[Variable, Variable]], targets: Sequence[Variable]) -> _Scopes:
    """Drop variables that only one relation speaks of, then relations that say nothing new, until neither is left."""
    live = dict(scopes)
    uses: dict[Variable, int] = dict.fromkeys(targets, 2)
    for scope in (*live.values(), *pairs):
        for v in scope:
            uses[v] = uses.get(v, 0) + 1
    pending = set(live)
    while pending:
        v = pending.pop()
        scope = live[v]
        kept = frozenset(u for u in scope if uses[u] > 1)
        if kept <= {v}:
            # All that is left is what the neuron alone can give, which its variable's values say already.
            del live[v]
            dropped = kept
        else:
            live[v] = kept
            dropped = frozenset[Variable]()
        for u in (scope - kept) | dropped:
            uses[u] -= 1
        for u in dropped:
            pending.update(k for k, s in live.items() if u in s)
    return _bound(live, pairs, targets)


def _bound(live: _Scopes, pairs: Sequence[tuple[Variable, Variable]], targets: Sequence[Variable]) -> _Scopes:
    """Keep the relations that are linked with a target."""
    users: dict[Variable, list[frozenset[Variable]]] = {}
    for scope in (*live.values(), *map(frozenset, pairs)):
        for v in scope:
            users.setdefault(v, []).append(scope)
    seen = set(targets)
    stack = list(seen)
    while stack:
        for scope in users.get(stack.pop(), ()):
            stack += scope - seen
            seen |= scope
    return {v: s for v, s in live.items() if s & seen}


def _thermometer_groups(stage: Encode | None) -> list[int]:
    """Return the feature of each thermometer bit; empty where signals are independent."""
    if stage is None or stage.coding == "binary":
        return []
    return [i for i, f in enumerate(stage.features) for _ in f.thresholds]


def _thermometer_patterns(stage: Encode | None) -> list[Codes]:
    """Return, for each thermometer bit, its value at each level that its feature can take."""
    if stage is None or stage.coding == "binary":
        return []
    return [(reachable_levels(f) > t).astype(np.int32) for f in stage.features for t in range(len(f.thresholds))]
