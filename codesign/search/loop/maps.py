"""Convolutional networks as the network half: a super-network on real data ranks them, and the shortlist is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from codesign import __version__
from codesign.accel import device
from codesign.accel.engine import EnginePoint
from codesign.accel.space import Value
from codesign.config.search import SearchConfig
from codesign.data import DataSet
from codesign.errors import ConfigError
from codesign.ir.integer_random import random_network
from codesign.rundir import digest_json, read_json, write_json
from codesign.search.gradient import GradientConfig, MapResult, Step, check_images, search_maps
from codesign.search.jobs import Job
from codesign.search.loop.designs import Candidate, Design
from codesign.search.loop.networks import (
    NetworkDrop,
    Networks,
    Point,
    gradient_options,
    network_figure,
    widest,
)
from codesign.search.networks import MapSpace
from codesign.search.networks.shape_figures import FIGURES, shape_figures

__all__ = ["MapNetworks"]

_OPTIONS = {"mode": "exact", "steps": 150, "log_every": 5}

_COST_WEIGHTS = {"edp": 0.25}
"""What a factor of e in the figure is worth, in deviations of the scores; EDP goes with about the work's square."""

_COST_WEIGHT = 0.5

_SCORED = 120
"""Networks that are scored in the trained super-network; one scored on 512 rows takes the time of a few steps."""


class MapNetworks(Networks):
    """Networks of a convolutional space. What `network.evaluations` counts are steps of the super-network.
    Each round trains it anew on networks drawn uniformly, scores some on validation rows, and takes the gradient of a
    regression of the scores; the cost in the loss is the objective's figure at the hardware point, exact by shape.

    The reference is the first candidate of every choice, where the file names no other. Accuracies are those of the
    networks in integers, trained by the job that realises them; the super-network only ranks.
    """

    trains = True

    def __init__(self, config: SearchConfig, space: MapSpace, *, memo: Path | None = None, **options: Any):
        """memo: a folder that keeps finished searches of the super-network, for `cods resume`."""
        super().__init__(config, **options)
        torch.set_num_threads(1)  # so that the same search is the same on every machine
        if config.data is None:
            raise ConfigError("data: a space of convolutional networks needs data to train on")
        if config.network.method != "gradient" and config.network.method != "reference":
            raise ConfigError(
                f"network.method: convolutional networks are searched by gradient, not {config.network.method!r}"
            )
        self.figure = network_figure(config, FIGURES, what="convolutional networks")
        preset = {**_OPTIONS, "cost_weight": _COST_WEIGHTS.get(self.figure, _COST_WEIGHT)}
        self.gradient = gradient_options(config, preset)
        if self.gradient.mode != "exact":
            raise ConfigError(
                "network.options.mode must be exact for convolutional networks, which are scored, not "
                f"{self.gradient.mode!r}"
            )
        self.target = device(config.device)
        self.space, self.memo = space, memo
        self.steps: list[Step] = []
        self.violations = 0
        self.rows_trained = 0
        self._weight = 1.0

    @cached_property
    def data(self) -> DataSet:
        """The data set, loaded once."""
        from codesign.data import load

        assert self.config.data is not None
        return load(self.config.data, folder=self.folder)

    def check(self) -> None:
        """Load the data, and refuse what are no images and classes of the space."""
        check_images(self.space, self.data)

    def reference(self, default: Point | None) -> Candidate:
        """The network that the file names, or the first candidate of every choice."""
        given = self.config.network.reference
        if isinstance(given, str):
            raise ConfigError("network.reference: of a convolutional space it is a mapping of choices to values")
        first = {knob.name: knob.values[0] for knob in self.space.choices.knobs}
        return self.candidate(self.space.canonical({**first, **(given or {})}))

    def candidate(self, point: Mapping[str, Value]) -> Candidate:
        """The network of a point, with the widest weights, for the hardware's rules."""
        made = self.space.canonical(point)
        return Candidate(_label(self.space, made), made, widest(random_network(self.space.topology(made), seed=0)))

    def draw(self, rng: np.random.Generator) -> Candidate:
        """A legal network, each choice drawn uniformly."""
        return self.candidate(self.space.draw(rng=rng))

    def search(
        self, point: Point, *, share: float, limits: Mapping[str, float], least: float | None
    ) -> list[Candidate]:
        """Search the super-network at a hardware point for the objective's figure there, of which the reference's is a
        hard limit beside those that are given; the network that was found first, then others that were the most
        probable ones at logged steps: first those whose figure is midway between that network's and the reference's,
        since the super-network only ranks.
        """
        engine = EnginePoint.from_dict(dict(point))

        def cost(one: Point) -> float:
            return shape_figures(self.space.topology(one), engine, self.target)[self.figure]

        steps = max(1, int(share * self.config.network.evaluations) - self.used)
        most = cost(self.reference(None).point)
        held = {name: value for name, value in limits.items() if name in FIGURES}
        held[self.figure] = min(most, held.get(self.figure, math.inf))
        wanted = replace(self.gradient, cost_weight=self.gradient.cost_weight * self._weight)
        found, logged = self._searched(engine, held, wanted, steps)
        self.used += steps
        self.steps += logged
        self.drops.append(
            NetworkDrop(
                self.round,
                "% of validation rows in the super-network",
                found["relaxed"],
                found["discrete"],
                self.figure,
                found["drop"]["relative"],
            )
        )
        knobs = self.space.choices.knobs
        first = dict(found["point"])
        others = [
            self.space.canonical({k.name: k.values[i] for k, i in zip(knobs, step.found, strict=True)})
            for step in reversed(logged)
            if step.legal
        ]
        middle = math.sqrt(most * cost(first))
        others.sort(key=lambda one: abs(math.log(cost(one) / middle)))
        unique = {_label(self.space, one): one for one in (first, *others)}
        made = [self.candidate(one) for one in list(unique.values())[: self.config.loop.shortlist]]
        self.log.look_up(
            made[0].label,
            found["score"],
            arm=self.arm,
            round=self.round,
            origin="score in the super-network, in deviations of the networks scored",
        )
        return made

    def _searched(
        self, engine: EnginePoint, limits: Mapping[str, float], wanted: GradientConfig, steps: int
    ) -> tuple[dict[str, Any], list[Step]]:
        """The result of `search_maps` and its logged steps, from the memo where it is there."""
        assert self.config.data is not None
        facts = [
            __version__,
            self.space.file.model_dump(mode="json"),
            self.config.data.model_dump(mode="json"),
            engine.as_dict(),
            self.config.device,
            self.figure,
            dict(limits),
            asdict(wanted),
            steps,
            self.seed,
            self.round,
        ]
        path = self.memo / f"{digest_json(facts)}.json" if self.memo is not None else None
        if path is not None and path.is_file():
            kept = read_json(path)
        else:
            result = search_maps(
                self.space,
                self.data,
                engine,
                self.target,
                figure=self.figure,
                limits=limits,
                config=wanted,
                warm_up=steps,
                scored=_SCORED,
                seed=self.seed + 1000 * self.round,
            )
            kept = _plain(result)
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_json(path, kept)
        self.rows_trained += kept["rows"]
        logged = [Step(**{**one, "found": tuple(one["found"])}) for one in _numbers(kept["steps"])]
        self.violations += sum(not one.legal for one in logged)
        return kept, logged

    def learn(self, designs: Sequence[Design]) -> None:
        """Weigh the cost less where the network of a round was not accurate enough, and more where one was."""
        found = [design for design in designs if design.candidate.label != self.reference(None).label]
        if found:
            self._weight *= 2.0 if any(design.done for design in found) else 0.5

    def job(self, candidate: Candidate, point: Point) -> Job:
        """Train, extract, compile, emit, simulate and synthesise through the straight line."""
        assert self.config.data is not None
        realise = self.config.realise
        build = {
            "name": self.config.name,
            "family": "engine",
            "seed": self.config.seed,
            "data": self.config.data.model_dump(mode="json"),
            "topology": self.space.config(candidate.point).model_dump(mode="json"),
            "train": self.config.train.model_dump(mode="json"),
            "engine": EnginePoint.from_dict(dict(point)).as_dict(),
            "simulate": {"vectors": realise.images, "stress_vectors": 2},
            "synth": {"devices": [self.config.device], "place_and_route": realise.route, "vivado": "never"},
        }
        until = "synth" if realise.synth else "simulate"
        return Job("line", {"build": build, "until": until, "folder": str(self.folder)})

    def facts(self) -> dict[str, Any]:
        """Steps of the super-network, rows that went through it, and logged steps over a limit."""
        return {
            "steps": self.used,
            "rows trained": self.rows_trained,
            "logged steps": len(self.steps),
            "over a limit": self.violations,
        }


def _label(space: MapSpace, point: Mapping[str, Value]) -> str:
    """The choices that are open, as text: b1_channels=16 b1_kernel=3."""
    return " ".join(f"{knob.name}={point[knob.name]}" for knob in space.choices.knobs if len(knob.values) > 1)


def _plain(result: MapResult) -> dict[str, Any]:
    steps = [{k: None if v != v else v for k, v in asdict(step).items()} for step in result.found.steps]
    return {
        "point": dict(result.point),
        "figures": dict(result.figures),
        "relaxed": result.relaxed,
        "discrete": result.discrete,
        "score": result.found.score,
        "drop": asdict(result.found.drop),
        "rows": result.rows_trained,
        "steps": steps,
    }


def _numbers(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: float("nan") if v is None else v for k, v in step.items()} for step in steps]
