"""Bounds every sum of a program from its weights as they go over the stream, without the compiler: none may wrap."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.accel.engine.registers import decode_descriptor
from codesign.errors import DataError
from codesign.rtl.engine import EngineDesign
from codesign.verify.formal.result import Proof, Tally

__all__ = ["Bound", "bound_sums", "prove_sums"]

Range = tuple[int, int]
Weights = NDArray[np.int64]


@dataclass(frozen=True)
class Bound:
    """What a layer's sums reach, for inputs of the given ranges (one a source).

    low, high:   (channels,) exact least and greatest sum, over all taps.
    least, most: (channels,) the same over all partial sums, tap by tap in the order of the hardware.
    weights:     (channels, taps, lanes). ranges: of the codes that each tap reads, (taps, 2).
    """

    layer: int
    maximum: bool
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    least: NDArray[np.int64]
    most: NDArray[np.int64]
    weights: Weights
    ranges: NDArray[np.int64]


def bound_sums(layer: int, fields: Mapping[str, int], weights: Weights, ranges: Sequence[Range]) -> Bound:
    """Bound the sums of one layer.

    weights: (groups, taps, pe, lanes). ranges: of the values that each source holds; where there is padding, 0 is among
    them. The values at different places are independent, so the bounds are exact.
    """
    groups, taps, rows, lanes = weights.shape
    by_tap = np.array([ranges[tap * len(ranges) // taps] for tap in range(taps)], dtype=np.int64)
    by_channel = weights.transpose(0, 2, 1, 3).reshape(groups * rows, taps, lanes)
    ends = by_channel[..., None] * by_tap[None, :, None, :]
    low, high = ends.min(axis=3).sum(axis=2), ends.max(axis=3).sum(axis=2)
    if fields["maximum"]:
        least, most = low.min(axis=1), high.max(axis=1)
        return Bound(layer, True, least, most, least, most, by_channel, by_tap)
    lows, highs = low.cumsum(axis=1), high.cumsum(axis=1)
    # A tap by itself passes through the adder tree, which is brought to the accumulator's width as well.
    least = np.minimum(lows.min(axis=1), low.min(axis=1))
    most = np.maximum(highs.max(axis=1), high.max(axis=1))
    return Bound(layer, False, lows[:, -1], highs[:, -1], least, most, by_channel, by_tap)


def prove_sums(
    folder: Path, design: EngineDesign, *, image: Range, stated: Mapping[str, Range], names: Sequence[str]
) -> Tally:
    """Prove, of the program in `folder`/vectors, that no sum of any channel leaves the accumulator, at any tap.

    Weights are taken from the beats of the streams, loops from the descriptors. Bounds are sought first for inputs of
    any code of `activation_bits`; where these are too wide, for the codes that the layer before is clipped to, and of
    the image's levels (`image`). stated: the compiler's bounds by layer name, which must hold those found.
    """
    started = time.monotonic()
    path = folder / "vectors" / "program.json"
    try:
        program: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        descriptors = [
            decode_descriptor(np.array([int(word, 16) for word in words], dtype=np.uint32))
            for words in program["descriptors"]
        ]
        weights = _weights(program, descriptors, design)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise DataError(f"{path} does not hold a program ({problem!r}); emit the design again") from None
    proofs: list[Proof] = []
    for number, fields in enumerate(descriptors):
        name = names[number] if number < len(names) else f"layer {number}"
        wide = bound_sums(number, fields, weights[number], _any_code(fields, design))
        tight = bound_sums(number, fields, weights[number], _clipped(number, descriptors, design, image))
        proofs += _layer(name, fields, wide, tight, design, stated.get(name))
    note = (
        "Inputs: any code, or, where it says so, the codes that the layer before is clipped to and the image's levels. "
        "With 'no running sum wraps' and 'multipliers and adders are exact' no sum of the hardware wraps."
    )
    return Tally.of(
        "every sum of the program fits its accumulator", proofs, seconds=time.monotonic() - started, note=note
    )


def _weights(program: dict[str, Any], descriptors: Sequence[Mapping[str, int]], design: EngineDesign) -> list[Weights]:
    """Read the weights of each layer, (groups, taps, pe, lanes), from the beats that carry them."""
    of = dict(design.parameters)
    width, chunks, bits = of["STREAM_IN"], of["WEIGHT_CHUNKS"], of["WEIGHT_BITS"]
    resident = program["load"][program["settings"]["PARAMETERS"] * of["PARAM_BEATS"] :]
    found: list[Weights] = []
    for number, fields in enumerate(descriptors):
        taps = (1 + fields["two_sources"]) * fields["kernel_height"] * fields["kernel_width"] * fields["count"]
        words = fields["groups"] * taps
        if of["STREAMED"]:
            beats = program["weights"][number]
        else:
            beats = resident[fields["weight_base"] * chunks : (fields["weight_base"] + words) * chunks]
        if len(beats) != words * chunks:
            raise ValueError(f"layer {number} has {len(beats)} beats of weights, not {words * chunks}")
        raw = b"".join(int(beat, 16).to_bytes(width // 8, "little") for beat in beats)
        flat = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little").reshape(words, chunks * width)
        lanes = flat[:, : of["PE"] * of["SIMD"] * bits].reshape(fields["groups"], taps, of["PE"], of["SIMD"], bits)
        codes = (lanes.astype(np.int64) << np.arange(bits)).sum(axis=4)
        found.append(2 * codes - 1 if bits == 1 else codes - ((codes >> (bits - 1)) << bits))
    return found


def _sources(fields: Mapping[str, int]) -> range:
    return range(1 + fields["two_sources"])


def _any_code(fields: Mapping[str, int], design: EngineDesign) -> list[Range]:
    """The values of any code at all."""
    bits = design.point.activation_bits
    if bits == 1:
        return [(-1, 1)] * len(_sources(fields))
    half = 1 << (bits - 1)
    return [(-half, half - 1) if fields[f"signed{source}"] else (0, 2 * half - 1) for source in _sources(fields)]


def _clipped(number: int, descriptors: Sequence[Mapping[str, int]], design: EngineDesign, image: Range) -> list[Range]:
    """The values in the maps that a layer reads: as clipped by the layer that wrote each, and 0 (padding)."""
    fields, out = descriptors[number], _any_code(descriptors[number], design)
    for source in _sources(fields):
        place = (fields[f"read_bank{source}"], fields[f"base{source}"])
        low, high = image
        for earlier in descriptors[:number]:
            if (earlier["write_bank"], earlier["out_base"]) == place:
                low, high = (-1, 1) if earlier["bipolar"] else (earlier["low"], earlier["high"])
        if design.point.activation_bits > 1:
            low, high = min(low, 0), max(high, 0)
        out[source] = max(low, out[source][0]), min(high, out[source][1])
    return out


def _layer(
    name: str, fields: Mapping[str, int], wide: Bound, tight: Bound, design: EngineDesign, stated: Range | None
) -> list[Proof]:
    bits = dict(design.parameters)["ACCUMULATOR"]
    limit = 1 << (bits - 1)
    proofs: list[Proof] = []
    for how, bound in (("bounds, any code", wide), ("bounds, clipped codes", tight)):
        fits = (bound.least >= -limit) & (bound.most < limit)
        if fits.all():
            text = f"layer {name!r}: {len(fits)} channels fit {bits} bits"
            proofs.append(Proof(text, "proven", how, int(fits.size * bound.weights.shape[1])))
            break
    else:
        for channel in np.flatnonzero(~((tight.least >= -limit) & (tight.most < limit))).tolist():
            text = f"layer {name!r}, channel {channel}"
            proofs.append(Proof(text, "refuted", "evaluated", 0, _counter(tight, channel, bits)))
    if stated is not None:
        used = slice(0, fields["channels"])
        low, high = int(tight.low[used].min()), int(tight.high[used].max())
        text = f"layer {name!r}: the compiler's bound {stated[0]} to {stated[1]}"
        inside = stated[0] <= low and high <= stated[1]
        detail = "" if inside else f"sums reach {low} to {high}"
        proofs.append(Proof(text, "proven" if inside else "refuted", "bounds, clipped codes", 0, detail))
    return proofs


def _counter(bound: Bound, channel: int, bits: int) -> str:
    """Name the inputs with which a channel's sum wraps, and evaluate it: as integers, and in so many bits."""
    limit = 1 << (bits - 1)
    weights = bound.weights[channel]
    high = bool(bound.most[channel] >= limit)
    ends = weights[:, :, None] * bound.ranges[:, None, :]
    picks = ends.argmax(axis=2) if high else ends.argmin(axis=2)
    values = np.take_along_axis(np.broadcast_to(bound.ranges[:, None, :], ends.shape), picks[..., None], axis=2)[..., 0]
    values = np.where(weights == 0, 0, values) if (bound.ranges.min() <= 0 <= bound.ranges.max()) else values
    exact = wrapped = 0
    for tap in range(len(weights)):
        step = int((weights[tap] * values[tap]).sum())
        exact = step if bound.maximum else exact + step
        kept = step if bound.maximum else wrapped + step
        wrapped = (kept + limit) % (2 * limit) - limit
        alone = (step + limit) % (2 * limit) - limit
        if exact != wrapped or step != alone:
            some = ", ".join(f"tap {t} {values[t].tolist()}" for t in range(min(tap + 1, 4)))
            more = f" and so on to tap {tap}" if tap >= 4 else ""
            got = wrapped if exact != wrapped else alone
            return f"input values {some}{more}: wanted {exact}, but {bits} bits hold {got}"
    raise AssertionError("a sum beyond its bound must wrap")
