"""Folds signals that never change into the tables and sums that read them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from codesign.ir import LutNetwork, Neuron, Stage, Sum, Sums, Tables
from codesign.passes.base import Details, lossless
from codesign.passes.codes import input_codes, stage_codes
from codesign.passes.rewrite import Carried, rebuild, rewire

__all__ = ["fold_constants"]


@lossless("folds signals that take one code only into their readers")
def fold_constants(network: LutNetwork) -> tuple[LutNetwork, Details]:
    """Fold every signal that takes one code only into its readers: a slice of a table, the bias of a sum.

    A constant neuron keeps its place with no source and one row, for `remove_unused` to take; in the last stage it
    stays so. Idempotent.

    Details: constants (signals folded), sources_folded.
    """
    reached, formats = input_codes(network), network.code_inputs
    details: Details = {"constants": 0, "sources_folded": 0}
    core: list[Stage] = []
    for old in network.core:
        # An input that takes one code only is folded as well, though the interface keeps it.
        carried = [
            Carried(None, codes.astype(np.int32)) if len(codes) == 1 else Carried(i) for i, codes in enumerate(reached)
        ]
        stage = rewire(old, carried, formats, formats)
        if not isinstance(stage, Tables | Sums):
            core.append(stage)
            break
        details["sources_folded"] += _sources(old) - _sources(stage)
        reached = stage_codes(stage, formats, reached)
        if isinstance(stage, Tables):
            neurons = [
                Neuron((), codes, n.format) if len(codes) == 1 and n.sources else n
                for n, codes in zip(stage.neurons, reached, strict=True)
            ]
            details["constants"] += sum(a is not b for a, b in zip(neurons, stage.neurons, strict=True))
            stage = Tables(stage.name, tuple(neurons))
        else:
            sums = [
                Sum((), (), s.format, int(s.format.values(codes)[0])) if len(codes) == 1 and s.sources else s
                for s, codes in zip(stage.sums, reached, strict=True)
            ]
            details["constants"] += sum(a is not b for a, b in zip(sums, stage.sums, strict=True))
            stage = replace(stage, sums=tuple(sums))
        core.append(stage)
        formats = stage.formats
    return rebuild(network, core), details


def _sources(stage: Stage) -> int:
    units = stage.neurons if isinstance(stage, Tables) else stage.sums if isinstance(stage, Sums) else ()
    return sum(len(u.sources) for u in units)
