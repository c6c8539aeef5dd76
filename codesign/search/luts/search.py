"""The joint search of LUT networks for the pipeline: shared tables, hard limits, halving, and the straight line.

1. The super-network: legal networks of the space train in shared tables; the distribution over depth, widths, fan-ins,
   bits, votes and registers follows the gradient, and its most probable network keeps every limit after every step.
2. Candidates: the networks that do best among many drawn from the distribution, each kind represented (depth, and bits
   of the last tables).
3. Successive halving: the candidates train by themselves.
4. The finalists are built by the straight line, as jobs of kind `line`: trained in full, extracted, optimized, emitted,
   simulated bit for bit and synthesised. The most accurate on the validation rows whose synthesised figures keep every
   limit is the result; its test accuracy is read then, once. Where none keeps them, what was measured corrects the
   prediction and the next candidates are built.
5. With `figure: luts` smaller networks of its kind are built too, and the smallest of all that is at most `within`
   points of validation accuracy behind it is the result (`codesign.search.luts.shrink`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codesign.accel import Figure, device
from codesign.accel.space import Value
from codesign.config import BuildConfig, SynthConfig
from codesign.errors import SpaceError
from codesign.rundir import write_json
from codesign.search.evolution import Halving
from codesign.search.jobs import Job, Outcome, Runner
from codesign.search.luts.config import LutSearchConfig
from codesign.search.luts.figures import EVERY
from codesign.search.luts.halving import halve
from codesign.search.luts.problem import Candidate, LutProblem, Progress, Relaxation, in_turns, kind, silent
from codesign.search.luts.shrink import Built, accuracy, holds, shrink
from codesign.search.networks.tables import TableSpace

if TYPE_CHECKING:
    from codesign.data import DataSet

__all__ = ["LutSearchResult", "build_of", "realise", "search_luts"]


@dataclass(frozen=True)
class LutSearchResult:
    """The network that was found, as it was realised.

    figures: of the winner's job, each with its origin (accuracies, LUTs and flip-flops as synthesised, cycles as
    simulated, ...). floor: the validation accuracy that it had to have (figure `luts`). finalists: every network that
    was built, with its outcome. epochs: of everything that trained.
    folder: where the winner's run lies. problem: what was searched, with its figures as corrected by what was seen.
    """

    point: Mapping[str, Value]
    build: Mapping[str, Any]
    figures: Mapping[str, Figure]
    floor: float | None
    relaxation: Relaxation
    halving: Halving[int] | None
    finalists: tuple[Built, ...]
    epochs: float
    folder: str
    problem: LutProblem

    @property
    def alone(self) -> float:
        """Validation accuracy of the winner, trained by itself."""
        return self.figures["accuracy_validation"].value

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        found = self.relaxation
        config = self.problem.config
        return {
            "name": config.name,
            "seed": config.seed,
            "device": config.device,
            "figure": config.figure,
            "limits": dict(config.limits),
            "least_validation_accuracy": self.floor,
            "point": dict(self.point),
            "build": dict(self.build),
            "figures": {name: [f.value, f.unit, f.origin] for name, f in self.figures.items()},
            "epochs": self.epochs,
            "steps": [[step.step, step.found_cost] for step in found.found.steps],
            "logged_steps": len(found.found.steps),
            "logged_steps_over_a_limit": found.over,
            "drop": {"relaxed": found.relaxed, "discrete": found.discrete, "trained_alone": self.alone},
            "candidates": [{**one.point, "score": one.score, "luts_predicted": one.luts} for one in found.candidates],
            "rungs": []
            if self.halving is None
            else [
                {"epochs": rung.epochs, "accuracies": [list(pair) for pair in rung.accuracies]}
                for rung in self.halving.rungs
            ],
            "finalists": [
                {
                    "point": dict(one.point),
                    "luts_predicted": one.luts,
                    "state": out.state,
                    "reason": out.reason,
                    "figures": {name: f.value for name, f in out.figures.items() if name != "accuracy_test"},
                }
                for one, out in self.finalists
            ],
            "folder": self.folder,
        }


def build_of(config: LutSearchConfig, space: TableSpace, point: Mapping[str, Value]) -> BuildConfig:
    """The build file of a network: family pipeline, trained by the search's own recipe."""
    plain = {name: value for name, value in point.items() if name != EVERY}
    method = space.sparsity(plain)
    sparsity = config.train.sparsity
    if method != sparsity.method:
        sparsity = type(sparsity)(method=method)
    registers = type(config.rtl.registers)(every=int(point[EVERY]))
    return BuildConfig(
        name=config.name,
        seed=config.seed,
        data=config.data,
        inputs=config.options.inputs,
        topology=space.config(plain),
        train=config.train.model_copy(update={"sparsity": sparsity, "tensorboard": False}),
        rtl=config.rtl.model_copy(update={"registers": registers, "lut_inputs": device(config.device).lut_inputs}),
        simulate={"vectors": config.vectors, "stress_vectors": 100, "cocotb": False},  # pyright: ignore[reportArgumentType]
        synth=SynthConfig(devices=[config.device], place_and_route=False, vivado="never"),
    )


def realise(builds: Sequence[BuildConfig], runner: Runner, *, folder: Path, until: str = "synth") -> list[Outcome]:
    """Build by the straight line; a failed build is a failed outcome, and can never win."""
    spec = [{"build": one.model_dump(mode="json"), "until": until, "folder": str(folder)} for one in builds]
    return runner.evaluate([Job("line", one) for one in spec])


def search_luts(
    config: LutSearchConfig,
    runner: Runner,
    folder: Path,
    progress: Progress = silent,
    *,
    data_folder: Path = Path(),
    data: DataSet | None = None,
    problem: LutProblem | None = None,
) -> LutSearchResult:
    """Search, realise and return the best network within all limits; result.json in `folder` holds the record.

    data_folder: what relative paths in the configuration are relative to; data: the data set, and problem: what was
    made of all that, where they are there already. A SpaceError where no network keeps the limits, by shape or as
    built.
    """
    folder.mkdir(parents=True, exist_ok=True)
    problem = problem or LutProblem(config, folder=data_folder, data=data)
    relaxation = problem.relax(progress)
    if not relaxation.candidates:
        raise SpaceError(f"no network of space {problem.space.name!r} keeps the limits {config.limits}; raise them")
    best = relaxation.candidates[0]
    progress(
        "super-network",
        f"{len(relaxation.found.steps)} logged steps, {relaxation.over} over a limit; accuracy in shared tables "
        f"{relaxation.relaxed:.4f} drawn, {relaxation.discrete:.4f} discrete; first candidate {best.luts:.0f} LUTs",
    )
    options = config.options
    first = list(relaxation.candidates[: options.candidates])
    halving, rows = None, 0
    queue = first
    if options.rungs and len(first) > 1:
        halving, trainer = halve(
            [build_of(config, problem.space, one.point) for one in first],
            problem.data,
            rungs=options.rungs,
            keep=options.keep,
            folder=folder / "halving",
            progress=lambda line: progress("halving", line),
        )
        rows, queue = trainer.rows, [first[i] for i in _by_rung(halving, [kind(one.point) for one in first])]
    finalists: list[Built] = []

    def build(some: Sequence[Candidate]) -> list[Built]:
        progress("line", f"building {len(some)} network{'s' if len(some) > 1 else ''} in full")
        builds = [build_of(config, problem.space, one.point) for one in some]
        outcomes = realise(builds, runner, folder=data_folder, until=config.until)
        made = [(one, _judged(config, out)) for one, out in zip(some, outcomes, strict=True)]
        for one, out in made:
            progress("line", _told(one, out))
        finalists.extend(made)
        return made

    winner: Built | None = None
    while queue and winner is None:
        batch, queue = queue[: options.finalists], queue[options.finalists :]
        fine = [pair for pair in build(batch) if pair[1].done]
        winner = max(fine, key=lambda pair: accuracy(pair[1]), default=None)
        if winner is None:  # what was measured corrects what is predicted: the next are those that fit by it
            ratios = [out.figures["luts"].value / one.luts for one, out in finalists if "luts" in out.figures]
            if ratios and "luts" in config.limits:
                queue = [one for one in queue if one.luts * max(ratios) <= config.limits["luts"]] or queue
    if winner is None:
        raise SpaceError(
            f"none of the {len(finalists)} networks that were built keeps the limits {config.limits}: "
            + "; ".join(out.reason for _, out in finalists)
        )
    floor = None
    if config.figure == "luts":
        floor = accuracy(winner[1]) - config.within / 100
        progress("smaller", f"the smallest network of at least {floor:.4f} on the validation rows")
        shrink(problem.smaller(winner[0].point), build, floor=floor, at_once=options.finalists)
        fine = [pair for pair in finalists if holds(pair[1], floor)]
        winner = min(fine, key=lambda pair: (pair[1].figures["luts"].value, -accuracy(pair[1])))
    candidate, outcome = winner
    epochs = relaxation.epochs + rows / len(problem.data.x_train) + len(finalists) * config.train.epochs
    found = build_of(config, problem.space, candidate.point).model_dump(mode="json")
    result = LutSearchResult(
        point=candidate.point,
        build=found,
        figures=outcome.figures,
        floor=floor,
        relaxation=relaxation,
        halving=halving,
        finalists=tuple(finalists),
        epochs=epochs,
        folder=outcome.folder,
        problem=problem,
    )
    write_json(folder / "result.json", result.as_dict())
    return result


def _by_rung(halving: Halving[int], kinds: Sequence[tuple[int, int]]) -> list[int]:
    """Candidates, those first that came furthest, and among them the most accurate; kinds take turns.

    After few epochs deeper networks, and those whose last tables have fewer bits, are behind others that they overtake
    in the end: short training compares networks of one kind.
    """
    found: list[int] = []
    for rung in reversed(halving.rungs):
        found += [one for one, _ in sorted(rung.accuracies, key=lambda pair: -pair[1]) if one not in found]
    return in_turns(found, [kinds[one] for one in found])


def _judged(config: LutSearchConfig, outcome: Outcome) -> Outcome:
    """Hold synthesised and simulated figures against the limits: what exceeds one has failed."""
    if not outcome.done:
        return outcome
    over = [
        f"{name} {outcome.figures[name].value:g} ({outcome.figures[name].origin}) exceeds {most:g}"
        for name, most in config.limits.items()
        if name in outcome.figures and outcome.figures[name].value > most
    ]
    return replace(outcome, state="failed", reason="; ".join(over)) if over else outcome


def _told(candidate: Candidate, outcome: Outcome) -> str:
    figures = outcome.figures
    if "luts" not in figures:
        return f"failed: {outcome.reason}"
    said = (
        f"validation {figures['accuracy_validation'].value:.4f}, {figures['luts'].value:.0f} LUTs "
        f"({candidate.luts:.0f} predicted), {figures['ffs'].value:.0f} flip-flops ({candidate.ffs:.0f})"
    )
    return said if outcome.done else f"{said}: {outcome.reason}"
