"""Reads YAML with line numbers, so that every complaint names file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from codesign.errors import ConfigError, did_you_mean

__all__ = ["check_mapping", "dump_yaml", "key_hint", "parse_model", "read_yaml"]

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-3 as a number and only true/false as booleans (YAML 1.2)."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float")]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_NUMBER = r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_FLOAT = rf"{_NUMBER}|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
_resolve: Any = getattr(_Loader, "add_implicit_resolver")  # noqa: B009 - PyYAML ships no types for it
_resolve("tag:yaml.org,2002:float", re.compile(f"^(?:{_FLOAT})$"), list("-+0123456789."))
_resolve("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def read_yaml(path: Path) -> tuple[Any, dict[Location, int]]:
    """Read a YAML file; return its value and the line (from 1) of every key and item.

    Missing, unreadable or malformed files and duplicate keys are a ConfigError with file and line.
    """
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"cannot read {path}: {problem}") from None
    lines: dict[Location, int] = {(): 1}
    try:
        loader: Any = _Loader(source)
        try:
            node = loader.get_single_node()
            if node is not None:
                _walk(node, (), lines, path, count())
            value = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{where}: malformed YAML: {problem.problem or problem.context}") from None
    except RecursionError:
        raise ConfigError(f"{path}: malformed YAML: it is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as problem:
        raise ConfigError(f"{path}: malformed YAML: {problem}") from None
    except (AttributeError, IndexError, KeyError, TypeError) as problem:  # PyYAML, at a tag whose text does not fit it
        raise ConfigError(f"{path}: malformed YAML: a value does not fit its tag ({problem!r})") from None
    return value, lines


_MOST_NODES = 100_000
"""Values that a file may have, each alias counted as all that it stands for: a bound on what a small file can cost."""


def _walk(node: yaml.Node, where: Location, lines: dict[Location, int], path: Path, visits: Iterator[int]) -> None:
    lines.setdefault(where, node.start_mark.line + 1)
    if next(visits) > _MOST_NODES:
        raise ConfigError(
            f"{path}:{node.start_mark.line + 1}: must have at most {_MOST_NODES:,} values, aliases written out"
        )
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            if name in seen:
                raise ConfigError(f"{path}:{key.start_mark.line + 1}: the key {name!r} stands twice")
            seen.add(name)
            lines[(*where, name)] = key.start_mark.line + 1
            _walk(value, (*where, name), lines, path, visits)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*where, index), lines, path, visits)


def parse_model(model: type[Model], path: Path) -> Model:
    """Read `path` as one configuration model; every problem found is listed, with file and line."""
    value, lines = read_yaml(path)
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise ConfigError(f"{path}:1: must be a mapping of keys to values, not {type(value).__name__}")
    try:
        return model.model_validate(value)
    except ValidationError as problem:
        raise ConfigError("\n".join(_explain(model, error, lines, path) for error in problem.errors())) from None


def check_mapping(model: type[Model], value: Mapping[str, Any], *, where: str) -> Model:
    """Take a mapping that is read apart from its file as a model; every problem found is listed, its key behind `where`
    ("network.options").
    """
    try:
        return model.model_validate(dict(value))
    except ValidationError as problem:
        found = [f"{'.'.join([where, *map(str, e['loc'])])}: {_complaint(model, e)}" for e in problem.errors()]
    raise ConfigError("\n".join(found))


def _explain(model: type[BaseModel], error: Any, lines: dict[Location, int], path: Path) -> str:
    location: Location = tuple(error["loc"])
    at = location
    while at and at not in lines:  # pydantic adds names of union members, which are not in the file
        at = at[:-1]
    dotted = ".".join(str(part) for part in at or location) or "(top)"
    return f"{path}:{lines.get(at, 1)}: {dotted}: {_complaint(model, error)}"


def _complaint(model: type[BaseModel], error: Any) -> str:
    """What is wrong with one key, in plain words."""
    location: Location = tuple(error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {location[-1]!r}.{key_hint(model, location)}"
    if error["type"] == "missing":
        return f"the key {location[-1]!r} is missing"
    message = error["msg"].removeprefix("Value error, ")
    return f"{message}, not {error['input']!r}" if not isinstance(error["input"], dict) else message


def key_hint(model: type[BaseModel], location: Location) -> str:
    """Return what may have been meant by an unknown key at `location` of a model."""
    known = _known_keys(model, location[:-1])
    return did_you_mean(str(location[-1]), known) or (f" Known: {', '.join(sorted(known))}." if known else "")


def _known_keys(model: type[BaseModel], location: Location) -> list[str]:
    current: Any = model
    for part in location:
        if isinstance(part, int) or not (isinstance(current, type) and issubclass(current, BaseModel)):
            continue
        field = current.model_fields.get(str(part))
        if field is not None:
            current = _inner_model(field.annotation) or current
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        found = _inner_model(inner)
        if found is not None:
            return found
    return None


def dump_yaml(value: Any) -> str:
    """Write plain data as YAML, keys in the order given."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
