"""The engine's cycle law: what a run takes, in clock cycles, exactly as the hardware's counters count it.

A run is a chain of phases; docs/engine.md derives each. A phase that waits for a load ends one clock after the later of
its own beginning and the load's end, so the whole law is a recurrence over maxima and sums of integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codesign.accel.engine.point import EnginePoint
from codesign.accel.engine.program import LayerProgram, Program

__all__ = [
    "FETCH_CYCLES",
    "FIXED_CYCLES",
    "PSUM_DISTANCE",
    "Cycles",
    "cycles",
    "issue_cycles",
    "layer_cycles",
    "load_cycles",
    "nest_cycles",
]

FETCH_CYCLES = 18
"""Clocks in which a layer's descriptor is read and checked."""

PSUM_DISTANCE = 3
"""Clocks after which a partial sum that was read can be read again."""

FIXED_CYCLES = 12
"""Clocks of a layer beside its operands, its last group and the array's registers: 1 start, 3 address and memory,
1 accumulator, 6 requantizer, 1 writer."""

Pattern = Sequence[Sequence[int]]
"""Clocks of waiting, for each load or image a list over its beats; lists or beats that are missing count as 0."""


@dataclass(frozen=True)
class Cycles:
    """Clock cycles of one run. Each figure equals the hardware's register of that name.

    layers:  of each layer, from its first operand to its last result (LAYER_CYCLES).
    total:   of the run (CYCLES).
    load:    of the LOAD command before it, without gaps; 0 where there is nothing to load.
    image:   beats of one image; weights: beats of each streamed layer (0 for resident ones); unload: of the answers
             of one image, without stalls.
    """

    layers: tuple[int, ...]
    total: int
    load: int
    image: int
    weights: tuple[int, ...]
    unload: int
    images: int

    @property
    def compute(self) -> int:
        """Sum over the layers of one image."""
        return sum(self.layers)

    @property
    def per_image(self) -> float:
        """Mean cycles of an image."""
        return self.total / self.images


def issue_cycles(point: EnginePoint, *, pixels: int, groups: int, taps: int, last: bool) -> int:
    """Clocks from a layer's first operand to its last one, both included; `last`: its sums are the answers."""
    leaving = point.leaving_clocks(last=last)
    if not point.stationary_weights:
        return (pixels * groups - 1) * max(taps, leaving) + taps
    return groups * ((taps - 1) * max(pixels, PSUM_DISTANCE) + pixels * leaving) - leaving + 1


def nest_cycles(point: EnginePoint, *, pixels: int, groups: int, taps: int, last: bool) -> int:
    """Clocks of a layer's loop nest: its operands, then the way of its last group through array and requantizer."""
    issue = issue_cycles(point, pixels=pixels, groups=groups, taps=taps, last=last)
    return issue + point.leaving_clocks(last=last) + point.pipeline + FIXED_CYCLES


def layer_cycles(point: EnginePoint, layer: LayerProgram) -> int:
    """Clocks of one layer of a program."""
    return nest_cycles(point, pixels=layer.out.pixels, groups=layer.groups, taps=layer.taps, last=layer.last)


def load_cycles(program: Program, gaps: Sequence[int] = ()) -> int:
    """Clocks of the LOAD command."""
    point = program.point
    weights = 0 if point.streamed else program.weight_words * point.weight_beats
    beats = program.parameters * point.parameter_beats + weights
    return beats + sum(gaps) + 1 if beats else 0


def cycles(
    program: Program,
    *,
    images: int = 1,
    image_gaps: Pattern = (),
    weight_gaps: Pattern = (),
    stalls: Pattern = (),
) -> Cycles:
    """Return the clock cycles of a run over `images` images.

    image_gaps: for each image, clocks in which its loader waits for each beat. weight_gaps: the same for each streamed
    load, layer by layer, image by image. stalls: for each image, clocks in which each answer beat waits.
    """
    if images < 1:
        raise ValueError(f"a run has at least 1 image, not {images}")
    law = _Law(program, image_gaps, weight_gaps, stalls)
    if images <= 2 or image_gaps or weight_gaps or stalls:
        total = law.total(images)
    else:  # from the start of one image's first layer to the next one's is always the same time
        first, second = law.total(1), law.total(2)
        total = first + (images - 1) * (second - first)
    return Cycles(law.layers, total, load_cycles(program), law.image, law.weights, law.unload, images)


class _Law:
    """The recurrence. A time is the number of clocks before it, counted from the run's first one."""

    def __init__(self, program: Program, image_gaps: Pattern, weight_gaps: Pattern, stalls: Pattern):
        point = program.point
        self.streamed, self.ahead = point.streamed, point.double_buffer
        self.layers = tuple(layer_cycles(point, layer) for layer in program.layers)
        self.image = program.image_words * point.image_beats
        self.weights = tuple(
            layer.weight_words * point.weight_beats if point.streamed else 0 for layer in program.layers
        )
        self.unload = 1 + point.answer_beats(program.answers)
        self.image_gaps, self.weight_gaps, self.stalls = image_gaps, weight_gaps, stalls

    def total(self, images: int) -> int:
        """Clocks of the whole run."""
        time = 0
        image_ready = self._image_load(0, 0)
        weights_ready = self._weight_load(0, 0)
        for image in range(images):
            time = max(time, image_ready) + 1
            for index, clocks in enumerate(self.layers):
                time += FETCH_CYCLES
                number = image * len(self.layers) + index
                if self.streamed:
                    if not self.ahead:
                        weights_ready = self._weight_load(time, number)
                    time = max(time, weights_ready) + 1
                    weights_ready = self._weight_load(time + 1, number + 1)
                if self.ahead and index == 0:
                    image_ready = self._image_load(time + 1, image + 1)
                time += clocks
            time += self.unload + _sum(self.stalls, image)
            if not self.ahead:
                image_ready = self._image_load(time, image + 1)
        return time

    def _image_load(self, begin: int, image: int) -> int:
        """When an image whose loader begins at `begin` is there."""
        return begin + self.image + _sum(self.image_gaps, image)

    def _weight_load(self, begin: int, number: int) -> int:
        """When the weights of layer execution `number`, counted over all images, are there."""
        return begin + self.weights[number % len(self.weights)] + _sum(self.weight_gaps, number)


def _sum(pattern: Pattern, index: int) -> int:
    return sum(pattern[index]) if index < len(pattern) else 0
