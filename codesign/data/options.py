"""Reads a source's own options strictly, and imports optional packages on use."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any, TypeVar

from pydantic import ValidationError

from codesign.config import Section
from codesign.errors import ConfigError, did_you_mean

__all__ = ["known_names", "need", "read_options"]

Options = TypeVar("Options", bound=Section)

_INSTALL = {"sklearn": "scikit-learn"}


def read_options(model: type[Options], values: Mapping[str, Any], source: str) -> Options:
    """Check the `options:` of a source; an unknown or wrong one is a ConfigError that names it."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as problem:
        lines = [_explain(model, error, source) for error in problem.errors()]
    raise ConfigError("\n".join(lines))


def _explain(model: type[Section], error: Any, source: str) -> str:
    key = str(error["loc"][0]) if error["loc"] else ""
    known = sorted(model.model_fields)
    if error["type"] == "extra_forbidden" and key not in known:
        listed = f"Known: {', '.join(known)}." if known else f"The source {source!r} takes no options."
        return f"data.options: unknown key {key!r} for source {source!r}.{did_you_mean(key, known)} {listed}"
    where = ".".join(["data.options", *map(str, error["loc"])])
    return f"{where}: {error['msg'].removeprefix('Value error, ')}, not {error['input']!r}"


def known_names(wanted: list[str], known: tuple[str, ...], *, what: str, where: str) -> list[int]:
    """Positions of the wanted names; an unknown or repeated one is a ConfigError with the nearest known name."""
    for name in wanted:
        if name not in known:
            shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
            raise ConfigError(f"{what}: {where} has no column {name!r}.{did_you_mean(name, known)} Known: {shown}.")
        if wanted.count(name) > 1:
            raise ConfigError(f"{what}: the column {name!r} stands twice")
    return [known.index(name) for name in wanted]


def need(module: str, purpose: str) -> ModuleType:
    """Import an optional module; where it is absent, a ConfigError gives the line that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise ConfigError(
            f"{purpose} needs the package {_INSTALL.get(package, package)!r}, which is not installed; "
            'run: pip install "codesign[data]"'
        ) from None
