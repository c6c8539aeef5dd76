"""The netlist of a mapped network: nodes of at most six input bits, each with the mask of its truth table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codesign.errors import DataError
from codesign.ir import Codes, Format, LutNetwork, Neuron, Tables, run_stage

__all__ = [
    "CONSTANT",
    "HIGH",
    "LOW",
    "Mapper",
    "MappedNetwork",
    "MappedStage",
    "Netlist",
    "Node",
    "address_rows",
    "evaluate_mapped",
    "evaluate_netlist",
    "evaluate_stage",
    "netlist_depths",
    "pack",
    "table_codes",
    "unpack",
]

CONSTANT = LOW, HIGH = -1, -2
"""Signal numbers of the constants 0 and 1."""

Bits = NDArray[np.uint8]
"""Bits as bytes of 0 and 1."""

Mapper = Literal["abc", "structural"]
"""Who made the nodes: ABC, or (where ABC is absent) the worst-case structure of sub-tables and multiplexers."""


@dataclass(frozen=True)
class Node:
    """One small truth table: its output is bit `address` of `mask`.

    inputs: signal numbers, lowest address bit first. Signal 0 to W-1 are the W input bits of the netlist, signal
            W+k is the output of node k, LOW and HIGH are constants.
    """

    inputs: tuple[int, ...]
    mask: int


@dataclass(frozen=True)
class Netlist:
    """Nodes in topological order over `input_bits` bits; `outputs` holds a signal number an output bit."""

    input_bits: int
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class MappedStage:
    """The netlist of one stage of tables; its input bits are the stage's packed input word, signal 0 lowest.

    owners:  for every node the first neuron that uses it (equal nodes of several neurons are one).
    outputs: for every neuron the signal numbers of its code's bits, lowest first.
    depths:  for every neuron the number of nodes on the longest path from the inputs.
    """

    name: str
    input_bits: int
    nodes: tuple[Node, ...]
    owners: tuple[int, ...]
    outputs: tuple[tuple[int, ...], ...]
    depths: tuple[int, ...]

    @property
    def netlist(self) -> Netlist:
        """The stage as one netlist, outputs packed with signal 0 lowest."""
        return Netlist(self.input_bits, self.nodes, tuple(bit for bits in self.outputs for bit in bits))

    @property
    def luts(self) -> int:
        """Number of nodes, each one look-up table."""
        return len(self.nodes)

    @property
    def luts_by_size(self) -> dict[int, int]:
        """Number of nodes by number of inputs, ascending."""
        sizes = [len(node.inputs) for node in self.nodes]
        return {size: sizes.count(size) for size in sorted(set(sizes))}

    @property
    def depth(self) -> int:
        """Number of nodes on the longest path through the stage."""
        return max(self.depths, default=0)


@dataclass(frozen=True)
class MappedNetwork:
    """Every stage of tables of a network as a netlist.

    stages:     by stage name; stages of other kinds have no entry.
    lut_inputs: most inputs a node has, 6 or 4.
    mapper:     who made the nodes; "structural" only where ABC was not found, and `note` says so.
    note:       the program's version, or why it was not used.
    unique:     number of different tables that were mapped; reused: how many of them came from the cache.
    """

    network: LutNetwork
    stages: dict[str, MappedStage]
    lut_inputs: int
    mapper: Mapper
    note: str
    unique: int
    reused: int

    def __getitem__(self, stage: str) -> MappedStage:
        """Return the netlist of the stage of that name."""
        return self.stages[stage]

    @property
    def luts(self) -> int:
        """Number of nodes of all table stages."""
        return sum(stage.luts for stage in self.stages.values())

    @property
    def luts_by_size(self) -> dict[int, int]:
        """Number of nodes by number of inputs, ascending."""
        total: dict[int, int] = {}
        for stage in self.stages.values():
            for size, count in stage.luts_by_size.items():
                total[size] = total.get(size, 0) + count
        return dict(sorted(total.items()))


def netlist_depths(netlist: Netlist) -> tuple[int, ...]:
    """Return for every output the number of nodes on its longest path (0: an input bit or a constant)."""
    levels: list[int] = []

    def level(signal: int) -> int:
        return levels[signal - netlist.input_bits] if signal >= netlist.input_bits else 0

    for node in netlist.nodes:
        levels.append(1 + max(map(level, node.inputs), default=-1))
    return tuple(map(level, netlist.outputs))


def evaluate_netlist(netlist: Netlist, bits: Bits) -> Bits:
    """Run a netlist: bits (input bits, samples) to bits (outputs, samples)."""
    samples = bits.shape[1]
    if netlist.nodes:
        fanout = [0] * (netlist.input_bits + len(netlist.nodes))
        for signal in (*netlist.outputs, *(s for node in netlist.nodes for s in node.inputs)):
            if signal >= 0:
                fanout[signal] += 1
    else:
        fanout = []
    known: dict[int, Bits] = {LOW: np.zeros(samples, np.uint8), HIGH: np.ones(samples, np.uint8)}
    known.update(enumerate(bits))
    index = np.empty(samples, np.uint8)
    shifted = np.empty(samples, np.uint8)
    for k, node in enumerate(netlist.nodes):
        index[:] = 0
        for position, signal in enumerate(node.inputs):
            np.left_shift(known[signal], position, out=shifted)
            np.bitwise_or(index, shifted, out=index)
            if signal >= netlist.input_bits:
                fanout[signal] -= 1
                if not fanout[signal]:  # its last reader: keep memory to what is still needed
                    del known[signal]
        known[netlist.input_bits + k] = _mask_bits(node)[index]
    return np.stack([known[s] for s in netlist.outputs]) if netlist.outputs else np.zeros((0, samples), np.uint8)


def _mask_bits(node: Node) -> Bits:
    rows = 1 << len(node.inputs)
    return np.unpackbits(np.frombuffer(node.mask.to_bytes(8, "little"), np.uint8), bitorder="little")[:rows]


def unpack(codes: Codes, formats: Sequence[Format]) -> Bits:
    """Turn codes (samples, signals) into bits (packed word's bits, samples), signal 0 lowest."""
    columns = [((codes[:, i] >> bit) & 1).astype(np.uint8) for i, f in enumerate(formats) for bit in range(f.bits)]
    return np.stack(columns) if columns else np.zeros((0, len(codes)), np.uint8)


def pack(bits: Bits, formats: Sequence[Format]) -> Codes:
    """Turn bits (packed word's bits, samples) into codes (samples, signals), signal 0 lowest."""
    out = np.zeros((bits.shape[1], len(formats)), np.int32)
    row = 0
    for i, fmt in enumerate(formats):
        for bit in range(fmt.bits):
            out[:, i] |= bits[row].astype(np.int32) << bit
            row += 1
    return out


def address_rows(width: int) -> Bits:
    """Return the bits of every address: (width, 2**width)."""
    rows = np.arange(1 << width, dtype=np.int32)
    out = np.empty((width, len(rows)), np.uint8)
    for bit in range(width):
        out[bit] = (rows >> bit) & 1
    return out


def table_codes(netlist: Netlist, neuron: Neuron) -> Codes:
    """Run a neuron's netlist on every row of its table: codes (rows,)."""
    return pack(evaluate_netlist(netlist, address_rows(netlist.input_bits)), (neuron.format,))[:, 0]


def evaluate_stage(mapped: MappedStage, stage: Tables, codes: Codes, inputs: Sequence[Format]) -> Codes:
    """Run a mapped stage on codes (samples, signals in); gives codes (samples, neurons)."""
    return pack(evaluate_netlist(mapped.netlist, unpack(codes, inputs)), stage.formats)


def evaluate_mapped(mapped: MappedNetwork, codes: ArrayLike) -> Codes:
    """Run the netlists on input codes (samples, signals), other stages as the network does; gives the answer codes."""
    network = mapped.network
    now = np.asarray(codes, dtype=np.int32)
    inputs = network.code_inputs
    if now.ndim != 2 or now.shape[1] != len(inputs):
        raise DataError(f"network {network.name!r} takes (samples, {len(inputs)}) codes, not {now.shape}")
    for stage in network.core:
        if isinstance(stage, Tables):
            now = evaluate_stage(mapped.stages[stage.name], stage, now, inputs)
        else:
            now = run_stage(stage, now, inputs)
        inputs = stage.formats
    return now
