"""What an engine does in a run, counted exactly: products, memory accesses, beats and clocks, for one point or many.

The counts follow from the loop nests (docs/engine_model.md derives each), not from an average: where the array
multiplies by a structural zero or a padding pixel it still multiplies, and so it is counted. The LOAD command is not
part of a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.accel.engine.cycles import cycles
from codesign.accel.engine.point import ANSWER_BITS
from codesign.accel.engine.program import Program
from codesign.accel.engine.structure import columns_of

__all__ = ["ACTIONS", "LayerLoops", "actions", "image_actions"]

Array = NDArray[Any]

ACTIONS = {
    "products": "multiplications, structural zeros and padding included",
    "tap_sums": "sums of one word's products brought to the accumulators, one a row",
    "weight_reads": "words of the weight memory",
    "weight_writes": "beats written to the weight memory",
    "bank_reads": "activation words",
    "bank_writes": "activation words, those of the image included",
    "psum_reads": "words of partial sums",
    "psum_writes": "words of partial sums",
    "requantizations": "sums through a requantizer, one parameter word read for each; all are clocked for an answer",
    "answer_writes": "answers",
    "answer_reads": "words of the answer memory",
    "descriptor_reads": "words of the program memory",
    "image_beats": "beats of the image stream",
    "weight_beats": "beats of the weight stream",
    "answer_beats": "beats of the answer stream",
    "cycles": "clocks of the run",
}
"""What is counted."""


@dataclass(frozen=True)
class LayerLoops:
    """One layer's loop nest: numbers, or arrays of an entry a point."""

    pixels: int
    channels: int
    last: bool
    taps: Array
    groups: Array


def image_actions(c: Mapping[str, Array], layers: Sequence[LayerLoops], image_words: Array) -> dict[str, Array]:
    """Return the actions of one image, all but `cycles`, for the points of the columns `c`."""
    rows, lanes = c["pe"].astype(np.int64), c["simd"].astype(np.int64)
    stationary, streamed = c["dataflow"] == "weight_stationary", c["weights"] == "streamed"
    stream_in, stream_out = c["stream_in_bits"].astype(np.int64), c["stream_out_bits"].astype(np.int64)
    zero = np.zeros_like(rows)
    issues, groups_taps, first_taps, results, writes, answers = zero, zero, zero, zero, zero, 0
    for layer in layers:
        issues = issues + layer.pixels * layer.groups * layer.taps
        groups_taps = groups_taps + layer.groups * layer.taps
        first_taps = first_taps + layer.pixels * layer.groups
        leaving = layer.pixels * layer.groups * rows
        if layer.last:  # one by one, and all requantizers are clocked for each
            results = results + leaving * c["requantizers"].astype(np.int64)
            answers = layer.pixels * layer.channels
        else:
            results = results + leaving
            writes = writes + layer.pixels * (layer.channels // lanes)
    weight_beats = -(-rows * lanes * c["weight_bits"] // stream_in)
    loaded = np.where(streamed, groups_taps * weight_beats, 0)
    lanes_out = np.maximum(1, stream_out // ANSWER_BITS)
    answer_words = -(-answers // lanes_out)
    return {
        "products": issues * rows * lanes,
        "tap_sums": issues * rows,
        "weight_reads": np.where(stationary, groups_taps, issues),
        "weight_writes": loaded,
        "bank_reads": issues,
        "bank_writes": image_words + writes,
        "psum_reads": np.where(stationary, issues - first_taps, 0),
        "psum_writes": np.where(stationary, issues - first_taps, 0),
        "requantizations": results,
        "answer_writes": answers + zero,
        "answer_reads": answer_words,
        "descriptor_reads": 16 * len(layers) + zero,
        "image_beats": image_words * -(-lanes * c["activation_bits"] // stream_in),
        "weight_beats": loaded,
        "answer_beats": answer_words * np.maximum(1, ANSWER_BITS // stream_out),
    }


def actions(program: Program, *, images: int = 1) -> dict[str, int]:
    """Return the exact number of each of `ACTIONS` in a run over `images` images without gaps and stalls."""
    columns = columns_of(program.point)
    layers = [
        LayerLoops(layer.out.pixels, layer.out.channels, layer.last, np.array([layer.taps]), np.array([layer.groups]))
        for layer in program.layers
    ]
    counted = image_actions(columns, layers, np.array([program.image_words]))
    found = {name: int(values[0]) * images for name, values in counted.items()}
    return {**found, "cycles": cycles(program, images=images).total}
