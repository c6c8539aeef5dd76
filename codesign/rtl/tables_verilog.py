"""Writes one stage of table neurons as a combinational Verilog-2005 module, in one of three forms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from codesign.ir import Format, Neuron, Tables, address_bits
from codesign.rtl.logic import low_bits, slice_of, unused_wire
from codesign.rtl.mapped import HIGH, MappedStage, Node
from codesign.rtl.templates import render

__all__ = ["FORMS", "Form", "stage_verilog"]

Form = Literal["mapped", "table", "case"]
FORMS: tuple[Form, ...] = ("mapped", "table", "case")
"""`mapped`: a netlist of small nodes; `table`: constants indexed by the address; `case`: one statement a row."""

_CONSTANT_BITS = 1 << 15
"""Widest constant written; Verilator refuses numbers of more than 64 Ki bits unless told otherwise."""


def stage_verilog(
    stage: Tables, mapped: MappedStage | None, *, module: str, form: Form, inputs: tuple[Format, ...]
) -> str:
    """Return the Verilog text of `stage` as `module`, purely combinational.

    Ports are `input [W-1:0] in_data` (the `inputs` packed, signal 0 lowest) and `output [V-1:0] out_data` (one
    signal a neuron, likewise). Neuron j is the wire (or reg) `<stage>_n<j>`. `mapped` is the stage's netlist, needed by
    the form `mapped` and unused by others. The same arguments give the same bytes.
    """
    low = low_bits(inputs)
    if form == "mapped":
        if mapped is None:
            raise ValueError("the mapped form needs the netlist of the stage")
        neurons: list[Any] = list(_mapped_neurons(stage, mapped, inputs, low))
        used = {s for signals in _read_signals(mapped) for s in signals if 0 <= s < mapped.input_bits}
        sizes = [len(node.inputs) for node in mapped.nodes if not _inverts(node)]
        extra: dict[str, Any] = {"nodes": len(sizes), "depth": mapped.depth, "widest": max(sizes, default=0)}
    else:
        write = _table_neuron if form == "table" else _case_neuron
        neurons = [write(f"{stage.name}_n{j}", neuron, inputs, low) for j, neuron in enumerate(stage.neurons)]
        read = {source for neuron in stage.neurons for source in neuron.sources}
        used = {bit for source in read for bit in range(low[source], low[source + 1])}
        extra = {}
    return render(
        f"tables_{form}.v.j2",
        stage=stage.name,
        module=module,
        input_signals=len(inputs),
        input_bits=low[-1],
        output_bits=low_bits(stage.formats)[-1],
        outputs=[f"{stage.name}_n{j}" for j in reversed(range(len(stage.neurons)))],
        unused=unused_wire("in_data", low[-1], used),
        neurons=neurons,
        **extra,
    )


@dataclass(frozen=True)
class _Constant:
    """A constant of `rows` bits, row 0 the lowest."""

    name: str
    rows: int
    digits: str


@dataclass(frozen=True)
class _NodeText:
    name: str
    rows: int
    digits: str
    inputs: str


@dataclass(frozen=True)
class _MappedText:
    name: str
    range: str
    reads: str
    address: str
    nodes: list[_NodeText]
    value: str


@dataclass(frozen=True)
class _TableBit:
    constants: list[_Constant]
    parts_name: str
    parts: str
    target: str
    value: str


@dataclass(frozen=True)
class _NeuronText:
    """A neuron of the forms `table` and `case`; `address` is empty for a constant one."""

    name: str
    range: str
    reads: str
    address: str
    address_range: str
    constant: str
    lines: Any


def _range(bits: int) -> str:
    """Return the range of a declaration, with a space after it; a single bit has none."""
    return f"[{bits - 1}:0] " if bits > 1 else ""


def _reads(neuron: Neuron) -> str:
    if not neuron.sources:
        return "no signal: it is constant"
    plural = "s" if len(neuron.sources) > 1 else ""
    return f"signal{plural} {', '.join(map(str, neuron.sources))}"


def _join(parts: list[str]) -> str:
    """Return the concatenation of `parts`, given lowest first."""
    return f"{{{', '.join(reversed(parts))}}}" if len(parts) > 1 else "".join(parts)


def _read_signals(mapped: MappedStage) -> Iterator[tuple[int, ...]]:
    yield from (node.inputs for node in mapped.nodes)
    yield from mapped.outputs


def _mapped_neurons(
    stage: Tables, mapped: MappedStage, inputs: tuple[Format, ...], low: list[int]
) -> Iterator[_MappedText]:
    """Yield the neurons with the nodes that they own; an inverter is written where it is read."""
    names: list[str] = [f"in_data[{bit}]" for bit in range(mapped.input_bits)]
    made: list[list[_NodeText]] = [[] for _ in stage.neurons]

    def join(signals: tuple[int, ...]) -> str:
        """Return the signals side by side, given lowest first; neighbours that are neighbours stand as one slice."""
        parts: list[str] = []
        for kind, run in _runs(signals, mapped.input_bits):
            if kind == "constant":
                digits = "".join("1" if s == HIGH else "0" for s in reversed(run))
                parts.append(f"{len(run)}'b{digits}")
            elif kind == "inputs":
                parts.append(slice_of("in_data", run[0], len(run)))
            else:
                parts += [names[s] for s in run]
        return _join(parts)

    for node, owner in zip(mapped.nodes, mapped.owners, strict=True):
        if _inverts(node):
            names.append("~" + names[node.inputs[0]])
            continue
        text = f"{stage.name}_n{owner}_w{len(made[owner])}"
        rows = 1 << len(node.inputs)
        digits = f"{node.mask:0{-(-rows // 4)}x}"
        made[owner].append(_NodeText(text, rows, digits, join(node.inputs)))
        names.append(text)
    for j, neuron in enumerate(stage.neurons):
        name, address = f"{stage.name}_n{j}", _address(neuron, inputs, low)
        yield _MappedText(name, _range(neuron.format.bits), _reads(neuron), address, made[j], join(mapped.outputs[j]))


def _runs(signals: tuple[int, ...], input_bits: int) -> Iterator[tuple[str, list[int]]]:
    """Split signals into runs: constants, consecutive input bits, nodes."""
    held: list[int] = []
    before = ""
    for signal in signals:
        kind = "constant" if signal < 0 else "inputs" if signal < input_bits else "nodes"
        if held and (kind != before or (kind == "inputs" and signal != held[-1] + 1)):
            yield before, held
            held = []
        held.append(signal)
        before = kind
    if held:
        yield before, held


def _address(neuron: Neuron, inputs: tuple[Format, ...], low: list[int]) -> str:
    return _join([slice_of("in_data", low[s], inputs[s].bits) for s in neuron.sources])


def _inverts(node: Node) -> bool:
    return len(node.inputs) == 1 and node.mask == 0b01


def _neuron(name: str, neuron: Neuron, inputs: tuple[Format, ...], low: list[int], lines: object) -> _NeuronText:
    bits = address_bits(neuron.sources, inputs)
    return _NeuronText(
        name=name,
        range=_range(neuron.format.bits),
        reads=_reads(neuron),
        address=_address(neuron, inputs, low),
        address_range=_range(bits),
        constant=f"{neuron.format.bits}'d{int(neuron.table[0])}",
        lines=lines,
    )


def _table_neuron(name: str, neuron: Neuron, inputs: tuple[Format, ...], low: list[int]) -> _NeuronText:
    # One assignment a bit: given several bits at once, Verilator tabulates the neuron anew, for 0.3 s each.
    address = address_bits(neuron.sources, inputs)
    bits = neuron.format.bits
    lines = [_table_bit(name, neuron, address, bit) for bit in range(bits)] if address else []
    return _neuron(name, neuron, inputs, low, lines)


def _table_bit(name: str, neuron: Neuron, address: int, bit: int) -> _TableBit:
    rows = min(1 << address, _CONSTANT_BITS)
    column = (neuron.table >> bit & 1).astype(np.uint8).reshape(-1, rows)
    target = f"{name}[{bit}]" if neuron.format.bits > 1 else name
    if len(column) == 1:
        constant = _Constant(f"{name}_t{bit}", rows, _hexadecimal(column[0]))
        return _TableBit([constant], "", "", target, f"{constant.name}[{name}_address]")
    # A constant that is too wide for some tools stands in pieces, chosen by the top address bits.
    inner = (rows - 1).bit_length()
    constants = [_Constant(f"{name}_t{bit}_{k}", rows, _hexadecimal(part)) for k, part in enumerate(column)]
    parts = _join([f"{c.name}[{name}_address[{inner - 1}:0]]" for c in constants])
    value = f"{name}_p{bit}[{slice_of(f'{name}_address', inner, address - inner)}]"
    return _TableBit(constants, f"{name}_p{bit}", parts, target, value)


def _hexadecimal(column: NDArray[np.uint8]) -> str:
    """Return bits (row 0 the lowest) as hex digits, highest first."""
    digits = -(-len(column) // 4)
    return np.packbits(column, bitorder="little")[::-1].tobytes().hex()[-digits:]


def _case_neuron(name: str, neuron: Neuron, inputs: tuple[Format, ...], low: list[int]) -> _NeuronText:
    address = address_bits(neuron.sources, inputs)
    head, middle = f"      {address}'d", f": {name} = {neuron.format.bits}'d"
    codes = neuron.table.tolist()
    rows = [f"{head}{a}{middle}{code};" for a, code in enumerate(codes[:-1])]
    return _neuron(name, neuron, inputs, low, "\n".join([*rows, f"      default{middle}{codes[-1]};"]))
