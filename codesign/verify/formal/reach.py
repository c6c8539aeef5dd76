"""Proves that care sets hold: whatever enters the network, no neuron meets an address outside its care set."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.errors import ToolFailed
from codesign.ir import Decide, Format, LutNetwork, Neuron, Sum, Sums, Tables, addresses, trace
from codesign.verify.formal.aig import TRUE, Aig
from codesign.verify.formal.golden import Word, cared, golden_neuron, golden_stage, legal_codes, legal_inputs
from codesign.verify.formal.prove import Question, ask
from codesign.verify.formal.result import Proof, Tally

__all__ = ["out_formats", "prove_care", "prove_care_sets", "reached_codes"]

_MAX_LISTED = 1 << 20
"""Sums of values that are listed at most."""


def reached_codes(network: LutNetwork) -> list[list[NDArray[np.bool_]]]:
    """Return, for the signals that enter each stage of the core and leave the last, which codes they can take.

    A table gives what stands in its cared-for rows, an encoder what its thresholds allow, a sum what its sources add up
    to. This holds where the care sets hold.
    """
    encode = network.encode
    first = [np.ones(fmt.count, np.bool_) for fmt in network.code_inputs]
    if encode is not None and encode.coding == "binary":
        first = [
            np.isin(np.arange(fmt.count), legal_codes(feature))
            for fmt, feature in zip(encode.formats, encode.features, strict=True)
        ]
    elif encode is not None:
        levels = [legal_codes(feature) for feature in encode.features]
        first = [
            np.array([any(c <= k for c in codes), any(c > k for c in codes)])
            for feature, codes in zip(encode.features, levels, strict=True)
            for k in range(len(feature.thresholds))
        ]
    out = [first]
    for stage in network.core:
        if isinstance(stage, Tables):
            out.append([_given(neuron, out[-1]) for neuron in stage.neurons])
        elif isinstance(stage, Sums):
            formats = out_formats(network, len(out) - 1)
            out.append([_summed(total, out[-1], formats) for total in stage.sums])
        else:
            out.append([np.ones(fmt.count, np.bool_) for fmt in stage.formats])
    return out


def out_formats(network: LutNetwork, level: int) -> tuple[Format, ...]:
    """The formats of the signals that enter stage `level` of the core."""
    return network.core[level - 1].formats if level else network.code_inputs


def _given(neuron: Neuron, reached: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    rows = np.ones(1, np.bool_)
    for source in neuron.sources:
        rows = (reached[source][:, None] & rows[None, :]).reshape(-1)
    found = np.zeros(neuron.format.count, np.bool_)
    found[neuron.table[rows if neuron.care is None else rows & neuron.care]] = True
    return found


def _summed(total: Sum, reached: Sequence[NDArray[np.bool_]], formats: Sequence[Format]) -> NDArray[np.bool_]:
    """Which codes a sum can take, its sources taken as independent; all of them where that is much to list."""
    weights: dict[int, int] = {}
    for source, sign in zip(total.sources, total.signs, strict=True):
        weights[source] = weights.get(source, 0) + sign
    values = np.array([total.bias], np.int64)
    for source, weight in weights.items():
        given = weight * formats[source].values(np.flatnonzero(reached[source]))
        if values.size * given.size > _MAX_LISTED:
            return np.ones(total.format.count, np.bool_)
        values = np.unique(values[:, None] + given[None, :])
    found = np.zeros(total.format.count, np.bool_)
    found[total.format.codes(values)] = True
    return found


def prove_care(network: LutNetwork, *, work: Path, timeout_s: float) -> Tally:
    """Prove the care sets of all tables of a network; see `prove_care_sets`."""
    started = time.monotonic()
    proofs = prove_care_sets(network, None, work=work, timeout_s=timeout_s)
    return Tally.of("no input reaches a don't-care", proofs, seconds=time.monotonic() - started)


def prove_care_sets(network: LutNetwork, proven: LutNetwork | None, *, work: Path, timeout_s: float) -> list[Proof]:
    """Prove, stage by stage from the input on, that no neuron meets an address outside its care set.

    For a neuron of stage k the stages k - d to k - 1 before it are written out, from free signals that enter stage
    k - d. Of these it is known what was proven of the stages before: the codes that each can take, and (of the tables
    that are written out) that no address outside a care set is met. d grows until the proof holds; with d = k the
    free signals are the network's own legal inputs, and what is then possible is a counter-example.

    proven: a network of the same tables whose wider care sets are known to hold; they are taken for granted, and
    neurons whose care set is the same are not asked about.
    """
    reached = reached_codes(network)
    proofs: list[Proof] = []
    for level, stage in enumerate(network.core):
        if not isinstance(stage, Tables):
            continue
        known = proven.core[level] if proven is not None else None
        wanted = [j for j, neuron in enumerate(stage.neurons) if neuron.care is not None]
        if isinstance(known, Tables):
            wanted = [j for j in wanted if stage.neurons[j] != known.neurons[j]]
        open_at: dict[int, list[int]] = {}
        depth = 0
        left = list(wanted)
        found: dict[int, Proof] = {}
        while left and depth <= level:
            aig, questions, _ = _questions(network, proven, reached, level, depth, left)
            answers = ask(aig, questions, work=work / f"{stage.name}_{depth}", timeout_s=timeout_s, quick=True)
            for j, question, answer in zip(left, questions, answers, strict=True):
                if answer.status == "never":
                    found[j] = Proof(question.name, "proven", answer.how, _rows(stage.neurons[j]))
                elif answer.status == "open" or depth == level:
                    open_at.setdefault(j, []).append(depth)
            left = [j for j in left if j not in found]
            depth += 1
        for j in left:
            found[j] = _insist(network, proven, reached, level, j, open_at[j], work=work, timeout_s=timeout_s)
        proofs += [found[j] for j in wanted]
    return proofs


def _rows(neuron: Neuron) -> int:
    assert neuron.care is not None
    return int((~neuron.care).sum())


def _questions(
    network: LutNetwork,
    proven: LutNetwork | None,
    reached: Sequence[Sequence[NDArray[np.bool_]]],
    level: int,
    depth: int,
    neurons: Sequence[int],
) -> tuple[Aig, list[Question], _Cone]:
    """Ask whether neurons of stage `level` can meet an address outside their care sets, `depth` stages written out."""
    aig = Aig()
    cone = _Cone(network, reached, level - depth, aig)
    stage = network.core[level]
    assert isinstance(stage, Tables)
    questions: list[Question] = []
    for j in neurons:
        neuron = stage.neurons[j]
        cone.conditions = {}
        words = {source: cone.word(level, source) for source in neuron.sources}
        outside = cared(aig, neuron, _placed(words, neuron)) ^ 1
        granted = TRUE
        if proven is not None:
            before = proven.core[level]
            assert isinstance(before, Tables)
            granted = cared(aig, before.neurons[j], _placed(words, before.neurons[j]))
        possible = aig.all_([outside, granted, cone.legal(), *cone.conditions.values()])
        questions.append(Question(f"stage {stage.name!r}, neuron {j}", possible))
    return aig, questions, cone


def _placed(words: dict[int, Word], neuron: Neuron) -> list[Word]:
    """Return the words in a list that the neuron's sources index."""
    return [words.get(s, []) for s in range(max(neuron.sources, default=-1) + 1)]


class _Cone:
    """Signals from a level of free ones on, built on demand; `conditions` collects what is known of them."""

    def __init__(
        self, network: LutNetwork, reached: Sequence[Sequence[NDArray[np.bool_]]], start: int, aig: Aig
    ) -> None:
        self.network = network
        self.reached = reached
        self.start = start
        self.aig = aig
        self.formats = [network.code_inputs, *(stage.formats for stage in network.core)]
        self.conditions: dict[tuple[int, int], int] = {}
        self.inputs: dict[int, Word] = {}
        self._made: dict[tuple[int, int], tuple[Word, dict[tuple[int, int], int]]] = {}

    def word(self, level: int, signal: int) -> Word:
        """Return signal `signal` of those that enter stage `level` of the core."""
        key = (level, signal)
        if key not in self._made:
            outer, self.conditions = self.conditions, {}
            word = self._free(signal) if level == self.start else self._derived(level, signal)
            self._made[key] = (word, self.conditions)
            self.conditions = outer
        word, conditions = self._made[key]
        self.conditions.update(conditions)
        return word

    def _free(self, signal: int) -> Word:
        word = self.inputs[signal] = self.aig.word(self.formats[self.start][signal].bits)
        self.conditions[self.start, signal] = self.aig.table(self.reached[self.start][signal], word)
        return word

    def _derived(self, level: int, signal: int) -> Word:
        stage = self.network.core[level - 1]
        assert not isinstance(stage, Decide)
        if isinstance(stage, Tables):
            neuron = stage.neurons[signal]
            words = _placed({s: self.word(level - 1, s) for s in neuron.sources}, neuron)
            self.conditions[level, signal] = cared(self.aig, neuron, words)
            return golden_neuron(self.aig, neuron, words)
        assert isinstance(stage, Sums)
        total = stage.sums[signal]
        formats = self.formats[level - 1]
        words = [self.word(level - 1, s) if s in total.sources else [0] * f.bits for s, f in enumerate(formats)]
        return golden_stage(self.aig, Sums(stage.name, (total,)), words, formats)[0]

    def legal(self) -> int:
        """What is known of the free signals together: thermometer bits imply one another."""
        encode = self.network.encode
        if self.start or encode is None or encode.coding != "thermometer":
            return TRUE
        formats = self.formats[0]
        words = [self.inputs.get(s) or self.inputs.setdefault(s, self.aig.word(f.bits)) for s, f in enumerate(formats)]
        return legal_inputs(self.aig, self.network, words)


def _insist(
    network: LutNetwork,
    proven: LutNetwork | None,
    reached: Sequence[Sequence[NDArray[np.bool_]]],
    level: int,
    j: int,
    depths: Sequence[int],
    *,
    work: Path,
    timeout_s: float,
) -> Proof:
    """Ask about one neuron with the full time limit, at the depths that stayed open and from the input on."""
    stage = network.core[level]
    name = f"stage {stage.name!r}, neuron {j}"
    reason = ""
    for depth in sorted({*depths, level}):
        aig, questions, cone = _questions(network, proven, reached, level, depth, [j])
        answer = ask(aig, questions, work=work / f"{stage.name}_{j}_{depth}", timeout_s=timeout_s)[0]
        if answer.status == "never":
            assert isinstance(stage, Tables)
            return Proof(name, "proven", answer.how, _rows(stage.neurons[j]))
        if answer.status == "possible" and depth == level:
            return Proof(name, "refuted", answer.how, 0, _shown(network, level, j, cone, answer.assignment))
        reason = answer.reason or reason
    return Proof(name, "not proven", "ABC", 0, reason)


def _shown(network: LutNetwork, level: int, j: int, cone: _Cone, assignment: dict[int, int]) -> str:
    """Turn the free inputs into the network's input codes; run the network on them to name the address that is met."""
    stage = network.core[level]
    assert isinstance(stage, Tables)
    codes = np.zeros((1, len(network.code_inputs)), np.int32)
    for signal, word in cone.inputs.items():
        codes[0, signal] = sum(assignment.get(bit, 0) << k for k, bit in enumerate(word))
    arriving = codes if level == 0 else trace(network, codes)[level - 1]
    neuron = stage.neurons[j]
    address = int(addresses(arriving, neuron.sources, cone.formats[level])[0])
    assert neuron.care is not None
    if neuron.care[address]:
        raise ToolFailed(f"the counter-example for the care set of stage {stage.name!r}, neuron {j} is none: {address}")
    return f"input codes {codes[0].tolist()} lead to address {address}, which is not in its care set"
