"""Lossy, and never run unless asked for: patterns that no training sample makes become don't-cares."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from codesign.errors import DataError
from codesign.ir import LutNetwork, Neuron, Stage, Tables, addresses, check, trace
from codesign.ir.evaluate import checked_codes
from codesign.passes.rewrite import rebuild

__all__ = ["unseen_patterns"]


def unseen_patterns(network: LutNetwork, codes_train: ArrayLike, *, least: int = 1) -> LutNetwork:
    """Narrow every care set to the addresses that training samples meet. LOSSY: other samples may change answers.

    The table codes stay; it is the passes run afterwards that make use of the freedom. Compare the accuracy on the
    validation split before and after them, and keep the result only if it holds.

    codes_train: codes (samples, signals) that enter the first stage after the encoder, see `ir.encode`.
    least:       samples that must meet an address for it to count as seen.
    """
    codes = checked_codes(network, codes_train)
    if not len(codes):
        raise DataError("at least one row of training codes must be given; with none, every pattern would be unseen")
    if least < 1:
        raise DataError(f"least must be 1 or more samples, not {least}")
    check(network)
    core: list[Stage] = []
    formats = network.code_inputs
    for stage, arriving in zip(network.core, [codes, *trace(network, codes)], strict=False):
        if isinstance(stage, Tables):
            columns = np.asfortranarray(arriving)
            neurons: list[Neuron] = []
            for n in stage.neurons:
                seen = np.bincount(addresses(columns, n.sources, formats), minlength=n.table.size) >= least
                care = seen if n.care is None else seen & n.care
                neurons.append(Neuron(n.sources, n.table, n.format, None if care.all() else care))
            stage = Tables(stage.name, tuple(neurons))
        core.append(stage)
        formats = stage.formats
    return check(rebuild(network, core))
