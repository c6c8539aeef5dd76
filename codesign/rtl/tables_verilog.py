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
from codesign.rtl.mapped import MappedStage

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
        raise ValueError("the mapped form needs the netlist of the stage")
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
