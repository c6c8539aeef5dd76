"""Proves that passes keep the function: step by step, neuron by neuron, from the extracted to the optimized network."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.errors import ToolFailed
from codesign.ir import Decide, Format, LutNetwork, Neuron, Stage, Sum, Sums, Tables
from codesign.passes import DEFAULT_PASSES
from codesign.passes.manager import MAX_ROUNDS, find_pass
from codesign.verify.formal.aig import Aig
from codesign.verify.formal.golden import Word, constant, golden_stage
from codesign.verify.formal.match import Claim, Level, Link, Matcher, first_level, identity, mapped
from codesign.verify.formal.prove import Answer, Question, ask
from codesign.verify.formal.reach import prove_care_sets, reached_codes
from codesign.verify.formal.result import Outcome, Proof, Tally

__all__ = ["pass_steps", "prove_passes", "prove_step"]

_TRIES = 12
"""Old neurons that are tried for one new neuron at most."""


def pass_steps(network: LutNetwork, names: Sequence[str] | None) -> Iterator[tuple[str, LutNetwork, LutNetwork]]:
    """Run the passes again; yield the name, and the network before and after, of every step that changes it.

    They run as `run_passes` runs them. That the last network is the run's own is for the caller to compare.
    """
    chosen = [find_pass(name) for name in (DEFAULT_PASSES if names is None else names)]
    left: dict[str, LutNetwork] = {}
    for number in range(1, MAX_ROUNDS + 1):
        start = network
        for step in chosen:
            if left.get(step.name) is network:
                continue
            before, (network, _) = network, step.apply(network)
            if network is not before:
                yield f"{step.name}, round {number}", before, network
            left[step.name] = network
        if network is start:
            return


def prove_passes(
    extracted: LutNetwork, optimized: LutNetwork, names: Sequence[str] | None, *, work: Path, timeout_s: float
) -> list[Tally]:
    """Prove every step of the passes, and that they lead from the extracted to the optimized network of a run."""
    tallies: list[Tally] = []
    last = extracted
    for number, (name, before, after) in enumerate(pass_steps(extracted, names)):
        started = time.monotonic()
        proofs = prove_step(before, after, work=work / f"step_{number}", timeout_s=timeout_s)
        tallies.append(Tally.of(f"pass {name}", proofs, seconds=time.monotonic() - started))
        last = after
    started = time.monotonic()
    proof = _same_network(last, optimized)
    tallies.append(Tally.of("passes give the optimized tables", [proof], seconds=time.monotonic() - started))
    return tallies


def _same_network(wanted: LutNetwork, got: LutNetwork) -> Proof:
    """Compare two networks entry by entry."""
    if wanted == got:
        return Proof(f"network {got.name!r}", "proven", "equal", 1)
    detail = "its stages or encoder differ"
    for a, b in zip(wanted.stages, got.stages, strict=False):
        if not isinstance(a, Tables) or not isinstance(b, Tables) or len(a.neurons) != len(b.neurons):
            continue
        for j, (x, y) in enumerate(zip(a.neurons, b.neurons, strict=True)):
            if x == y:
                continue
            where = f"stage {b.name!r}, neuron {j}"
            if x.sources != y.sources or x.table.shape != y.table.shape or np.array_equal(x.table, y.table):
                return Proof(
                    where, "refuted", "equal", 0, "its sources, format or care set are not what the passes give"
                )
            row = int(np.argmax(x.table != y.table))
            return Proof(where, "refuted", "equal", 0, f"address {row}: wanted {x.table[row]}, got {y.table[row]}")
    return Proof(f"network {got.name!r}", "refuted", "equal", 0, f"the passes do not give it: {detail}")


def prove_step(before: LutNetwork, after: LutNetwork, *, work: Path, timeout_s: float) -> list[Proof]:
    """Prove that two networks give equal answers to every input, where the care sets of `before` hold.

    For each signal after the step a signal before it is named that it follows from, with a map of codes; it is proven
    for each neuron, from what is known of the signals that it reads, and at the end that the answers are equal. Where
    only care sets differ, the new ones are proven by what the stages before let through.
    """
    middle = _with_care_of(before, after)
    proofs: list[Proof] = []
    if middle is not None and middle != before:
        proofs = prove_care_sets(middle, before, work=work / "care", timeout_s=timeout_s)
        if middle == after:
            return proofs
        before = middle
    return [*proofs, *_Step(before, after, work, timeout_s).proofs()]


def _with_care_of(before: LutNetwork, after: LutNetwork) -> LutNetwork | None:
    """Return `before` with the care sets of `after`, or None where they differ in more than tables and care sets."""
    if before.inputs != after.inputs or len(before.stages) != len(after.stages):
        return None
    stages: list[Stage] = []
    for a, b in zip(before.stages, after.stages, strict=True):
        if not isinstance(a, Tables) or not isinstance(b, Tables):
            if a != b:
                return None
            stages.append(a)
            continue
        shapes = [[(n.sources, n.format, n.table.size) for n in stage.neurons] for stage in (a, b)]
        if a.name != b.name or shapes[0] != shapes[1]:
            return None
        pairs = zip(a.neurons, b.neurons, strict=True)
        stages.append(Tables(a.name, tuple(Neuron(n.sources, n.table, n.format, m.care) for n, m in pairs)))
    return LutNetwork(before.name, tuple(stages), before.inputs)


class _Step:
    """One step of the passes."""

    def __init__(self, before: LutNetwork, after: LutNetwork, work: Path, timeout_s: float):
        self.before = before
        self.after = after
        self.work = work
        self.timeout_s = timeout_s
        self.aig = Aig()
        self.reached = reached_codes(before)
        self.claims: list[Claim] = []
        self.done: list[Proof] = []

    def proofs(self) -> list[Proof]:
        first = first_level(self.before, self.after, self.reached[0])
        if isinstance(first, str):
            return [Proof("inputs", "not proven", "", 0, first)]
        levels: dict[str, Level] = {"": first}
        places = {stage.name: k for k, stage in enumerate(self.before.core)}
        level, name = first, ""
        for k, stage in enumerate(self.after.core):
            place = places.get(stage.name)
            if place is None:
                return [
                    *self.done,
                    Proof(f"stage {stage.name!r}", "not proven", "", 0, "it was not there before the pass"),
                ]
            old = self.before.core[place]
            old_before = self.before.core[place - 1].name if place else ""
            new_before = self.after.core[k - 1].name if k else ""
            if old_before != new_before:
                self._pass_over(levels, old_before, places)
            level = levels[old_before]
            if isinstance(stage, Decide):
                assert isinstance(old, Decide)
                self._decide(stage, old, level)
                return self._asked()
            if not isinstance(old, Tables | Sums) or type(old) is not type(stage):
                return [*self.done, Proof(f"stage {stage.name!r}", "not proven", "", 0, "it is of another kind")]
            assert isinstance(stage, Tables | Sums)  # an encoder is not in the core
            levels[stage.name] = level = self._stage(stage, old, level, place)
            name = stage.name
        return self._answer(level, name)

    def _pass_over(self, levels: dict[str, Level], name: str, places: dict[str, int]) -> None:
        """Add the level behind a stage that the pass removed: nothing after the pass can read it."""
        if name not in levels:
            stage = self.before.core[places[name]]
            reached = self.reached[places[name] + 1]
            levels[name] = Level(stage.formats, (), reached, [], None, None)

    def _stage(self, stage: Tables | Sums, old: Tables | Sums, level: Level, place: int) -> Level:
        matcher = Matcher(self.aig, stage, old, level)
        links: list[Link | None] = []
        known = _index(old)
        units = stage.neurons if isinstance(stage, Tables) else stage.sums
        at = 0
        for j, unit in enumerate(units):
            name = f"stage {stage.name!r}, {'neuron' if isinstance(stage, Tables) else 'sum'} {j}"
            same = self._unchanged(unit, known, level, at, j if len(old.formats) == len(units) else None)
            if same is not None:
                links.append(Link(same, identity(unit.format)))
                self.done.append(Proof(name, "proven", "unchanged", _cared_rows(unit)))
                at = same + 1
                continue
            link, claim = self._search(matcher, j, unit, old, at, len(units), name)
            links.append(link)
            if claim is None:
                continue
            assert link is not None
            at = link.old + 1
            self.claims += [*matcher.lemmas, claim]
            matcher.lemmas = []
        return Level(old.formats, stage.formats, self.reached[place + 1], links, old, level)

    def _unchanged(
        self, unit: Neuron | Sum, known: dict[object, list[int]], level: Level, at: int, aligned: int | None
    ) -> int | None:
        """Return the old neuron that reads the same signals, coded as before, and has the same contents."""
        links = [level.links[s] for s in unit.sources]
        sources: list[int] = []
        for s, link in zip(unit.sources, links, strict=True):
            if link is None or level.old[link.old] != level.new[s] or not link.is_identity(level.reached[link.old]):
                return None
            sources.append(link.old)
        found = known.get(_key(unit, tuple(sources)), [])
        if aligned is not None:  # nothing was removed: another neuron of equal contents is not this one
            return aligned if aligned in found else None
        return min(found, key=lambda i: (i < at, i)) if found else None

    def _search(
        self, matcher: Matcher, j: int, unit: Neuron | Sum, old: Tables | Sums, at: int, count: int, name: str
    ) -> tuple[Link | None, Claim | None]:
        """Try the old neurons that a new one may come from, the likeliest first."""
        units = old.neurons if isinstance(old, Tables) else old.sums
        links = [matcher.level.links[s] for s in unit.sources]
        mine = {link.old for link in links if link is not None}

        def likely(i: int) -> tuple[int, int, int]:
            theirs = set(units[i].sources)
            overlap = len(mine & theirs) - len(mine ^ theirs)
            same = len(units) == count and i == j
            return (0 if same else 1, -overlap, abs(i - at))

        first, aligned = "", len(units) == count
        for i in sorted(range(len(units)), key=likely)[:_TRIES]:
            found = matcher.neuron(j, i, name) if isinstance(unit, Neuron) else matcher.sum(j, i, name)
            if not isinstance(found, str):
                return found
            first = first or found
        # The first that is tried is the neuron itself where none was removed; else a guess, which refutes nothing.
        outcome: Outcome = "refuted" if aligned and ("wanted" in first or "leaves it out" in first) else "not proven"
        self.done.append(Proof(name, outcome, "every row", 0, first or "there was no neuron before the pass"))
        return None, None

    def _words(self, level: Level) -> tuple[list[Word], list[Word] | str, int]:
        """Return the old signals of a level as free words, the new ones as they follow, and what is known of them."""
        aig = self.aig
        old: list[Word] = []
        for fmt, reached in zip(level.old, level.reached, strict=True):
            codes = np.flatnonzero(reached)
            old.append(constant(int(codes[0]), fmt.bits) if len(codes) == 1 else aig.word(fmt.bits))
        given = aig.all_(aig.table(r, w) for r, w in zip(level.reached, old, strict=True) if not r.all())
        new: list[Word] = []
        for j, link in enumerate(level.links):
            if link is None:
                return old, f"its input {j} follows from no signal before the pass", given
            new.append(mapped(aig, link.codes, old[link.old], level.new[j].bits))
        return old, new, given

    def _decide(self, stage: Decide, old: Decide, level: Level) -> None:
        words, news, given = self._words(level)
        name = f"decision {stage.name!r}"
        if isinstance(news, str):
            self.done.append(Proof(name, "not proven", "", 0, news))
            return
        a = golden_stage(self.aig, old, words, level.old)
        b = golden_stage(self.aig, stage, news, level.new)
        if [len(word) for word in a] != [len(word) for word in b]:
            self.done.append(Proof(name, "refuted", "structure", 0, "its answer has another format"))
            return
        for j, (x, y) in enumerate(zip(a, b, strict=True)):
            self._claim(f"{name}, answer {j}", given, x, y, level, words)

    def _answer(self, level: Level, name: str) -> list[Proof]:
        """The network ends without a decision: its last signals are the answer."""
        words, news, given = self._words(level)
        if isinstance(news, str) or len(news) != len(words):
            self.done.append(Proof(f"stage {name!r}", "not proven", "", 0, "an answer follows from no signal before"))
            return self._asked()
        for j, (x, y) in enumerate(zip(words, news, strict=True)):
            self._claim(f"answer {j}", given, x, y, level, words)
        return self._asked()

    def _claim(self, name: str, given: int, old: Word, new: Word, level: Level, words: Sequence[Word]) -> None:
        bad = self.aig.and_(given, self.aig.differ(old, new))
        rows = _combinations(level.reached)
        named = dict(enumerate(words))
        self.claims.append(Claim(name, bad, rows, named, old, new, identity(Format(len(old)))))

    def _asked(self) -> list[Proof]:
        """Put all claims to ABC."""
        questions = [Question(claim.name, claim.bad) for claim in self.claims]
        answers = ask(self.aig, questions, work=self.work, timeout_s=self.timeout_s)
        out = list(self.done)
        for claim, answer in zip(self.claims, answers, strict=True):
            if answer.status == "never":
                out.append(Proof(claim.name, "proven", answer.how, claim.rows))
            elif answer.status == "open":
                out.append(Proof(claim.name, "not proven", answer.how, 0, answer.reason))
            else:
                out.append(Proof(claim.name, "refuted", answer.how, 0, self._counter(claim, answer)))
        return out

    def _counter(self, claim: Claim, answer: Answer) -> str:
        codes = {s: self._code(word, answer) for s, word in claim.words.items()}
        old, got = self._code(claim.old_word, answer), self._code(claim.new_word, answer)
        wanted = int(claim.wanted[old])
        if wanted == got:
            raise ToolFailed(f"the counter-example for {claim.name} is none: both sides give {got}")
        read = ", ".join(f"signal {s} = {code}" for s, code in codes.items())
        return f"input codes {read or 'none'} (as before the pass): wanted {wanted}, got {got}"

    def _code(self, word: Word, answer: Answer) -> int:
        return sum(v << k for k, v in enumerate(self.aig.evaluate(word, answer.assignment)))


def _key(unit: Neuron | Sum, sources: tuple[int, ...]) -> object:
    if isinstance(unit, Neuron):
        care = None if unit.care is None else unit.care.tobytes()
        return sources, unit.format, unit.table.tobytes(), care
    return sources, unit.format, unit.signs, unit.bias


def _index(stage: Tables | Sums) -> dict[object, list[int]]:
    out: dict[object, list[int]] = {}
    for i, unit in enumerate(stage.neurons if isinstance(stage, Tables) else stage.sums):
        out.setdefault(_key(unit, unit.sources), []).append(i)
    return out


def _cared_rows(unit: Neuron | Sum) -> int:
    if isinstance(unit, Neuron):
        return unit.table.size if unit.care is None else int(unit.care.sum())
    return 1


def _combinations(reached: Sequence[NDArray[np.bool_]]) -> int:
    rows = 1
    for codes in reached:
        rows *= max(1, int(codes.sum()))
    return rows
