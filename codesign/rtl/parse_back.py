"""Parses every emitted file again and compares the modules, ports, widths and instances found with what was meant."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from codesign.errors import MismatchError, ToolFailed
from codesign.rtl.structure import Instance, Module, Read
from codesign.rtl.syntax import parse

__all__ = ["Expected", "parse_back", "pieces"]

_PIECE_BYTES = 1 << 20
"""Longer files are parsed in pieces of about this length."""

_SPREAD_BYTES = 4 << 20
"""More text than this is parsed in several processes."""


@dataclass(frozen=True)
class Expected:
    """What one file must hold: one module.

    ports:     name to (direction, width); a width of None is a parameter's.
    instances: those of a structural module; empty for the others.
    signals:   wires that must be declared with the given width, such as one a neuron.
    """

    module: str
    ports: Mapping[str, tuple[str, int | None]]
    instances: tuple[Instance, ...] = ()
    signals: Mapping[str, int] = field(default_factory=dict[str, int])

    @staticmethod
    def structural(module: Module) -> Expected:
        """Return what the text of a structural module must hold."""
        return Expected(
            module.name,
            {p.name: (p.direction, p.width) for p in module.ports},
            module.instances,
            {w.name: w.width for w in module.wires},
        )


def parse_back(files: Mapping[str, str], expected: Mapping[str, Expected], *, workers: int | None = None) -> None:
    """Parse `files` (name to text) and compare each with `expected`; a difference is a MismatchError.

    A long file is parsed in pieces, cut at the blank lines between the items of its module, so that memory stays
    bounded: every character of it stands in exactly one piece. workers: processes to use for much text; as many as
    there are processors where None.
    """
    assert files.keys() == expected.keys()
    tasks = [(name, piece) for name, text in files.items() for piece in pieces(text)]
    count = min(workers or os.cpu_count() or 1, len(tasks))
    if count > 1 and sum(len(text) for _, text in tasks) > _SPREAD_BYTES:
        results = _in_processes(tasks, count)
    else:
        results = [parse(text, file=name) for name, text in tasks]
    found: dict[str, tuple[Read, ...]] = {}
    for (name, _), modules in zip(tasks, results, strict=True):
        found[name] = _joined(found[name], modules) if name in found else modules
    for name, modules in found.items():
        _compare(name, modules, expected[name])
    _check_instances(found)


def pieces(text: str, *, most: int = _PIECE_BYTES) -> list[str]:
    """Cut the text of one module into modules of at most about `most` characters that hold its items in order."""
    if len(text) <= most:
        return [text]
    start, end = text.index(");\n") + 3, text.rindex("endmodule")
    head, tail = text[:start], text[end:]
    out: list[str] = []
    while start < end:
        cut = text.find("\n\n", start + most, end)
        cut = end if cut < 0 else cut + 2
        out.append(f"{head}{text[start:cut]}{tail}")
        start = cut
    return out


def _joined(before: Sequence[Read], after: Sequence[Read]) -> tuple[Read, ...]:
    """Join what two pieces of a file held."""
    return tuple(
        Read(a.name, a.parameters, a.ports, {**a.wires, **b.wires}, a.instances + b.instances)
        for a, b in zip(before, after, strict=True)
    )


def _in_processes(tasks: Sequence[tuple[str, str]], count: int) -> list[tuple[Read, ...]]:
    """Parse in `count` Python processes; each takes every `count`-th task, longest first."""
    order = sorted(range(len(tasks)), key=lambda i: -len(tasks[i][1]))
    shares = [order[k::count] for k in range(count)]

    def share(indices: list[int]) -> list[tuple[Read, ...]]:
        command = [sys.executable, "-m", "codesign.rtl.syntax"]
        given = json.dumps([tasks[i] for i in indices]).encode()
        done = subprocess.run(command, input=given, capture_output=True, check=False)
        if done.returncode:
            tail = done.stderr.decode(errors="replace")[-2000:]
            raise ToolFailed(
                f"parsing Verilog back failed in its process: {tail}", command=" ".join(command), tail=tail
            )
        answer = json.loads(done.stdout)
        if isinstance(answer, str):
            raise MismatchError(answer)
        return [tuple(Read.from_plain(item) for item in modules) for modules in answer]

    results: list[tuple[Read, ...]] = [()] * len(tasks)
    with ThreadPoolExecutor(count) as pool:
        for indices, parsed in zip(shares, pool.map(share, shares), strict=True):
            for i, modules in zip(indices, parsed, strict=True):
                results[i] = modules
    return results


def _compare(file: str, modules: Sequence[Read], expected: Expected) -> None:
    if [m.name for m in modules] != [expected.module]:
        raise MismatchError(f"{file} must hold the module {expected.module!r} alone, not {[m.name for m in modules]}")
    read = modules[0]
    _same(f"{file}: ports", dict(expected.ports), dict(read.ports))
    _same(
        f"{file}: signals",
        dict(expected.signals),
        {name: read.wires.get(name) for name in expected.signals},
    )
    wanted = {i.name: (i.module, i.parameters, i.ports) for i in expected.instances}
    _same(f"{file}: instances", wanted, {i.name: (i.module, i.parameters, i.ports) for i in read.instances})


def _same(where: str, wanted: Mapping[str, object], got: Mapping[str, object]) -> None:
    for name in [*wanted, *got]:
        if wanted.get(name) != got.get(name):
            raise MismatchError(
                f"{where}: {name!r} must be {wanted.get(name, 'absent')}, and parsing back found "
                f"{got.get(name, 'nothing')}; the emitted text does not say what was meant"
            )


def _check_instances(found: Mapping[str, Sequence[Read]]) -> None:
    """Every instance's module stands in the files, and its connections and parameters are that module's."""
    modules = {m.name: m for group in found.values() for m in group}
    for file, group in found.items():
        for instance in (i for m in group for i in m.instances):
            target = modules.get(instance.module)
            if target is None:
                raise MismatchError(
                    f"{file}: instance {instance.name!r} is of {instance.module!r}, which no file holds"
                )
            if {port for port, _ in instance.ports} != set(target.ports):
                raise MismatchError(f"{file}: instance {instance.name!r} must connect exactly {sorted(target.ports)}")
            if {name for name, _ in instance.parameters} != set(target.parameters):
                raise MismatchError(f"{file}: instance {instance.name!r} must set exactly {sorted(target.parameters)}")
