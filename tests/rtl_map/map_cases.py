"""Tables for the tests of mapping, and an evaluator of netlists that shares nothing with the one that is tested."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from codesign.ir import Format, LutNetwork, Neuron, Tables, check
from codesign.rtl.mapped import HIGH, LOW, MappedNetwork, MappedStage


def threshold_table(rng: np.random.Generator, address_bits: int, bits: int) -> np.ndarray:
    """A table as training makes them: a weighted sum of the address bits, cut into the codes of `bits` bits."""
    rows = np.arange(1 << address_bits)
    total = sum(((rows >> i) & 1) * w for i, w in enumerate(rng.normal(size=address_bits))) + np.zeros(len(rows))
    span = total.max() - total.min() or 1.0
    return np.floor((total - total.min()) / span * ((1 << bits) - 0.001)).astype(np.int32)


def random_table(rng: np.random.Generator, address_bits: int, bits: int, style: str) -> np.ndarray:
    rows = 1 << address_bits
    if style == "random":
        return rng.integers(0, 1 << bits, rows).astype(np.int32)
    if style == "constant":
        return np.full(rows, rng.integers(0, 1 << bits), np.int32)
    if style == "rare":  # one row differs
        table = np.zeros(rows, np.int32)
        table[rng.integers(0, rows)] = (1 << bits) - 1
        return table
    if style == "parity":
        return np.array([bin(row).count("1") % 2 * ((1 << bits) - 1) for row in range(rows)], np.int32)
    return threshold_table(rng, address_bits, bits)


STYLES = ("random", "threshold", "constant", "rare", "parity")
CARES = ("all", "random", "sparse", "none", "one")


def random_care(rng: np.random.Generator, rows: int, style: str) -> np.ndarray | None:
    if style == "all":
        return None
    care = rng.random(rows) < {"random": 0.6, "sparse": 0.05, "none": 0.0, "one": 0.0}[style]
    if style == "one":
        care[rng.integers(0, rows)] = True
    return care


@st.composite
def stages(draw: st.DrawFn, *, address_bits: int = 9, width: int = 4) -> LutNetwork:
    """One stage of tables of up to `address_bits` address bits over inputs of mixed widths."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    inputs = tuple(
        Format(b, s) for b, s in draw(st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=3, max_size=6))
    )
    neurons: list[Neuron] = []
    for _ in range(draw(st.integers(1, width))):
        sources = draw(st.lists(st.integers(0, len(inputs) - 1), unique=True, max_size=6))
        while sum(inputs[s].bits for s in sources) > address_bits:
            sources.pop()
        fmt = Format(draw(st.integers(1, 4)), draw(st.booleans()))
        bits = sum(inputs[s].bits for s in sources)
        table = random_table(rng, bits, fmt.bits, draw(st.sampled_from(STYLES)))
        neurons.append(Neuron(tuple(sources), table, fmt, random_care(rng, 1 << bits, draw(st.sampled_from(CARES)))))
    return check(LutNetwork("drawn", (Tables("t", tuple(neurons)),), inputs))


def network_of(tables: Sequence[np.ndarray], bits: int, *, address_bits: int, name: str = "net") -> LutNetwork:
    """One stage of neurons that read the same `address_bits` one-bit inputs in the same order."""
    sources = tuple(range(address_bits))
    neurons = tuple(Neuron(sources, table, Format(bits)) for table in tables)
    return check(LutNetwork(name, (Tables("t", neurons),), (Format(1),) * address_bits))


def code_of(stage: MappedStage, j: int, word: int) -> int:
    """Follow neuron j's nodes for one packed input word, by recursion over Python integers."""
    known: dict[int, int] = {LOW: 0, HIGH: 1}

    def value(signal: int) -> int:
        if signal in known:
            return known[signal]
        if signal < stage.input_bits:
            return word >> signal & 1
        node = stage.nodes[signal - stage.input_bits]
        assert all(s < signal for s in node.inputs), "a node may read only what stands before it"
        address = sum(value(s) << i for i, s in enumerate(node.inputs))
        known[signal] = node.mask >> address & 1
        return known[signal]

    return sum(value(s) << i for i, s in enumerate(stage.outputs[j]))


def assert_equal_on_cared_rows(mapped: MappedNetwork) -> int:
    """Compare every neuron with its table, row by row; return the rows compared."""
    compared = 0
    network = mapped.network
    for number, stage in enumerate(network.stages):
        if not isinstance(stage, Tables):
            continue
        inputs = network.stage_inputs(number)
        low = [sum(f.bits for f in inputs[:i]) for i in range(len(inputs))]
        for j, neuron in enumerate(stage.neurons):
            for row, wanted in enumerate(neuron.table.tolist()):
                if neuron.care is not None and not neuron.care[row]:
                    continue
                word, shift = 0, 0
                for s in neuron.sources:
                    word |= (row >> shift & (inputs[s].count - 1)) << low[s]
                    shift += inputs[s].bits
                got = code_of(mapped[stage.name], j, word)
                assert got == wanted, (stage.name, j, row)
                compared += 1
    return compared
