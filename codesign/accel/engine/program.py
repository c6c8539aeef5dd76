"""A network as the engine runs it: layer descriptors, weight words, parameter words, and what each memory must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codesign.accel.engine.point import ANSWER_BITS, EnginePoint
from codesign.accel.engine.registers import encode_descriptor
from codesign.errors import DataError
from codesign.ir.integer import Integers, Levels, MapShape

__all__ = ["LayerProgram", "Program", "Words"]

Words = NDArray[np.uint8]
"""Memory words as (words, lanes) bit patterns, lane 0 lowest."""


@dataclass(frozen=True, eq=False)
class LayerProgram:
    """One layer as one loop nest.

    name, kind:   of the network's layer; kind is "conv", "depthwise", "add", "max" or "average".
    source, out:  shapes of what is read and of what comes out.
    fields:       the descriptor's fields by name (rtl_templates/engine/registers.yaml says what each means).
    weights:      (groups * taps, pe * simd) weight codes, in the order in which they are read; row 0 lane 0 first.
    multipliers, biases, shifts: requantization, one a channel; empty in the last layer.
    levels:       of the result; None for sums.
    sum_low, sum_high: exact bounds of every sum of the layer.
    operations:   multiplications that the layer needs, without those by structural zeros.
    """

    name: str
    kind: str
    source: MapShape
    out: MapShape
    fields: Mapping[str, int]
    weights: Words
    multipliers: Integers
    biases: Integers
    shifts: Integers
    levels: Levels | None
    sum_low: int
    sum_high: int
    operations: int

    @property
    def groups(self) -> int:
        """Groups of output channels."""
        return self.fields["groups"]

    @property
    def taps(self) -> int:
        """Words that each sum reads, T in the cycle law."""
        sources = 1 + self.fields["two_sources"]
        return sources * self.fields["kernel_height"] * self.fields["kernel_width"] * self.fields["count"]

    @property
    def weight_words(self) -> int:
        """Words of the weight memory."""
        return self.weights.shape[0]

    @property
    def last(self) -> bool:
        """Whether its sums are the answers."""
        return bool(self.fields["last"])

    @property
    def sum_bits(self) -> int:
        """Bits that the largest sum needs, two's complement."""
        return max(self.sum_high.bit_length(), (-self.sum_low - 1).bit_length() if self.sum_low < 0 else 0) + 1

    def parameter_words(self) -> list[int]:
        """Requantization parameters as words of 64 bits: multiplier 16, bias 40, shift 6, low to high."""
        return [
            (int(m) & 0xFFFF) | (int(b) & (1 << 40) - 1) << 16 | int(s) << 56
            for m, b, s in zip(self.multipliers, self.biases, self.shifts, strict=True)
        ]

    def describe(self) -> dict[str, Any]:
        """Plain data for reports: shapes, fields, bounds, sizes; not the weights."""
        return {
            "name": self.name,
            "kind": self.kind,
            "source": str(self.source),
            "out": str(self.out),
            "taps": self.taps,
            "weight_words": self.weight_words,
            "sum_low": self.sum_low,
            "sum_high": self.sum_high,
            "sum_bits": self.sum_bits,
            "operations": self.operations,
            "fields": dict(self.fields),
        }


@dataclass(frozen=True, eq=False)
class Program:
    """A network lowered to one point.

    banks: layer name (or "input") to (bank, first word, words) of what it gives; the last layer gives answers.
    bank_words: highest word used in each bank, plus one.
    """

    name: str
    point: EnginePoint
    input_shape: MapShape
    input_levels: Levels
    layers: tuple[LayerProgram, ...]
    banks: Mapping[str, tuple[int, int, int]]
    bank_words: tuple[int, ...]

    @property
    def image_words(self) -> int:
        """Activation words of one image."""
        return self.input_shape.pixels * -(-self.input_shape.channels // self.point.simd)

    @property
    def answers(self) -> int:
        """Answers of one image."""
        return self.layers[-1].out.size

    @property
    def parameters(self) -> int:
        """Requantization parameter words, over all layers."""
        return sum(len(layer.multipliers) for layer in self.layers)

    @property
    def weight_words(self) -> int:
        """Weight words that must be in the memory at once (in one half of it, where there are two)."""
        sizes = [layer.weight_words for layer in self.layers]
        return max(sizes) if self.point.streamed else sum(sizes)

    @property
    def psum_words(self) -> int:
        """Partial-sum words; 0 for output stationary."""
        needed = [layer.out.pixels for layer in self.layers if layer.taps > 1]
        return max(needed, default=0) if self.point.stationary_weights else 0

    @property
    def weight_register(self) -> int:
        """Value of the register WEIGHT_WORDS."""
        return self.layers[0].weight_words if self.point.streamed else self.weight_words

    def descriptors(self) -> NDArray[np.uint32]:
        """Return the program window: (layers, 16) words."""
        return np.stack([encode_descriptor(layer.fields) for layer in self.layers])

    def image_codes(self, images: ArrayLike) -> NDArray[np.uint8]:
        """Lay out input values (samples, channels, height, width) as (samples, words, simd) lane codes.

        Another shape, or a value that is none of the input's levels, is a DataError.
        """
        given = np.asarray(images)
        values = given.astype(np.int64)
        shape, simd = self.input_shape, self.point.simd
        right = values.shape[1:] == (shape.channels, shape.height, shape.width) and bool((values == given).all())
        if not right or not self.input_levels.legal(values):
            held = f"{given.min()} to {given.max()}" if given.size else "nothing"
            raise DataError(
                f"{self.name!r} takes images (samples, {shape.channels}, {shape.height}, {shape.width}) of values of "
                f"{self.input_levels}; given were {given.shape}, {held}"
            )
        words = -(-shape.channels // simd)
        lanes = np.zeros((len(values), shape.height, shape.width, words * simd), dtype=np.int64)
        lanes[..., : shape.channels] = np.moveaxis(values, 1, 3)
        if self.point.activation_bits == 1:
            lanes[..., : shape.channels] = lanes[..., : shape.channels] > 0
        codes = lanes & ((1 << self.point.activation_bits) - 1)
        return codes.reshape(len(values), shape.pixels * words, simd).astype(np.uint8)

    def answer_maps(self, answers: ArrayLike) -> Integers:
        """Bring (samples, answers), pixel by pixel, into (samples, channels, height, width)."""
        out = self.layers[-1].out
        values = np.asarray(answers, dtype=np.int64).reshape(-1, out.height, out.width, out.channels)
        return np.moveaxis(values, 3, 1)

    # Beats on the streams, each an integer of the stream's width.

    def image_beats(self, images: ArrayLike) -> list[list[int]]:
        """Beats of each image."""
        codes = self.image_codes(images)
        return [
            _beats(codes[i], self.point.activation_bits, self.point.image_beats, self.point.stream_in_bits)
            for i in range(len(codes))
        ]

    def weight_beats(self, layer: LayerProgram) -> list[int]:
        """Beats of one layer's weights."""
        return _beats(layer.weights, self.point.weight_bits, self.point.weight_beats, self.point.stream_in_bits)

    def load_beats(self) -> list[int]:
        """Beats of the LOAD command: all parameters, then the weights that stay."""
        width = self.point.stream_in_bits
        beats: list[int] = []
        for layer in self.layers:
            for word in layer.parameter_words():
                beats += [word >> (width * k) & ((1 << width) - 1) for k in range(self.point.parameter_beats)]
        if not self.point.streamed:
            for layer in self.layers:
                beats += self.weight_beats(layer)
        return beats

    def read_answers(self, beats: list[int]) -> Integers:
        """Read the answers of one image from the beats of the output stream; too few or too many are a DataError."""
        width, due = self.point.stream_out_bits, self.point.answer_beats(self.answers)
        if len(beats) != due:
            raise DataError(
                f"the {self.answers} answers of an image take {due} beats of {width} bits, not {len(beats)}"
            )
        whole = b"".join(beat.to_bytes(width // 8, "little") for beat in beats)
        return np.frombuffer(whole, dtype="<i4", count=self.answers).astype(np.int64)

    def describe(self) -> dict[str, Any]:
        """Plain data: the point, every layer, and what each memory must hold."""
        return {
            "name": self.name,
            "point": self.point.as_dict(),
            "input": str(self.input_shape),
            "input_levels": str(self.input_levels),
            "layers": [layer.describe() for layer in self.layers],
            "banks": {name: list(place) for name, place in self.banks.items()},
            "bank_words": list(self.bank_words),
            "image_words": self.image_words,
            "answers": self.answers,
            "answer_bits": ANSWER_BITS,
            "parameters": self.parameters,
            "weight_words": self.weight_words,
            "psum_words": self.psum_words,
        }


def _beats(words: Words, lane_bits: int, beats: int, width: int) -> list[int]:
    """Pack (words, lanes) into `beats` beats of `width` bits a word, low bits first."""
    bits = (words[:, :, None] >> np.arange(lane_bits, dtype=np.uint8)) & 1
    flat = bits.reshape(len(words), -1)
    padded = np.zeros((len(words), beats * width), dtype=np.uint8)
    padded[:, : flat.shape[1]] = flat
    packed = np.packbits(padded, axis=1, bitorder="little").reshape(len(words) * beats, width // 8)
    return [int.from_bytes(row.tobytes(), "little") for row in packed]
