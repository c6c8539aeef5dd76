"""The network's own meaning as graphs: each stage from its tables, sums and thresholds, never from Verilog."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from codesign.ir import Decide, Encode, Feature, Format, LutNetwork, Neuron, Stage, Sum, Sums, Tables
from codesign.verify.formal.aig import FALSE, TRUE, Aig

__all__ = ["Word", "cared", "constant", "golden_neuron", "golden_stage", "legal_codes", "legal_inputs", "values_of"]

Word = list[int]
"""A signal: literals, lowest bit first."""


def constant(value: int, bits: int) -> Word:
    """Return a constant word."""
    return [TRUE if value >> k & 1 else FALSE for k in range(bits)]


def golden_stage(aig: Aig, stage: Stage, words: Sequence[Word], inputs: Sequence[Format]) -> list[Word]:
    """Return a stage's output signals; `words` are its inputs: signals, or an encoder's fixed-point words."""
    if isinstance(stage, Encode):
        return [
            word for feature, x in zip(stage.features, words, strict=True) for word in _levels(aig, stage, feature, x)
        ]
    if isinstance(stage, Tables):
        return [golden_neuron(aig, neuron, words) for neuron in stage.neurons]
    if isinstance(stage, Sums):
        return [_sum(aig, total, words, inputs) for total in stage.sums]
    return _decide(aig, stage, words)


def golden_neuron(aig: Aig, neuron: Neuron, words: Sequence[Word]) -> Word:
    """Return a table neuron's code."""
    address = _address(neuron, words)
    return [aig.table(neuron.table >> bit & 1, address) for bit in range(neuron.format.bits)]


def cared(aig: Aig, neuron: Neuron, words: Sequence[Word]) -> int:
    """Return whether a table neuron's address is in its care set."""
    return TRUE if neuron.care is None else aig.table(neuron.care, _address(neuron, words))


def _address(neuron: Neuron, words: Sequence[Word]) -> Word:
    return [bit for source in neuron.sources for bit in words[source]]


def _levels(aig: Aig, stage: Encode, feature: Feature, x: Word) -> list[Word]:
    assert feature.word is not None
    passed = [aig.at_least(x, t, signed=feature.word.signed) for t in feature.word_thresholds()]
    if stage.coding == "thermometer":
        return [[bit] for bit in passed]
    bits = max(1, len(passed).bit_length())
    code = constant(0, bits)
    for count, bit in enumerate(passed, 1):  # thresholds ascend, so the last one that is passed counts
        code = [aig.mux(bit, one, zero) for one, zero in zip(constant(count, bits), code, strict=True)]
    return [code]


def _extended(word: Word, fmt: Format, bits: int) -> Word:
    fill = word[-1] if fmt.signed else FALSE
    return (word + [fill] * bits)[:bits]


def _sum(aig: Aig, total: Sum, words: Sequence[Word], inputs: Sequence[Format]) -> Word:
    bits = total.format.bits
    result = constant(total.bias + sum(sign < 0 for sign in total.signs), bits)
    for source, sign in zip(total.sources, total.signs, strict=True):
        word = _extended(words[source], inputs[source], bits)
        result = aig.add(result, word if sign > 0 else [bit ^ 1 for bit in word])  # -x is ~x + 1
    return result


def values_of(aig: Aig, words: Sequence[Word], formats: Sequence[Format]) -> list[Word]:
    """Return signals as two's complement words of one width that holds all their values."""
    bits = max(fmt.bits + (not fmt.signed) for fmt in formats)
    return [_extended(word, fmt, bits) for word, fmt in zip(words, formats, strict=True)]


def _greater(aig: Aig, a: Word, b: Word) -> int:
    """Return a > b of two's complement words: the sign of b - a, in one bit more."""
    wide_a, wide_b = [*a, a[-1]], [*b, b[-1]]
    one = constant(1, len(wide_a))
    return aig.add(aig.add(wide_b, [bit ^ 1 for bit in wide_a]), one)[-1]


def _decide(aig: Aig, stage: Decide, words: Sequence[Word]) -> list[Word]:
    if stage.kind == "none":
        return [list(word) for word in words]
    if stage.kind == "threshold":
        pairs = zip(words, stage.inputs, strict=True)
        return [[aig.at_least(word, stage.threshold, signed=fmt.signed)] for word, fmt in pairs]
    values = values_of(aig, words, stage.inputs)
    bits = stage.formats[0].bits
    best, index = values[0], constant(0, bits)
    for j, value in enumerate(values[1:], 1):  # one after the other; the design compares in a tree
        better = _greater(aig, value, best)
        best = [aig.mux(better, new, old) for new, old in zip(value, best, strict=True)]
        index = [aig.mux(better, new, old) for new, old in zip(constant(j, bits), index, strict=True)]
    return [index]


def legal_codes(feature: Feature) -> list[int]:
    """Return the counts of passed thresholds that some input of a feature gives, ascending."""
    if feature.word is not None:
        fmt = feature.word.format
        if fmt.bits <= 20:
            words = np.arange(fmt.low, fmt.high + 1)
            return np.unique(np.searchsorted(np.asarray(feature.word_thresholds()), words, side="right")).tolist()
        return list(range(len(feature.thresholds) + 1))
    t = feature.thresholds
    return [c for c in range(len(t) + 1) if c in (0, len(t)) or t[c - 1] < t[c]]


def legal_inputs(aig: Aig, network: LutNetwork, words: Sequence[Word]) -> int:
    """Return whether the codes that enter the first stage after the encoder can occur together."""
    stage = network.encode
    if stage is None:
        return TRUE
    conditions: list[int] = []
    place = 0
    for feature in stage.features:
        levels = legal_codes(feature)
        if stage.coding == "binary":
            column = np.isin(np.arange(1 << len(words[place])), levels)
            conditions.append(aig.table(column, words[place]))
            place += 1
            continue
        bits = [words[place + k][0] for k in range(len(feature.thresholds))]
        place += len(bits)
        conditions.append(aig.any_(aig.all_(b if k < c else b ^ 1 for k, b in enumerate(bits)) for c in levels))
    return aig.all_(conditions)
