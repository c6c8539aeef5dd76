"""Proves what observers claim of a clocked circuit, for all time, with ABC; a refuted claim comes with a trace."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from codesign.errors import ToolFailed
from codesign.tools.abc import ABC
from codesign.tools.find import find
from codesign.tools.process import run
from codesign.verify.formal.aig import FALSE, TRUE, Aig
from codesign.verify.formal.machine import Machine
from codesign.verify.formal.prove import Question, ask
from codesign.verify.formal.result import Proof
from codesign.verify.formal.waves import write_vcd

__all__ = ["Reached", "prove_claims", "reach"]

_INDUCTION = "induction over a clock"
_STATIC = "signal correspondence"
_REACHABILITY = "PDR"
_CLOCKS = 100
"""Clocks that a bounded search looks at, at most, where a proof for all time does not end within its limit."""


@dataclass(frozen=True)
class Reached:
    """Whether a literal can ever hold: "never" (proven, by `how`), "reached" (`inputs`: a mapping a clock), "open".

    clocks: of an open one, how many clocks from reset on it does not hold in.
    """

    status: Literal["never", "reached", "open"]
    how: str
    inputs: tuple[Mapping[int, int], ...] = ()
    clocks: int = 0
    reason: str = ""


def prove_claims(
    machine: Machine,
    observers: Sequence[int],
    *,
    kinds: Sequence[str] = ("claim",),
    assumed: Sequence[tuple[int, str]],
    subject: str,
    shown: Mapping[str, str],
    work: Path,
    timeout_s: float,
    waves: Path | None = None,
) -> list[Proof]:
    """Prove what these observers claim, in all clocks after a reset, and that their cases occur.

    Tried first is induction over one clock, of claims, lemmas and ties together. Where that fails a trace to a broken
    claim is searched for.

    kinds:   of the outputs that must hold. assumed: (observer, kind) of those that are taken to hold.
    shown:   nets of the design that a counter-example lists, clock by clock, by the name that it gives them.
    waves:   where a counter-example is written as a VCD file, `<waves>/<subject>.vcd`.
    timeout_s: of each attempt.
    """
    aig = machine.aig
    given = [literal for o, kind in assumed for literal in machine.said(o, kind).values()]
    claims = {n: c for o in observers for kind in kinds for n, c in machine.said(o, kind).items()}
    lemmas = [c for o in observers for c in machine.said(o, "lemma").values()]
    lemmas.append(aig.all_(machine.ties(observers)))
    names = {name: f"{subject}: {name.replace('_', ' ')}" for name in claims}
    inductive = _induct(machine, [*claims.values(), *lemmas], given, work=work / "induction", timeout_s=timeout_s)
    _, holds = machine.under(given)
    counted = aig.and_(machine.running, holds)
    if inductive:
        proofs = [Proof(text, "proven", _INDUCTION, 0) for text in names.values()]
    else:
        broken = {name: aig.and_(counted, claim ^ 1) for name, claim in claims.items()}
        found = reach(machine, aig.any_(broken.values()), name="any", work=work, timeout_s=timeout_s)
        values = _replay(machine, found.inputs, aig.any_(broken.values())) if found.status == "reached" else []
        proofs = []
        for name, text in names.items():
            if found.status == "never":
                proofs.append(Proof(text, "proven", found.how, 0))
            elif found.status == "open":
                bound = f"no counter-example in the first {found.clocks} clocks; {found.reason}"
                proofs.append(Proof(text, "not proven", found.how, 0, bound))
            elif aig.evaluate([broken[name]], values[-1])[0]:
                detail = _told(machine, values, shown)
                if waves is not None:
                    path = waves / f"{re.sub(r'[^a-z0-9]+', '_', text.lower())}.vcd"
                    write_vcd(path, _words(machine, values, _all_nets(machine)))
                    detail += f"; waveform: {path}"
                proofs.append(Proof(text, "refuted", found.how, 0, detail))
            else:
                proofs.append(Proof(text, "not proven", "", 0, "its proof rests on a claim that is refuted"))
    covers = {n: c for o in observers for n, c in machine.said(o, "cover").items()} if kinds == ("claim",) else {}
    for number, (name, literal) in enumerate(covers.items()):
        proofs.append(_covered(machine, aig.and_(counted, literal), name, subject, number, work, timeout_s))
    return proofs


def _induct(machine: Machine, facts: Sequence[int], given: Sequence[int], *, work: Path, timeout_s: float) -> bool:
    """Whether all facts hold in the clock after the reset, and in the clock after one in which all of them hold.

    What is given holds in both clocks; in the first of the two after a reset it does not count.
    """
    two, aig = Aig(), machine.aig
    latches, following = list(machine.latches), list(machine.latches.values())
    wanted = [*facts, *given]
    inputs = [x for x in aig.support([*following, *wanted]) if x not in machine.latches]
    bad: list[int] = []
    for begins in (True, False):
        before = {x: two.input() for x in inputs}
        before |= {latch: FALSE if begins else two.input() for latch in latches}
        if begins:
            assumed = aig.copy_into(two, [machine.in_reset], before)
        else:
            before[machine.running] = TRUE
            assumed = aig.copy_into(two, wanted, before)
        state = aig.copy_into(two, following, before)
        after = {**{x: two.input() for x in inputs}, **dict(zip(latches, state, strict=True))}
        assumed += aig.copy_into(two, given, after)
        holds = two.all_(assumed)
        bad += [two.and_(holds, fact ^ 1) for fact in aig.copy_into(two, facts, after)]
    whole = ask(two, [Question("any fact", two.any_(bad))], work=work, timeout_s=timeout_s, quick=True)[0]
    if whole.status != "open":
        return whole.status == "never"
    # Too much at once: fact by fact, with all of them given before.
    count = len(facts)
    questions = [Question(f"fact {k}", two.or_(bad[k], bad[count + k])) for k in range(count)]
    return all(answer.status == "never" for answer in ask(two, questions, work=work, timeout_s=timeout_s))


def _covered(
    machine: Machine, literal: int, name: str, subject: str, number: int, work: Path, timeout_s: float
) -> Proof:
    """Prove that a case occurs, by a trace that is evaluated: claims of what never happens are worth nothing."""
    text = f"{subject}: {name.replace('_', ' ')} occurs"
    found = reach(machine, literal, name=f"cover{number}", work=work, timeout_s=timeout_s)
    if found.status == "reached":
        _replay(machine, found.inputs, literal)
        return Proof(text, "proven", "trace", 0)
    reason = "it cannot: the claims are about nothing" if found.status == "never" else found.reason
    return Proof(text, "not proven", found.how, 0, reason)


def reach(machine: Machine, literal: int, *, name: str, work: Path, timeout_s: float) -> Reached:
    """Find out whether a literal can hold in any clock.

    `bmc3` looks clock by clock, for the shortest trace. Then registers that are always equal are merged (`scorr`), and
    what is not constant with that is put to property directed reachability (`pdr`).
    """
    if literal == FALSE:
        return Reached("never", "structure")
    work.mkdir(parents=True, exist_ok=True)
    path = work / f"{name}.aig"
    inputs = machine.write(literal, path)
    script = f"read_aiger {name}.aig; bmc3 -F {_CLOCKS} -T {max(1, round(timeout_s / 2))}; write_cex -a {name}.cex"
    text, _ = _abc(script, f"{name}_bmc", work, timeout_s)
    if found := _asserted(text, work / f"{name}.cex", inputs):
        return Reached("reached", "bounded search", found)
    passed = re.search(r"No output asserted in (\d+) frames", text)
    script = f"read_aiger {name}.aig; scorr; write_aiger {name}_small.aig; pdr -T {round(timeout_s)}; "
    text, cause = _abc(script + f"write_cex -a {name}.cex", name, work, timeout_s)
    if _is_false(work / f"{name}_small.aig"):
        return Reached("never", _STATIC)
    if re.search(r"^Property proved", text, re.MULTILINE):
        return Reached("never", _REACHABILITY)
    if found := _asserted(text, work / f"{name}.cex", inputs):
        return Reached("reached", _REACHABILITY, found)
    reason = cause or f"not found out for all time within {timeout_s:g} s"
    return Reached("open", "bounded search", clocks=int(passed[1]) if passed else 0, reason=reason)


def _abc(script: str, name: str, work: Path, timeout_s: float) -> tuple[str, str]:
    """Run ABC; return its output, and why it ended badly where it did."""
    program = find(ABC)
    (work / f"{name}.cex").unlink(missing_ok=True)
    command = [program.path, "-c", script]
    try:
        done = run(command, work, log=f"{name}.log", timeout_s=2 * timeout_s + 30, environment=program.environment)
        return done.output, ""
    except ToolFailed as problem:
        return "", f"ABC ended badly ({problem.status}); log: {problem.log}"


def _is_false(path: Path) -> bool:
    """Whether an AIGER file holds one output that is the constant 0."""
    if not path.is_file():
        return False
    head, _, rest = path.read_bytes().partition(b"\n")
    fields = head.split()
    if len(fields) < 6 or fields[0] != b"aig" or fields[4] != b"1":
        return False
    return rest.split(b"\n")[int(fields[3])] == b"0"


def _asserted(text: str, path: Path, inputs: Sequence[int]) -> tuple[Mapping[int, int], ...]:
    """Read ABC's counter-example: the values of the free inputs, clock by clock; empty where there is none."""
    if "was asserted in frame" not in text or not path.is_file():
        return ()
    # The first line is what the latches begin with; a line a clock follows, and a comment.
    lines = path.read_text(encoding="ascii", errors="replace").partition("#")[0].split()[1:]
    if any(len(line) != len(inputs) for line in lines):
        raise ToolFailed(f"ABC's counter-example {path} cannot be read", log=path)
    return tuple({literal: int(digit == "1") for literal, digit in zip(inputs, row, strict=True)} for row in lines)


def _replay(machine: Machine, inputs: Sequence[Mapping[int, int]], literal: int) -> list[dict[int, int]]:
    """Evaluate a trace; return inputs and latches of each clock. One in which the literal never holds is a ToolFailed.

    The trace ends with the clock in which it does.
    """
    state = dict.fromkeys(machine.latches, 0)
    following = list(machine.latches.values())
    clocks: list[dict[int, int]] = []
    for row in inputs:
        now = {**row, **state}
        clocks.append(now)
        if machine.aig.evaluate([literal], now)[0]:
            return clocks
        state = dict(zip(machine.latches, machine.aig.evaluate(following, now), strict=True))
    raise ToolFailed("ABC's counter-example is none: evaluated clock by clock, the claim holds")


def _words(
    machine: Machine, clocks: Sequence[Mapping[int, int]], nets: Mapping[str, list[int]]
) -> dict[str, tuple[int, list[int]]]:
    """Return of each net its width and its value in every clock."""
    flat = [bit for bits in nets.values() for bit in bits]
    rows = [machine.aig.evaluate(flat, now) for now in clocks]
    out: dict[str, tuple[int, list[int]]] = {}
    at = 0
    for name, bits in nets.items():
        values = [sum(bit << k for k, bit in enumerate(row[at : at + len(bits)])) for row in rows]
        out[name] = (len(bits), values)
        at += len(bits)
    return out


def _all_nets(machine: Machine) -> dict[str, list[int]]:
    nets = {name: machine.net(name) for name in machine.design.names if "$" not in name and machine.has(name)}
    for number, observer in enumerate(machine.observers):
        nets |= {f"{observer.name}.{name}": word for name, word in machine.observed(number).items()}
    return nets


def _told(machine: Machine, clocks: Sequence[Mapping[int, int]], shown: Mapping[str, str]) -> str:
    """Tell a trace, clock by clock; clock 0 is the one of the reset."""
    words = _words(machine, clocks, {name: machine.net(net) for name, net in shown.items()})
    lines: list[str] = []
    for clock in range(len(clocks)):
        row = {name: values[clock] for name, (_, values) in words.items()}
        told = ", ".join(f"{name} = {value:#x}" if value > 9 else f"{name} = {value}" for name, value in row.items())
        lines.append(f"clock {clock}: {told}")
    return "; ".join(lines)
