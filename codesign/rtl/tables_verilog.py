"""Writes one stage of table neurons as a combinational Verilog-2005 module, in one of three forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import jinja2
import numpy as np

from codesign.ir import Format, Neuron, Tables, address_bits
from codesign.resources import resource_dir
from codesign.rtl.mapped import HIGH, LOW, MappedStage

__all__ = ["FORMS", "Form", "stage_verilog"]

Form = Literal["mapped", "table", "case"]
FORMS: tuple[Form, ...] = ("mapped", "table", "case")
"""`mapped`: a netlist of small nodes; `table`: constants indexed by the address; `case`: one statement a row."""

CONSTANT_BITS = 1 << 15
"""Widest constant written; Verilator refuses numbers of more than 64 Ki bits unless told otherwise."""


def stage_verilog(
    stage: Tables, mapped: MappedStage | None, *, module: str, form: Form, inputs: tuple[Format, ...]
) -> str:
    """Return the Verilog text of `stage` as `module`, purely combinational.

    Ports are `input [W-1:0] in_data` (the `inputs` packed, signal 0 lowest) and `output [V-1:0] out_data` (one
    signal a neuron, likewise). `mapped` is the stage's netlist, needed by the form `mapped` and unused by others.
    The same arguments give the same bytes.
    """
    low = low_bits(inputs)
    read = {source for neuron in stage.neurons for source in neuron.sources}
    context: dict[str, object] = {
        "stage": stage.name,
        "module": module,
        "input_signals": len(inputs),
        "input_bits": low[-1],
        "output_bits": low_bits(stage.formats)[-1],
        "outputs": [f"{stage.name}_n{j}" for j in reversed(range(len(stage.neurons)))],
        "unused": ", ".join(_slice(low[s], inputs[s].bits) for s in range(len(inputs)) if s not in read),
    }
    if form == "mapped":
        if mapped is None:
            raise ValueError("the mapped form needs the netlist of the stage")
        context |= _mapped_stage(stage, mapped)
        return _template("tables_mapped.v.j2").render(context)
    write = _table_neuron if form == "table" else _case_neuron
    context["neurons"] = [write(stage.name, j, neuron, inputs, low) for j, neuron in enumerate(stage.neurons)]
    return _template(f"tables_{form}.v.j2").render(context)


def low_bits(formats: Sequence[Format]) -> list[int]:
    """Return the lowest bit of every signal in a packed word, and the word's width as last item."""
    return [0, *np.cumsum([f.bits for f in formats]).tolist()]


@lru_cache
def _template(name: str) -> jinja2.Template:
    loader = jinja2.FileSystemLoader(resource_dir("rtl_templates") / "pipeline")
    environment = jinja2.Environment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(name)


@dataclass(frozen=True)
class _Constant:
    name: str
    width: int
    digits: str


@dataclass(frozen=True)
class _Part:
    name: str
    width: int
    value: str


@dataclass(frozen=True)
class _TableNeuron:
    name: str
    reads: str
    bits: int
    address_bits: int
    address: str
    constants: list[_Constant]
    parts: list[_Part]
    value: str


@dataclass(frozen=True)
class _CaseNeuron:
    name: str
    reads: str
    bits: int
    address_bits: int
    address: str
    rows: str
    value: str


@dataclass(frozen=True)
class _MappedNode:
    name: str
    width: int
    digits: str
    index: str


@dataclass(frozen=True)
class _MappedNeuron:
    name: str
    reads: str
    bits: int
    nodes: list[_MappedNode]
    value: str


def _mapped_stage(stage: Tables, mapped: MappedStage) -> dict[str, object]:
    """Template values of the mapped form: nodes stand with the first neuron that uses them, in topological order."""
    names: dict[int, str] = {LOW: "1'b0", HIGH: "1'b1"}
    names.update((bit, f"in_data[{bit}]") for bit in range(mapped.input_bits))
    owned: dict[int, list[_MappedNode]] = {}
    for k, (node, owner) in enumerate(zip(mapped.nodes, mapped.owners, strict=True)):
        name = f"{stage.name}_m{k}"
        inputs = [names[signal] for signal in reversed(node.inputs)]
        index = "{" + ", ".join(inputs) + "}" if len(inputs) > 1 else inputs[0]
        width = 1 << len(node.inputs)
        owned.setdefault(owner, []).append(_MappedNode(name, width, f"{node.mask:0{-(-width // 4)}x}", index))
        names[mapped.input_bits + k] = name
    neurons: list[_MappedNeuron] = []
    for j, (neuron, outputs) in enumerate(zip(stage.neurons, mapped.outputs, strict=True)):
        bits = ", ".join(names[signal] for signal in reversed(outputs))
        value = f"{{{bits}}}" if len(outputs) > 1 else bits
        reads = _reads(neuron)
        neurons.append(_MappedNeuron(f"{stage.name}_n{j}", reads, len(outputs), owned.get(j, []), value))
    read = {s for node in mapped.nodes for s in node.inputs} | {s for bits in mapped.outputs for s in bits}
    unused = ", ".join(f"in_data[{bit}]" for bit in range(mapped.input_bits) if bit not in read)
    most = max((len(node.inputs) for node in mapped.nodes), default=0)
    counts = {"node_count": len(mapped.nodes), "lut_inputs": most, "depth": mapped.depth}
    return {"neurons": neurons, "unused": unused, **counts}


def _slice(low: int, bits: int, word: str = "in_data") -> str:
    return f"{word}[{low + bits - 1}:{low}]" if bits > 1 else f"{word}[{low}]"


def _reads(neuron: Neuron) -> str:
    if not neuron.sources:
        return "no signal: it is constant"
    plural = "signals" if len(neuron.sources) > 1 else "signal"
    return f"{plural} {', '.join(map(str, neuron.sources))} (lowest address bits first)"


def _address(neuron: Neuron, inputs: tuple[Format, ...], low: list[int]) -> str:
    parts = [_slice(low[s], inputs[s].bits) for s in reversed(neuron.sources)]
    return "{" + ", ".join(parts) + "}" if len(parts) > 1 else "".join(parts)


def _table_neuron(stage: str, j: int, neuron: Neuron, inputs: tuple[Format, ...], low: list[int]) -> _TableNeuron:
    name = f"{stage}_n{j}"
    address = address_bits(neuron.sources, inputs)
    bits = neuron.format.bits
    if not address:
        return _TableNeuron(name, _reads(neuron), bits, 0, "", [], [], f"{bits}'d{int(neuron.table[0])}")
    width = min(1 << address, CONSTANT_BITS)
    pieces = (1 << address) // width
    inner = (width - 1).bit_length()
    index = f"{name}_address" if pieces == 1 else f"{name}_address[{inner - 1}:0]"
    constants: list[_Constant] = []
    parts: list[_Part] = []
    values: list[str] = []
    for bit in range(bits):
        column = ((neuron.table >> bit) & 1).astype(np.uint8).reshape(pieces, width)
        names = [f"{name}_t{bit}" if pieces == 1 else f"{name}_t{bit}_{k}" for k in range(pieces)]
        constants += [_Constant(n, width, _hexadecimal(c)) for n, c in zip(names, column, strict=True)]
        if pieces == 1:
            values.append(f"{names[0]}[{index}]")
        else:
            chosen = ", ".join(f"{n}[{index}]" for n in reversed(names))
            parts.append(_Part(f"{name}_p{bit}", pieces, f"{{{chosen}}}"))
            values.append(f"{name}_p{bit}[{_slice(inner, address - inner, f'{name}_address')}]")
    value = f"{{{', '.join(reversed(values))}}}" if bits > 1 else values[0]
    return _TableNeuron(name, _reads(neuron), bits, address, _address(neuron, inputs, low), constants, parts, value)


def _hexadecimal(column: np.ndarray) -> str:
    """Return bits (lowest index = lowest bit of the number) as hex digits, highest first."""
    digits = -(-len(column) // 4)
    return np.packbits(column, bitorder="little")[::-1].tobytes().hex()[-digits:]


def _case_neuron(stage: str, j: int, neuron: Neuron, inputs: tuple[Format, ...], low: list[int]) -> _CaseNeuron:
    name = f"{stage}_n{j}"
    address = address_bits(neuron.sources, inputs)
    bits = neuron.format.bits
    head, middle = f"      {address}'d", f": {name} = {bits}'d"
    codes = neuron.table.tolist()
    rows = "\n".join([f"{head}{a}{middle}{c};" for a, c in enumerate(codes[:-1])])
    rows += f"\n      default{middle}{codes[-1]};"
    return _CaseNeuron(name, _reads(neuron), bits, address, _address(neuron, inputs, low), rows, f"{bits}'d{codes[0]}")
