"""Builds every point of a grid and compares the runs in one table and plot."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.table import Table

from codesign.config import RunConfig, Section, build_model_of, dump_yaml, read_yaml
from codesign.config.yamlfile import key_hint, parse_model
from codesign.errors import CodesignError, ConfigError
from codesign.line import Notify, new_line
from codesign.rundir import write_json

__all__ = ["SweepConfig", "SweepResult", "point_config", "points", "run_sweep"]


class SweepConfig(Section):
    """A grid over a build configuration."""

    name: str
    base: Path
    """The build configuration, relative to the sweep file."""
    grid: dict[str, list[Any]]
    """Dotted keys of the build configuration and the values each takes; `topology.layers.*.fan_in` sets every layer
    but the last, `topology.layers.0.bits` one layer."""
    until: str = "report"


@dataclass(frozen=True)
class SweepResult:
    """The table of the runs that were built, the page that shows it, and the errors of the points that failed."""

    table: Table
    page: Path
    failures: dict[str, str]


def points(sweep: SweepConfig) -> list[dict[str, Any]]:
    """Return the points of the grid, one mapping of dotted keys to values each, last key fastest."""
    if not sweep.grid or any(not values for values in sweep.grid.values()):
        raise ConfigError(f"sweep {sweep.name!r}: grid must name at least one key, each with at least one value")
    return [dict(zip(sweep.grid, values, strict=True)) for values in itertools.product(*sweep.grid.values())]


def _set(value: Any, path: list[str], new: Any, key: str) -> None:
    """Set `new` at `path` inside nested mappings and lists; `*` means every item of a list but the last."""
    head, rest = path[0], path[1:]
    if isinstance(value, list):
        if head == "*":
            chosen = range(len(value) - 1)
            if not chosen:
                raise ConfigError(
                    f"grid key {key!r}: '*' means every item but the last, and there is only one; name it by its index"
                )
        elif head.lstrip("-").isdigit() and -len(value) <= int(head) < len(value):
            chosen = [int(head)]
        else:
            raise ConfigError(f"grid key {key!r}: {head!r} must be '*' or an index below {len(value)}")
        for index in chosen:
            if rest:
                _set(value[index], rest, new, key)
            else:
                value[index] = new
    elif isinstance(value, dict):
        if rest:
            _set(value.setdefault(head, {}), rest, new, key)
        else:
            value[head] = new
    else:
        raise ConfigError(f"grid key {key!r}: there is nothing below {head!r}")


def point_config(base: dict[str, Any], point: dict[str, Any], name: str) -> RunConfig:
    """Return the build configuration of one point; an illegal one is a ConfigError naming the point."""
    try:
        return build_model_of(base, where=name).model_validate(_with(base, point, name))
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"point {point}: {where}: {first['msg']}") from None


def _with(base: dict[str, Any], point: dict[str, Any], name: str) -> dict[str, Any]:
    value = copy.deepcopy(base)
    for key, new in point.items():
        _set(value, key.split("."), new, key)
    value["name"] = name
    return value


def _check_keys(sweep: SweepConfig, base: dict[str, Any], path: Path) -> None:
    """Refuse, before anything is built, a grid key that no build configuration has."""
    _, lines = read_yaml(path)
    model = build_model_of(base, where=str(sweep.base))
    for key, values in sweep.grid.items():
        try:
            model.model_validate(_with(base, {key: values[0]}, sweep.name))
        except ValidationError as problem:
            for error in problem.errors():
                if error["type"] == "extra_forbidden":
                    hint = key_hint(model, error["loc"])
                    where = f"{path}:{lines.get(('grid', key), 1)}"
                    raise ConfigError(f"{where}: grid key {key!r}: unknown key {error['loc'][-1]!r}.{hint}") from None


def run_sweep(path: Path, run: Path | None, *, notify: Notify) -> SweepResult:
    """Build every point under one folder (runs/NAME where None), write sweep.json and compare.html.

    A point that fails is recorded with its error and does not stop the others; points already built are kept. The
    table has a column for each key that takes more than one value.
    """
    from codesign.report import compare_runs

    sweep = parse_model(SweepConfig, path)
    folder = run or Path("runs") / sweep.name
    base_file = (path.parent / sweep.base).resolve()
    base, _ = read_yaml(base_file)
    if not isinstance(base, dict):
        raise ConfigError(f"{base_file}:1: must be a mapping of keys to values")
    records: list[dict[str, Any]] = []
    built: list[Path] = []
    grid = points(sweep)
    _check_keys(sweep, base, path)
    varied = [key for key, values in sweep.grid.items() if len(values) > 1]
    for index, point in enumerate(grid):
        name = f"{sweep.name}_{index:03d}"
        record: dict[str, Any] = {"run": name, "point": point}
        values = ", ".join(f"{key} {point[key]}" for key in varied)
        notify("sweep", f"{index + 1} of {len(grid)}, {name}: {values}", None)
        try:
            config = point_config(base, point, name)
            new_line(config, folder / name, folder=base_file.parent, notify=notify).build(until=sweep.until)
            built.append(folder / name)
        except CodesignError as problem:
            record["error"] = f"{type(problem).__name__}: {problem}"
            notify("sweep", f"{name} failed: {problem}", None)
        records.append(record)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "sweep.json", {"name": sweep.name, "config": dump_yaml(base), "points": records})
    failures = {r["run"]: r["error"] for r in records if "error" in r}
    if not built:
        first = next(iter(failures.values()))
        raise ConfigError(f"no point of sweep {sweep.name!r} could be built; the first said: {first}")
    shown = {r["run"]: {key: r["point"][key] for key in varied} for r in records}
    page = folder / "compare.html"
    return SweepResult(compare_runs(built, page, points=shown), page, failures)
