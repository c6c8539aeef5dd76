"""Runs a program as the engine does, in numpy: memories, words, banks and descriptors, not the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codesign.accel.engine.point import EnginePoint
from codesign.accel.engine.program import Program
from codesign.accel.engine.registers import decode_descriptor
from codesign.errors import MismatchError
from codesign.ir.integer import Integers

__all__ = ["Machine", "interpret"]

_NEVER = -1
"""Marks a word of a bank that nothing was written to."""


@dataclass
class Machine:
    """The engine's memories for a batch of images.

    banks: (banks, images, bank_depth, simd) lane codes, -1 where never written; weights: (weight_depth, pe, simd)
    codes; parameters: (param_depth, 3) multiplier, bias, shift; answers: (images, answers).
    """

    point: EnginePoint
    banks: NDArray[np.int64]
    weights: NDArray[np.int64]
    parameters: NDArray[np.int64]
    answers: NDArray[np.int64]

    def run_layer(self, fields: Mapping[str, int], name: str = "") -> None:
        """Execute one descriptor."""
        point, f = self.point, fields
        taps = _tap_list(f)
        pixels, inside = _addresses(f, taps)
        weight = f["weight_base"]
        for group in range(f["groups"]):
            start = (group * f["group_step"]) >> f["group_shift"]
            codes = self.weights[weight : weight + len(taps)]
            weight += len(taps)
            operands = _weight_values(codes, point.weight_bits)
            values = self._read(f, taps, pixels + start, inside, name)
            if f["maximum"]:
                sums = np.einsum("nxts,tps->nxtp", values, operands).max(axis=2)
            else:
                sums = np.tensordot(values, operands, axes=([2, 3], [0, 2]))
            limit = 1 << (point.accumulator_bits - 1)
            if sums.size and not (-limit <= sums.min() and sums.max() < limit):
                raise MismatchError(f"layer {name!r}: a sum passes the accumulator's {point.accumulator_bits} bits")
            self._write(f, group, sums)

    def _read(
        self,
        f: Mapping[str, int],
        taps: list[tuple[int, int, int, int]],
        at: Integers,
        inside: NDArray[np.bool_],
        name: str,
    ) -> Integers:
        """Return (images, pixels, taps, simd) activation values; 0 outside the map."""
        found = np.zeros((self.banks.shape[1], *at.shape, self.point.simd), dtype=np.int64)
        sources = np.array([tap[0] for tap in taps])
        for source in range(1 + f["two_sources"]):
            here = sources == source
            where = f[f"base{source}"] + at[:, here]
            read = self.banks[f[f"read_bank{source}"]][:, np.where(inside[:, here], where, 0)]
            if ((read == _NEVER).any(axis=3) & inside[:, here]).any():
                raise MismatchError(
                    f"layer {name!r} reads a word of bank {f[f'read_bank{source}']} that was never written"
                )
            values = _activation_values(read, self.point.activation_bits, bool(f[f"signed{source}"]))
            found[:, :, here] = np.where(inside[:, here, None], values, 0)
        return found

    def _write(self, f: Mapping[str, int], group: int, sums: Integers) -> None:
        """Bring (images, pixels, pe) sums of one group to the answers or, requantized, to their bank."""
        rows, lanes = self.point.pe, self.point.simd
        first = group * rows
        kept = min(rows, f["channels"] - first)
        images, pixels = int(sums.shape[0]), int(sums.shape[1])
        if f["last"]:
            view = self.answers[:, : pixels * f["channels"]].reshape(images, pixels, f["channels"])
            view[:, :, first : first + kept] = sums[:, :, :kept]
            return
        multiplier, bias, shift = self.parameters[f["param_base"] + first : f["param_base"] + first + rows].T
        scaled = sums * multiplier + bias
        if f["bipolar"]:
            values = np.where(scaled >= 0, 1, -1)
        else:
            values = np.clip(scaled >> shift, f["low"], f["high"])
        bits = self.point.activation_bits
        codes = values & ((1 << bits) - 1) if bits > 1 or not f["bipolar"] else values > 0
        at = f["out_base"] + np.arange(int(pixels), dtype=np.int64) * f["out_words"]
        for row in range(rows):
            channel = first + row
            self.banks[f["write_bank"], :, at + channel // lanes, channel % lanes] = codes[:, :, row].T


def interpret(program: Program, images: ArrayLike, *, maps: bool = False) -> dict[str, Integers]:
    """Run `program` on input values (samples, channels, height, width).

    Returns {"answers": (samples, channels, height, width)} and, where `maps`, the codes of every layer's words by
    layer name, (samples, words, simd), as they stand in its bank after the layer.
    """
    point = program.point
    codes = program.image_codes(images)
    depth = max(2, program.weight_words)
    machine = Machine(
        point,
        np.full((point.banks, len(codes), point.bank_depth, point.simd), _NEVER, dtype=np.int64),
        np.zeros((depth, point.pe, point.simd), dtype=np.int64),
        np.zeros((program.parameters, 3), dtype=np.int64),
        np.zeros((len(codes), program.answers), dtype=np.int64),
    )
    machine.banks[0, :, : codes.shape[1]] = codes
    machine.parameters[:] = [
        [_signed(word & 0xFFFF, 16), _signed(word >> 16 & (1 << 40) - 1, 40), word >> 56]
        for layer in program.layers
        for word in layer.parameter_words()
    ] or machine.parameters
    base = 0
    for layer in program.layers:
        words = layer.weights.reshape(-1, point.pe, point.simd)
        machine.weights[base : base + len(words)] = words
        base += 0 if point.streamed else len(words)
    found: dict[str, Integers] = {}
    for layer, words in zip(program.layers, program.descriptors(), strict=True):
        if point.streamed:
            machine.weights[: layer.weight_words] = layer.weights.reshape(-1, point.pe, point.simd)
        machine.run_layer(decode_descriptor(words), layer.name)
        if maps and not layer.last:
            bank, start, size = program.banks[layer.name]
            found[layer.name] = machine.banks[bank, :, start : start + size].copy()
    found["answers"] = program.answer_maps(machine.answers)
    return found


def _tap_list(f: Mapping[str, int]) -> list[tuple[int, int, int, int]]:
    """Return (source, kernel row, kernel column, word) in the order of the hardware."""
    return [
        (source, row, column, word)
        for source in range(1 + f["two_sources"])
        for row in range(f["kernel_height"])
        for column in range(f["kernel_width"])
        for word in range(f["count"])
    ]


def _addresses(f: Mapping[str, int], taps: list[tuple[int, int, int, int]]) -> tuple[Integers, NDArray[np.bool_]]:
    """Return, (pixels, taps), the offset in a map of the word that group 0 reads, and whether it is inside the map."""
    _, row, column, word = np.array(taps).T
    y, x = np.divmod(np.arange(f["out_height"] * f["out_width"]), f["out_width"])
    iy = y[:, None] * f["stride"] - f["padding"] + row
    ix = x[:, None] * f["stride"] - f["padding"] + column
    at = f["start_offset"] + y[:, None] * f["row_step"] + x[:, None] * f["column_step"]
    at = at + row * f["kernel_row_step"] + column * f["in_words"] + word
    return at, (iy >= 0) & (iy < f["in_height"]) & (ix >= 0) & (ix < f["in_width"])


def _activation_values(codes: Integers, bits: int, signed: bool) -> Integers:
    if bits == 1:
        return 2 * codes - 1
    return codes - ((codes >> (bits - 1)) << bits) if signed else codes


def _weight_values(codes: Integers, bits: int) -> Integers:
    return 2 * codes - 1 if bits == 1 else codes - ((codes >> (bits - 1)) << bits)


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value
