"""Proves that a program is its network: every layer's map, as it stands in its bank, and the answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from codesign.accel.engine.interpret import interpret
from codesign.accel.engine.program import LayerProgram, Program
from codesign.errors import MismatchError
from codesign.ir.integer import IntegerNetwork, Integers, trace_integer

__all__ = ["check_program"]

_CHUNK_IMAGES = 16


def check_program(program: Program, network: IntegerNetwork, images: ArrayLike) -> int:
    """Interpret the program on input values (samples, channels, height, width); return how many values were compared.

    Compared are all channels of every layer's map and all answers. A difference is a MismatchError that names layer,
    image, channel, row, column, wanted (of the network) and got.
    """
    values = np.asarray(images, dtype=np.int64)
    compared = 0
    for at in range(0, len(values), _CHUNK_IMAGES):
        part = values[at : at + _CHUNK_IMAGES]
        got, wanted = interpret(program, part, maps=True), trace_integer(network, part)
        for layer in program.layers:
            found = got["answers"] if layer.last else _map(layer, got[layer.name], program.point.activation_bits)
            compared += _compare(layer.name, wanted[layer.name], found, at)
    return compared


def _map(layer: LayerProgram, words: Integers, bits: int) -> Integers:
    """Read lane codes (samples, words, simd) of a bank as values (samples, channels, height, width)."""
    out, levels = layer.out, layer.levels
    assert levels is not None
    lanes = words.reshape(len(words), out.height, out.width, -1)[..., : out.channels]
    if levels.bipolar:
        values = 2 * (lanes & 1) - 1 if bits == 1 else lanes - ((lanes >> (bits - 1)) << bits)
    else:
        values = lanes - ((lanes >> (bits - 1)) << bits) if levels.signed else lanes
    return np.moveaxis(values, 3, 1)


def _compare(name: str, wanted: Integers, got: Integers, first: int) -> int:
    wrong = np.argwhere(wanted != got)
    if len(wrong):
        image, channel, row, column = place = tuple(int(i) for i in wrong[0])
        raise MismatchError(
            f"layer {name!r}, image {first + image}, channel {channel}, row {row}, column {column}: "
            f"wanted {wanted[place]}, but the program gives {got[place]}; this is a defect of the compiler"
        )
    return wanted.size
