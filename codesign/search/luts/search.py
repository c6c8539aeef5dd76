"""The joint search of LUT networks for the pipeline: shared tables, hard limits, halving, and the straight line.

1. The super-network: legal networks of the space train in shared tables; the distribution over depth, widths, fan-ins,
   bits, votes and registers follows the gradient, and its most probable network keeps every limit after every step.
2. Candidates: the networks that do best among many drawn from the distribution, each depth represented.
3. Successive halving: the candidates train by themselves.
4. The finalists are built by the straight line, as jobs of kind `line`: trained in full, extracted, optimized, emitted,
   simulated bit for bit and synthesised. The most accurate on the validation rows whose synthesised figures keep every
   limit is the result; its test accuracy is read then, once. Where none keeps them, what was measured corrects the
   prediction and the next candidates are built.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from codesign.accel import Figure, device
from codesign.accel.space import Value
from codesign.config import BuildConfig, SynthConfig
from codesign.errors import ConfigError, SpaceError
from codesign.rundir import write_json
from codesign.search.evolution import Halving
from codesign.search.gradient import Found, GradientConfig, Limit, Limited, gradient_search
from codesign.search.jobs import Job, Outcome, Runner
from codesign.search.luts.config import LutSearchConfig
from codesign.search.luts.content import encoder_luts
from codesign.search.luts.figures import EVERY, Corrected, Figures
from codesign.search.luts.halving import halve
from codesign.search.luts.lut_model import calibrated
from codesign.search.luts.score import PathScore
from codesign.search.luts.supernet import LutSuperNet, encoded
from codesign.search.networks import network_space
from codesign.search.networks.tables import TableSpace

if TYPE_CHECKING:
    from codesign.data import DataSet

__all__ = ["Candidate", "LutProblem", "LutSearchResult", "Relaxation", "build_of", "realise", "search_luts"]

_SHARP = 2.0
"""Logits a point of accuracy, where networks are drawn at the end."""

Progress = Callable[[str, str], None]
"""Called with a phase and a line of text."""


def _silent(phase: str, line: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Candidate:
    """A network of the shortlist. score: its accuracy in the shared tables; luts, ffs: predicted, cycles: exact."""

    point: Mapping[str, Value]
    score: float
    luts: float
    ffs: float
    cycles: int


@dataclass(frozen=True)
class Relaxation:
    """What the super-network gave.

    found: the search in it (scores are in points of accuracy). over: logged steps at which a
    limit was exceeded. relaxed, discrete: validation accuracy in the shared tables of networks drawn from the final
    distribution, in the mean, and of the most probable one; epochs: passes over the training rows.
    """

    found: Found
    over: int
    relaxed: float
    discrete: float
    candidates: tuple[Candidate, ...]
    epochs: float


@dataclass(frozen=True)
class LutSearchResult:
    """The network that was found, as it was realised.

    figures: of the winner's job, each with its origin (accuracies, LUTs and flip-flops as synthesised, cycles as
    simulated, ...). finalists: every network that was built, with its outcome. epochs: of everything that trained.
    folder: where the winner's run lies. problem: what was searched, with its figures as corrected by what was seen.
    """

    point: Mapping[str, Value]
    build: Mapping[str, Any]
    figures: Mapping[str, Figure]
    relaxation: Relaxation
    halving: Halving[int] | None
    finalists: tuple[tuple[Candidate, Outcome], ...]
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
            "limits": dict(config.limits),
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


@dataclass(frozen=True, eq=False)
class _Unused:
    """`least` over a figure: at most 1 where the figure is at least `least`."""

    figure: Corrected
    least: float

    def __call__(self, weights: Sequence[torch.Tensor]) -> torch.Tensor:
        return self.least / self.figure(weights)

    def at(self, indices: Sequence[int]) -> float:
        return self.least / max(1e-9, self.figure.at(indices))


class LutProblem:
    """A space, data, a device and limits: what is legal, and what each network would cost as far as is known."""

    def __init__(self, config: LutSearchConfig, *, folder: Path = Path(), data: DataSet | None = None):
        """folder: what relative paths are relative to. A limit that no network keeps is a SpaceError in `search`."""
        from codesign.data import load
        from codesign.extract.thresholds import encode_stage
        from codesign.nn.inputs import fit_encoder

        self.config = config
        space = network_space(config.space)
        if not isinstance(space, TableSpace):
            raise ConfigError(f"network space {config.space!r} must be of kind tables, not {space.file.kind!r}")
        self.space = space
        self.data = load(config.data, folder=folder) if data is None else data
        answers = 1 if self.data.answers == 2 else self.data.answers
        if self.data.inputs != space.file.inputs or space.file.answers not in (answers, self.data.answers):
            raise ConfigError(
                f"network space {space.name!r} is for {space.file.inputs} features and {space.file.answers} answers; "
                f"data {self.data.name!r} has {self.data.inputs} and {self.data.answers}"
            )
        self.device = device(config.device)
        options = config.options
        self.model = calibrated(self.device.family)
        rng = np.random.default_rng(0)
        stage = encode_stage(
            fit_encoder(
                options.inputs,
                self.data,
                topology=space.topology(space.draw(rng=rng)),
                quantizer=config.train.quantizer,
                quantizer_options=config.train.quantizer_options,
            ),
            name="encode",
        )
        hardware = stage.in_hardware and config.rtl.encoder != "outside"
        self.encoder = encoder_luts(stage if hardware else None, lut_inputs=self.device.lut_inputs)
        self.figures = Figures(
            space,
            self.model,
            every=options.registers_every,
            encoder=0.0 if self.encoder is None else float(self.encoder.mean()),
            stands=hardware,
            lut_inputs=self.device.lut_inputs,
        )
        margin = options.margin if options.margin is not None else 1 - math.exp(-self.model.spread)
        bounds = {"luts": self.figures.luts, "ffs": self.figures.ffs, "cycles": self.figures.cycles}
        self.limits = [
            Limit(name, figure, config.limits[name] * (1.0 if name == "cycles" else 1 - margin))
            for name, figure in bounds.items()
            if name in config.limits
        ]
        bounded = list(self.limits)
        if options.fill and "luts" in config.limits:
            bounded.append(Limit("LUTs unused", _Unused(self.figures.luts, options.fill * config.limits["luts"]), 1.0))
        refusal = lru_cache(maxsize=200_000)(self.refusal)
        self.legal = Limited(self.figures.sizes, bounded, refusal=refusal)
        held = options.hold == "projection"
        self.trained = self.legal if held else Limited(self.figures.sizes, [], refusal=refusal)
        """What the super-network trains: with a penalty alone, networks over the limits too."""

    def refusal(self, indices: tuple[int, ...]) -> str:
        """Why a network is illegal by shape, or ""."""
        point = self.figures.point(indices)
        point.pop(EVERY)
        if reason := self.space.refusal(point):
            return reason
        most = self.config.limits.get("address_bits")
        if most is not None:
            topology = self.space.topology(point)
            for index, layer in enumerate(topology.layers):
                if (bits := topology.address_bits(index)) > most:
                    return f"layer {layer.name!r} has {bits} address bits; the limit is {most:g}"
        return ""

    def canonical(self, indices: Sequence[int]) -> tuple[int, ...]:
        """Indices with every choice that does not matter at its first candidate."""
        point = self.figures.point(indices)
        every = point.pop(EVERY)
        return self.figures.indices({**self.space.canonical(point), EVERY: every})

    def candidate(self, indices: Sequence[int], score: float) -> Candidate:
        """A network with its predicted figures."""
        f = self.figures
        return Candidate(f.point(indices), score, f.luts.at(indices), f.ffs.at(indices), round(f.cycles.at(indices)))

    def relax(self, progress: Progress = _silent) -> Relaxation:
        """Search in shared tables; see `search_luts`."""
        config, options, data, space = self.config, self.config.options, self.data, self.space
        threads = torch.get_num_threads()
        torch.set_num_threads(config.train.threads or threads)
        try:
            rows = (len(data.x_train), len(data.x_validation))
            net = LutSuperNet(
                space, encoded(space, data, inputs=options.inputs, rows=rows), train=config.train, seed=config.seed
            )
            batches = max(4, round(options.epochs * rows[0] / min(config.train.batch_size, rows[0])))
            score = PathScore(
                net,
                self.figures,
                self.trained,
                answers=(np.asarray(data.y_train), np.asarray(data.y_validation)),
                batches=batches,
                encoder=self.encoder,
                seed=config.seed,
            )
            first = int(batches * options.warm_up)
            progress("super-network", f"{first} batches of networks drawn uniformly")
            score.warm_up(first)
            settings = GradientConfig(
                steps=max(1, (batches - first) // score.each),
                learning_rate=0.02,
                cost_weight=options.cost_weight,
                entropy_weight=0.05,
                hold=options.hold,
                log_every=max(1, (batches - first) // score.each // 40),
            )
            found = gradient_search(
                score,
                self.figures.luts,
                legal=self.legal,
                config=settings,
                seed=config.seed,
                progress=lambda step: progress(
                    "super-network",
                    f"step {step.step}: {step.found_cost:.0f} LUTs predicted, {step.entropy_bits:.1f} bits undecided, "
                    f"accuracy lately {score.effects.mean:.4f}{'' if step.legal else ', over a limit'}",
                ),
            )
            return self._drawn(score, found, rows[0])
        finally:
            torch.set_num_threads(threads)

    def _drawn(self, score: PathScore, found: Found, rows: int) -> Relaxation:
        """Draw networks from what is left of the distribution, and rank them in the shared tables."""
        effects = score.effects
        chances = [
            np.exp(_SHARP * (effects.effects[s : s + n] - effects.effects[s : s + n].max()))
            for s, n in zip(effects.starts[:-1], effects.sizes, strict=True)
        ]
        best = self.canonical(found.found)
        if not self.legal.holds(best) and self.config.options.hold == "projection":
            best = self.canonical(self.legal.nearest([np.log(one / one.sum()) for one in chances]))
        seen = {best: score.accuracy(best)}
        drawn: list[float] = []
        for _ in range(4 * self.config.options.drawn):
            if len(seen) > self.config.options.drawn:
                break
            at = self.canonical(score.draw(chances))
            if at not in seen:
                seen[at] = score.accuracy(at)
                self.figures.observe(at, score.read(at))
            drawn.append(seen[at])
        legal = {at: value for at, value in seen.items() if self.legal.holds(at)}
        order = sorted(legal, key=lambda at: -legal[at])
        ranked = _each_depth_first(order, self.figures)
        return Relaxation(
            found,
            found.violations,
            float(np.mean(drawn)) if drawn else seen[best],
            seen[best],
            tuple(self.candidate(at, legal[at]) for at in ranked),
            score.trained / rows,
        )


def _each_depth_first(order: Sequence[tuple[int, ...]], figures: Figures) -> list[tuple[int, ...]]:
    """Order networks, best first, so that depths take turns: shared tables favour what learns fast."""
    queues: dict[int, list[tuple[int, ...]]] = {}
    for at in order:
        queues.setdefault(int(figures.point(at)["depth"]), []).append(at)
    found: list[tuple[int, ...]] = []
    while len(found) < len(order):
        for queue in queues.values():
            if queue:
                found.append(queue.pop(0))
    return found


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
    progress: Progress = _silent,
    *,
    data_folder: Path = Path(),
    data: DataSet | None = None,
) -> LutSearchResult:
    """Search, realise and return the best network within all limits; result.json in `folder` holds the record.

    data_folder: what relative paths in the configuration are relative to; data: the data set where it is loaded
    already. A SpaceError where no network keeps the limits, by shape or as built.
    """
    folder.mkdir(parents=True, exist_ok=True)
    problem = LutProblem(config, folder=data_folder, data=data)
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
    builds = [build_of(config, problem.space, one.point) for one in first]
    halving, rows = None, 0
    order = list(range(len(first)))
    if options.rungs and len(first) > 1:
        halving, trainer = halve(
            builds,
            problem.data,
            rungs=options.rungs,
            keep=options.keep,
            folder=folder / "halving",
            progress=lambda line: progress("halving", line),
        )
        rows, order = trainer.rows, _by_rung(halving)
    finalists: list[tuple[Candidate, Outcome]] = []
    winner: tuple[Candidate, Outcome] | None = None
    queue = order
    while queue and winner is None:
        batch, queue = queue[: options.finalists], queue[options.finalists :]
        progress("line", f"building {len(batch)} networks in full")
        outcomes = realise([builds[i] for i in batch], runner, folder=data_folder, until=config.until)
        judged = [_judged(config, out) for out in outcomes]
        finalists += [(first[i], out) for i, out in zip(batch, judged, strict=True)]
        for i, out in zip(batch, judged, strict=True):
            progress("line", _told(first[i], out))
        fine = [pair for pair in finalists if pair[1].done]
        winner = max(fine, key=lambda pair: pair[1].figures["accuracy_validation"].value, default=None)
        if winner is None:  # what was measured corrects what is predicted: the next are those that fit by it
            ratios = [out.figures["luts"].value / one.luts for one, out in finalists if "luts" in out.figures]
            if ratios and "luts" in config.limits:
                fits = [i for i in queue if first[i].luts * max(ratios) <= config.limits["luts"]]
                queue = fits or queue
    if winner is None:
        raise SpaceError(
            f"none of the {len(finalists)} networks that were built keeps the limits {config.limits}: "
            + "; ".join(out.reason for _, out in finalists)
        )
    candidate, outcome = winner
    epochs = relaxation.epochs + rows / len(problem.data.x_train) + len(finalists) * config.train.epochs
    build = build_of(config, problem.space, candidate.point).model_dump(mode="json")
    result = LutSearchResult(
        candidate.point, build, outcome.figures, relaxation, halving, tuple(finalists), epochs, outcome.folder, problem
    )
    write_json(folder / "result.json", result.as_dict())
    return result


def _by_rung(halving: Halving[int]) -> list[int]:
    """Candidates, those first that came furthest, and among them the most accurate."""
    found: list[int] = []
    for rung in reversed(halving.rungs):
        found += [one for one, _ in sorted(rung.accuracies, key=lambda pair: -pair[1]) if one not in found]
    return found


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
