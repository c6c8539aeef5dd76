"""Random legal networks for tests: hypothesis strategies, and trained-like networks of any topology.

Needs `hypothesis` (the `dev` extra); only tests import it, ours and a user's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from codesign.ir import (
    Codes,
    Decide,
    Encode,
    Feature,
    Fixed,
    Format,
    LutNetwork,
    Neuron,
    Stage,
    Sum,
    Sums,
    Tables,
    Topology,
    addresses,
    bits_for_range,
    check,
    encode,
    trace,
)
from codesign.ir.topology import check_topology

__all__ = [
    "Encoder",
    "Limits",
    "networks",
    "random_codes",
    "random_features",
    "structured_network",
    "with_sound_care",
]

Encoder = Literal["none", "binary", "binary_words", "thermometer", "thermometer_words"]
"""How a network takes its input: codes, or features through one of the encoders, with or without words."""

ENCODERS: tuple[Encoder, ...] = ("none", "binary", "binary_words", "thermometer", "thermometer_words")


@dataclass(frozen=True)
class Limits:
    """How large a drawn network may be; the defaults keep its inputs enumerable (at most 4096)."""

    inputs: int = 4
    input_bits: int = 3
    stages: int = 3
    width: int = 5
    fan_in: int = 3
    bits: int = 3
    address_bits: int = 9


@st.composite
def networks(
    draw: st.DrawFn,
    *,
    encoders: Sequence[Encoder] = ENCODERS,
    decides: Sequence[str] = ("argmax", "threshold", "none", "absent"),
    sums: bool = True,
    care: Literal["none", "sound", "any"] = "none",
    limits: Limits = Limits(),
) -> LutNetwork:
    """Draw a legal network with ragged fan-in and bits.

    care: "none": no care sets; "sound": some neurons state don't-cares that really cannot occur; "any": arbitrary
    ones, for which only legality, text and storage are meaningful.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    encoder = draw(st.sampled_from(list(encoders)))
    count = draw(st.integers(1, limits.inputs))
    first: tuple[Stage, ...] = ()
    formats: tuple[Format, ...]
    inputs: tuple[Format, ...] = ()
    if encoder == "none":
        inputs = tuple(
            Format(draw(st.integers(1, limits.input_bits)), draw(st.booleans()) if sums else False)
            for _ in range(count)
        )
        formats = inputs
    else:
        first = (_encode(draw, rng, encoder, count, limits),)
        formats = first[0].formats
    stages: list[Stage] = list(first)
    for index in range(draw(st.integers(1, limits.stages))):
        as_sums = sums and draw(st.integers(0, 3)) == 0
        stage = (
            _sums(draw, rng, f"s{index}", formats, limits) if as_sums else _tables(draw, rng, index, formats, limits)
        )
        stages.append(stage)
        formats = stage.formats
    kind = draw(st.sampled_from(list(decides)))
    if kind != "absent":
        threshold = draw(st.integers(-3, 6)) if kind == "threshold" else 0
        extra = {"scale": 0.5, "offset": -1.25} if kind == "none" else {}
        stages.append(Decide("decide", kind, formats, threshold, **extra))  # type: ignore[arg-type]
    network = check(LutNetwork("drawn", tuple(stages), inputs))
    if care == "sound":
        return with_sound_care(network, rng)
    return _any_care(network, rng) if care == "any" else network


def _encode(draw: st.DrawFn, rng: np.random.Generator, encoder: Encoder, count: int, limits: Limits) -> Encode:
    words = encoder.endswith("words")
    thermometer = encoder.startswith("thermometer")
    features: list[Feature] = []
    for i in range(count):
        most = min(limits.fan_in if thermometer else (1 << limits.input_bits) - 1, 7)
        number = draw(st.integers(1 if i == 0 or not thermometer else 0, most))
        word = Fixed(draw(st.integers(2, 5)), draw(st.integers(0, 2)), draw(st.booleans())) if words else None
        if word is None:
            thresholds = np.sort(np.round(rng.normal(size=number), 2))
        else:
            # Beyond the word's own range on purpose: such thresholds are always or never passed.
            low, high = word.format.low - 1, word.format.high + 2
            thresholds = np.sort(np.ldexp(rng.integers(low, high, size=number).astype(float), -word.fraction_bits))
        features.append(Feature(f"x{i}", tuple(float(t) for t in thresholds), word))
    return Encode("encode", tuple(features), "thermometer" if thermometer else "binary")


def _sources(draw: st.DrawFn, formats: tuple[Format, ...], limits: Limits, *, unique: bool) -> tuple[int, ...]:
    index = st.integers(0, len(formats) - 1)
    chosen = draw(st.lists(index, min_size=0 if unique else 1, max_size=limits.fan_in, unique=unique))
    return tuple(chosen)


def _tables(
    draw: st.DrawFn, rng: np.random.Generator, index: int, formats: tuple[Format, ...], limits: Limits
) -> Tables:
    neurons: list[Neuron] = []
    for _ in range(draw(st.integers(1, limits.width))):
        sources = list(_sources(draw, formats, limits, unique=True))
        while sum(formats[s].bits for s in sources) > limits.address_bits:
            sources.pop()
        style = draw(st.sampled_from(("random", "sum", "few", "copy")))
        fmt = Format(draw(st.integers(1, limits.bits)), draw(st.booleans()))
        if style == "copy" and neurons:
            twin = neurons[draw(st.integers(0, len(neurons) - 1))]
            relabel = rng.permutation(twin.format.count) if draw(st.booleans()) else np.arange(twin.format.count)
            neurons.append(Neuron(twin.sources, relabel[twin.table].astype(np.int32), twin.format))
        else:
            neurons.append(Neuron(tuple(sources), _table(rng, style, sources, formats, fmt), fmt))
    return Tables(f"t{index}", tuple(neurons))


def _table(
    rng: np.random.Generator, style: str, sources: Sequence[int], formats: tuple[Format, ...], fmt: Format
) -> NDArray:
    rows = 1 << sum(formats[s].bits for s in sources)
    if style == "random" or style == "copy":
        return rng.integers(0, fmt.count, rows)
    if style == "few":
        return rng.choice(rng.integers(0, fmt.count, 2), rows)
    total, shift = np.zeros(rows), 0
    for s in sources:
        codes = (np.arange(rows) >> shift) & (formats[s].count - 1)
        total += rng.choice((-1.0, 0.0, 0.5, 1.0)) * formats[s].values(codes)
        shift += formats[s].bits
    return fmt.codes(np.clip(np.round(total), fmt.low, fmt.high))


def _sums(draw: st.DrawFn, rng: np.random.Generator, name: str, formats: tuple[Format, ...], limits: Limits) -> Sums:
    sums: list[Sum] = []
    for _ in range(draw(st.integers(1, limits.width))):
        sources = _sources(draw, formats, limits, unique=False)
        signs = tuple(1 if s else -1 for s in rng.integers(0, 2, len(sources)))
        bias = draw(st.integers(-4, 4))
        ends = [sorted((g * formats[s].low, g * formats[s].high)) for s, g in zip(sources, signs, strict=True)]
        fmt = bits_for_range(bias + sum(e[0] for e in ends), bias + sum(e[1] for e in ends))
        if draw(st.booleans()):
            fmt = Format(fmt.bits + 1, True)
        sums.append(Sum(sources, signs, fmt, bias))  # type: ignore[arg-type]
    return Sums(name, tuple(sums))


def _any_care(network: LutNetwork, rng: np.random.Generator) -> LutNetwork:
    stages = [
        Tables(s.name, tuple(_with_care(n, rng.random(n.table.size) < rng.random(), rng) for n in s.neurons))
        if isinstance(s, Tables)
        else s
        for s in network.stages
    ]
    return check(LutNetwork(network.name, tuple(stages), network.inputs))


def _with_care(neuron: Neuron, care: NDArray[np.bool_], rng: np.random.Generator) -> Neuron:
    if rng.integers(0, 3) == 0:
        return neuron
    return Neuron(neuron.sources, neuron.table, neuron.format, care)


def with_sound_care(network: LutNetwork, rng: np.random.Generator) -> LutNetwork:
    """Give some neurons care sets that hold: the addresses met over every input, and a few more at random."""
    from codesign.passes import every_input

    samples = every_input(network)
    codes = encode(network.encode, samples) if network.encode else samples.astype(np.int32)
    reached = [codes, *trace(network, codes)]
    stages: list[Stage] = []
    inputs = network.code_inputs
    for stage, arriving in zip(network.core, reached, strict=False):
        if isinstance(stage, Tables):
            neurons: list[Neuron] = []
            for n in stage.neurons:
                care = rng.random(n.table.size) < rng.choice((0.0, 0.3))
                care[addresses(arriving, n.sources, inputs)] = True
                neurons.append(_with_care(n, care, rng))
            stages.append(Tables(stage.name, tuple(neurons)))
        else:
            stages.append(stage)
        inputs = stage.formats
    head = network.stages[: len(network.stages) - len(stages)]
    return check(LutNetwork(network.name, (*head, *stages), network.inputs))


def random_features(stage: Encode, rng: np.random.Generator, samples: int) -> NDArray[np.float64]:
    """Return features (samples, features) that cross thresholds, meet them exactly, and lie far outside."""
    columns: list[NDArray[np.float64]] = []
    for feature in stage.features:
        t = np.asarray(feature.thresholds if feature.thresholds else (0.0,))
        span = max(float(t[-1] - t[0]), 1.0)
        spread = rng.uniform(t[0] - span, t[-1] + span, samples)
        exact = rng.choice(t, samples)
        kind = rng.integers(0, 8, samples)
        columns.append(np.select([kind == 0, kind == 1], [exact, spread * 100], spread))
    return np.stack(columns, axis=1)


def random_codes(network: LutNetwork, rng: np.random.Generator, samples: int) -> Codes:
    """Return codes (samples, signals) that may enter the first stage after the encoder."""
    if network.encode is not None:
        return encode(network.encode, random_features(network.encode, rng, samples))
    columns = [rng.integers(0, f.count, samples) for f in network.inputs]
    return np.stack(columns, axis=1).astype(np.int32)


def structured_network(topology: Topology, rng: np.random.Generator, *, words: bool = False) -> LutNetwork:
    """Return a trained-like network of a topology: every table is a quantized random weighted sum of its sources.

    Hidden neurons are quantized ReLUs (about half of the mass at 0), the last layer is signed, as a LogicNets
    network has them. Neurons of several terms become term tables, exact sums and requantizing tables. With `words`
    the features are fixed-point, so that the encoder can be built in hardware.
    """
    check_topology(topology)
    stages: list[Stage] = [_uniform_encoder(topology, words=words)]
    for index, layer in enumerate(topology.layers):
        formats = stages[-1].formats
        last = index == len(topology.layers) - 1
        fmt = Format(layer.bits, signed=last and layer.bits > 1)
        if layer.terms == 1:
            neurons = tuple(_quantized(topology, index, rng, formats, fmt) for _ in range(layer.width))
            stages.append(Tables(layer.name, neurons))
            continue
        term = Format(layer.term_bits or layer.bits, signed=True)
        terms = [_quantized(topology, index, rng, formats, term) for _ in range(layer.width * layer.terms)]
        stages.append(Tables(f"{layer.name}_terms", tuple(terms)))
        wide = bits_for_range(layer.terms * term.low, layer.terms * term.high)
        groups = [tuple(range(j * layer.terms, (j + 1) * layer.terms)) for j in range(layer.width)]
        stages.append(Sums(f"{layer.name}_sums", tuple(Sum(g, (1,) * layer.terms, wide) for g in groups)))
        if not last:
            value = wide.values(np.arange(wide.count)) * fmt.high / (max(term.high, 1) * layer.terms**0.5)
            relu = fmt.codes(np.clip(np.round(value), fmt.low, fmt.high))
            stages.append(Tables(layer.name, tuple(Neuron((j,), relu, fmt) for j in range(layer.width))))
    stages.append(Decide("decide", topology.decide, stages[-1].formats))
    return check(LutNetwork(topology.name.replace("-", "_"), tuple(stages)))


def _uniform_encoder(topology: Topology, *, words: bool) -> Encode:
    count = topology.input_bits if topology.coding == "thermometer" else (1 << topology.input_bits) - 1
    word = Fixed(8, 6, signed=True) if words and count > 1 else Fixed(1) if words else None
    grid = np.array([0.5]) if count == 1 else np.linspace(-1.5, 1.5, count)
    if word is not None:
        grid = np.array([1.0]) if count == 1 else np.round(grid * 64) / 64
    thresholds = tuple(float(t) for t in grid)
    return Encode("encode", tuple(Feature(f"x{i}", thresholds, word) for i in range(topology.inputs)), topology.coding)


def _quantized(
    topology: Topology, index: int, rng: np.random.Generator, formats: tuple[Format, ...], fmt: Format
) -> Neuron:
    sources = rng.choice(len(formats), topology.layers[index].fan_in, replace=False)
    rows = np.arange(1 << topology.address_bits(index))
    total = np.zeros(rows.size)
    shift = 0
    for s in sources:
        total += rng.normal() * formats[s].values((rows >> shift) & (formats[s].count - 1))
        shift += formats[s].bits
    # As batch norm does: centred, with a small random shift, one standard deviation near half of the range.
    total = (total - total.mean()) / max(float(total.std()), 1e-9) + 0.3 * rng.normal()
    value = np.round(total * max(fmt.high, 1) / (1.5 if fmt.signed else 2.0))
    if fmt.bits == 1:
        value = (total > 0).astype(float)
    return Neuron(tuple(int(s) for s in sources), fmt.codes(np.clip(value, fmt.low, fmt.high)), fmt)
