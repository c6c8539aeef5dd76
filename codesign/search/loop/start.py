"""What is refused before a search's folder is made; and what the folder says of the search that it belongs to."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from codesign import __version__
from codesign.accel import AcceleratorFamily, device
from codesign.config import dump_yaml, parse_model
from codesign.config.search import RealiseConfig, SearchConfig
from codesign.errors import ConfigError, RunError, ToolNotFound, under
from codesign.families.engine import EngineFamily
from codesign.rundir import digest_json, is_search, read_json, write_json, write_text
from codesign.search.loop.hardware import family_label, family_of, is_own, objective_of

__all__ = ["check_search", "check_storage", "open_search", "refuse_other", "storage_of", "write_start"]

Tell = Callable[[str], None]

_PACKAGES = {"agent": "sb3_contrib", "nsga2": "pymoo"}
"""What methods need beside what every search does."""


def check_search(config: SearchConfig, folder: Path, *, tell: Tell = lambda _: None) -> SearchConfig:
    """Refuse what can be refused without computing anything; return the configuration with `realise` settled.

    folder: what relative paths are relative to.
    """
    with under("device"):
        device(config.device)
    objective_of(config)
    if config.table and (config.network.method == "reference" or config.hardware.method == "default"):
        raise ConfigError("table: the 2 x 2 needs both halves; write a method for the network and for the hardware")
    family = family_of(config, folder)
    if config.family == "own" and not is_own(family):
        raise ConfigError(
            f"family: `own` is for a family of one's own; hardware.space {config.hardware.space!r} is of the family "
            f"{family.space.family!r}, which is ours. Leave `family` out"
        )
    settled = {"realise": _settled(config.realise, family, tell)} | ({"family": "own"} if is_own(family) else {})
    config = config.model_copy(update=settled)
    _require_packages(config)
    if config.realise.build and isinstance(family, EngineFamily):
        from codesign.tools.verilator import find_verilator
        from codesign.tools.yosys import find_yosys

        find_verilator()
        if config.realise.synth:
            find_yosys()
    return config


def _settled(realise: RealiseConfig, family: AcceleratorFamily, tell: Tell) -> RealiseConfig:
    """What can be made of the family's designs: of a family of one's own synthesis is off, and said to be."""
    asked = [name for name in ("synth", "route") if name in realise.model_fields_set and getattr(realise, name)]
    name = family.space.family
    if not is_own(family):
        if not realise.build:
            raise ConfigError(
                f"realise.build: false is for a family that is a cost function alone; designs of the family {name!r} "
                "are built, and only what was built is returned. Leave it out"
            )
        return realise
    if not realise.build and asked:
        raise ConfigError(
            f"realise.{asked[0]}: with `build: false` nothing is built, so there is nothing to synthesise"
        )
    if asked:
        raise ConfigError(
            f"realise.{asked[0]}: the family {name!r} is not ours, and we know no synthesis of its designs: they "
            "are generated and simulated, and resources stay what its cost function says. Leave it out"
        )
    able = type(family)
    without = [one for one in ("generate", "simulate") if getattr(able, one) is getattr(AcceleratorFamily, one)]
    if realise.build and without:
        raise ConfigError(
            f"realise.build: the family {name!r} has no method `{without[0]}`, so its designs cannot be built. Write "
            "`realise: {build: false}` for a result that is said to be costed alone"
        )
    made = "generated and simulated, not synthesised" if realise.build else "not built: they are costed alone"
    tell(f"designs of the family {family_label(family)} are {made}; other figures are its cost function's")
    return realise.model_copy(update={"synth": False})


def _require_packages(config: SearchConfig) -> None:
    methods = {config.hardware.method, *(("agent", "nsga2") if config.rivals else ())}
    wanted = {"optuna", "plotly"} | {package for name, package in _PACKAGES.items() if name in methods}
    wanted |= {"pymoo"} if config.network.method == "evolution" else set()
    for name in sorted(wanted):
        if find_spec(name) is None:
            raise ToolNotFound(f"this search needs the package {name!r}: `pip install 'codesign[search,report]'`")


def storage_of(config: SearchConfig, run: Path) -> str:
    """The storage of a search's jobs, by its full name."""
    return f"journal:{run / 'jobs.journal'}" if config.storage == "journal" else config.storage


def check_storage(config: SearchConfig, run: Path, *, workers: int, tell: Tell) -> None:
    """Refuse a storage that means nothing, cannot serve so many workers, or does not answer."""
    from codesign.search.blackboard.storage import Store, check_name, check_shared

    name = storage_of(config, run)
    kind = check_name(name)
    if kind == "sqlite":
        if workers:
            check_shared(name)
        tell("the storage is SQLite: this process works alone, and `cods worker` is refused")
    elif kind != "journal":
        Store(name).close()


def refuse_other(run: Path, config: SearchConfig) -> None:
    """Refuse the folder of something else."""
    manifest = run / "manifest.json"
    if not manifest.is_file():
        if run.exists() and not run.is_dir():
            raise RunError(f"{run} is a file; a search needs a folder of its own: choose another --run")
        return
    known = read_json(manifest)
    if known.get("kind") != "search" or known["name"] != config.name:
        what = f"the search {known['name']!r}" if known.get("kind") == "search" else f"the run of {known['name']!r}"
        raise RunError(f"{run} is {what}, not of the search {config.name!r}; choose another --run or delete it")


def write_start(config: SearchConfig, run: Path, folder: Path) -> None:
    """Write config.yaml and manifest.json, once nothing stands in the way; what another search found there goes."""
    plain = config.model_dump(mode="json")
    manifest = run / "manifest.json"
    if manifest.is_file() and read_json(manifest).get("config_digest") != digest_json(plain):
        for name in ("result.json", "report.html", "network.html"):
            (run / name).unlink(missing_ok=True)
        shutil.rmtree(run / "design", ignore_errors=True)
    write_text(run / "config.yaml", dump_yaml(plain))
    write_json(
        manifest,
        {
            "kind": "search",
            "name": config.name,
            "family": family_label(family_of(config, folder)),
            "seed": config.seed,
            "folder": os.path.relpath(folder.resolve(), run.resolve()),
            "folder_at_start": str(folder.resolve()),
            "config_digest": digest_json(plain),
            "versions": _versions(),
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        },
    )


def open_search(run: Path) -> tuple[SearchConfig, Path]:
    """Read a search's folder: its configuration as resolved, and what relative paths are relative to.

    That folder is found from where the search's lies now; where its files are not there (the search's folder was moved
    alone), as it was when the search began. A RunError names what is in neither.
    """
    if not is_search(run):
        raise RunError(f"{run} is not the folder of a search; make one with `cods search CONFIG --run {run}`")
    config, manifest = parse_model(SearchConfig, run / "config.yaml"), read_json(run / "manifest.json")
    beside = (run.resolve() / manifest["folder"]).resolve()  # an absolute one stays what it is
    places = list(dict.fromkeys([beside, Path(manifest.get("folder_at_start", beside))]))
    files = _files_of(config)
    for place in places:
        if all((place / name).exists() for name in files):
            return config, place
    missing = next(name for name in files if not any((place / name).exists() for place in places))
    raise RunError(
        f"{run}: the search reads {missing}, which is not in {' or '.join(map(str, places))}; bring it there, or begin "
        "anew with `cods search CONFIG`"
    )


def _files_of(config: SearchConfig) -> Sequence[str]:
    """The files, relative to the search file, without which a search cannot go on."""
    named = [config.hardware.space, config.network.space or ""]
    found = [name for name in named if name.endswith((".yaml", ".yml"))]
    if config.network.file is not None and config.network.file.suffix:
        found.append(str(config.network.file))
    return found


def _versions() -> dict[str, str]:
    found = {"codesign": __version__}
    for name in ("numpy", "torch", "stable-baselines3", "sb3-contrib", "optuna", "scikit-learn", "verilator", "pyosys"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found
