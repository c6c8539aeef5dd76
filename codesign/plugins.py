"""Finds the classes that a configuration names: ours by a short name, a user's own by `module:Class`."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from codesign.errors import ConfigError, did_you_mean

__all__ = ["blame", "build", "find_class"]

T = TypeVar("T")

_USERS: set[str] = set()
"""Names of the modules that users' classes came from."""


def find_class(name: str, base: type[T], *, known: Mapping[str, type[T]], what: str) -> type[T]:
    """Return the class that `name` stands for.

    name: a key of `known`, or `module:Class`, where `module` is importable or the path of a `.py` file
    (relative to the working folder). The class must be a subclass of `base`; anything else is a
    ConfigError that says what was met.
    """
    if ":" not in name:
        if name in known:
            return known[name]
        raise ConfigError(
            f"no {what} {name!r}.{did_you_mean(name, known)} Known: {', '.join(sorted(known))}, "
            "or `module:Class` of your own."
        )
    module_name, _, class_name = name.rpartition(":")
    module = _module(module_name, what)
    _USERS.add(module.__name__)
    found = getattr(module, class_name, None)
    if found is None:
        raise ConfigError(f"{what} {name!r}: {module_name} has no {class_name!r}")
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigError(f"{what} {name!r}: must be a subclass of {base.__module__}.{base.__name__}, not {found!r}")
    return found


def build(kind: type[T], *values: Any, what: str, name: str, options: Mapping[str, Any] | None, **settings: Any) -> T:
    """Call `kind(*values, **settings, **options)`; options that it does not take are a ConfigError with a hint."""
    options = options or {}
    parameters = inspect.signature(kind).parameters.values()
    taken = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} - set(settings)
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        for key in options:
            if key not in taken:
                hint = did_you_mean(key, taken) or (f" It takes {', '.join(sorted(taken))}." if taken else "")
                raise ConfigError(f"{what} {name!r} does not take the option {key!r}.{hint}")
    try:
        return kind(*values, **settings, **options)
    except (TypeError, ValueError) as problem:
        raise ConfigError(f"{what} {name!r} does not take these options: {problem}") from problem


def blame(problem: BaseException) -> str | None:
    """Say where in a user's own class an error arose (file, line, function), or None where it did not."""
    for frame, line in reversed(list(traceback.walk_tb(problem.__traceback__))):
        if frame.f_globals.get("__name__") in _USERS:
            code = frame.f_code
            return (
                f"{code.co_filename}:{line}: in {code.co_qualname}, a class of your own: "
                f"{type(problem).__name__}: {problem}"
            )
    return None


def _module(name: str, what: str) -> ModuleType:
    try:
        return _from_file(Path(name)) if name.endswith(".py") else importlib.import_module(name)
    except (ImportError, OSError, SyntaxError, ValueError) as problem:
        raise ConfigError(
            f"{what}: cannot import {name!r} ({problem}); put its folder on PYTHONPATH or give the path of the .py file"
        ) from None


def _from_file(path: Path) -> ModuleType:
    """Import one file under a name made from its path, once."""
    full = path.resolve(strict=True)
    key = f"codesign_user_{full.stem}_{hashlib.sha256(str(full).encode()).hexdigest()[:8]}"
    if key in sys.modules:
        return sys.modules[key]
    spec = importlib.util.spec_from_file_location(key, full)
    if spec is None or spec.loader is None:
        raise ImportError(f"{full} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[key] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[key]
        raise
    return module
