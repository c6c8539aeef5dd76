"""A search over its run folder: from the configuration to realised designs, the 2 x 2, rivals and a report."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codesign.accel import device
from codesign.accel.engine.defaults import default_point
from codesign.accel.family import Refusal
from codesign.config.search import SearchConfig
from codesign.errors import ConfigError, SpaceError, under
from codesign.families.engine import EngineFamily
from codesign.report.search_page import write_search_report
from codesign.rundir import RunFolder, digest_json, write_json
from codesign.search.jobs import Runner, found_folder
from codesign.search.loop.alternate import Loop, LoopResult
from codesign.search.loop.correction import Correction
from codesign.search.loop.designs import Design
from codesign.search.loop.events import write_events
from codesign.search.loop.fixed import FixedNetwork
from codesign.search.loop.hardware import Hardware, family_label, family_of, objective_of
from codesign.search.loop.log import Log, plain_figures
from codesign.search.loop.networks import Networks
from codesign.search.loop.rivals import front_figures, history_front, share_fronts
from codesign.search.loop.start import check_search, check_storage, open_search, refuse_other, storage_of, write_start
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
    refuse_other(run, config)
    if config.family == "pipeline":
        return _pipeline(config, run, folder, workers, runner, tell)
    config = check_search(config, folder, tell=tell)
    if runner is None:
        check_storage(config, run, workers=workers, tell=tell)
    arms = list(ARMS) if config.table else [_only_arm(config)]
    log = Log(run / "evaluations.jsonl")
    first = _Arm(config, arms[0], run=run, folder=folder, log=log, tell=tell)
    try:
        known = first.prepare().begins_with_reference  # then it keeps the limits on an accelerator that is searched
        for arm in arms[1:]:  # a corner that cannot end well is refused before the others are searched
            if not (known and arm == "hardware"):
                _check_corner(config, arm, folder)
        with RunFolder(run).locked():
            write_start(config, run, folder)
            log.open()
            with _open_runner(config, run, workers, runner, tell) as jobs:
                result = _search(config, arms, first, run, folder, jobs, log, tell)
            write_json(run / "result.json", result)
            write_search_report(run)
    finally:
        first.hardware.close()
        log.close()
    return result


def _pipeline(
    config: SearchConfig, run: Path, folder: Path, workers: int, runner: Runner | None, tell: Tell
) -> dict[str, Any]:
    """The search of LUT networks, which are their own hardware."""
    from codesign.search.luts.run import lut_search_config, run_luts

    lut_search_config(config, folder=folder)
    if runner is None:
        check_storage(config, run, workers=workers, tell=tell)
    return run_luts(
        config,
        run,
        folder=folder,
        jobs=lambda: _open_runner(config, run, workers, runner, tell),
        start=lambda: write_start(config, run, folder),
        tell=tell,
    )


def make_networks(config: SearchConfig, *, run: Path | None, **options: Any) -> Networks:
    """The network half that the configuration asks for."""
    if config.network.file is not None:
        return FixedNetwork(config, **options)
    assert config.network.space is not None
    name, folder = config.network.space, options["folder"]
    if name.endswith((".yaml", ".yml")):
        space = network_space(str(folder / name))
    else:
        with under("network.space"):
            space = network_space(name)
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
    one = _Arm(config, arm, run=run, folder=folder, log=log, tell=tell)
    return one.run(runner), one.hardware, one.networks


class _Arm:
    """A corner of the 2 x 2: its halves, made with what the configuration leaves on, and the loop over them."""

    def __init__(self, config: SearchConfig, arm: str, *, run: Path | None, folder: Path, log: Log, tell: Tell):
        own = _arm_config(config, arm)
        self.name, self.folder, self.log, self.tell, self._run = arm, folder, log, tell, run
        self.correction = Correction()
        self.networks = make_networks(own, run=run, folder=folder, seed=config.seed, log=log, arm=arm)
        self.hardware = Hardware(
            own,
            folder=folder,
            seed=config.seed,
            log=log,
            correction=self.correction,
            arm=arm,
            agent_log=run / "log" if run is not None else None,
        )
        self._loop: Loop | None = None

    def prepare(self) -> Loop:
        """Refuse what cannot end well; nothing is trained or built."""
        if self._loop is None:
            nobody: Any = None
            self._loop = Loop(
                self.hardware, self.networks, nobody, log=self.log, correction=self.correction, tell=self.tell
            )
            self._loop.prepare()
        return self._loop

    def run(self, runner: Runner) -> LoopResult:
        """Search; `runner` does the jobs."""
        try:
            loop = self.prepare()
            loop.runner = runner
            found = loop.run()
        finally:
            self.hardware.close()
        if self._run is not None:
            write_events(self.networks, self._run / "log" / f"network_{self.name}")
        return found


def _check_corner(config: SearchConfig, arm: str, folder: Path) -> None:
    """Refuse the 2 x 2 where a corner cannot keep the limits; what it looks up on the way counts for nobody."""
    corner = _Arm(config, arm, run=None, folder=folder, log=Log(None), tell=lambda _: None)
    try:
        corner.prepare()
    except SpaceError as problem:
        raise SpaceError(f"table: the corner {ARMS[arm]!r} of the 2 x 2 cannot be made: {problem}") from None
    finally:
        corner.hardware.close()


def _search(
    config: SearchConfig, arms: Sequence[str], first: _Arm, run: Path, folder: Path, jobs: Runner, log: Log, tell: Tell
) -> dict[str, Any]:
    results: dict[str, Any] = {}
    rivals: dict[str, Any] = {}
    baseline: dict[str, Any] | None = None
    for arm in arms:
        tell(f"{ARMS[arm]}")
        one = first if arm == first.name else _Arm(config, arm, run=run, folder=folder, log=log, tell=tell)
        found, hardware, networks = one.run(jobs), one.hardware, one.networks
        results[arm] = _told(found, networks, hardware, arm, run)
        if arm == arms[0]:
            results[arm]["design"] = _keep_design(found.best, run)
            baseline = _baseline(hardware, networks)
            if config.rivals and hardware.config.hardware.method != "default":
                tell("searching with the rivals at the same budget")
                try:
                    rivals = _rivals(hardware, found)
                finally:
                    hardware.close()
    return {
        "name": config.name,
        "seed": config.seed,
        "family": family_label(family_of(config, folder)),
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
        "front": history_front(history, front_figures(hardware.stated(found.best.candidate))),
        "in the loop": True,
    }
    share_fronts(rivals)
    return {
        name: {key: (None if isinstance(v, float) and v != v else v) for key, v in row.items() if key != "curve"}
        | {"curve": [None if v != v else v for v in row.get("curve", [])]}
        for name, row in rivals.items()
    }


def _told(found: LoopResult, networks: Networks, hardware: Hardware, arm: str, run: Path) -> dict[str, Any]:
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
        "best": _design(found.best, run),
        "accuracy_test": None if test is None else [test[0], test[1]],
        "designs": [_design(design, run) for design in found.designs],
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
        "drops": [asdict(drop) for drop in networks.drops],
        "cost_unit": networks.cost_unit,
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


def _design(design: Design, run: Path) -> dict[str, Any]:
    return {
        "network": design.candidate.label,
        "network_point": dict(design.candidate.point),
        "accuracy": design.accuracy,
        "accuracy_origin": _accuracy_origin(design),
        "hardware": dict(design.point),
        "state": design.state,
        "reason": design.reason,
        "value": design.value if design.done else None,
        "predicted": plain_figures(design.predicted),
        "figures": plain_figures(design.figures),
        "measured": plain_figures(design.outcome.figures) if design.outcome is not None else {},
        "round": design.round + 1,
        "job": design.job.key if design.job is not None else None,
        "folder": _beside(design.outcome.folder, run) if design.outcome is not None else "",
    }


def _accuracy_origin(design: Design) -> str | None:
    """Where an accuracy comes from; None where there is none."""
    if design.accuracy is None:
        return None
    return design.candidate.origin or "trained network in integers, validation rows"


def _beside(folder: str, run: Path) -> str:
    """The folder of a job, relative to the search's where it lies in it, so that both can be moved together."""
    inside = folder and Path(folder).resolve().is_relative_to(run.resolve())
    return str(Path(folder).resolve().relative_to(run.resolve())) if inside else folder


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
    made = found_folder(design.outcome.folder, run)
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
