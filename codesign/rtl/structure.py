"""Structural Verilog as plain values: ports, wires, instances, assignments; the bridge to pyverilog's syntax trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

__all__ = ["Assign", "Expression", "Instance", "Module", "Port", "Read", "Wire"]

Expression: TypeAlias = "str | tuple[str, ...] | tuple[Expression, ...]"
"""A name, or a Verilog expression as (operator, operands...).

Operators: "~" and "&" of one operand (complement; AND of all its bits), "|" of two, "{}" of any number (joined, highest
first), "const" of width and value (as text), "[]" of a name and one bit (as text).
"""


@dataclass(frozen=True)
class Port:
    """A port of a module; `width` bits, always declared as a vector unless it is a control signal of one bit."""

    name: str
    direction: Literal["input", "output"]
    width: int
    vector: bool = False


@dataclass(frozen=True)
class Wire:
    """A wire inside a module."""

    name: str
    width: int
    vector: bool = False


@dataclass(frozen=True)
class Instance:
    """A module instance: (port, wire) connections and (name, value) parameters. `note` is a comment above it."""

    module: str
    name: str
    ports: tuple[tuple[str, str], ...]
    parameters: tuple[tuple[str, int], ...] = ()
    note: str = field(default="", compare=False)


@dataclass(frozen=True)
class Assign:
    """A continuous assignment."""

    left: str
    right: Expression


@dataclass(frozen=True)
class Module:
    """A structural module."""

    name: str
    ports: tuple[Port, ...]
    wires: tuple[Wire, ...]
    assigns: tuple[Assign, ...]
    instances: tuple[Instance, ...]


@dataclass(frozen=True)
class Read:
    """What a parser found in the text of one module.

    ports, wires: name to width in bits, None where the width is no plain number (a parameter stands in it); `wires`
    holds wires and registers that are no ports. parameters: in order of declaration.
    """

    name: str
    parameters: tuple[str, ...]
    ports: Mapping[str, tuple[str, int | None]]
    wires: Mapping[str, int | None]
    instances: tuple[Instance, ...]

    @classmethod
    def from_plain(cls, value: Mapping[str, Any]) -> Read:
        """Rebuild from what `dataclasses.asdict` and JSON make of it."""
        ports = {name: (direction, width) for name, (direction, width) in value["ports"].items()}
        instances = tuple(
            Instance(
                item["module"],
                item["name"],
                tuple((port, wire) for port, wire in item["ports"]),
                tuple((name, number) for name, number in item["parameters"]),
            )
            for item in value["instances"]
        )
        return cls(value["name"], tuple(value["parameters"]), ports, value["wires"], instances)
