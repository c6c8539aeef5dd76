"""The one canonical text of a network: what tests compare and a digest is taken of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from codesign.ir.network import Encode, LutNetwork, Stage, Sums, Tables

__all__ = ["digest", "text"]


def text(network: LutNetwork) -> str:
    """Return the canonical text: one line a feature, neuron or sum.

    Tables are hexadecimal, address 0 first, each code in ceil(bits/4) digits; care sets are one hex
    digit a group of four addresses, lowest address in the lowest bit.
    """
    return "\n".join(_lines(network)) + "\n"


def digest(network: LutNetwork) -> str:
    """SHA-256 of the canonical text, as 64 hex digits."""
    return hashlib.sha256(text(network).encode()).hexdigest()


def _lines(network: LutNetwork) -> Iterator[str]:
    yield f"network {network.name}"
    if network.inputs:
        yield "inputs " + " ".join(map(str, network.inputs))
    for stage in network.stages:
        yield from _stage(stage)


def _stage(stage: Stage) -> Iterator[str]:
    if isinstance(stage, Encode):
        yield f"encode {stage.name} {stage.coding}"
        for f in stage.features:
            word = f" word {f.word}" if f.word else ""
            yield f"  feature {f.name}{word} thresholds" + "".join(f" {float(t)!r}" for t in f.thresholds)
    elif isinstance(stage, Tables):
        yield f"tables {stage.name}"
        for j, n in enumerate(stage.neurons):
            digits = -(-n.format.bits // 4)
            table = "".join(format(int(c), f"0{digits}x") for c in n.table)
            care = "" if n.care is None else " care " + np.packbits(n.care, bitorder="little").tobytes().hex()
            sources = "".join(f" {s}" for s in n.sources)
            yield f"  neuron {j} {n.format} sources{sources} table {table}{care}"
    elif isinstance(stage, Sums):
        yield f"sums {stage.name}"
        for j, s in enumerate(stage.sums):
            sources = "".join(f" {'+' if sign > 0 else '-'}{k}" for k, sign in zip(s.sources, s.signs, strict=True))
            yield f"  sum {j} {s.format} bias {s.bias} sources{sources}"
    else:
        extra = {"threshold": f" at {stage.threshold}", "none": f" scale {stage.scale!r} offset {stage.offset!r}"}
        inputs = " ".join(map(str, stage.inputs))
        yield f"decide {stage.name} {stage.kind}{extra.get(stage.kind, '')} inputs {inputs}"
