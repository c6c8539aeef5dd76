"""Finds which codes of a signal its readers need told apart, and codes it in fewer bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.ir import Codes, Format, Neuron, Tables
from codesign.passes.codes import Reached, cared_rows

__all__ = ["Readers", "Recoding"]

_MAX_CLASSES = 256
"""Codes that differ for the readers, up to which codes are merged across don't-cares in any grouping."""

Recoding = tuple[Format, Codes, Codes]
"""New format, map old code -> new, map new code -> old (-1: cannot occur)."""


class Readers:
    """The tables that read a stage's signals, being changed one signal after the other.

    Merging codes decides the readers' don't-cares, so each decision must see those before it. The tables keep their
    old addresses throughout: the rows of a merged code are gathered at its representative, and the rows of the
    codes that it stands for become don't-cares.
    """

    def __init__(self, stage: Tables, formats: tuple[Format, ...], reached: Reached):
        self.stage = stage
        self.formats = formats
        self._tables = [n.table.copy() for n in stage.neurons]
        self._cares = [cared_rows(n, formats, reached).copy() for n in stage.neurons]
        self._users: dict[int, list[tuple[int, int]]] = {}
        for j, neuron in enumerate(stage.neurons):
            for position, s in enumerate(neuron.sources):
                self._users.setdefault(s, []).append((j, position))

    def result(self) -> Tables:
        """Return the readers as changed so far, in their old addresses."""
        neurons = [
            Neuron(n.sources, table, n.format, None if care.all() else care)
            for n, table, care in zip(self.stage.neurons, self._tables, self._cares, strict=True)
        ]
        return Tables(self.stage.name, tuple(neurons))

    def recode(self, signal: int, reached: Codes) -> Recoding | None:
        """Merge codes of a signal where that saves bits, and return its new coding; None where nothing is saved."""
        fmt = self.formats[signal]
        if fmt.bits == 1 or signal not in self._users:
            return None
        face = _Face([self._view(j, p) for j, p in self._users.get(signal, ())], reached)
        mask = fmt.count - 1
        groups = [np.array([i]) for i in range(len(reached))]
        for bit in reversed(range(fmt.bits)):
            tried = _by_key(reached & (mask & ~(1 << bit)))
            if face.compatible(tried):
                mask, groups = mask & ~(1 << bit), tried
        kept = [bit for bit in range(fmt.bits) if mask >> bit & 1]
        few = face.classes()
        counted = max(1, (len(few) - 1).bit_length())
        if max(1, len(kept)) <= counted:
            place = sum(((reached >> bit & 1) << i for i, bit in enumerate(kept)), np.zeros_like(reached))
        else:
            kept = list(range(counted))
            groups = few
            place = np.zeros_like(reached)
            for number, group in enumerate(groups):
                place[group] = number
        new = Format(max(1, len(kept)))
        if new.bits >= fmt.bits:
            return None
        face.merge(groups)
        forward = np.zeros(fmt.count, dtype=np.int32)
        forward[reached] = place
        backward = np.full(new.count, -1, dtype=np.int32)
        for group in groups:
            backward[place[group[0]]] = reached[group[0]]
        return new, forward, backward

    def intervals(self, signal: int, reached: Codes, worth: Callable[[int], bool]) -> Codes:
        """Merge neighbouring codes as far as the readers allow, if `worth` finds the number left worth it.

        Returns the lowest code of each group, ascending.
        """
        face = _Face([self._view(j, p) for j, p in self._users.get(signal, ())], reached)
        groups = face.neighbours()
        if not worth(len(groups)):
            return reached
        face.merge(groups)
        return reached[[group[0] for group in groups]]

    def _view(self, j: int, position: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Return a reader's table and care set with the axis of one source first; writing to them changes both."""
        sources = self.stage.neurons[j].sources
        shape = tuple(self.formats[s].count for s in reversed(sources))
        axis = len(sources) - 1 - position
        table, care = self._tables[j].reshape(shape), self._cares[j].reshape(shape)
        return np.moveaxis(table, axis, 0), np.moveaxis(care, axis, 0)


class _Face:
    """How the readers see the codes of one signal: for each code, a row of output codes and of cares."""

    def __init__(self, views: Sequence[tuple[NDArray[np.int32], NDArray[np.bool_]]], reached: Codes):
        self._views = views
        self._reached = reached
        rows = [(t[reached].reshape(reached.size, -1), c[reached].reshape(reached.size, -1)) for t, c in views]
        empty = np.zeros((reached.size, 0), dtype=np.int32)
        self.values = np.concatenate([empty, *(t for t, _ in rows)], axis=1)
        self.cares = np.concatenate([empty.astype(np.bool_), *(c for _, c in rows)], axis=1)

    def compatible(self, groups: Sequence[NDArray[np.intp]]) -> bool:
        """Return whether the codes within each group agree wherever two of them are cared for."""
        return all(self._agree(group) for group in groups)

    def _agree(self, group: NDArray[np.intp]) -> bool:
        if group.size == 1:
            return True
        values, cares = self.values[group], self.cares[group]
        greatest = np.where(cares, values, -1).max(axis=0)
        least = np.where(cares, values, np.iinfo(np.int32).max).min(axis=0)
        return not ((least < greatest) & (greatest >= 0)).any()

    def classes(self) -> list[NDArray[np.intp]]:
        """Group all codes into few compatible groups: first fit, in ascending order of code."""
        filled = np.where(self.cares, self.values, -1)
        same: dict[bytes, list[int]] = {}
        for i, row in enumerate(filled):
            same.setdefault(row.tobytes(), []).append(i)
        alike = [np.array(group) for group in same.values()]
        if len(alike) > _MAX_CLASSES:
            return alike
        members: list[list[NDArray[np.intp]]] = []
        merged: list[NDArray[np.int32]] = []
        for group in alike:
            row = filled[group[0]]
            for k, other in enumerate(merged):
                if not ((row != other) & (row >= 0) & (other >= 0)).any():
                    members[k].append(group)
                    merged[k] = np.maximum(row, other)
                    break
            else:
                members.append([group])
                merged.append(row)
        return [np.sort(np.concatenate(groups)) for groups in members]

    def neighbours(self) -> list[NDArray[np.intp]]:
        """Group neighbouring codes into as few compatible groups as possible."""
        filled = np.where(self.cares, self.values, -1)
        starts: list[int] = []
        merged = np.zeros(0, dtype=np.int32)
        for i, row in enumerate(filled):
            if not starts or ((row != merged) & (row >= 0) & (merged >= 0)).any():
                starts.append(i)
                merged = row
            else:
                merged = np.maximum(row, merged)
        return np.split(np.arange(len(filled)), starts[1:])

    def merge(self, groups: Sequence[NDArray[np.intp]]) -> None:
        """Gather the readers' rows of each group at its first code; those of its other codes become don't-cares."""
        for group in groups:
            if group.size == 1:
                continue
            codes = self._reached[group]
            for table, care in self._views:
                joined = np.where(care[codes], table[codes], -1).max(axis=0)
                table[codes[0]] = np.maximum(joined, 0)
                care[codes[0]] = joined >= 0
                care[codes[1:]] = False


def _by_key(keys: Codes) -> list[NDArray[np.intp]]:
    """Group indices of equal keys, ascending."""
    order = np.argsort(keys, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(keys[order])) + 1)
