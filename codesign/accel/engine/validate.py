"""Which points can run a network: every broken rule by name, for one point with its numbers and for many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.accel.devices import Device
from codesign.accel.engine.banks import place_maps
from codesign.accel.engine.compile import check_network
from codesign.accel.engine.lower import kernel_of, layer_kind, lower_weights, sum_bounds, words_read
from codesign.accel.engine.point import EnginePoint, Refusal, Violation
from codesign.accel.engine.resources import resource_broken, resource_violations
from codesign.ir.integer import INPUT, Add, Conv, IntegerLayer, IntegerNetwork, Levels

__all__ = ["RULES", "EngineRules", "validate"]

RULES = (
    "divisibility",
    "activation_bits",
    "weight_bits",
    "zero_weight",
    "padding",
    "maximum",
    "accumulator",
    "weight_depth",
    "psum_depth",
    "depth",
    "bank_depth",
    "bank_conflict",
    "param_depth",
    "answer_depth",
)
"""Names of the structural rules; docs/engine.md says what each means."""

Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]

_DEFAULTS = {name: getattr(EnginePoint, name) for name in ("param_depth", "answer_depth", "requantizers")}


def validate(
    point: EnginePoint, network: IntegerNetwork, device: Device | None = None, *, share: float = 0.9
) -> tuple[Violation, ...]:
    """Return every rule that `point` breaks by itself, with `network` or on `device`, with numbers; empty if none.

    With a device, `luts`, `ffs`, `brams` and `dsps` say where the engine takes more than `share` of it. A network that
    no engine runs is an UnsupportedModel, a device whose family is not calibrated a ConfigError. To check many points
    use `EngineRules` once.
    """
    return EngineRules(network).violations(point, device, share=share)


@dataclass(frozen=True)
class _Loops:
    """What pe and simd make of a network: an entry a layer."""

    taps: tuple[int, ...]
    groups: tuple[int, ...]
    words: tuple[int, ...]
    count: tuple[int, ...]
    undivided: tuple[str, ...]


class EngineRules:
    """The rules of one network, with everything that does not depend on the point worked out beforehand."""

    def __init__(self, network: IntegerNetwork):
        self.network = network
        self.shapes = check_network(network)

    # One point.

    def violations(
        self, point: EnginePoint, device: Device | None = None, *, share: float = 0.9
    ) -> tuple[Violation, ...]:
        """Return every rule that the point breaks, by itself, with the network, or on a device (see `validate`)."""
        found = list(point.violations())
        if any(one.rule == "range" for one in found):
            return tuple(found)
        itself = len(found)
        network, loops = self.network, self.loops(point.pe, point.simd)

        def broken(rule: str, layer: str, message: str) -> None:
            found.append(Violation(rule, layer, message))

        for name in loops.undivided:
            text = f"{self.shapes[name].channels} channels must be a multiple of simd {point.simd} and pe {point.pe}"
            broken("divisibility", name, text)
        for name, levels in self._inner_levels:
            if not _fits(levels, point.activation_bits):
                broken(
                    "activation_bits", name, f"levels {levels} do not fit activations of {point.activation_bits} bits"
                )
        for index, layer in enumerate(network.layers):
            self._layer_violations(layer, index, point, loops, broken)
        self._depth_violations(point, loops, broken)
        if problem := self._placing(point.simd, point.banks, point.bank_depth):
            found += problem.violations
        if device is not None and not itself:
            found += resource_violations(point, device, share=share)
        return tuple(found)

    def _layer_violations(
        self,
        layer: IntegerLayer,
        index: int,
        point: EnginePoint,
        loops: _Loops,
        broken: Callable[[str, str, str], None],
    ) -> None:
        if kernel_of(layer)[3] and point.activation_bits == 1:
            broken("padding", layer.name, "padding pixels are 0, which activations of 1 bit cannot hold")
        if self._negative_maximum[index] and loops.count[index] > 1:
            text = f"a maximum of negative values needs pe of simd {point.simd} or less, not {point.pe}"
            broken("maximum", layer.name, text)
        least, most = _weight_range(layer)
        if not _holds(point.weight_bits, least, most, self._has_zero[index]):
            broken(
                "weight_bits",
                layer.name,
                f"weights are {least} to {most}, too wide for weight_bits {point.weight_bits}",
            )
        elif point.weight_bits == 1:
            for one in self._zero_weight(point.pe, point.simd, point.activation_bits):
                if one.layer == layer.name:
                    broken(one.rule, one.layer, one.message)
        low, high = self._bounds[index]
        limit = 1 << (point.accumulator_bits - 1)
        if low < -limit or high >= limit:
            text = (
                f"sums reach {low} to {high}; accumulator_bits {point.accumulator_bits} holds {-limit} to {limit - 1}"
            )
            broken("accumulator", layer.name, text)
        if point.stationary_weights and loops.taps[index] > 1:
            pixels = self.shapes[layer.name].pixels
            if pixels > point.psum_depth:
                text = f"{pixels} pixels need as many partial sums; psum_depth is {point.psum_depth}"
                broken("psum_depth", layer.name, text)

    def _depth_violations(self, point: EnginePoint, loops: _Loops, broken: Callable[[str, str, str], None]) -> None:
        held = point.layer_weight_depth
        if point.streamed:
            for layer, words in zip(self.network.layers, loops.words, strict=True):
                if words > held:
                    broken(
                        "weight_depth", layer.name, f"its weights take {words} words, the memory holds {held} at once"
                    )
        elif sum(loops.words) > held:
            broken("weight_depth", "", f"all weights take {sum(loops.words)} words, the memory holds {held}")
        for rule, needed in self._fixed_depths.items():
            if needed > getattr(point, rule):
                broken(rule, "", f"the network needs {needed}; it is {getattr(point, rule)}")

    # Many points.

    def broken(
        self, columns: Mapping[str, NDArray[Any]], device: Device | None = None, *, share: float = 0.9
    ) -> dict[str, Mask]:
        """Return, for every rule, which of many points break it: an array of truth values a rule.

        columns: values of the knobs, an array each (see `Space.columns`); param_depth, answer_depth and requantizers
        may be left out. Agrees with `violations`, rule by rule; what a point that is none takes of a device is not
        asked.
        """
        at = {**{name: np.full(len(columns["pe"]), value) for name, value in _DEFAULTS.items()}, **columns}
        rows, lanes = np.asarray(at["pe"]), np.asarray(at["simd"])
        weight_bits, activation_bits = np.asarray(at["weight_bits"]), np.asarray(at["activation_bits"])
        which = _exponent(rows) * 7 + _exponent(lanes)
        stationary, streamed = at["dataflow"] == "weight_stationary", at["weights"] == "streamed"
        double = at["double_buffer"].astype(bool)
        halved = streamed & double
        held = np.where(halved, at["weight_depth"] // 2, at["weight_depth"])
        words = np.where(streamed, self._table("longest")[which], self._table("total")[which])
        psum_depth = np.asarray(at["psum_depth"])
        reach = 1 << (np.asarray(at["accumulator_bits"], dtype=np.int64) - 1)
        low, high = min(low for low, _ in self._bounds), max(high for _, high in self._bounds)
        apart = stationary & (rows % lanes != 0) | (at["requantizers"] > np.minimum(rows, lanes))
        placing = self._placing_rules(lanes, np.asarray(at["banks"]), np.asarray(at["bank_depth"]))
        found = {
            "divisibility": self._table("undivided")[which].astype(bool) | apart,
            "activation_bits": self._bad_activation_bits[activation_bits],
            "weight_bits": self._bad_weight_bits[weight_bits],
            "zero_weight": self._zero_weights(which, weight_bits, activation_bits),
            "padding": (activation_bits == 1) & any(kernel_of(layer)[3] for layer in self.network.layers),
            "maximum": self._table("maximum")[which].astype(bool),
            "accumulator": (low < -reach) | (high >= reach),
            "weight_depth": words > held,
            "psum_depth": np.where(
                stationary, (psum_depth < 2) | (psum_depth < self._table("pixels")[which]), psum_depth != 0
            ),
            "depth": halved & (at["weight_depth"] % 2 != 0),
            "bank_depth": placing == 1,
            "bank_conflict": placing == 2,
        }
        for rule, needed in self._fixed_depths.items():
            found[rule] = at[rule] < needed
        if device is not None:
            itself = apart | stationary & (psum_depth < 2) | ~stationary & (psum_depth != 0)
            legal = ~(itself | found["depth"])
            for rule, mask in resource_broken(at, device, share=share).items():
                found[rule] = mask & legal
        return found

    def valid(self, columns: Mapping[str, NDArray[Any]], device: Device | None = None, *, share: float = 0.9) -> Mask:
        """Return which of many points break no rule."""
        return ~np.any(np.stack(list(self.broken(columns, device, share=share).values())), axis=0)

    # What the network needs.

    @lru_cache(maxsize=64)  # noqa: B019 - 49 entries, and the rules of a network live as long as they are asked
    def loops(self, pe: int, simd: int) -> _Loops:
        """Loop nests of all layers for `pe` rows of `simd` lanes."""
        point = EnginePoint(pe, simd, 8, 8)
        taps: list[int] = []
        groups: list[int] = []
        counts: list[int] = []
        for layer in self.network.layers:
            source, out = self.shapes[layer.sources[0]], self.shapes[layer.name]
            count = words_read(layer, source, out.channels, point).count
            height, width, *_ = kernel_of(layer)
            counts.append(count)
            taps.append((1 + isinstance(layer, Add)) * height * width * count)
            groups.append(-(-out.channels // pe))
        inner = [layer.name for layer in self.network.layers[:-1]]
        undivided = tuple(n for n in inner if self.shapes[n].channels % simd or self.shapes[n].channels % pe)
        words = tuple(t * g for t, g in zip(taps, groups, strict=True))
        return _Loops(tuple(taps), tuple(groups), words, tuple(counts), undivided)

    @cached_property
    def _tables(self) -> dict[str, Counts]:
        names = ("undivided", "total", "longest", "pixels", "maximum")
        found = {name: np.zeros(49, dtype=np.int64) for name in names}
        for p in range(7):
            for s in range(7):
                loops, at = self.loops(1 << p, 1 << s), p * 7 + s
                found["undivided"][at] = len(loops.undivided)
                found["total"][at], found["longest"][at] = sum(loops.words), max(loops.words)
                pixels = [
                    self.shapes[layer.name].pixels
                    for layer, taps in zip(self.network.layers, loops.taps, strict=True)
                    if taps > 1
                ]
                found["pixels"][at] = max(pixels, default=0)
                found["maximum"][at] = any(
                    bad and count > 1 for bad, count in zip(self._negative_maximum, loops.count, strict=True)
                )
        return found

    def _table(self, name: str) -> Counts:
        return self._tables[name]

    @cached_property
    def _inner_levels(self) -> list[tuple[str, Levels]]:
        names = [INPUT, *(layer.name for layer in self.network.layers[:-1])]
        return [(name, levels) for name in names if (levels := self.network.levels(name)) is not None]

    @cached_property
    def _bad_activation_bits(self) -> Mask:
        return np.array([any(not _fits(levels, bits) for _, levels in self._inner_levels) for bits in range(9)])

    @cached_property
    def _has_zero(self) -> list[bool]:
        return [isinstance(layer, Conv) and bool((layer.weights == 0).any()) for layer in self.network.layers]

    @cached_property
    def _bad_weight_bits(self) -> Mask:
        layers = list(zip(self.network.layers, self._has_zero, strict=True))
        ranges = [(*_weight_range(layer), zero) for layer, zero in layers]
        return np.array([bits == 0 or any(not _holds(bits, *one) for one in ranges) for bits in range(9)])

    @cached_property
    def _negative_maximum(self) -> list[bool]:
        found: list[bool] = []
        for layer in self.network.layers:
            levels = self.network.levels(layer.sources[0])
            found.append(layer_kind(layer) == "max" and levels is not None and levels.low < 0)
        return found

    @cached_property
    def _bounds(self) -> list[tuple[int, int]]:
        return [
            sum_bounds(
                layer,
                self.shapes[layer.sources[0]].channels,
                [levels for name in layer.sources if (levels := self.network.levels(name)) is not None],
            )
            for layer in self.network.layers
        ]

    @cached_property
    def _fixed_depths(self) -> dict[str, int]:
        parameters = sum(self.shapes[layer.name].channels for layer in self.network.layers[:-1])
        return {"param_depth": parameters, "answer_depth": self.shapes[self.network.layers[-1].name].size}

    @lru_cache(maxsize=128)  # noqa: B019 - as above
    def _zero_weight(self, pe: int, simd: int, activation_bits: int) -> tuple[Violation, ...]:
        """Layers whose own weights are bipolar, but that need a weight of 0 between channels or in padding."""
        point = EnginePoint(pe, simd, 1, activation_bits)
        found: list[Violation] = []
        for layer, zero in zip(self.network.layers, self._has_zero, strict=True):
            if not _holds(1, *_weight_range(layer), zero):
                continue
            source, out = self.shapes[layer.sources[0]], self.shapes[layer.name]
            try:
                lower_weights(_thin(layer), source, words_read(layer, source, out.channels, point), point)
            except Refusal as problem:
                found += [one for one in problem.violations if one.rule == "zero_weight"]
        return tuple(found)

    def _zero_weights(self, which: Counts, weight_bits: Counts, activation_bits: Counts) -> Mask:
        found = np.zeros(len(which), dtype=np.bool_)
        narrow = weight_bits == 1
        for one in np.unique(which[narrow]):
            for bits in (1, 2):
                if self._zero_weight(1 << int(one) // 7, 1 << int(one) % 7, bits):
                    found |= narrow & (which == one) & (np.minimum(activation_bits, 2) == bits)
        return found

    @lru_cache(maxsize=1024)  # noqa: B019 - as above
    def _placing(self, simd: int, banks: int, depth: int) -> Refusal | None:
        """What stands in the way of placing all maps, if anything does."""
        sizes = {name: -(-shape.channels // simd) * shape.pixels for name, shape in self.shapes.items()}
        try:
            place_maps(self.network, sizes, banks=banks, depth=depth)
        except Refusal as problem:
            return problem.with_traceback(None)  # its frames would keep the columns of whoever asked first
        return None

    def _placing_rules(self, simd: Counts, banks: Counts, depth: Counts) -> Counts:
        """For many points: 0 all maps can be placed, 1 a bank is too shallow, 2 banks conflict."""
        key = (depth.astype(np.int64) * 8 + banks) * 128 + simd
        kinds, which = np.unique(key, return_inverse=True)
        found = np.zeros(len(kinds), dtype=np.int64)
        for index, kind in enumerate(kinds.tolist()):
            problem = self._placing(kind % 128, kind // 128 % 8, kind // 1024)
            if problem is not None:
                found[index] = 1 if problem.violations[0].rule == "bank_depth" else 2
        return found[which]


def _exponent(values: NDArray[Any]) -> Counts:
    """Base-2 logarithm of powers of two up to 64."""
    return np.searchsorted(np.array([1, 2, 4, 8, 16, 32, 64]), values).astype(np.int64)


def _thin(layer: IntegerLayer) -> IntegerLayer:
    """Return the layer with a kernel of 1 x 1: the same channels meet, at a fraction of the work."""
    if isinstance(layer, Conv):
        return replace(layer, weights=np.ones_like(layer.weights[:, :, :1, :1]))
    return layer if isinstance(layer, Add) else replace(layer, kernel=(1, 1))


def _fits(levels: Levels, bits: int) -> bool:
    """Return whether a lane of `bits` holds the levels; one bit is bipolar and holds nothing else."""
    return levels.bipolar if bits == 1 else levels.bits <= bits


def _weight_range(layer: IntegerLayer) -> tuple[int, int]:
    """Smallest and largest weight that the layer itself has (pooling: 1)."""
    if isinstance(layer, Conv):
        return int(layer.weights.min()), int(layer.weights.max())
    weights = layer.weights if isinstance(layer, Add) else (1, 1)
    return min(weights), max(weights)


def _holds(bits: int, least: int, most: int, zero: bool) -> bool:
    """Return whether weights of `bits` hold the range; one bit is bipolar and holds no 0."""
    if bits == 1:
        return least >= -1 and most <= 1 and not zero and least != 0 and most != 0
    return least >= -(1 << (bits - 1)) and most < 1 << (bits - 1)
