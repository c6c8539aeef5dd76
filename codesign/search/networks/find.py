"""Finds network spaces: those that ship with codesign by name, a user's own by its YAML file."""

from __future__ import annotations

from pathlib import Path

from codesign.config import parse_model, read_yaml
from codesign.errors import ConfigError, did_you_mean
from codesign.plugins import find_class
from codesign.resources import resource_dir
from codesign.search.networks.cells import CellSpace
from codesign.search.networks.maps import MapSpace
from codesign.search.networks.space import NetworkSpace
from codesign.search.networks.tables import TableSpace

__all__ = ["KINDS", "network_space", "network_spaces", "read_network_space"]

KINDS: dict[str, type[NetworkSpace]] = {"cells": CellSpace, "maps": MapSpace, "tables": TableSpace}
"""Kinds of network spaces that ship with codesign."""


def network_spaces() -> list[str]:
    """Names of the spaces that ship with codesign."""
    return sorted(path.stem for path in (resource_dir("accel_space") / "networks").glob("*.yaml"))


def network_space(name: str) -> NetworkSpace:
    """Return a space by its name, or that of a YAML file (a path that ends in .yaml)."""
    if name.endswith((".yaml", ".yml")):
        return read_network_space(Path(name))
    known = network_spaces()
    if name not in known:
        raise ConfigError(
            f"no network space {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}, or a .yaml file."
        )
    return read_network_space(resource_dir("accel_space") / "networks" / f"{name}.yaml")


def read_network_space(path: Path) -> NetworkSpace:
    """Read a space file; every problem is a ConfigError with file and line, before anything is trained.

    `kind` is a name in `KINDS`, or `module:Class` of a user's own; `file.py:Class` is looked for beside the file.
    """
    value, lines = read_yaml(path)
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        raise ConfigError(f"{path}:1: a network space must say its `kind`: {', '.join(KINDS)}, or `module:Class`")
    wanted = str(value["kind"])
    module, colon, _ = wanted.rpartition(":")
    if colon and module.endswith(".py"):
        wanted = str(path.resolve().parent / wanted)
    try:
        kind = find_class(wanted, NetworkSpace, known=KINDS, what="kind of network space")
    except ConfigError as problem:
        raise ConfigError(f"{path}:{lines[('kind',)]}: kind: {problem}") from None
    file = parse_model(kind.File, path)
    found: list[str] = []
    for where, message in kind.problems(file):
        at = where
        while at not in lines:
            at = at[:-1]
        found.append(f"{path}:{lines[at]}: {'.'.join(map(str, where))}: {message}")
    if found:
        raise ConfigError("\n".join(found))
    return kind(file)  # pyright: ignore[reportAbstractUsage] - a subclass, by name
