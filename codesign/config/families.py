"""Which configuration model reads a build file: its key `family` says so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from codesign.config.engine import EngineBuildConfig
from codesign.config.models import BuildConfig, RunConfig
from codesign.config.yamlfile import parse_model, read_yaml
from codesign.errors import ConfigError, did_you_mean

__all__ = ["FAMILIES", "build_model_of", "parse_build"]

FAMILIES: dict[str, type[RunConfig]] = {"pipeline": BuildConfig, "engine": EngineBuildConfig}
"""The configuration model of every family."""


def build_model_of(value: Any, *, where: str) -> type[RunConfig]:
    """Return the model for the plain data of a build file; `family` is `pipeline` where it is not given.

    An unknown family is a ConfigError that begins with `where`.
    """
    given: Mapping[str, Any] = (
        cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {"family": "pipeline"}
    )
    family: object = given.get("family", "pipeline")
    if not isinstance(family, str) or family not in FAMILIES:
        raise ConfigError(
            f"{where}: family: must be one of {', '.join(FAMILIES)}, not {family!r}."
            f"{did_you_mean(str(family), FAMILIES)}"
        )
    return FAMILIES[family]


def parse_build(path: Path) -> RunConfig:
    """Read a build file of any family; every problem found is a ConfigError with file and line."""
    value, lines = read_yaml(path)
    return parse_model(build_model_of(value, where=f"{path}:{lines.get(('family',), 1)}"), path)
