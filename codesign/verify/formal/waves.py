"""Writes the values of nets, clock by clock, as a value change dump (IEEE 1364-2005, clause 18)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

__all__ = ["write_vcd"]

_FIRST, _LAST = 33, 126
"""Printable characters, of which identifier codes are made."""


def write_vcd(path: Path, nets: Mapping[str, tuple[int, Sequence[int]]]) -> None:
    """Write nets (width, and a value a clock) to `path`; dots in names part scopes. A clock takes 2 ns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codes = {name: _code(number + 1) for number, name in enumerate(nets)}
    lines = ["$timescale 1 ns $end", f"$var wire 1 {_code(0)} clock $end", *_declare(nets, codes)]
    lines.append("$enddefinitions $end")
    before: dict[str, int] = {}
    for clock in range(max((len(values) for _, values in nets.values()), default=0)):
        lines += [f"#{2 * clock}", f"1{_code(0)}"]
        for name, (width, values) in nets.items():
            if before.get(name) != values[clock]:
                before[name] = values[clock]
                text = f"{values[clock]:b}"
                lines.append(f"{text}{codes[name]}" if width == 1 else f"b{text} {codes[name]}")
        lines += [f"#{2 * clock + 1}", f"0{_code(0)}"]
    path.write_text("\n".join([*lines, ""]), encoding="ascii")


def _declare(nets: Mapping[str, tuple[int, Sequence[int]]], codes: Mapping[str, str]) -> Iterator[str]:
    """Yield the declarations, scope by scope."""
    inside: list[str] = []
    for name in sorted(nets, key=lambda net: net.split(".")):
        *scopes, last = name.split(".")
        shared = 0
        while shared < min(len(scopes), len(inside)) and scopes[shared] == inside[shared]:
            shared += 1
        yield from ["$upscope $end"] * (len(inside) - shared)
        yield from (f"$scope module {scope} $end" for scope in scopes[shared:])
        inside = scopes
        yield f"$var wire {nets[name][0]} {codes[name]} {last} $end"
    yield from ["$upscope $end"] * len(inside)


def _code(number: int) -> str:
    """The identifier code of a number."""
    base = _LAST - _FIRST + 1
    text = ""
    while True:
        text += chr(_FIRST + number % base)
        number = number // base - 1
        if number < 0:
            return text
