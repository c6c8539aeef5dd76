"""Counts what a network is made of, so that passes can say what they saved."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.accel.cost import worst_case_luts
from codesign.ir import LutNetwork, Sums, Tables, address_bits

__all__ = ["Size", "measure"]


@dataclass(frozen=True)
class Size:
    """What a network is made of; every figure is exact, from its shape alone.

    neurons:    tables.
    sums:       exact sums.
    signals:    signals between stages, the encoder's among them (the answer is not).
    signal_bits: their bits.
    edges:      sources of all tables and sums.
    table_bits: rows times output bits, over all tables.
    cared_rows: rows that can occur, as far as the care sets say.
    worst_case_luts: 6-input LUTs of the tables in the worst case, see accel.worst_case_luts; sums are not counted.
    """

    neurons: int
    sums: int
    signals: int
    signal_bits: int
    edges: int
    table_bits: int
    cared_rows: int
    worst_case_luts: int


def measure(network: LutNetwork) -> Size:
    """Return the size of a network."""
    formats = [network.code_inputs] + [s.formats for s in network.core if isinstance(s, Tables | Sums)]
    if network.decide is None:
        formats = formats[:-1]
    tables = [
        (n, address_bits(n.sources, network.stage_inputs(i)))
        for i, stage in enumerate(network.stages)
        if isinstance(stage, Tables)
        for n in stage.neurons
    ]
    sums = [s for stage in network.stages if isinstance(stage, Sums) for s in stage.sums]
    return Size(
        neurons=len(tables),
        sums=len(sums),
        signals=sum(map(len, formats)),
        signal_bits=sum(f.bits for group in formats for f in group),
        edges=sum(len(n.sources) for n, _ in tables) + sum(len(s.sources) for s in sums),
        table_bits=sum(n.table.size * n.format.bits for n, _ in tables),
        cared_rows=sum(n.table.size if n.care is None else int(n.care.sum()) for n, _ in tables),
        worst_case_luts=sum(worst_case_luts(bits, n.format.bits) for n, bits in tables),
    )
