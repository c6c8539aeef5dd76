"""Proves sums of many bits counter by counter: what each net counts is evaluated, and what they add up to follows.

One sum of a hundred bits is too much for SAT sweeping, since the golden side adds its bits in another order. But a
named net of the emitted module reads a few others, so all its rows can be evaluated. Where its word is `c + sum(w x)`
of the bits x that it reads, that can stand for its bits wherever they have weights of 1, 2, 4, ... times one number.
From the outputs back to the inputs this gives each sum as such a function of its input bits, modulo two to its width,
and the golden sum is one too. Names only say where to cut; each relation is proven for all values of what it reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from codesign.ir import Format, Sum
from codesign.verify.formal.aig import FALSE, TRUE, Aig
from codesign.verify.formal.elaborate import Bit, Module
from codesign.verify.formal.prove import Question, ask

__all__ = ["sums_by_counters"]

_ROWS = 12
"""Inputs up to which all rows of a net are evaluated; of an output that reads more, ABC is asked."""


@dataclass(frozen=True)
class _Affine:
    """`constant + sum(weights[x] * x)` over bits x, which are input literals."""

    constant: int
    weights: Mapping[int, int]


@dataclass(frozen=True)
class _Net:
    """A word that was cut: what stands for its bits, and how they relate to what the word reads.

    exact: whether that holds of integers, and not only modulo two to the word's width.
    """

    bits: tuple[int, ...]
    relation: _Affine
    exact: bool


def sums_by_counters(
    modules: Sequence[Module], sums: Sequence[Sum], inputs: Sequence[Format], *, work: Path, timeout_s: float
) -> set[int]:
    """Return which of a stage's sums are proven to be what its emitted modules give at `out_data`.

    modules: those of the stage, in a row. inputs: formats of the signals at the first one's in_data. What is not in the
    result is neither proven nor refuted.
    """
    aig = Aig()
    words = [aig.word(fmt.bits) for fmt in inputs]
    given = [bit for word in words for bit in word]
    nets: list[_Net] = []
    for module in modules:
        known: dict[Bit, int] = dict(zip(module.word("in_data"), given, strict=True))
        made = _cut(aig, module, known)
        nets += made
        given = module.build(aig, module.word("out_data"), known)
    ordered = _in_order(nets)
    if ordered is None:
        return set()
    proven: set[int] = set()
    low = 0
    for j, total in enumerate(sums):
        bits = total.format.bits
        found = _output(aig, given[low : low + bits], work=work / f"sum_{j}", timeout_s=timeout_s)
        low += bits
        if found is not None and _followed(found, ordered, bits) == _wanted(total, words, inputs):
            proven.add(j)
    return proven


def _cut(aig: Aig, module: Module, known: dict[Bit, int]) -> list[_Net]:
    """Cut a module at its named nets that count what they read; `known` takes what stands for their bits."""
    stands: dict[Bit, int] = {}
    places: list[tuple[Bit, ...]] = []
    for name, bits in module.names.items():
        free = all(isinstance(bit, int) and bit not in known and bit not in stands for bit in bits)
        if free and name not in module.ports and "$" not in name and len(set(bits)) == len(bits):
            places.append(bits)
            stands.update(zip(bits, aig.word(len(bits)), strict=True))
    while True:
        nets: dict[tuple[Bit, ...], _Net] = {}
        for bits in places:
            others = {bit: literal for bit, literal in stands.items() if bit not in bits}
            relation, exact = _relate(aig, module.build(aig, bits, known | others))
            if relation is not None:
                nets[bits] = _Net(tuple(stands[bit] for bit in bits), relation, exact)
        if len(nets) == len(places):
            known.update(stands)
            return list(nets.values())
        # Where a net counts nothing, those that read it are built anew of what it reads.
        stands = {bit: stands[bit] for bits in nets for bit in bits}
        places = list(nets)


def _relate(aig: Aig, word: Sequence[int]) -> tuple[_Affine | None, bool]:
    """Relate a word to the few bits that it reads, by all its rows; None where it is no affine function of them."""
    reads = aig.support(word)
    if len(reads) > _ROWS:
        return None, False
    samples = 1 << len(reads)
    patterns = {x: sum(1 << row for row in range(samples) if row >> k & 1) for k, x in enumerate(reads)}
    columns = aig.evaluate(word, patterns, samples=samples)
    values = [sum((column >> row & 1) << k for k, column in enumerate(columns)) for row in range(samples)]
    weights = {x: values[1 << k] - values[0] for k, x in enumerate(reads)}
    told = [
        values[0] + sum(weight for k, weight in enumerate(weights.values()) if row >> k & 1) for row in range(samples)
    ]
    relation = _Affine(values[0], weights)
    if told == values:
        return relation, True
    whole = 1 << len(word)
    return (relation, False) if [one % whole for one in told] == values else (None, False)


def _in_order(nets: Sequence[_Net]) -> list[_Net] | None:
    """Nets, each before those that it reads; None where they read each other in a ring."""
    owner = {bit: k for k, net in enumerate(nets) for bit in net.bits}
    sorter = TopologicalSorter(
        {k: {owner[x] for x in net.relation.weights if x in owner} for k, net in enumerate(nets)}
    )
    try:
        return [nets[k] for k in sorter.static_order()][::-1]
    except CycleError:
        return None


def _output(aig: Aig, word: Sequence[int], *, work: Path, timeout_s: float) -> _Affine | None:
    """Relate an output to the bits that it reads, modulo two to its width: all rows are evaluated, or ABC is asked."""
    relation, _ = _relate(aig, word)
    if relation is not None:
        return relation
    reads, whole = aig.support(word), 1 << len(word)
    samples = len(reads) + 1
    columns = aig.evaluate(word, {x: 2 << k for k, x in enumerate(reads)}, samples=samples)
    values = [sum((column >> row & 1) << k for k, column in enumerate(columns)) for row in range(samples)]
    weights = {x: (values[k + 1] - values[0]) % whole for k, x in enumerate(reads)}
    relation = _Affine(values[0], weights)
    bad = aig.differ(word, _added(aig, relation, len(word)))
    (answer,) = ask(aig, [Question("an adder", bad)], work=work, timeout_s=timeout_s)
    return relation if answer.status == "never" else None


def _added(aig: Aig, relation: _Affine, bits: int) -> list[int]:
    """The word of an affine function whose weights are powers of two and their negatives; others are added bitwise."""
    constant = relation.constant
    rows: list[list[int]] = []
    for x, weight in relation.weights.items():
        back = -weight % (1 << bits)
        bit, size = (x ^ 1, back) if back & (back - 1) == 0 and weight & (weight - 1) else (x, weight)
        constant -= 0 if bit == x else back  # -w x is w (1 - x) - w
        for k in range(bits):
            if size >> k & 1:
                row = next((row for row in rows if row[k] == FALSE), None)
                if row is None:
                    rows.append(row := [FALSE] * bits)
                row[k] = bit
    total = [TRUE if constant >> k & 1 else FALSE for k in range(bits)]
    for row in rows:
        total = aig.add(total, row)
    return total


def _followed(output: _Affine, ordered: Sequence[_Net], bits: int) -> dict[int, int] | None:
    """Replace cut nets by what they are, outputs first; return weights by input bit, the constant at 0, modulo 2**bits.

    None where a net's bits do not stand with weights of 1, 2, 4, ... times one number.
    """
    whole = 1 << bits
    weights = {x: weight % whole for x, weight in output.weights.items()}
    constant = output.constant
    for net in ordered:
        here = [weights.pop(bit, 0) for bit in net.bits]
        if not any(here):
            continue
        times = here[0]
        if here != [(times << k) % whole for k in range(len(here))]:
            return None
        if not net.exact and (times << len(here)) % whole:
            return None
        constant += times * net.relation.constant
        for x, weight in net.relation.weights.items():
            weights[x] = (weights.get(x, 0) + times * weight) % whole
    return {FALSE: constant % whole, **{x: weight for x, weight in weights.items() if weight}}


def _wanted(total: Sum, words: Sequence[Sequence[int]], inputs: Sequence[Format]) -> dict[int, int]:
    """A sum as the network has it, in the same form."""
    whole = 1 << total.format.bits
    weights: dict[int, int] = {}
    for source, sign in zip(total.sources, total.signs, strict=True):
        word = words[source]
        for k, bit in enumerate(word):
            weight = -(1 << k) if inputs[source].signed and k == len(word) - 1 else 1 << k
            weights[bit] = (weights.get(bit, 0) + sign * weight) % whole
    return {FALSE: total.bias % whole, **{x: weight for x, weight in weights.items() if weight}}
