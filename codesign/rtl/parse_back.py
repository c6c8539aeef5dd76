"""Parses every emitted file again and compares the modules, ports, widths and instances found with what was meant."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from codesign.errors import MismatchError
from codesign.rtl.structure import Instance, Module, Read
from codesign.rtl.syntax import parse

__all__ = ["Expected", "parse_back"]

_SPREAD_BYTES = 1 << 20
"""Texts of more bytes in all are parsed in several processes."""


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

    workers: processes to use for many bytes of text; as many as there are processors where None.
    """
    assert files.keys() == expected.keys()
    names = sorted(files, key=lambda name: -len(files[name]))
    count = min(workers or os.cpu_count() or 1, len(names))
    if count > 1 and sum(map(len, files.values())) > _SPREAD_BYTES:
        with ProcessPoolExecutor(count) as pool:
            found = list(pool.map(_parse, [(files[name], name) for name in names]))
    else:
        found = [_parse((files[name], name)) for name in names]
    for name, modules in zip(names, found, strict=True):
        _compare(name, modules, expected[name])
    _check_instances(dict(zip(names, found, strict=True)))


def _parse(item: tuple[str, str]) -> tuple[Read, ...]:
    text, name = item
    return parse(text, file=name)


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
