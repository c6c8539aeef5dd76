"""Moves what the decision ignores into the tables before it; the answer stays, the scores behind it do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from codesign.ir import LutNetwork, Neuron, Tables, bits_for_range
from codesign.passes.base import Details, lossless
from codesign.passes.codes import reachable_codes
from codesign.passes.rewrite import rebuild

__all__ = ["fold_decision"]

_MAX_BITS = 20
"""Widest score whose values are ranked one by one."""


@lossless("lets the last tables give only what the decision looks at (the answer stays, the scores do not)")
def fold_decision(network: LutNetwork) -> tuple[LutNetwork, Details]:
    """Let the tables before the decision tell apart only the scores that the decision tells apart.

    * threshold: each table gives one bit, score >= threshold, and the decision compares it with 1.
    * argmax: scores are replaced by their ranks among all scores that occur; neighbouring scores share a rank where no
      earlier class can have the lower and a later one the higher of them (an earlier class wins a tie in any case).

    The answer is the same for every input, but a user who reads the scores before the decision finds other values,
    so this pass is not among the default ones. Networks whose last stage before the decision is not Tables stay.
    Idempotent.

    Details: bits_saved.
    """
    decide = network.decide
    last = network.core[-2] if len(network.core) > 1 else None
    if decide is None or decide.kind == "none" or not isinstance(last, Tables):
        return network, {"bits_saved": 0}
    if max(f.bits for f in decide.inputs) > _MAX_BITS:
        return network, {"bits_saved": 0}
    taken = [f.values(codes) for f, codes in zip(decide.inputs, reachable_codes(network)[-1], strict=True)]
    if decide.kind == "threshold":
        values = np.unique(np.concatenate(taken))
        ranks = (values >= decide.threshold).astype(np.int64)
        decide, zeros = replace(decide, threshold=1), (0,)
    else:
        values, ranks = _ranks(taken)
        # Counted from 0, or from the first score that is not negative, which costs no signal more than it had.
        zeros = (0, int(ranks[min(np.searchsorted(values, 0), values.size - 1)]))
    options = [
        [_ranked(n, t, values, ranks - zero) for n, t in zip(last.neurons, taken, strict=True)] for zero in zeros
    ]
    neurons = min(options, key=lambda option: sum(n.format.bits for n in option))
    saved = sum(n.format.bits for n in last.neurons) - sum(n.format.bits for n in neurons)
    if not saved:
        return network, {"bits_saved": 0}
    stage = Tables(last.name, tuple(neurons))
    core = [*network.core[:-2], stage, replace(decide, inputs=stage.formats)]
    return rebuild(network, core), {"bits_saved": saved}


def _ranks(taken: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all values that some class takes, ascending, and the rank of each."""
    values = np.unique(np.concatenate(taken))
    # has[i, k]: class i can have the score values[k].
    has = np.stack([np.isin(values, t) for t in taken])
    first = has.argmax(axis=0)
    last = len(taken) - 1 - has[::-1].argmax(axis=0)
    ranks = np.zeros(values.size, dtype=np.int64)
    earliest = int(first[0])
    for k in range(1, values.size):
        # The scores that share a rank so far are lower; an earlier class that has one of them must not tie with k.
        apart = earliest < int(last[k])
        ranks[k] = ranks[k - 1] + apart
        earliest = int(first[k]) if apart else min(earliest, int(first[k]))
    return values, ranks


def _ranked(neuron: Neuron, taken: NDArray[np.int64], values: NDArray[np.int64], ranks: NDArray[np.int64]) -> Neuron:
    own = ranks[np.searchsorted(values, taken)]
    fmt = bits_for_range(int(own.min()), int(own.max()))
    place = np.minimum(np.searchsorted(values, neuron.format.values(neuron.table)), values.size - 1)
    # A row that cannot occur may hold a score that the class never takes: any of its ranks will do.
    return Neuron(neuron.sources, fmt.codes(np.clip(ranks[place], own.min(), own.max())), fmt, neuron.care)
