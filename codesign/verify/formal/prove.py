"""Asks ABC whether literals can ever be true, many at a time, within a time limit each, and checks its answers."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from codesign.errors import ToolFailed
from codesign.tools.abc import ABC
from codesign.tools.find import find
from codesign.tools.process import run
from codesign.verify.formal.aig import FALSE, TRUE, Aig

__all__ = ["Answer", "Question", "Status", "ask"]

Status = Literal["never", "possible", "open"]
"""never: no assignment makes the literal true, proven. possible: `assignment` does. open: not found out in time."""

_QUICK_CONFLICTS = 20_000
_QUICK_SECONDS = 10
_MARK = "codesign_question"
_FEW_INPUTS = 16
"""Up to so many inputs an assignment is also searched for by evaluating all, which must agree with ABC."""


@dataclass(frozen=True)
class Question:
    """Can `literal` be true? `name` is for messages."""

    name: str
    literal: int


@dataclass(frozen=True)
class Answer:
    """What was found, and how: "structure" (the graph folded to a constant), "ABC" or "ABC, and every row".

    assignment: for "possible" the value of each input literal that the question depends on; it was evaluated.
    seconds: of ABC alone where a question was asked by itself, else its share of the batch.
    """

    status: Status
    how: str
    assignment: dict[int, int]
    seconds: float
    reason: str = ""


def ask(aig: Aig, questions: Sequence[Question], *, work: Path, timeout_s: float, quick: bool = False) -> list[Answer]:
    """Answer every question, in order; `timeout_s` is for each by itself.

    quick: stop after the first of the two attempts below; "possible" then comes without an assignment.

    All are first put to one process of ABC: those about at most 16 inputs as decision diagrams (`collapse`), the others
    with a limit on conflicts (`&cec` on the miter: simulation, SAT sweeping). What stays open is put to a process of
    its own (`iprove`: rewriting, fraiging, SAT). An assignment is evaluated
    before it is believed; and a "never" about at most 16 inputs is evaluated on all of them too. ABC that contradicts
    that is a ToolFailed.
    """
    answers: dict[int, Answer] = {}
    hard: list[int] = []
    for k, question in enumerate(questions):
        if question.literal == FALSE:
            answers[k] = Answer("never", "structure", {}, 0.0)
        elif question.literal == TRUE:
            answers[k] = Answer("possible", "structure", {}, 0.0)
        else:
            hard.append(k)
    if hard:
        work.mkdir(parents=True, exist_ok=True)
        inputs = {k: aig.write(questions[k].literal, work / f"q{k}.aig") for k in hard}
        found = _batch(inputs, work, timeout_s=timeout_s)
        for k in hard:
            if quick and found.get(k, ("open", 0.0))[0] != "never":
                answers[k] = Answer(*_unsettled(found.get(k)))
                continue
            answers[k] = _settle(aig, questions[k], inputs[k], found.get(k), work / f"q{k}.aig", timeout_s)
            (work / f"q{k}.aig").unlink(missing_ok=True)
    return [answers[k] for k in range(len(questions))]


def _unsettled(found: tuple[Status, float] | None) -> tuple[Status, str, dict[int, int], float, str]:
    status, seconds = found or ("open", 0.0)
    return status, "ABC", {}, seconds, "not found out at once"


def _settle(
    aig: Aig, question: Question, inputs: list[int], found: tuple[Status, float] | None, path: Path, timeout_s: float
) -> Answer:
    status, seconds = found or ("open", 0.0)
    values: list[int] = []
    reason = ""
    few = len(inputs) <= _FEW_INPUTS
    if status == "open" or (status == "possible" and not few):
        started = time.monotonic()
        status, values, reason = _single(path, len(inputs), timeout_s=timeout_s)
        seconds += time.monotonic() - started
    how = "ABC"
    if few and status != "open":
        row = aig.exhaust(question.literal, inputs)
        if (row is not None) != (status == "possible"):
            raise ToolFailed(f"ABC says {status!r} of {question.name}, but evaluating every row says otherwise")
        how = "ABC, and every row"
        values = [(row or 0) >> i & 1 for i in range(len(inputs))]
    assignment = dict(zip(inputs, values, strict=False)) if status == "possible" else {}
    if status == "possible" and not aig.evaluate([question.literal], assignment)[0]:
        raise ToolFailed(f"ABC's counter-example for {question.name} is none: evaluated, the two sides agree")
    return Answer(status, how, assignment, seconds, reason)


def _batch(asked: Mapping[int, list[int]], work: Path, *, timeout_s: float) -> dict[int, tuple[Status, float]]:
    """Put all questions to one process of ABC; one that it gives no clear answer to is absent from the result.

    asked: the inputs of each question, by its number. On few inputs `collapse` makes a decision diagram, which is the
    constant 0 where the answer is "never": two forms of one wide table share no structure that SAT sweeping could use.
    """
    lines: list[str] = []
    limit = max(1, min(_QUICK_SECONDS, round(timeout_s)))
    for k, inputs in asked.items():
        lines.append(f"echo {_MARK} {k}")
        if len(inputs) <= _FEW_INPUTS:
            lines += [f"read_aiger q{k}.aig", "collapse", "strash", "dsat"]
        else:
            lines += [f"&read q{k}.aig", f"&cec -m -C {_QUICK_CONFLICTS} -T {limit}"]
    (work / "batch.abc").write_text("\n".join([*lines, f"echo {_MARK} end", ""]), encoding="ascii")
    program = find(ABC)
    started = time.monotonic()
    try:
        allowed = max(60.0, timeout_s) + 0.5 * len(asked)
        run(
            [program.path, "-f", "batch.abc"], work, log="batch.log", timeout_s=allowed, environment=program.environment
        )
    except ToolFailed:
        pass  # what was not answered is asked again, one by one
    share = (time.monotonic() - started) / len(asked)
    text = (work / "batch.log").read_text(encoding="utf-8", errors="replace")
    out: dict[int, tuple[Status, float]] = {}
    # A part that no mark ends was cut off; it is open.
    parts = re.split(rf"^{_MARK} (\w+)\s*$", text, flags=re.MULTILINE)
    for name, body in list(zip(parts[1::2], parts[2::2], strict=True))[:-1]:
        if re.search(r"^(UNSATISFIABLE|Networks are equivalent\.)", body, re.MULTILINE):
            out[int(name)] = ("never", share)
        elif re.search(r"^(SATISFIABLE|Networks are NOT EQUIVALENT)", body, re.MULTILINE):
            out[int(name)] = ("possible", share)
    return out


def _single(path: Path, inputs: int, *, timeout_s: float) -> tuple[Status, list[int], str]:
    """Put one question to a process of its own; return the status, the inputs' values where it is "possible", and why.

    The reason is for what stays open.
    """
    work, name = path.parent, path.stem
    counter = work / f"{name}.cex"
    counter.unlink(missing_ok=True)
    script = f"read_aiger {path.name}\niprove\nwrite_cex {counter.name}\n"
    (work / f"{name}.abc").write_text(script, encoding="ascii")
    program = find(ABC)
    try:
        done = run(
            [program.path, "-f", f"{name}.abc"],
            work,
            log=f"{name}.log",
            timeout_s=timeout_s,
            environment=program.environment,
        )
    except ToolFailed as problem:
        if problem.status == "timeout":
            return "open", [], f"not found out within {timeout_s:g} s"
        return "open", [], f"ABC ended badly ({problem.status}); log: {problem.log}"
    if re.search(r"^UNSATISFIABLE", done.output, re.MULTILINE):
        return "never", [], ""
    if re.search(r"^SATISFIABLE", done.output, re.MULTILINE) and counter.is_file():
        digits = counter.read_text(encoding="ascii", errors="replace").split("#")[0].strip()
        if len(digits) == inputs and set(digits) <= {"0", "1"}:
            return "possible", [int(digit) for digit in digits], ""
        return "open", [], f"ABC's counter-example cannot be read; log: {done.log}"
    return "open", [], f"ABC gave up; log: {done.log}"
