"""Drops the sources that a neuron does not need on the addresses it can meet."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from codesign.ir import Format, LutNetwork, Neuron, Stage, Tables
from codesign.passes.base import Details, lossless
from codesign.passes.codes import Reached, cared_rows, input_codes, stage_codes
from codesign.passes.rewrite import rebuild

__all__ = ["reduce_support"]

_MAX_EXACT = 10
"""Doubtful sources up to which every choice among them is tried; with more, they are dropped one by one."""


@lossless("drops the sources that a neuron does not need on the addresses it can meet")
def reduce_support(network: LutNetwork) -> tuple[LutNetwork, Details]:
    """Give each neuron the sources with the fewest address bits that still fix its code on every cared-for row.

    A source that can be dropped by itself is doubtful; among up to 10 doubtful sources the best set to drop is found
    exactly (most address bits, then most sources, then the first in order). Equal tables with equal care sets lose
    the same sources. Idempotent.

    Details: sources_dropped, neurons_changed.
    """
    details: Details = {"sources_dropped": 0, "neurons_changed": 0}
    reached, formats = input_codes(network), network.code_inputs
    core: list[Stage] = []
    for stage in network.core:
        if isinstance(stage, Tables):
            neurons = tuple(_reduced(n, formats, reached) for n in stage.neurons)
            lost = [len(a.sources) - len(b.sources) for a, b in zip(stage.neurons, neurons, strict=True)]
            details["sources_dropped"] += sum(lost)
            details["neurons_changed"] += sum(map(bool, lost))
            reached = stage_codes(stage, formats, reached)
            stage = Tables(stage.name, neurons)
        elif stage is not network.decide:
            reached = stage_codes(stage, formats, reached)  # type: ignore[arg-type]
        core.append(stage)
        formats = stage.formats
    return rebuild(network, core), details


def _reduced(neuron: Neuron, formats: tuple[Format, ...], reached: Reached) -> Neuron:
    rows = cared_rows(neuron, formats, reached)
    shape = tuple(formats[s].count for s in reversed(neuron.sources))
    # Least and greatest code on cared-for rows; where none is cared for, least > greatest.
    least = np.where(rows, neuron.table, np.int32(neuron.format.count)).reshape(shape)
    greatest = np.where(rows, neuron.table, np.int32(-1)).reshape(shape)
    last = len(neuron.sources) - 1
    doubtful = [i for i in range(len(neuron.sources)) if _merged(least, greatest, (last - i,)) is not None]
    chosen = _choice(doubtful, neuron, formats, least, greatest)
    if not chosen:
        return neuron
    merged = _merged(least, greatest, tuple(last - i for i in chosen))
    assert merged is not None
    care = (merged >= 0).ravel()
    kept = tuple(s for i, s in enumerate(neuron.sources) if i not in chosen)
    return Neuron(kept, np.maximum(merged, 0).ravel(), neuron.format, None if care.all() else care)


def _merged(least: NDArray[np.int32], greatest: NDArray[np.int32], axes: tuple[int, ...]) -> NDArray[np.int32] | None:
    """Return the table without some axes (-1 where no row is cared for), or None where it depends on them."""
    top = greatest.max(axis=axes)
    bottom = least.min(axis=axes)
    # An empty group has bottom > top, a settled one bottom == top.
    return None if (bottom < top).any() else top


def _choice(
    doubtful: list[int],
    neuron: Neuron,
    formats: tuple[Format, ...],
    least: NDArray[np.int32],
    greatest: NDArray[np.int32],
) -> tuple[int, ...]:
    """Return the positions to drop."""
    last = len(neuron.sources) - 1
    bits = {i: formats[neuron.sources[i]].bits for i in doubtful}

    def possible(drop: tuple[int, ...]) -> bool:
        return _merged(least, greatest, tuple(last - i for i in drop)) is not None

    if not doubtful or possible(tuple(doubtful)):
        return tuple(doubtful)
    if len(doubtful) > _MAX_EXACT:
        chosen: tuple[int, ...] = ()
        for i in sorted(doubtful, key=lambda i: (-bits[i], i)):
            if possible((*chosen, i)):
                chosen = (*chosen, i)
        return chosen
    drops = [drop for count in range(1, len(doubtful)) for drop in combinations(doubtful, count)]
    drops.sort(key=lambda drop: (-sum(bits[i] for i in drop), -len(drop), drop))
    return next(drop for drop in drops if possible(drop))
