"""The cycle law for many points at once: the same recurrence as `cycles`, over columns of points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.accel.engine.cycles import FETCH_CYCLES, FIXED_CYCLES, issue_cycles
from codesign.accel.engine.point import ANSWER_BITS, EnginePoint
from codesign.accel.engine.validate import EngineRules
from codesign.ir.integer import INPUT

__all__ = ["CycleColumns", "cycle_columns"]

Array = NDArray[Any]
Counts = NDArray[np.int64]

_ROWS = 7
"""Values that pe and simd can have: 1 to 64, powers of two."""

_RATES = 4
"""Values that requantizers can have: 1 to 8, powers of two."""


@dataclass(frozen=True, eq=False)
class CycleColumns:
    """Clock cycles of many points, an entry a point.

    total:    of a run over one image (`cycles(program, images=1).total`).
    interval: from one image's first layer to the next one's, so that N images take total + (N - 1) * interval.
    """

    total: Counts
    interval: Counts


def cycle_columns(rules: EngineRules, columns: Mapping[str, Array]) -> CycleColumns:
    """Return the cycles of many points with the rules' network; those of points that are not valid mean nothing.

    columns: values of the knobs, an array each (see `Space.columns`).
    """
    at = {name: np.asarray(columns[name]) for name in _READ}
    law = _Law(rules, at)
    total, interval = np.empty(len(at["pe"]), dtype=np.int64), np.empty(len(at["pe"]), dtype=np.int64)
    streamed = at["weights"] == "streamed"
    for mask, function in ((streamed, law.streamed), (~streamed, law.resident)):
        rows = np.flatnonzero(mask)
        if len(rows):
            total[rows], interval[rows] = function(rows)
    return CycleColumns(total, interval)


_READ = (
    "pe",
    "simd",
    "weight_bits",
    "activation_bits",
    "dataflow",
    "weights",
    "pipeline",
    "requantizers",
    "double_buffer",
    "stream_in_bits",
    "stream_out_bits",
)


class _Law:
    """The recurrence of `cycles`, with arrays for times and without gaps and stalls."""

    def __init__(self, rules: EngineRules, at: Mapping[str, Array]):
        self.at, self.layers = at, len(rules.network.layers)
        rows, lanes = at["pe"].astype(np.int64), at["simd"].astype(np.int64)
        stream_in, stream_out = at["stream_in_bits"].astype(np.int64), at["stream_out_bits"].astype(np.int64)
        self.which: Counts = np.log2(rows).astype(np.int64) * _ROWS + np.log2(lanes).astype(np.int64)
        rate: Counts = np.log2(at["requantizers"]).astype(np.int64)
        self.nest: Counts = (self.which * _RATES + rate) * 2 + (at["dataflow"] == "weight_stationary")
        self.issue: list[Counts]
        self.words: list[Counts]
        self.issue, self.words = (list(table) for table in _tables(rules))
        self.overhead: Counts = (rows >> rate) + at["pipeline"] + FIXED_CYCLES
        """Of every layer but the last, whose sums leave one by one."""
        self.last_overhead: Counts = rows + at["pipeline"] + FIXED_CYCLES
        self.double = at["double_buffer"].astype(bool)
        image = rules.shapes[INPUT]
        image_words = -(-image.channels // lanes) * image.pixels
        self.image: Counts = image_words * -(-lanes * at["activation_bits"] // stream_in)
        self.weight_beats: Counts = -(-rows * lanes * at["weight_bits"] // stream_in)
        answers = rules.shapes[rules.network.layers[-1].name].size
        wide = -(-answers // np.maximum(1, stream_out // ANSWER_BITS))
        self.unload: Counts = 1 + wide * np.maximum(1, ANSWER_BITS // stream_out)

    def resident(self, rows: Array) -> tuple[Counts, Counts]:
        """Weights stay: nothing is waited for but the image."""
        body = np.sum(self.issue, axis=0)[self.nest[rows]] + self.layers * FETCH_CYCLES
        body = body + (self.layers - 1) * self.overhead[rows] + self.last_overhead[rows]
        body, image, double = body + self.unload[rows], self.image[rows], self.double[rows]
        total = image + 1 + body
        # The next image loads from one clock after the first layer's start, which is FETCH_CYCLES after the wait.
        ahead = np.maximum(body, FETCH_CYCLES + 1 + image) + 1
        return total, np.where(double, ahead, total)

    def streamed(self, rows: Array) -> tuple[Counts, Counts]:
        """Weights come layer by layer: two images' worth of the recurrence."""
        double, beats, unload = self.double[rows], self.weight_beats[rows], self.unload[rows]
        image, which, nest = self.image[rows], self.which[rows], self.nest[rows]
        overheads: list[Counts] = [self.overhead[rows]] * (self.layers - 1) + [self.last_overhead[rows]]
        time: Counts = np.zeros(len(rows), dtype=np.int64)
        image_ready: Counts = image
        ends: list[Counts] = []
        weights_ready: Counts = self.words[0][which] * beats
        for _ in range(2):
            time = np.maximum(time, image_ready) + 1
            for index in range(self.layers):
                time = time + FETCH_CYCLES
                own = self.words[index][which] * beats
                time = np.where(double, np.maximum(time, weights_ready), time + own) + 1
                weights_ready = time + 1 + self.words[(index + 1) % self.layers][which] * beats
                if index == 0:
                    image_ready = time + 1 + image
                time = time + self.issue[index][nest] + overheads[index]
            time = time + unload
            image_ready = np.where(double, image_ready, time + image)
            ends.append(time)
        return ends[0], ends[1] - ends[0]


def _tables(rules: EngineRules) -> tuple[Counts, Counts]:
    """Return, layer by layer, clocks of issue (layers, pe x simd x requantizers x dataflow) and weight words (layers,
    pe x simd).
    """
    count = len(rules.network.layers)
    pixels = [rules.shapes[layer.name].pixels for layer in rules.network.layers]
    issue = np.zeros((count, _ROWS * _ROWS * _RATES * 2), dtype=np.int64)
    words = np.zeros((count, _ROWS * _ROWS), dtype=np.int64)
    for at in range(_ROWS * _ROWS):
        pe, simd = 1 << at // _ROWS, 1 << at % _ROWS
        loops = rules.loops(pe, simd)
        words[:, at] = loops.words
        orders = (EnginePoint(pe, simd, 8, 8), EnginePoint(pe, simd, 8, 8, dataflow="weight_stationary"))
        for rate in range(min(_RATES, at // _ROWS + 1)):  # more requantizers than rows are no point
            for order, given in enumerate(orders):
                point = replace(given, requantizers=1 << rate)
                issue[:, (at * _RATES + rate) * 2 + order] = [
                    issue_cycles(point, pixels=n, groups=groups, taps=taps, last=index == count - 1)
                    for index, (n, groups, taps) in enumerate(zip(pixels, loops.groups, loops.taps, strict=True))
                ]
    return issue, words
