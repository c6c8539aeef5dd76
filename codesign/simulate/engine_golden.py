"""What each layer of an emitted engine's golden program must write, from the folder's vectors alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codesign.accel.engine import EnginePoint
from codesign.accel.engine.interpret import Machine
from codesign.accel.engine.registers import decode_descriptor
from codesign.errors import CodesignError, DataError
from codesign.rtl.engine import EngineDesign

__all__ = ["GoldenLayer", "golden_layers"]


@dataclass(frozen=True)
class GoldenLayer:
    """A layer of one image: what it writes to its bank, or as answers in the last layer.

    words: address to (value, mask) of the bits that count. name, kind: "" where the folder does not say.
    fields: of its descriptor.
    """

    index: int
    name: str
    kind: str
    fields: Mapping[str, int]
    words: Mapping[int, tuple[int, int]]
    simd: int

    def __str__(self) -> str:
        return f"layer {self.index}" + (f" {self.name!r} ({self.kind})" if self.name else "")

    def place(self, address: int) -> str:
        """Say which values an address holds: memory, pixel, channels."""
        f = self.fields
        if f["last"]:
            pixel, channel = divmod(address, f["channels"])
            row, column = divmod(pixel, f["out_width"])
            return f"answer {address} (row {row}, column {column}, channel {channel})"
        pixel, word = divmod(address - f["out_base"], f["out_words"])
        row, column = divmod(pixel, f["out_width"])
        first = word * self.simd
        last = min(first + self.simd, f["channels"]) - 1
        channels = f"channel {first}" if last <= first else f"channels {first} to {last}"
        return f"word {address} of bank {f['write_bank']} (row {row}, column {column}, {channels})"


def golden_layers(folder: Path, image: int) -> tuple[GoldenLayer, ...]:
    """Run golden image number `image` of an emitted `folder` as its descriptors say, in numpy; return every layer.

    Nothing but vectors/program.json and design.json is read. A damaged file is a DataError.
    """
    path = folder / "vectors" / "program.json"
    try:
        golden: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return tuple(_layers(golden, EngineDesign.load(folder).point, image))
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, CodesignError) as problem:
        raise DataError(
            f"{path} does not hold a program that can be run ({problem!r}); emit the design again"
        ) from None


def _layers(golden: dict[str, Any], point: EnginePoint, image: int) -> list[GoldenLayer]:
    width = golden["streams"]["in_bits"]
    load = [int(beat, 16) for beat in golden["load"]]
    parameters = golden["settings"]["PARAMETERS"]
    cut = parameters * point.parameter_beats
    rows = [
        [_signed(word & 0xFFFF, 16), _signed(word >> 16 & (1 << 40) - 1, 40), word >> 56 & 63]
        for word in _words(load[:cut], point.parameter_beats, width)
    ]
    lanes = point.pe * point.simd
    resident = _lanes(_words(load[cut:], point.weight_beats, width), lanes, point.weight_bits)
    streamed = [
        _lanes(_words([int(beat, 16) for beat in beats], point.weight_beats, width), lanes, point.weight_bits)
        for beats in golden["weights"]
    ]
    beats = [int(beat, 16) for beat in golden["images"][image]]
    pixels = _lanes(_words(beats, point.image_beats, width), point.simd, point.activation_bits)
    depth = max(2, len(resident), *(len(words) for words in streamed), 0)
    machine = Machine(
        point,
        np.full((point.banks, 1, point.bank_depth, point.simd), -1, dtype=np.int64),
        np.zeros((depth, point.pe, point.simd), dtype=np.int64),
        np.array(rows or np.zeros((0, 3)), dtype=np.int64).reshape(-1, 3),
        np.zeros((1, golden["settings"]["ANSWERS"]), dtype=np.int64),
    )
    machine.banks[0, 0, : len(pixels)] = pixels
    machine.weights[: len(resident)] = resident.reshape(-1, point.pe, point.simd)
    named = golden.get("layers") or [{"name": "", "kind": ""}] * len(golden["descriptors"])
    found: list[GoldenLayer] = []
    for index, words in enumerate(golden["descriptors"]):
        fields = decode_descriptor(np.array([int(word, 16) for word in words], dtype=np.uint32))
        if streamed:
            machine.weights[: len(streamed[index])] = streamed[index].reshape(-1, point.pe, point.simd)
        machine.run_layer(fields, str(named[index]["name"]))
        written = _answers(machine) if fields["last"] else _bank(machine, fields)
        found.append(
            GoldenLayer(index, str(named[index]["name"]), str(named[index]["kind"]), fields, written, point.simd)
        )
    return found


def _answers(machine: Machine) -> dict[int, tuple[int, int]]:
    return {i: (int(value) & 0xFFFF_FFFF, 0xFFFF_FFFF) for i, value in enumerate(machine.answers[0])}


def _bank(machine: Machine, f: Mapping[str, int]) -> dict[int, tuple[int, int]]:
    """Return the words of a layer's result; lanes beyond its channels do not count."""
    bits, simd = machine.point.activation_bits, machine.point.simd
    words: dict[int, tuple[int, int]] = {}
    for offset in range(f["out_height"] * f["out_width"] * f["out_words"]):
        address = f["out_base"] + offset
        kept = min(simd, f["channels"] - offset % f["out_words"] * simd)
        codes = machine.banks[f["write_bank"], 0, address, : max(0, kept)].tolist()
        value = sum(int(code) << bits * lane for lane, code in enumerate(codes))
        words[address] = (value, (1 << bits * len(codes)) - 1)
    return words


def _words(beats: list[int], each: int, width: int) -> list[int]:
    """Join `each` beats of `width` bits into a word, low bits first."""
    return [sum(beat << width * i for i, beat in enumerate(beats[at : at + each])) for at in range(0, len(beats), each)]


def _lanes(words: list[int], lanes: int, bits: int) -> Any:
    """Return the lanes of words as an array (words, lanes), lane 0 lowest."""
    mask = (1 << bits) - 1
    return np.array([[word >> bits * lane & mask for lane in range(lanes)] for word in words], np.int64).reshape(
        -1, lanes
    )


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value
