"""A search of LUT networks in shared tables: what is legal, what each network would cost, and the relaxed search."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.accel import device
from codesign.accel.space import Value
from codesign.errors import ConfigError, SpaceError
from codesign.ir import Topology
from codesign.search.gradient import Found, GradientConfig, Limit, Limited, gradient_search
from codesign.search.luts.config import LutSearchConfig
from codesign.search.luts.content import encoder_luts
from codesign.search.luts.figures import EVERY, Corrected, Figures
from codesign.search.luts.lut_model import calibrated
from codesign.search.luts.score import PathScore
from codesign.search.luts.supernet import LutSuperNet, check_space, encoded
from codesign.search.networks import network_space
from codesign.search.networks.tables import TableSpace

if TYPE_CHECKING:
    from codesign.data import DataSet

__all__ = ["Candidate", "LutProblem", "Progress", "Relaxation", "in_turns", "kind", "silent"]

T = TypeVar("T")

_DRAWN = 500
"""Networks that are drawn to see what the space holds."""

_SHARP = 2.0
"""Logits a point of accuracy, where networks are drawn at the end."""

Progress = Callable[[str, str], None]
"""Called with a phase and a line of text."""


def silent(phase: str, line: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Candidate:
    """A network of the shortlist. luts, ffs: predicted, cycles: exact.

    score: the best accuracy in the shared tables of it and of the networks that were widened to it (nan: not known).
    """

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
    distribution, as many of each kind, in the mean, and of the most probable one; epochs: passes over the
    training rows.
    """

    found: Found
    over: int
    relaxed: float
    discrete: float
    candidates: tuple[Candidate, ...]
    epochs: float


@dataclass(frozen=True, eq=False)
class _Unused:
    """A least value over a figure: at most 1 where the figure is no less. It is a share of `limit`, or where `largest`
    is given, of that network's own.
    """

    figure: Corrected
    share: float
    limit: float
    largest: tuple[int, ...] | None

    @property
    def least(self) -> float:
        return self.share * (self.limit if self.largest is None else self.figure.at(self.largest))

    def __call__(self, weights: Sequence[torch.Tensor]) -> torch.Tensor:
        return self.least / self.figure(weights)

    def at(self, indices: Sequence[int]) -> float:
        return self.least / max(1e-9, self.figure.at(indices))


class _Known(Limited):
    """Limits that remember the legal networks that were met: where no way by single changes leads to a legal one, the
    most probable of those is the nearest.
    """

    _KEPT = 2000

    def __init__(self, sizes: Sequence[int], limits: Sequence[Limit], *, refusal: Callable[[tuple[int, ...]], str]):
        super().__init__(sizes, limits, refusal=refusal)
        self._met: dict[tuple[int, ...], None] = {}

    def holds(self, indices: Sequence[int]) -> bool:
        """Whether a network keeps all limits and its own rule."""
        fine = super().holds(indices)
        if fine:
            at = tuple(indices)
            self._met.pop(at, None)
            self._met[at] = None
            if len(self._met) > self._KEPT:
                self._met.pop(next(iter(self._met)))
        return fine

    def nearest(self, logs: Sequence[NDArray[np.float64]]) -> tuple[int, ...]:
        """Return a legal network that is as probable as can be found; a SpaceError where none was ever met."""
        try:
            return super().nearest(logs)
        except SpaceError:
            left = [at for at in list(self._met) if self.holds(at)]
            if not left:
                raise
            return max(left, key=lambda at: sum(float(one[i]) for one, i in zip(logs, at, strict=True)))


class LutProblem:
    """A space, data, a device and limits: what is legal, and what each network would cost as far as is known."""

    def __init__(self, config: LutSearchConfig, *, folder: Path = Path(), data: DataSet | None = None):
        """folder: what relative paths are relative to. A limit that no network keeps is a SpaceError in `check`."""
        from codesign.data import load
        from codesign.extract.thresholds import encode_stage
        from codesign.nn.inputs import fit_encoder

        self.config = config
        space = network_space(config.space)
        if not isinstance(space, TableSpace):
            raise ConfigError(f"network space {config.space!r} must be of kind tables, not {space.file.kind!r}")
        check_space(space)
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
        self._refusal = lru_cache(maxsize=200_000)(self.refusal)
        self.legal = self.within(config.limits, fill=options.fill)
        self.trained = self.legal if options.hold == "projection" else self.within({})
        """What the super-network trains: with a penalty alone, networks over the limits too."""

    def within(self, limits: Mapping[str, float], *, fill: float = 0.0) -> Limited:
        """The networks that are predicted to keep limits, and to use at least the share `fill` of that on LUTs.

        Limits on LUTs and flip-flops are held less the margin.
        """
        bounds = self._bounds(limits)
        fine = _Known(self.figures.sizes, bounds, refusal=self._refusal)
        if fill and "luts" in limits:
            luts = self.figures.luts
            largest = max(filter(fine.holds, self._some), key=luts.at, default=None)
            if largest is not None and luts.at(largest) >= fill * limits["luts"]:
                largest = None
            fine.limits = (*bounds, Limit("LUTs unused", _Unused(luts, fill, limits["luts"], largest), 1.0))
        return fine

    def _bounds(self, limits: Mapping[str, float]) -> list[Limit]:
        margin = self.config.options.margin
        kept = math.exp(-self.model.spread) if margin is None else 1 - margin
        figures = {"luts": self.figures.luts, "ffs": self.figures.ffs, "cycles": self.figures.cycles}
        return [
            Limit(name, figure, limits[name] * (1.0 if name == "cycles" else kept))
            for name, figure in figures.items()
            if name in limits
        ]

    @cached_property
    def _some(self) -> tuple[tuple[int, ...], ...]:
        """Networks that are legal by shape: the least and the greatest of every depth, and some that are drawn."""
        rng, names = np.random.default_rng(0), self.figures.names
        ends = [
            tuple(
                depth if name == "depth" else order(range(len(values)), key=lambda i, v=values: v[i])
                for name, values in zip(names, self._numbers, strict=True)
            )
            for depth in range(self.figures.sizes[names.index("depth")])
            for order in (min, max)
        ]
        drawn = [tuple(int(rng.integers(size)) for size in self.figures.sizes) for _ in range(_DRAWN)]
        return tuple(at for at in dict.fromkeys([*ends, *drawn]) if not self._refusal(at))

    @property
    def _numbers(self) -> list[tuple[int, ...]]:
        """Candidates of each choice as numbers; those that are none are alike."""
        return [tuple(v if isinstance(v, int) else 0 for v in values) for values in self.figures.candidates]

    def check(self) -> None:
        """Refuse limits that no network is found to keep, by what is predicted before anything trains.

        With `hold: penalty`, which may exceed limits, nothing is refused.
        """
        if self.config.options.hold == "penalty" or any(self.legal.holds(at) for at in self._some):
            return
        try:
            self.legal.nearest([np.zeros(size) for size in self.figures.sizes])
        except SpaceError:
            raise SpaceError(self.explain()) from None

    def explain(self) -> str:
        """Say which limit most networks exceed, and the least of each figure among those that were looked at."""
        space, limits = self.space.name, self.config.limits
        if not self._some:
            rng = np.random.default_rng(0)
            said = Counter(
                self.refusal(tuple(int(rng.integers(size)) for size in self.figures.sizes)) for _ in range(99)
            )
            return f"no network of space {space!r} keeps the limits {limits}: {said.most_common(1)[0][0]}"
        bounds = self._bounds(limits)
        values = {bound.name: [bound.figure.at(at) for at in self._some] for bound in bounds}
        over = {bound.name: sum(one > bound.most for one in values[bound.name]) for bound in bounds}
        told = ", ".join(
            f"{bound.name} at most {limits[bound.name]:g}"
            f"{'' if bound.most == limits[bound.name] else f' ({bound.most:.4g} less the margin)'}: "
            f"{over[bound.name]:,} exceed it, the least is {min(values[bound.name]):.4g}"
            for bound in bounds
        )
        worst = max(over, key=lambda name: over[name], default="luts")
        return (
            f"no network of space {space!r} was found that keeps the limits. By what is predicted of "
            f"{len(self._some):,} networks, {told}. Raise the limit on {worst}, or offer smaller networks"
        )

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
        """Indices with every choice that does not matter at its first candidate, and registers, which do not matter to
        accuracy, at the first that keeps the limits.
        """
        point = self.figures.point(indices)
        every = point.pop(EVERY)
        plain = self.space.canonical(point)
        for one in (*self.figures.every, every):
            found = self.figures.indices({**plain, EVERY: one})
            if self.legal.holds(found):
                return found
        return self.figures.indices({**plain, EVERY: every})

    def widened(self, indices: Sequence[int]) -> tuple[int, ...]:
        """The same network with as many pins a table as one LUT of the device has, and as many votes as limits allow.

        A table of more pins takes no more LUTs there and holds every narrower one; LUTs within the limit are free, and
        two more votes can cancel. Shared tables and short training tell such sizes apart by little more than chance.
        """
        at = self.canonical(indices)
        layers = [*(f"l{i}" for i in range(int(self.figures.point(at)["depth"]))), "last"]
        for number, layer in enumerate(layers):
            at = self._raised(at, f"{layer}_fan_in", lambda t, n=number: t.address_bits(n) <= self.device.lut_inputs)
        return self._raised(at, "last_terms", lambda _: True)

    def _raised(self, at: tuple[int, ...], name: str, fine: Callable[[Topology], bool]) -> tuple[int, ...]:
        """A network with the greatest value of one choice that is legal, and whose topology is `fine`."""
        point = self.figures.point(at)
        if name not in point:
            return at
        for value in sorted(self.figures.candidates[self.figures.names.index(name)], reverse=True):
            if int(value) <= int(point[name]):
                break
            wider = self.figures.indices({**point, name: value})
            plain = {key: one for key, one in self.figures.point(wider).items() if key != EVERY}
            if not self.space.refusal(plain) and self.legal.holds(wider) and fine(self.space.topology(plain)):
                return self.canonical(wider)
        return at

    def smaller(self, point: Mapping[str, Value]) -> list[Candidate]:
        """Networks from the next smaller one of a network's kind down to the smallest, as its space has them.

        Each has one size less than the one before it: of the widths and the number of votes the one that is left at
        the greatest share of what it was, so that layers shrink alike.
        """
        names = [*(f"l{i}_width" for i in range(int(point["depth"]))), "last_terms"]
        start = {name: int(point[name]) for name in names if name in point}
        at, found = dict(point), list[Candidate]()
        while True:
            steps: list[tuple[float, dict[str, Value]]] = []
            for name, first in start.items():
                offered = self.figures.candidates[self.figures.names.index(name)]
                below = [int(value) for value in offered if int(value) < int(at[name])]
                if below and not self._refusal(self.figures.indices(lower := {**at, name: max(below)})):
                    steps.append((int(at[name]) / first, lower))
            if not steps:
                return found
            at = max(steps, key=lambda step: step[0])[1]
            found.append(self.candidate(self.figures.indices(at), math.nan))

    def candidate(self, indices: Sequence[int], score: float) -> Candidate:
        """A network with its predicted figures."""
        f = self.figures
        return Candidate(f.point(indices), score, f.luts.at(indices), f.ffs.at(indices), round(f.cycles.at(indices)))

    def relax(self, progress: Progress = silent) -> Relaxation:
        """Search in shared tables; see `search_luts`. A SpaceError where no network keeps the limits."""
        self.check()
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
        except SpaceError:  # by what was seen in training, in place of what was predicted before it
            raise SpaceError(self.explain()) from None
        finally:
            torch.set_num_threads(threads)

    def _drawn(self, score: PathScore, found: Found, rows: int) -> Relaxation:
        """Draw networks from what is left of the distribution, and rank them in the shared tables."""
        effects = score.effects
        chances = [
            np.exp(_SHARP * (effects.effects[s : s + n] - effects.effects[s : s + n].max()))
            for s, n in zip(effects.starts[:-1], effects.sizes, strict=True)
        ]
        turning = [self.figures.names.index(name) for name in ("depth", "last_bits")]
        kinds = list(product(*(range(len(chances[place])) for place in turning)))
        best = self.canonical(found.found)
        if not self.legal.holds(best) and self.config.options.hold == "projection":
            best = self.canonical(self.legal.nearest([np.log(one / one.sum()) for one in chances]))
        seen = {best: score.accuracy(best)}
        drawn: list[float] = []
        for number in range(2 * self.config.options.drawn):
            weights = list(chances)
            for place, choice in zip(turning, kinds[number % len(kinds)], strict=True):
                weights[place] = np.eye(len(chances[place]))[choice]
            at = self.canonical(score.draw(weights))
            if at not in seen:
                seen[at] = score.accuracy(at)
                self.figures.observe(at, score.read(at))
            drawn.append(seen[at])
            if len(seen) > self.config.options.drawn:
                break
        legal: dict[tuple[int, ...], float] = {}
        for at, value in seen.items():
            if self.legal.holds(at):
                wide = self.widened(at)
                legal[wide] = max(value, legal.get(wide, 0.0))
        order = sorted(legal, key=lambda at: -legal[at])
        ranked = in_turns(order, [kind(self.figures.point(at)) for at in order])
        return Relaxation(
            found,
            found.violations,
            float(np.mean(drawn)) if drawn else seen[best],
            seen[best],
            tuple(self.candidate(at, legal[at]) for at in ranked),
            score.trained / rows,
        )


def kind(point: Mapping[str, Value]) -> tuple[int, int]:
    """Depth and bits of the last tables: what decides how fast a network learns, which is not how far it comes."""
    return int(point["depth"]), int(point["last_bits"])


def in_turns(order: Sequence[T], kinds: Sequence[tuple[int, int]]) -> list[T]:
    """Order things, best first, so that kinds take turns, in the order in which each is met first."""
    queues: dict[tuple[int, int], list[T]] = {}
    for one, kind in zip(order, kinds, strict=True):
        queues.setdefault(kind, []).append(one)
    found: list[T] = []
    while len(found) < len(order):
        found += [queue.pop(0) for queue in queues.values() if queue]
    return found
