"""ABC, the logic minimiser: found as it ships in the pyosys wheel, run on scripts within limits, its BLIF read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.errors import ToolFailed
from codesign.tools.find import Found, Tool
from codesign.tools.process import Finished, run

__all__ = ["ABC", "Blif", "BlifNode", "parse_blif", "run_abc", "truth_text"]

ABC = Tool(
    name="ABC",
    programs=("yosys-abc", "berkeley-abc", "abc"),
    variable="CODESIGN_ABC",
    pip="codesign[rtl]",
    adds="maps truth tables to few LUTs",
    wheel="pyosys",
    wheel_paths=("pyosys/yosys-abc",),
    minimum=(1, 1),
    minimum_text="1.01",
    arguments=("-c", "version"),
    pattern=r"ABC (\d+(?:\.\d+)+)",
)
"""ABC 1.01 tells no finer version; an old build without `&ttopt` is met when the first script fails."""

_MAX_NODE_INPUTS = 6


@dataclass(frozen=True)
class BlifNode:
    """One `.names` of a BLIF file: the output is bit `address` of `mask`, inputs[0] the lowest address bit."""

    output: str
    inputs: tuple[str, ...]
    mask: int


@dataclass(frozen=True)
class Blif:
    """One combinational BLIF model; nodes stand as in the file, in any order."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[BlifNode, ...]


def run_abc(script: str, folder: Path, *, program: Found, timeout_s: float) -> Finished:
    """Run an ABC script in `folder` (made where absent); the log is `folder`/abc.log.

    Raises ToolFailed where ABC ends badly, is killed at the time limit, or reports a command error (after which it
    ends with exit code 0).
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "script.abc").write_text(script, encoding="ascii")
    done = run(
        [program.path, "-f", "script.abc"],
        folder,
        log="abc.log",
        timeout_s=timeout_s,
        environment=program.environment,
    )
    output = done.output
    at = output.find("** cmd error")
    if at >= 0:
        tail = output[at : at + 400].strip()
        raise ToolFailed(
            f"ABC at {program.path} refused a command; codesign needs a build with `&ttopt`, `if` and `mfs2`, "
            f"as in pyosys 0.50 and newer; log: {done.log}\n{tail}",
            command=done.command,
            status="command error",
            log=done.log,
            tail=tail,
        )
    return done


def truth_text(columns: NDArray[np.uint8]) -> str:
    """Return the text that `read_truth -f` takes, one line an output.

    columns: bits (outputs, 2**n rows), n >= 2; row r is the value at the address r.
    """
    packed = np.packbits(columns, axis=1, bitorder="little")[:, ::-1]
    digits = columns.shape[1] // 4
    return "".join(row.tobytes().hex()[-digits:] + "\n" for row in packed)


def parse_blif(text: str, *, source: Path) -> Blif:
    """Read one combinational BLIF model whose nodes have at most six inputs.

    Anything else (another directive, a row of the wrong width, no `.end`, a signal without a driver or with two) is a
    ToolFailed that names `source` and the line.
    """
    inputs: list[str] = []
    outputs: list[str] = []
    nodes: list[BlifNode] = []
    heads: list[tuple[int, list[str]]] = []
    rows: list[list[str]] = []
    ended = False
    for number, words in _lines(text):
        if ended:
            raise _rubbish(source, number, "nothing may follow `.end`")
        head = words[0]
        if head == ".inputs":
            inputs += words[1:]
        elif head == ".outputs":
            outputs += words[1:]
        elif head == ".names":
            if not 1 <= len(words) - 1 <= _MAX_NODE_INPUTS + 1:
                raise _rubbish(source, number, f"a node must have at most {_MAX_NODE_INPUTS} inputs")
            heads.append((number, words[1:]))
            rows.append([])
        elif head == ".end":
            ended = True
        elif head == ".model":
            if heads or inputs:
                raise _rubbish(source, number, "one model is expected")
        elif head.startswith("."):
            raise _rubbish(source, number, f"directive {head!r} is not expected")
        elif not rows:
            raise _rubbish(source, number, f"{' '.join(words)[:60]!r} stands outside a node")
        else:
            width = len(heads[-1][1]) - 1
            cube = words[0] if width else ""
            if len(words) != (2 if width else 1) or len(cube) != width or not set(cube) <= set("01-"):
                raise _rubbish(source, number, f"a row of {width} inputs is expected, not {' '.join(words)[:60]!r}")
            if words[-1] not in ("0", "1"):
                raise _rubbish(source, number, f"an output of 0 or 1 is expected, not {words[-1]!r}")
            rows[-1].append(cube + words[-1])
    if not ended:
        raise _rubbish(source, text.count("\n") + 1, "the file has no `.end`: it is truncated or no BLIF")
    for (number, names), cover in zip(heads, rows, strict=True):
        mask = _mask(cover, len(names) - 1)
        if mask is None:
            raise _rubbish(source, number, "a node lists rows of both output values")
        nodes.append(BlifNode(names[-1], tuple(names[:-1]), mask))
    driven = [*inputs, *(node.output for node in nodes)]
    known = set(driven)
    if len(known) != len(driven):
        raise _rubbish(source, 1, "a signal has two drivers")
    missing = ({s for node in nodes for s in node.inputs} | set(outputs)) - known
    if missing:
        raise _rubbish(source, 1, f"signal {min(missing)!r} has no driver")
    return Blif(tuple(inputs), tuple(outputs), tuple(nodes))


def _lines(text: str) -> Sequence[tuple[int, list[str]]]:
    """Return number and words of every line, comments dropped and continued lines joined."""
    out: list[tuple[int, list[str]]] = []
    held: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.split("#", 1)[0].strip()
        going_on = content.endswith("\\")
        held += content.rstrip("\\").split()
        if held and not going_on:
            out.append((number, held))
            held = []
    if held:
        out.append((text.count("\n") + 1, held))
    return out


_ONES = tuple((1 << (1 << width)) - 1 for width in range(_MAX_NODE_INPUTS + 1))
_VARIABLE = tuple(
    tuple(sum(1 << row for row in range(1 << width) if row >> i & 1) for i in range(width))
    for width in range(_MAX_NODE_INPUTS + 1)
)


def _mask(cover: list[str], width: int) -> int | None:
    """Return the truth table of a cover (rows: input cube, then the output value), or None if it mixes values."""
    ones = _ONES[width]
    total = 0
    for row in cover:
        if row[-1] != cover[0][-1]:
            return None
        cube = ones
        for variable, value in zip(_VARIABLE[width], row, strict=False):
            if value == "1":
                cube &= variable
            elif value == "0":
                cube &= ~variable
        total |= cube
    return total ^ ones if cover and cover[0][-1] == "0" else total


def _rubbish(source: Path, line: int, problem: str) -> ToolFailed:
    return ToolFailed(f"{source}:{line}: cannot read what ABC wrote: {problem}", status="unreadable", log=source)
