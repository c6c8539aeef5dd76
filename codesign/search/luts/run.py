"""`cods search` of a file of family `pipeline`: its folder, its runner, and what it leaves behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from codesign.config import dump_yaml
from codesign.config.search import SearchConfig
from codesign.errors import ConfigError
from codesign.report.lut_search_page import write_lut_search_report
from codesign.report.search_page import without_secrets
from codesign.rundir import RunFolder
from codesign.search.jobs import Runner, found_folder
from codesign.search.luts.config import LutSearchConfig, LutSearchOptions
from codesign.search.luts.search import search_luts

__all__ = ["lut_search_config", "run_luts"]

Tell = Callable[[str], None]

_VECTORS = 200
"""Test rows that the Verilog is simulated with at the least: a clock each, so that they cost nothing."""


def lut_search_config(config: SearchConfig, *, folder: Path) -> LutSearchConfig:
    """Turn a search file into what `search_luts` takes; a ConfigError names the key that says nothing here.

    A LUT network is its own hardware: there is no second half to search, and the figure is accuracy under limits, or
    LUTs at nearly the accuracy that the limits allow.
    """
    network = config.network
    for key, value, wanted in (
        ("network.method", network.method, "gradient"),
        ("hardware.space", config.hardware.space, "pipeline"),
    ):
        if value != wanted:
            raise ConfigError(f"{key} must be {wanted} with family pipeline, not {value!r}")
    figure = config.objective.figure
    if figure not in ("accuracy", "luts"):
        raise ConfigError(f"objective.figure must be accuracy or luts with family pipeline, not {figure!r}")
    if config.table:
        raise ConfigError("table: a LUT network is its own hardware, so there is no 2 x 2; leave it out")
    if network.space is None or config.data is None:
        raise ConfigError("family pipeline needs `network.space`, of kind tables, and `data`")
    if not config.objective.limits:
        raise ConfigError("objective.limits: a search of LUT networks needs a limit, such as {luts: 2000}")
    space = network.space
    where = str(folder / space) if space.endswith((".yaml", ".yml")) else space
    return LutSearchConfig(
        name=config.name,
        seed=config.seed,
        device=config.device,
        space=where,
        figure=figure,
        within=network.within,
        limits=dict(config.objective.limits),
        data=config.data,
        train=config.train,
        options=LutSearchOptions.read(network.options),
        until="report",
        vectors=max(_VECTORS, config.realise.images),
    )


def run_luts(
    config: SearchConfig,
    run: Path,
    *,
    folder: Path,
    jobs: Callable[[], AbstractContextManager[Runner]],
    start: Callable[[], None] = lambda: None,
    tell: Tell = lambda _: None,
) -> dict[str, Any]:
    """Search into RUN and return what stands in RUN/result.json; the same again goes on where it was killed.

    jobs: opens what does the jobs; start: writes the folder's manifest, once it is locked. The winner's folder of
    Verilog is copied to RUN/design where its job was done on this machine.
    """
    asked = lut_search_config(config, folder=folder)
    with RunFolder(run).locked():
        start()
        with jobs() as runner:
            found = search_luts(asked, runner, run, lambda phase, line: tell(f"{phase}: {line}"), data_folder=folder)
    made = found_folder(found.folder, run)
    if (made / "5_emit" / "design").is_dir():
        target = run / "design"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(made / "5_emit" / "design", target)
        shutil.copy2(made / "report.html", run / "network.html")
    write_lut_search_report(
        run, config=dump_yaml(without_secrets(config.model_dump(mode="json", exclude_defaults=True)))
    )
    return found.as_dict()
