"""Random engines and programs, legal and illegal: points by themselves, and points with the network they are to run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from codesign.accel.engine import EnginePoint, Program, compile_program
from codesign.accel.engine.draw import draw_network, draw_point
from codesign.ir.integer import Conv, IntegerNetwork, Integers, Levels
from codesign.testing.illegal import Illegal

__all__ = ["Job", "engine_points", "illegal_jobs", "illegal_points", "jobs"]

_POWERS = (1, 2, 4, 8, 16, 32, 64)
_WIDTHS = (8, 16, 32, 64, 128, 256, 512)


@dataclass(frozen=True)
class Job:
    """A network that an engine can run, and images for it: (samples, channels, height, width) of values."""

    point: EnginePoint
    network: IntegerNetwork
    images: Integers

    @property
    def program(self) -> Program:
        """The network, compiled for the engine."""
        return compile_program(self.network, self.point)


@st.composite
def engine_points(draw: st.DrawFn) -> EnginePoint:
    """Draw a point that breaks no rule by itself, from the whole of the engine's space."""
    stationary, streamed, double = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    simd = draw(st.sampled_from(_POWERS))
    pe = draw(st.sampled_from([p for p in _POWERS if not stationary or p % simd == 0]))
    depth = st.one_of(st.sampled_from((2, 3, 1024, 1 << 20)), st.integers(2, 1 << 16))
    weight_depth = draw(depth)
    return EnginePoint(
        pe,
        simd,
        draw(st.integers(1, 8)),
        draw(st.integers(1, 8)),
        "weight_stationary" if stationary else "output_stationary",
        "streamed" if streamed else "resident",
        draw(st.sampled_from(("lutram", "bram"))),
        weight_depth + weight_depth % 2 if streamed and double else weight_depth,
        draw(depth),
        draw(st.integers(2, 4)),
        draw(depth) if stationary else 0,
        draw(st.integers(8, 32)),
        draw(st.sampled_from(("lut", "dsp"))),
        draw(st.integers(0, 4)),
        double,
        draw(st.sampled_from(_WIDTHS)),
        draw(st.sampled_from(_WIDTHS)),
        draw(depth),
        draw(depth),
    )


@st.composite
def illegal_points(draw: st.DrawFn) -> Illegal[EnginePoint]:
    """Draw a point that `EnginePoint.check` must refuse, naming the rule and the setting."""
    found = list(_point_defects(draw(engine_points())))
    return found[draw(st.integers(0, len(found) - 1))]


@st.composite
def jobs(draw: st.DrawFn, *, layers: int = 4, size: int = 6) -> Job:
    """Draw an engine, a network that it can run, of every kind of layer, and images.

    layers: at most. size: of the input map's sides, at most. The memories have room to spare.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    point = draw_point(rng, accumulator_bits=32, weight_depth=1 << 15, param_depth=1 << 11, answer_depth=1 << 12)
    network, images = draw_network(point, rng, layers=draw(st.integers(1, layers)), samples=2, size=size)
    return Job(point, network, images)


@st.composite
def illegal_jobs(draw: st.DrawFn) -> Illegal[Job]:
    """Draw an engine and a network that `compile_program` must refuse, naming the rule, and the layer of it."""
    found = list(_job_defects(draw(jobs())))
    return found[draw(st.integers(0, len(found) - 1))]


def _point_defects(point: EnginePoint) -> Iterator[Illegal[EnginePoint]]:
    wrong: dict[str, tuple[Any, ...]] = {
        "pe": (0, 3, 128, -1, 2.5, "4", True, None),
        "simd": (0, 5, 128),
        "weight_bits": (0, 9, None),
        "activation_bits": (0, 9),
        "dataflow": ("row_stationary", None),
        "weights": ("cached",),
        "weight_memory": ("dram",),
        "banks": (1, 5),
        "accumulator_bits": (7, 33),
        "multiplier": ("fpga",),
        "pipeline": (-1, 5),
        "double_buffer": (1, "yes"),
        "stream_in_bits": (0, 24, 1024),
        "stream_out_bits": (7,),
    }
    for name, values in wrong.items():
        for value in values:
            yield Illegal(replace(point, **{name: value}), f"{name} {value!r}", ("range", name, repr(value)))
    for name in ("weight_depth", "bank_depth", "param_depth", "answer_depth"):
        for value in (-1, 0, 1, (1 << 20) + 1):
            yield Illegal(replace(point, **{name: value}), f"{name} {value}", ("depth", name, str(value)))
        for value in (None, "9", 2.5):
            yield Illegal(replace(point, **{name: value}), f"{name} {value!r}", ("depth", name, repr(value)))
    if point.stationary_weights:
        yield Illegal(replace(point, psum_depth=0), "no partial sums", ("psum_depth", "weight_stationary"))
        if point.simd > 1:
            fewer = replace(point, pe=point.simd // 2)
            yield Illegal(fewer, "pe that is no multiple of simd", ("divisibility", "pe", "simd"))
    else:
        yield Illegal(replace(point, psum_depth=64), "partial sums that nothing uses", ("psum_depth", "64"))
    if point.streamed and point.double_buffer:
        odd = replace(point, weight_depth=4095)
        yield Illegal(odd, "two halves of an odd memory", ("depth", "weight_depth", "4095"))


def _job_defects(job: Job) -> Iterator[Illegal[Job]]:
    point, network, program = job.point, job.network, job.program

    def on(what: str, *named: str, **settings: Any) -> Illegal[Job]:
        return Illegal(replace(job, point=replace(point, **settings)), what, named)

    def with_last(what: str, *named: str, **values: Any) -> Illegal[Job]:
        last = replace(network.layers[-1], **values)
        changed = replace(network, layers=(*network.layers[:-1], last))
        return Illegal(replace(job, network=changed), what, (network.layers[-1].name, *named))

    needs = {"param_depth": program.parameters, "answer_depth": program.answers}
    for name, needed in needs.items():
        if needed > 2:
            yield on(f"{name} one short", name, str(needed), **{name: needed - 1})
    held = program.weight_words * (1 + (point.streamed and point.double_buffer))
    if held > 3:
        yield on("a weight memory two words short", "weight_depth", weight_depth=held - 2)
    deepest = max(program.bank_words)
    image = program.image_words
    if image > 2:
        yield on("a bank too shallow for the image", "bank_depth", "input", bank_depth=image - 1)
    assert deepest >= image
    if program.psum_words > 2:
        yield on("too few partial sums", "psum_depth", psum_depth=program.psum_words - 1)
    widest = max(layer.sum_bits for layer in program.layers)
    if widest > 8:
        yield on("an accumulator a bit too narrow", "accumulator", accumulator_bits=widest - 1)
    if point.activation_bits > 1:
        yield (
            on("activations of one bit", "bit", activation_bits=1)
            if not network.input_levels.bipolar
            else on("a range of nothing", "range", "pe", pe=0)
        )
    last = network.layers[-1]
    if isinstance(last, Conv) and point.weight_bits < 8:
        wide = Levels(8, signed=True)
        yield with_last(
            "weights that the engine does not hold",
            "weight_bits",
            weights=np.full_like(last.weights, 127),
            weight_levels=wide,
        )
    yield on("a point that breaks a rule by itself", "range", "banks", banks=7)
