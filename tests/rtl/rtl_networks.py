"""Small fixed networks for the tests of emission."""

from __future__ import annotations

import numpy as np

from codesign.ir import (
    Decide,
    Encode,
    Feature,
    Fixed,
    Format,
    LutNetwork,
    Neuron,
    Sum,
    Sums,
    Tables,
    bits_for_range,
    check,
)


def tables(
    name: str, inputs: tuple[Format, ...], width: int, fan_in: int, fmt: Format, rng: np.random.Generator
) -> Tables:
    """Random tables; neuron j reads `fan_in` signals from j onwards, wrapping around."""
    neurons = []
    for j in range(width):
        sources = tuple((j + k) % len(inputs) for k in range(min(fan_in, len(inputs))))
        rows = 1 << sum(inputs[s].bits for s in sources)
        neurons.append(Neuron(sources, rng.integers(0, fmt.count, rows).astype(np.int32), fmt))
    return Tables(name, tuple(neurons))


def sums(name: str, inputs: tuple[Format, ...], count: int, bias: int = 0) -> Sums:
    """Sums of all inputs with alternating signs, in another order each."""
    out = []
    for j in range(count):
        sources = tuple((j + k) % len(inputs) for k in range(len(inputs)))
        signs = tuple(-1 if k % 3 == 2 else 1 for k in range(len(inputs)))
        ends = [sorted((g * inputs[s].low, g * inputs[s].high)) for s, g in zip(sources, signs, strict=True)]
        fmt = bits_for_range(bias - j + sum(e[0] for e in ends), bias - j + sum(e[1] for e in ends))
        out.append(Sum(sources, signs, fmt, bias - j))
    return Sums(name, tuple(out))


def tiny(
    name: str = "tiny", *, coding: str = "binary", decide: str = "argmax", classes: int = 3, seed: int = 1
) -> LutNetwork:
    """Three features with words (8 bits, 8 bits signed, 4 bits), tables, sums, a decision."""
    rng = np.random.default_rng(seed)
    features = (
        Feature("pixel", (16.0, 100.0, 128.0), Fixed(8)),
        Feature("charge | e", (-2.25, 0.0, 3.5), Fixed(8, 2, True)),
        Feature("count", (1.0, 2.0, 8.0), Fixed(4)),
    )
    encode = Encode("encode", features, coding)
    first = tables("l0", encode.formats, 4, 2, Format(2), rng)
    second = tables("l1", first.formats, 6, 2, Format(2, True), rng)
    total = sums("total", second.formats, classes, bias=3)
    stages = [encode, first, second, total]
    if decide != "absent":
        stages.append(Decide("answer", decide, total.formats, 2 if decide == "threshold" else 0))
    return check(LutNetwork(name, tuple(stages)))


def popcount(
    name: str = "votes", *, inputs: int = 12, terms: int = 40, classes: int = 4, decide: bool = True
) -> LutNetwork:
    """Codes in, no encoder: `classes` sums of `terms` 1-bit tables each, then argmax."""
    rng = np.random.default_rng(7)
    codes = (Format(1),) * inputs
    first = tables("l0", codes, terms * classes, 4, Format(1), rng)
    fmt = Format(terms.bit_length())
    groups = [tuple(range(j * terms, (j + 1) * terms)) for j in range(classes)]
    total = Sums("votes", tuple(Sum(g, (1,) * terms, fmt) for g in groups))
    head = (Decide("answer", "argmax", total.formats),) if decide else ()
    return check(LutNetwork(name, (first, total, *head), codes))
