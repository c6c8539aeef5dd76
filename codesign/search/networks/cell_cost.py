"""All cells at one engine point at once: exact cycles, model energy, and which of them the point can run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from codesign.accel import Device
from codesign.accel.engine import EnginePoint, fmax, resources
from codesign.accel.engine.actions import LayerLoops, image_actions
from codesign.accel.engine.banks import place_maps
from codesign.accel.engine.energy import dynamic_parts, energy_table
from codesign.accel.engine.point import MAX_LAYERS
from codesign.accel.engine.resources import resource_violations
from codesign.accel.engine.structure import columns_of
from codesign.errors import SpaceError
from codesign.ir import MapShape
from codesign.ir.conv_presets import NASBENCH_OPERATIONS
from codesign.ir.conv_topology import ConvLayer
from codesign.ir.integer import INPUT, IntegerNetwork
from codesign.search.networks.cells import CellSpace, cell_layers
from codesign.search.networks.shape_cost import LayerShape, Nest, nest_of, run_cycles

__all__ = ["CellCosts", "CellFigures"]

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
Sequence4 = tuple[str, ...]
"""Kinds of a cell's layers, in order: conv1, conv3, pool, add."""

_STAGES = 3


@dataclass(frozen=True, eq=False)
class CellFigures:
    """Figures of every point of a cell space at one engine point: arrays with an entry a cell, by point number.

    cycles: of one image, exact. valid: the engine's rules hold for any weights of the declared bits.
    broken: by rule, which cells break it. latency_us, energy_nj, edp: model figures at `clock_mhz`.
    """

    cycles: NDArray[np.int64]
    valid: Mask
    broken: dict[str, Mask]
    latency_us: Numbers
    energy_nj: Numbers
    edp: Numbers
    clock_mhz: float


class CellCosts:
    """The cells of a space, grouped by what the cost can tell apart; asked for one engine point after another."""

    def __init__(self, space: CellSpace):
        self.space = space
        operations = [tuple(NASBENCH_OPERATIONS[i] for i in row) for row in space.all_operations()]
        cells = [cell_layers(one) for one in operations]
        kinds = [tuple(layer.kind for layer in layers) for layers, _ in cells]
        self.sequences: list[Sequence4] = sorted(set(kinds))
        number = {one: i for i, one in enumerate(self.sequences)}
        self.sequence_of = np.array([number[one] for one in kinds])
        wirings = [(tuple((one.kind == "add", one.sources) for one in layers), out) for layers, out in cells]
        self.wirings = sorted(set(wirings))
        number = {one: i for i, one in enumerate(self.wirings)}
        self.wiring_of = np.array([number[one] for one in wirings])
        self.zero = np.array([any(one.zero for one in layers) for layers, _ in cells])

    # Shapes.

    @cached_property
    def _frame(self) -> tuple[tuple[LayerShape, ...], ...]:
        """Layers outside of the cells: the stem, two reductions of five, and the end."""
        file = self.space.file
        base, side = file.channels, file.input[1:]
        image = MapShape(*file.input)
        first = MapShape(base, *side)
        parts: list[tuple[LayerShape, ...]] = [(_conv("stem", image, first, 3),)]
        for stage in (1, 2):
            before, after = self.stage_map(stage - 1), self.stage_map(stage)
            pooled = MapShape(before.channels, after.height, after.width)
            parts.append(
                (
                    _conv("conv0", before, after, 3, stride=2),
                    _conv("conv1", after, after, 3),
                    _pool("pool", before, pooled, 2),
                    _conv("short", pooled, after, 1),
                    _add(after),
                )
            )
        last = self.stage_map(2)
        one = MapShape(last.channels, 1, 1)
        dense = ConvLayer("answer", "dense", ("pool",), channels=file.classes)
        answer = LayerShape(dense, one, MapShape(file.classes, 1, 1), last=True)
        parts.append((_pool("pool", last, one, 0), answer))
        return tuple(parts)

    def stage_map(self, stage: int) -> MapShape:
        """The maps of a stage."""
        file = self.space.file
        return MapShape(file.channels << stage, file.input[1] >> stage, file.input[2] >> stage)

    def _inner(self, stage: int) -> dict[str, LayerShape]:
        here = self.stage_map(stage)
        return {
            "conv1": _conv("c", here, here, 1),
            "conv3": _conv("c", here, here, 3),
            "pool": _pool("p", here, here, 3),
            "add": _add(here),
        }

    # Figures.

    def cycles(self, point: EnginePoint) -> NDArray[np.int64]:
        """Return the exact cycles of every cell's network at a point, valid or not."""
        frame = [[nest_of(one, point) for one in part] for part in self._frame]
        inner = [{k: nest_of(one, point) for k, one in self._inner(stage).items()} for stage in range(_STAGES)]
        image = MapShape(*self.space.file.input)
        totals = [run_cycles(self._nests(one, frame, inner), point, image) for one in self.sequences]
        return np.array(totals, dtype=np.int64)[self.sequence_of]

    def _nests(self, sequence: Sequence4, frame: Sequence[list[Nest]], inner: Sequence[dict[str, Nest]]) -> list[Nest]:
        nests: list[Nest] = []
        for stage in range(_STAGES):
            nests += frame[stage]
            nests += [inner[stage][kind] for kind in sequence] * self.space.file.cells
        return nests + frame[_STAGES]

    def figures(self, point: EnginePoint, device: Device) -> CellFigures:
        """Return the figures of every cell at a point on a device; a SpaceError where the point cannot be built."""
        if bad := (point.violations() or resource_violations(point, device)):
            raise SpaceError("; ".join(map(str, bad)))
        cycles, broken = self.cycles(point), self.broken(point)
        table, _ = energy_table()
        clock = fmax(point, device).mhz or table.reference_clock_mhz
        counts = {name: values[self.sequence_of] for name, values in self._actions(point).items()} | {"cycles": cycles}
        columns = columns_of(point)
        parts = dynamic_parts(columns, counts, np.array([resources(point, device).ffs]), device, table)
        total = sum((part / 1000 for part in parts.values()), np.zeros(len(cycles)))
        latency = cycles / clock
        if device.name in table.static_w:
            total = total + table.static_w[device.name].watts * latency * 1000
        valid = ~np.any(np.stack(list(broken.values())), axis=0)
        return CellFigures(cycles, valid, broken, latency, total, total * latency, clock)

    def _actions(self, point: EnginePoint) -> dict[str, NDArray[Any]]:
        """Actions of one image, an entry a sequence: they are sums over layers."""
        counts = self._kind_counts
        layers: list[LayerLoops] = []
        weights: list[NDArray[np.int64]] = []
        ones = np.ones(len(self.sequences), dtype=np.int64)
        for part in self._frame:
            for one in part:
                layers.append(_loops(nest_of(one, point), last=one.last))
                weights.append(ones)
        for stage in range(_STAGES):
            for kind, one in self._inner(stage).items():
                layers.append(_loops(nest_of(one, point), last=False))
                weights.append(counts[kind] * self.space.file.cells)
        columns, image = columns_of(point), self.space.file.input
        words = np.array([-(-image[0] // point.simd) * image[1] * image[2]])
        none = image_actions(columns, [], words)
        total = {name: np.zeros(len(ones), dtype=np.int64) + values for name, values in none.items()}
        for layer, number in zip(layers, weights, strict=True):
            own = image_actions(columns, [layer], words)
            total = {name: total[name] + number * (own[name] - none[name]) for name in total}
        return total

    @cached_property
    def _kind_counts(self) -> dict[str, NDArray[np.int64]]:
        counted = [Counter(one) for one in self.sequences]
        return {kind: np.array([one[kind] for one in counted]) for kind in ("conv1", "conv3", "pool", "add")}

    # Rules.

    def broken(self, point: EnginePoint) -> dict[str, Mask]:
        """Return, by rule, which cells' networks break it at a point, whatever their weights of the declared bits are.

        `accumulator`, `weight_bits` and `zero_weight` are judged by the widest weights; the others are exact.
        """
        file, cells = self.space.file, self.space.file.cells
        frame = [one for part in self._frame for one in part]
        inner = [self._inner(stage) for stage in range(_STAGES)]
        every = np.zeros(len(self.sequence_of), dtype=np.bool_)
        counts = {kind: values[self.sequence_of] for kind, values in self._kind_counts.items()}
        words = sum(nest_of(one, point).words for one in frame) + every.astype(np.int64)
        longest = max(nest_of(one, point).words for one in frame) + every.astype(np.int64)
        parameters = sum(one.out.channels for one in frame[:-1]) + every.astype(np.int64)
        psum = max((one.out.pixels for one in frame if nest_of(one, point).taps > 1), default=0) + every.astype(
            np.int64
        )
        sums = max(self._largest_sum(one) for one in frame) + every.astype(np.int64)
        for stage in range(_STAGES):
            for kind, one in inner[stage].items():
                nest, has = nest_of(one, point), counts[kind] > 0
                words = words + counts[kind] * cells * nest.words
                longest = np.where(has, np.maximum(longest, nest.words), longest)
                parameters = parameters + counts[kind] * cells * one.out.channels
                psum = np.where(has & (nest.taps > 1), np.maximum(psum, one.out.pixels), psum)
                sums = np.where(has, np.maximum(sums, self._largest_sum(one)), sums)
        divided = all((file.channels << s) % point.simd == 0 == (file.channels << s) % point.pe for s in range(_STAGES))
        wide = max(file.bits, file.input_bits) > point.activation_bits
        layers = np.array([13 + 3 * cells * len(one) for one in self.sequences])[self.sequence_of]
        held = point.layer_weight_depth
        found = {
            "program": layers > MAX_LAYERS,
            "divisibility": every | (not divided),
            "activation_bits": every | wide,
            "weight_bits": every | (file.weight_bits > point.weight_bits),
            "zero_weight": every | (point.weight_bits == 1),
            "padding": every | (point.activation_bits == 1),
            "accumulator": sums > (1 << (point.accumulator_bits - 1)) - 1,
            "weight_depth": (longest if point.streamed else words) > held,
            "psum_depth": psum > point.psum_depth if point.stationary_weights else every,
            "param_depth": parameters > point.param_depth,
            "answer_depth": every | (file.classes > point.answer_depth),
        }
        placed = np.array(
            [self._placed(i, point.simd, point.banks, point.bank_depth) for i in range(len(self.wirings))]
        )
        found["bank_conflict"] = ~placed[self.wiring_of]
        return found

    def _largest_sum(self, one: LayerShape) -> int:
        """Largest magnitude of a sum, for any weights and inputs of the declared bits."""
        file, layer = self.space.file, one.layer
        bits = file.input_bits if layer.name == "stem" else file.bits
        high = (1 << bits) - 1
        if layer.kind == "add":
            return 2 * high
        kernel = layer.kernel**2 if layer.kernel else one.source.pixels
        if layer.kind == "average_pool":
            return kernel * high
        return kernel * one.source.channels * high * max(1, 1 << (file.weight_bits - 1))

    @lru_cache(maxsize=20_000)  # noqa: B019 - lives as long as the costs are asked for
    def _placed(self, wiring: int, simd: int, banks: int, depth: int) -> bool:
        """Whether the maps of a wiring find their places."""
        adds, out = self.wirings[wiring]
        network, sizes = self._network(adds, out, simd)
        if len(network.layers) > MAX_LAYERS:
            return True  # another rule's matter
        try:
            place_maps(cast(IntegerNetwork, network), sizes, banks=banks, depth=depth)
        except SpaceError:
            return False
        return True

    def _network(self, cell: tuple[Any, ...], out: int, simd: int) -> tuple[Any, dict[str, int]]:
        """What `place_maps` reads of a network: names and sources, and the words of every map."""
        layers: list[Any] = []
        sizes: dict[str, int] = {}

        def put(name: str, shape: MapShape, *sources: str) -> str:
            layers.append(SimpleNamespace(name=name, sources=sources))
            sizes[name] = -(-shape.channels // simd) * shape.pixels
            return name

        image = MapShape(*self.space.file.input)
        sizes[INPUT] = -(-image.channels // simd) * image.pixels
        last = put("stem", self.stage_map(0), INPUT)
        for stage in range(_STAGES):
            here = self.stage_map(stage)
            if stage:
                source = last
                put(f"r{stage}0", here, source)
                second = put(f"r{stage}1", here, f"r{stage}0")
                pooled = replace(here, channels=self.stage_map(stage - 1).channels)
                put(f"r{stage}p", pooled, source)
                short = put(f"r{stage}s", here, f"r{stage}p")
                last = put(f"r{stage}a", here, short, second)
            for number in range(self.space.file.cells):
                names = {-1: last}
                for index, (_, sources) in enumerate(cell):
                    names[index] = put(f"s{stage}c{number}l{index}", here, *(names[i] for i in sources))
                last = names[out]
        put("pool", MapShape(self.stage_map(2).channels, 1, 1), last)
        put("answer", MapShape(self.space.file.classes, 1, 1), "pool")
        return SimpleNamespace(layers=layers), sizes


def _loops(nest: Nest, *, last: bool) -> LayerLoops:
    return LayerLoops(nest.pixels, nest.channels, last, np.array([nest.taps]), np.array([nest.groups]))


def _conv(name: str, source: MapShape, out: MapShape, kernel: int, *, stride: int = 1) -> LayerShape:
    layer = ConvLayer(name, "conv", ("x",), channels=out.channels, kernel=kernel, stride=stride, padding=kernel // 2)
    return LayerShape(layer, source, out)


def _pool(name: str, source: MapShape, out: MapShape, kernel: int) -> LayerShape:
    return LayerShape(ConvLayer(name, "average_pool", ("x",), kernel=kernel), source, out)


def _add(shape: MapShape) -> LayerShape:
    return LayerShape(ConvLayer("add", "add", ("x", "y")), shape, shape)
