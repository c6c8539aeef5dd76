"""`cods search` of a file of family `pipeline`: its folder, its runner, and what it leaves behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from codesign.accel import device
from codesign.config import dump_yaml
from codesign.config.search import SearchConfig
from codesign.errors import ConfigError, did_you_mean, under
from codesign.report.lut_search_page import write_lut_search_report
from codesign.report.search_page import without_secrets
from codesign.rundir import RunFolder
from codesign.search.jobs import Runner, found_folder
from codesign.search.luts.config import LIMITS, LutSearchConfig, LutSearchOptions
from codesign.search.luts.problem import LutProblem
from codesign.search.luts.search import search_luts
from codesign.search.networks import network_space
from codesign.tools.verilator import find_verilator
from codesign.tools.yosys import find_yosys

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
    limits = config.objective.limits
    if not limits:
        raise ConfigError("objective.limits: a search of LUT networks needs a limit, such as {luts: 2000}")
    for name in limits:
        if name not in LIMITS:
            raise ConfigError(
                f"objective.limits: no figure {name!r} of a LUT network.{did_you_mean(name, LIMITS)} "
                f"Known: {', '.join(LIMITS)}; it has no block RAMs and no DSP blocks, and its latency is its cycles"
            )
    _refuse_what_says_nothing(config)
    where = network.space
    if where.endswith((".yaml", ".yml")):
        where = str(folder / where)
    else:
        with under("network.space"):
            network_space(where)
    with under("device"):
        device(config.device)
    return LutSearchConfig(
        name=config.name,
        seed=config.seed,
        device=config.device,
        space=where,
        figure=figure,
        within=network.within,
        limits=dict(limits),
        data=config.data,
        train=config.train,
        options=LutSearchOptions.read(network.options),
        until="report",
        vectors=max(_VECTORS, config.realise.images),
    )


_SAYS = {
    "realise": ("images",),
    "hardware": ("space",),
    "network": ("space", "method", "options", "within"),
    "loop": (),
}
"""Keys of a section that mean something for LUT networks."""


def _refuse_what_says_nothing(config: SearchConfig) -> None:
    """Refuse keys that have no meaning here and are not as they are when nothing is said."""
    for section, known in _SAYS.items():
        given = getattr(config, section)
        for key, value in given.model_dump().items():
            field = type(given).model_fields[key]
            if key not in known and value != field.get_default(call_default_factory=True):
                raise ConfigError(
                    f"{section}.{key}: means nothing with family pipeline, whose networks are their own hardware and "
                    "are always built; leave it out"
                )


def check_luts(config: LutSearchConfig, folder: Path) -> LutProblem:
    """Refuse what can be refused before anything trains; return what is searched."""
    problem = LutProblem(config, folder=folder)
    problem.check()
    find_verilator()
    find_yosys()
    return problem


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
    problem = check_luts(asked, folder)
    with RunFolder(run).locked():
        start()
        with jobs() as runner:
            found = search_luts(
                asked, runner, run, lambda phase, line: tell(f"{phase}: {line}"), data_folder=folder, problem=problem
            )
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
