"""A small network of all stage kinds, and flips of single bits in a table, in Verilog and in a netlist."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from codesign.ir import Decide, Encode, Feature, Fixed, Format, LutNetwork, Neuron, Sum, Sums, Tables, check


def small_network(coding: str = "binary") -> LutNetwork:
    """Encoder, tables, sums, tables, argmax: 4 words of 4 bits in, a class of 3 out; seed 0."""
    rng = np.random.default_rng(0)
    features = tuple(Feature(f"x{i}", (-1.0, 0.0, 0.5), Fixed(4, 2, True)) for i in range(4))
    encode = Encode("encode", features, coding)  # type: ignore[arg-type]
    picks = ((0, 1), (1, 2), (2, 3), (3, 0)) if coding == "binary" else ((0, 1, 3), (4, 5), (6, 9), (8, 10, 11))
    rows = [1 << sum(encode.formats[s].bits for s in p) for p in picks]
    two = Format(2)
    first = Tables("t0", tuple(Neuron(p, rng.integers(0, 4, n), two) for p, n in zip(picks, rows, strict=True)))
    three = Format(4, True)
    sums = Sums("s1", tuple(Sum(s, (1, -1), three, b) for s, b in (((0, 1), 1), ((2, 3), 0), ((0, 3), -1))))
    last = Tables("t2", tuple(Neuron((j,), rng.integers(0, 8, 16), Format(3, True)) for j in range(3)))
    return check(LutNetwork("tiny", (encode, first, sums, last, Decide("decide", "argmax", last.formats))))


def wasteful_network() -> LutNetwork:
    """Tables with something for every pass: a dead neuron, a twin, an unread source, an unused code, a constant."""
    rng = np.random.default_rng(1)
    two = Format(2)
    a = rng.integers(0, 2, 16)
    first = [
        Neuron((0, 1), a, two),
        Neuron((0, 1), np.array([3, 1])[a], two),
        Neuron((1, 2), rng.integers(0, 4, 16), two),
    ]
    first += [
        Neuron((2,), np.array([0, 2, 2, 3]), two),
        Neuron((2, 0), np.full(16, 2), two),
        Neuron((0,), np.arange(4), two),
    ]
    picks = ((0, 2), (1, 3), (2, 3, 4), (3, 0))
    second = [Neuron(p, rng.integers(0, 8, 4 ** len(p)), Format(3, True)) for p in picks]
    second.append(Neuron((2, 3), np.repeat(rng.integers(0, 8, 4), 4), Format(3, True)))
    stages = (Tables("t0", tuple(first)), Tables("t1", tuple(second)))
    decide = Decide("decide", "argmax", stages[-1].formats)
    return check(LutNetwork("wasteful", (*stages, decide), (two, two, two)))


def flip_table(network: LutNetwork, stage: str, neuron: int, row: int, bit: int = 0) -> LutNetwork:
    """Return the network with one bit of one table entry flipped."""
    stages = []
    for one in network.stages:
        if isinstance(one, Tables) and one.name == stage:
            neurons = list(one.neurons)
            table = neurons[neuron].table.copy()
            table[row] ^= 1 << bit
            neurons[neuron] = replace(neurons[neuron], table=table)
            one = Tables(one.name, tuple(neurons))
        stages.append(one)
    return LutNetwork(network.name, tuple(stages), network.inputs)


def flip_verilog(path: Path, constant: str, row: int) -> None:
    """Flip bit `row` of a hexadecimal constant that is assigned to a localparam of this name."""
    text = path.read_text(encoding="ascii")
    found = re.search(rf"\b{constant} = (\d+)'h([0-9a-f]+);", text)
    assert found is not None, f"no constant {constant} in {path}"
    digits = f"{int(found[2], 16) ^ 1 << row:0{len(found[2])}x}"
    path.write_text(text[: found.start(2)] + digits + text[found.end(2) :], encoding="ascii")


def flip_case(path: Path, neuron: str, row: int) -> None:
    """Flip bit 0 of one line of a case statement."""
    text = path.read_text(encoding="ascii")
    found = re.search(rf"(\d+'d{row}: {neuron} = \d+'d)(\d+);", text)
    assert found is not None, f"no row {row} of {neuron} in {path}"
    path.write_text(text[: found.start()] + f"{found[1]}{int(found[2]) ^ 1};" + text[found.end() :], encoding="ascii")


def flip_netlist(path: Path, kind: str, number: int, bit: int) -> None:
    """Flip one bit of the contents of the given look-up table cell (of that kind, in name order) of a netlist."""
    value = json.loads(path.read_text(encoding="utf-8"))
    (module,) = (m for m in value["modules"].values() if "cells" in m and m["cells"])
    cells = [module["cells"][name] for name in sorted(module["cells"]) if module["cells"][name]["type"] == kind]
    parameters = cells[number]["parameters"]
    (name,) = (key for key in parameters if key.endswith("INIT"))
    text = parameters[name]
    at = len(text) - 1 - bit
    parameters[name] = text[:at] + str(1 - int(text[at])) + text[at + 1 :]
    path.write_text(json.dumps(value), encoding="utf-8")
