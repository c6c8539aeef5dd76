"""The straight line, a class a family: from data to report over one run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codesign.config import RunConfig, parse_build
from codesign.errors import ConfigError, RunError
from codesign.line.base import Line, Notify, silent
from codesign.line.engine import EngineLine
from codesign.line.pipeline import PipelineLine
from codesign.rundir import read_manifest

__all__ = ["LINES", "EngineLine", "Line", "Notify", "PipelineLine", "new_line", "open_run"]

LINES: dict[str, type[Line[Any]]] = {line.family: line for line in (PipelineLine, EngineLine)}
"""The line of every family."""


def new_line(config: RunConfig, run: Path, *, folder: Path, notify: Notify = silent) -> Line[Any]:
    """Return the line of the configuration's family over the run folder `run`, which need not exist.

    folder: what relative paths in the configuration are relative to.
    """
    if config.family not in LINES:
        raise ConfigError(f"there is no line for the family {config.family!r}; there is one for {', '.join(LINES)}")
    return LINES[config.family](config, run, folder=folder, notify=notify)


def open_run(path: Path, *, notify: Notify = silent) -> Line[Any]:
    """Open an existing run folder by its own resolved configuration."""
    config_file = path / "config.yaml"
    if not config_file.is_file():
        raise RunError(f"{path} is not a run folder (no config.yaml); make one with `cods build CONFIG --run {path}`")
    manifest = read_manifest(path)
    return new_line(parse_build(config_file), path, folder=Path(manifest["folder"]), notify=notify)
