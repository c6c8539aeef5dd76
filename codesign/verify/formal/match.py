"""Finds, and states as questions, how each signal after a pass follows from a signal before it: a map of codes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.ir import Codes, Encode, Format, LutNetwork, Neuron, Sum, Sums, Tables
from codesign.verify.formal.aig import FALSE, TRUE, Aig
from codesign.verify.formal.golden import Word, cared, constant, golden_neuron, golden_stage

__all__ = ["Level", "Link", "Matcher", "Claim", "first_level", "identity", "mapped"]

_MAX_ROWS = 1 << 20
"""Combinations of source codes that are listed at most to find a map."""

_NOWHERE = -1
"""In a map: a code that cannot occur."""


@dataclass(frozen=True, eq=False)
class Link:
    """Signal `old` before the pass, and for each of its codes the code that the signal after the pass then has."""

    old: int
    codes: Codes

    def is_identity(self, reached: NDArray[np.bool_]) -> bool:
        """Whether every code that can occur stays as it is."""
        return bool((self.codes == np.arange(self.codes.size))[reached].all())


@dataclass(eq=False)
class Level:
    """The signals that enter a stage, before and after a pass, and how they are linked.

    before, inputs: the stage that gives the signals before the pass, and the level that enters it; None for the
                    network's inputs. reached: which codes each signal before the pass can take.
    """

    old: tuple[Format, ...]
    new: tuple[Format, ...]
    reached: Sequence[NDArray[np.bool_]]
    links: list[Link | None]
    before: Tables | Sums | None = None
    inputs: Level | None = None
    equal_bits: Mapping[int, int] = field(default_factory=dict[int, int])
    relations: dict[tuple[int, int], Codes | None] = field(default_factory=dict[tuple[int, int], "Codes | None"])


@dataclass(frozen=True)
class Claim:
    """A statement about one neuron of a step: the literal that must never hold, and what tells a counter-example."""

    name: str
    bad: int
    rows: int
    words: Mapping[int, Word]
    old_word: Word
    new_word: Word
    wanted: Codes


def identity(fmt: Format) -> Codes:
    """Return the map that changes nothing."""
    return np.arange(fmt.count, dtype=np.int32)


def mapped(aig: Aig, codes: Codes, word: Word, bits: int) -> Word:
    """Return a word's image under a map of codes."""
    if np.array_equal(codes, np.arange(codes.size)) and len(word) == bits:
        return list(word)
    return [aig.table(np.maximum(codes, 0) >> k & 1, word) for k in range(bits)]


def first_level(before: LutNetwork, after: LutNetwork, reached: Sequence[NDArray[np.bool_]]) -> Level | str:
    """Return how the codes that enter the cores are linked: equal, or by thresholds that an encoder no longer has."""
    old, new = before.code_inputs, after.code_inputs
    a, b = before.encode, after.encode
    if a is None or b is None or a == b:
        if (a is None) != (b is None) or old != new:
            return "the networks take different inputs"
        links: list[Link | None] = [Link(i, identity(fmt)) for i, fmt in enumerate(old)]
        return Level(old, new, reached, links, equal_bits=_equal_bits(a))
    if a.coding != b.coding or [f.name for f in a.features] != [f.name for f in b.features]:
        return "the encoders differ in more than thresholds"
    links = []
    start = 0
    for i, (f, g) in enumerate(zip(a.features, b.features, strict=True)):
        if f.word != g.word:
            return f"feature {f.name!r} has another word"
        places = _subset(f.thresholds, g.thresholds)
        if places is None:
            return f"feature {f.name!r} has thresholds that it had not before"
        if a.coding == "thermometer":
            links += [Link(start + place, np.arange(2, dtype=np.int32)) for place in places]
            start += len(f.thresholds)
            continue
        # The count of thresholds passed after: those kept among the first c before. They ascend, so that is all.
        counts = [sum(place < c for place in places) for c in range(old[i].count)]
        links.append(Link(i, np.array(counts, np.int32)))
    return Level(old, new, reached, links, equal_bits=_equal_bits(a))


def _subset(old: Sequence[float], new: Sequence[float]) -> list[int] | None:
    """Return where each of the ascending `new` stands in `old`, in order, or None where one does not."""
    places: list[int] = []
    at = 0
    for value in new:
        while at < len(old) and old[at] != value:
            at += 1
        if at == len(old):
            return None
        places.append(at)
        at += 1
    return places


def _equal_bits(encode: Encode | None) -> dict[int, int]:
    """Return for every thermometer bit the first one with the same threshold of the same feature."""
    if encode is None or encode.coding != "thermometer":
        return {}
    out: dict[int, int] = {}
    start = 0
    for feature in encode.features:
        for k, threshold in enumerate(feature.thresholds):
            out[start + k] = start + feature.thresholds.index(threshold)
        start += len(feature.thresholds)
    return out


class Matcher:
    """One stage of a pass: finds for its signals the old ones that they follow from, and states what must be proven."""

    def __init__(self, aig: Aig, stage: Tables | Sums, old: Tables | Sums, level: Level):
        self.aig = aig
        self.stage = stage
        self.old = old
        self.level = level
        self.lemmas: list[Claim] = []

    # Variables: old signals of the level, of which some follow from others.

    def frame(self, read: Sequence[int], links: Sequence[Link]) -> tuple[list[int], dict[int, tuple[int, Codes]]]:
        """Return the free old signals of a neuron, and for the others of whom they follow and how.

        read: what the old neuron reads. links: what the new one reads, in terms of old signals.
        """
        mine = dict.fromkeys(link.old for link in links)
        derived: dict[int, tuple[int, Codes]] = {}
        sums = isinstance(self.stage, Sums)  # terms that are one signal, up to sign and a constant, may cancel
        for s in dict.fromkeys(read):
            if s in mine or s in {t for t, _ in derived.values()}:
                continue
            others = [t for t in read if t not in derived and t != s] if sums else []
            for t in dict.fromkeys((*mine, *others)):
                if t in read and not sums:
                    continue
                codes = self.relate(t, s)
                if codes is not None:
                    derived[s] = (t, codes)
                    break
        free = [s for s in dict.fromkeys((*read, *mine)) if s not in derived]
        return free, derived

    def relate(self, t: int, s: int) -> Codes | None:
        """Return the map by which old signal s follows from old signal t, stated as a lemma, or None."""
        level = self.level
        if (t, s) not in level.relations:
            level.relations[t, s] = self._relation(t, s)
        return level.relations[t, s]

    def _relation(self, t: int, s: int) -> Codes | None:
        level = self.level
        if level.before is None or level.inputs is None:
            same = level.equal_bits.get(t, -1) == level.equal_bits.get(s, -2)
            return np.arange(2, dtype=np.int32) if same else None
        units = level.before.neurons if isinstance(level.before, Tables) else level.before.sums
        one, other = units[t], units[s]
        inputs = level.inputs
        if isinstance(one, Neuron) and set(one.sources) != set(other.sources):
            return None
        free = list(dict.fromkeys((*one.sources, *other.sources)))
        if isinstance(one, Neuron) and isinstance(other, Neuron):
            rows = _rows(free, inputs)
            if rows is None:
                return None
            both = _cares(one, rows, inputs.old) & _cares(other, rows, inputs.old)
            codes = _function(
                one.table[_address(one, rows, inputs.old)][both],
                other.table[_address(other, rows, inputs.old)][both],
                one.format.count,
            )
        elif isinstance(one, Sum) and isinstance(other, Sum):
            codes = _same_sum(one, other, inputs)
        else:
            codes = None
        if codes is None:
            return None
        words = _words(self.aig, free, inputs)
        a, b = _unit(self.aig, one, words, inputs.old), _unit(self.aig, other, words, inputs.old)
        given = [_condition(self.aig, words, inputs)]
        if isinstance(one, Neuron) and isinstance(other, Neuron):
            given += [_cared(self.aig, one, words), _cared(self.aig, other, words)]
        bad = self.aig.and_(self.aig.all_(given), _breaks(self.aig, codes, a, b))
        name = f"stage {level.before.name!r}, neuron {s} follows from neuron {t}"
        self.lemmas.append(Claim(name, bad, 0, words, a, b, codes))
        return codes

    # Table neurons.

    def neuron(self, j: int, i: int, name: str) -> tuple[Link, Claim] | str:
        """Try old neuron i for the new neuron j; return the link and what is to be proven, or why it cannot be."""
        assert isinstance(self.stage, Tables) and isinstance(self.old, Tables)
        new, old, level = self.stage.neurons[j], self.old.neurons[i], self.level
        links = [level.links[s] for s in new.sources]
        if any(link is None for link in links):
            return "it reads a signal that follows from no signal before the pass"
        known = [link for link in links if link is not None]
        free, derived = self.frame(old.sources, known)
        rows = _rows(free, level)
        if rows is None:
            return "it reads too many signals to list what they can take"
        for s, (t, codes) in derived.items():
            rows[s] = codes[rows[t]]
        kept = _cares(old, rows, level.old)
        rows = {s: column[kept] for s, column in rows.items()}
        images = {s: link.codes[rows[link.old]] for s, link in zip(new.sources, known, strict=True)}
        if any((column == _NOWHERE).any() for column in images.values()):
            return "it reads a code that was thought not to occur"
        count = int(kept.sum())
        before = old.table[_address(old, rows, level.old)] if count else np.zeros(0, np.int32)
        address = _address(new, images, level.new)
        after = new.table[address] if count else np.zeros(0, np.int32)
        if new.care is not None and count and not np.broadcast_to(new.care[address], (count,)).all():
            row = int(np.argmin(np.broadcast_to(new.care[address], (count,))))
            return f"{_codes_at(rows, old.sources, row)}: the address can occur, but its care set leaves it out"
        before, after = np.broadcast_to(before, (count,)), np.broadcast_to(after, (count,))
        codes = _function(before, after, old.format.count)
        if codes is None:
            row, wanted = _odd_one(before, after)
            return f"{_codes_at(rows, old.sources, row)}: wanted {wanted}, got {int(after[row])}"
        aig = self.aig
        words = _words(aig, free, level)
        for s, (t, sigma) in derived.items():
            words[s] = mapped(aig, sigma, words[t], level.old[s].bits)
        given = aig.and_(_condition(aig, words, level, only=free), _cared(aig, old, words))
        news = {
            s: mapped(aig, link.codes, words[link.old], level.new[s].bits)
            for s, link in zip(new.sources, known, strict=True)
        }
        a, b = golden_neuron(aig, old, _listed(words)), golden_neuron(aig, new, _listed(news))
        wrong = aig.or_(_breaks(aig, codes, a, b), cared(aig, new, _listed(news)) ^ 1)
        return Link(i, codes), Claim(
            name, aig.and_(given, wrong), count, {s: words[s] for s in old.sources}, a, b, codes
        )

    # Sums.

    def sum(self, j: int, i: int, name: str) -> tuple[Link, Claim] | str:
        """Try old sum i for the new sum j; return the link and what is to be proven, or why it cannot be."""
        assert isinstance(self.stage, Sums) and isinstance(self.old, Sums)
        new, old, level = self.stage.sums[j], self.old.sums[i], self.level
        links = [level.links[s] for s in new.sources]
        known = [link for link in links if link is not None]
        if len(known) != len(links):
            return "it reads a signal that follows from no signal before the pass"
        mine: dict[int, int] = {}
        bias = new.bias
        for s, sign, link in zip(new.sources, new.signs, known, strict=True):
            codes = np.flatnonzero(level.reached[link.old])
            line = _line(level.old[link.old].values(codes), level.new[s].values(link.codes[codes]))
            if line is None:
                return "it reads a signal whose value is not the old one up to sign and a constant"
            mine[link.old] = mine.get(link.old, 0) + sign * line[0]
            bias += sign * line[1]
        free, derived = self.frame(old.sources, known)
        theirs: dict[int, int] = {}
        offset = old.bias
        for s, sign in zip(old.sources, old.signs, strict=True):
            t, turn = s, (1, 0)
            if s in derived:
                t, sigma = derived[s]
                codes = np.flatnonzero(level.reached[t])
                found = _line(level.old[t].values(codes), level.old[s].values(sigma[codes]))
                if found is None:
                    return "it read a signal whose value does not follow from what it reads now"
                turn = found
            theirs[t] = theirs.get(t, 0) + sign * turn[0]
            offset += sign * turn[1]
        bias += _fixed(mine, level)
        offset += _fixed(theirs, level)
        codes = _same(mine, bias, new.format, theirs, offset, old.format)
        if codes is None:
            return "it is not the old sum up to sign and a constant"
        aig = self.aig
        words = _words(aig, free, level)
        for s, (t, sigma) in derived.items():
            words[s] = mapped(aig, sigma, words[t], level.old[s].bits)
        news = {
            s: mapped(aig, link.codes, words[link.old], level.new[s].bits)
            for s, link in zip(new.sources, known, strict=True)
        }
        a, b = _unit(aig, old, words, level.old), _unit(aig, new, news, level.new)
        bad = aig.and_(_condition(aig, words, level, only=free), _breaks(aig, codes, a, b))
        count = math.prod(int(level.reached[s].sum()) for s in free)
        return Link(i, codes), Claim(name, bad, count, {s: words[s] for s in old.sources}, a, b, codes)


def _rows(free: Sequence[int], level: Level) -> dict[int, NDArray[Any]] | None:
    """Return every combination of the codes that the free signals can take, one column a signal; None for too many."""
    codes = [np.flatnonzero(level.reached[s]) for s in free]
    if math.prod(len(one) for one in codes) > _MAX_ROWS:
        return None
    if not free:
        return {}
    grid = np.meshgrid(*codes, indexing="ij")
    return {s: column.reshape(-1) for s, column in zip(free, grid, strict=True)}


def _address(neuron: Neuron, rows: Mapping[int, NDArray[Any]], formats: Sequence[Format]) -> NDArray[np.int64]:
    address: NDArray[np.int64] = np.zeros(1, np.int64)
    shift = 0
    for source in neuron.sources:
        address = address | (rows[source].astype(np.int64) << shift)
        shift += formats[source].bits
    return address


def _cares(neuron: Neuron, rows: Mapping[int, NDArray[Any]], formats: Sequence[Format]) -> NDArray[np.bool_]:
    count = len(next(iter(rows.values()))) if rows else 1
    if neuron.care is None:
        return np.ones(count, np.bool_)
    return np.broadcast_to(neuron.care[_address(neuron, rows, formats)], (count,))


def _function(before: NDArray[np.int32], after: NDArray[np.int32], count: int) -> Codes | None:
    """Return the map from codes before to codes after, or None where one code before meets two after."""
    codes = np.full(count, _NOWHERE, np.int32)
    codes[before] = after
    return codes if np.array_equal(codes[before], after) else None


def _odd_one(before: NDArray[np.int32], after: NDArray[np.int32]) -> tuple[int, int]:
    """Return a row whose code after is not what most rows of its code before have, and what they have."""
    for code in np.unique(before):
        at = np.flatnonzero(before == code)
        values, counts = np.unique(after[at], return_counts=True)
        if len(values) > 1:
            usual = (
                int(code)
                if code in values and counts[values == code][0] * 2 >= len(at)
                else int(values[counts.argmax()])
            )
            return int(at[np.argmax(after[at] != usual)]), usual
    raise AssertionError("every code before meets one after")


def _codes_at(rows: Mapping[int, NDArray[Any]], sources: Sequence[int], row: int) -> str:
    read = ", ".join(f"signal {s} = {int(rows[s][row])}" for s in sources)
    return f"input codes {read or 'none'} (as before the pass)"


def _words(aig: Aig, free: Sequence[int], level: Level) -> dict[int, Word]:
    """Return free words, and constants for signals that take one code only."""
    out: dict[int, Word] = {}
    for s in free:
        codes = np.flatnonzero(level.reached[s])
        bits = level.old[s].bits
        out[s] = constant(int(codes[0]), bits) if len(codes) == 1 else aig.word(bits)
    return out


def _condition(aig: Aig, words: Mapping[int, Word], level: Level, *, only: Sequence[int] | None = None) -> int:
    """Return whether every word holds a code that can occur."""
    chosen = words if only is None else only
    return aig.all_(aig.table(level.reached[s], words[s]) for s in chosen if not level.reached[s].all())


def _listed(words: Mapping[int, Word]) -> list[Word]:
    return [words.get(s, []) for s in range(max(words, default=-1) + 1)]


def _cared(aig: Aig, neuron: Neuron, words: Mapping[int, Word]) -> int:
    return cared(aig, neuron, _listed(words))


def _unit(aig: Aig, unit: Neuron | Sum, words: Mapping[int, Word], formats: Sequence[Format]) -> Word:
    if isinstance(unit, Neuron):
        return golden_neuron(aig, unit, _listed(words))
    given = [words.get(s, [FALSE] * fmt.bits) for s, fmt in enumerate(formats)]
    return golden_stage(aig, Sums("sum", (unit,)), given, formats)[0]


def _breaks(aig: Aig, codes: Codes, before: Word, after: Word) -> int:
    """Return whether `after` is not the image of `before`, or `before` is a code that the map says cannot occur."""
    image = mapped(aig, codes, before, len(after))
    outside = TRUE ^ aig.table(codes != _NOWHERE, before) if (codes == _NOWHERE).any() else FALSE
    return aig.or_(outside, aig.differ(image, after))


def _line(before: NDArray[np.int64], after: NDArray[np.int64]) -> tuple[int, int] | None:
    """Return (sign, offset) with after = sign * before + offset throughout, or None; sign 0 for what is constant."""
    if after.size and (after == after[0]).all():
        return 0, int(after[0])
    for sign in (1, -1):
        offset = after - sign * before
        if offset.size and (offset == offset[0]).all():
            return sign, int(offset[0])
    return None


def _weights(total: Sum) -> dict[int, int]:
    out: dict[int, int] = {}
    for s, sign in zip(total.sources, total.signs, strict=True):
        out[s] = out.get(s, 0) + sign
    return out


def _fixed(weights: dict[int, int], level: Level) -> int:
    """Take signals that have one code only out of the weights; return what they add."""
    total = 0
    for s in list(weights):
        codes = np.flatnonzero(level.reached[s])
        if len(codes) == 1:
            total += weights.pop(s) * int(level.old[s].values(codes)[0])
    return total


def _same(
    mine: Mapping[int, int], bias: int, fmt: Format, theirs: Mapping[int, int], offset: int, old: Format
) -> Codes | None:
    """Return the map of codes between sums with equal weights up to sign, or None."""
    a = {s: w for s, w in mine.items() if w}
    b = {s: w for s, w in theirs.items() if w}
    for sign in (1, -1):
        if a == {s: sign * w for s, w in b.items()}:
            values = sign * (old.values(np.arange(old.count)) - offset) + bias
            inside = (values >= fmt.low) & (values <= fmt.high)
            codes = np.full(old.count, _NOWHERE, np.int32)
            codes[inside] = fmt.codes(values[inside])
            if not a:  # a constant: no other code can occur
                codes[old.values(np.arange(old.count)) != offset] = _NOWHERE
            return codes
    return None


def _same_sum(one: Sum, other: Sum, inputs: Level) -> Codes | None:
    """Return the map from the codes of `one` to those of `other`, or None."""
    mine, theirs = _weights(one), _weights(other)
    bias, offset = one.bias + _fixed(mine, inputs), other.bias + _fixed(theirs, inputs)
    return _same(theirs, offset, other.format, mine, bias, one.format)
