"""Golden vectors: samples packed as the ports carry them, with the answers of the table network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codesign.errors import DataError
from codesign.ir import Codes, Encode, Format, LutNetwork, encode, evaluate_codes
from codesign.rtl.design import Design

__all__ = ["golden_vectors", "pack_hex", "port_codes", "random_features", "write_vectors"]

RANDOM_VECTORS = 1000
_CHUNK = 4096


def random_features(network: LutNetwork, *, rows: int = RANDOM_VECTORS, seed: int = 0) -> NDArray[np.float64]:
    """Return samples that visit every level of every feature evenly: (rows, features), or codes without an encoder."""
    generator = np.random.default_rng(seed)
    if network.encode is None:
        codes = [generator.integers(0, f.count, rows) for f in network.inputs]
        return np.stack(codes, axis=1).astype(np.float64)
    columns: list[NDArray[np.float64]] = []
    for feature in network.encode.features:
        edges = np.asarray(feature.thresholds, dtype=np.float64)
        if feature.word is not None:
            low, high = (np.ldexp(float(v), -feature.word.fraction_bits) for v in _range(feature.word.format))
        else:
            low, high = (edges[0] - 1.0, edges[-1] + 1.0) if len(edges) else (0.0, 1.0)
        bounds = np.concatenate([[low], np.clip(edges, low, high), [high]])
        level = generator.integers(0, len(bounds) - 1, rows)
        columns.append(generator.uniform(bounds[level], bounds[level + 1]))
    return np.stack(columns, axis=1)


def _range(fmt: Format) -> tuple[int, int]:
    return fmt.low, fmt.high


def port_codes(network: LutNetwork, features: ArrayLike, *, hardware: bool) -> tuple[NDArray[np.int64], Codes]:
    """Return what enters the ports and what must leave them: (samples, input fields), (samples, output fields).

    features: real features (samples, features), or codes for a network without an encoder. hardware: True where the
    ports take fixed-point words, which are returned as bit patterns; else codes are.
    """
    stage = network.encode
    if stage is None:
        codes = np.asarray(features)
        if codes.ndim != 2 or codes.shape[1] != len(network.inputs):
            raise DataError(f"network {network.name!r} takes (samples, {len(network.inputs)}) codes, not {codes.shape}")
        counts = np.array([f.count for f in network.inputs])
        if not ((codes >= 0) & (codes < counts) & (codes == np.floor(codes))).all():
            raise DataError(f"input codes of network {network.name!r} must be integers from 0 to 2**bits - 1")
        codes = codes.astype(np.int32)
        return codes.astype(np.int64), evaluate_codes(network, codes)
    codes = encode(stage, features)
    answers = evaluate_codes(network, codes)
    return (_words(stage, np.asarray(features, dtype=np.float64)) if hardware else codes.astype(np.int64)), answers


def _words(stage: Encode, features: NDArray[np.float64]) -> NDArray[np.int64]:
    columns: list[NDArray[np.int64]] = []
    for i, feature in enumerate(stage.features):
        assert feature.word is not None
        columns.append(feature.word.words(features[:, i]) & (feature.word.format.count - 1))
    return np.stack(columns, axis=1)


def pack_hex(codes: NDArray[np.int64], formats: Sequence[Format]) -> str:
    """Return one line of hex digits a sample: signal 0 in the lowest bits, highest digit first."""
    width = sum(f.bits for f in formats)
    digits = -(-width // 4)
    column = np.repeat(np.arange(len(formats)), [f.bits for f in formats])
    shift = np.concatenate([np.arange(f.bits) for f in formats])
    lines: list[str] = []
    for start in range(0, len(codes), _CHUNK):
        bits = np.zeros((len(codes[start : start + _CHUNK]), 8 * -(-width // 8)), np.uint8)
        bits[:, :width] = codes[start : start + _CHUNK, column] >> shift & 1
        rows = np.packbits(bits, axis=1, bitorder="little")[:, ::-1]
        lines += [row.tobytes().hex()[-digits:] for row in rows]
    return "".join(f"{line}\n" for line in lines)


def golden_vectors(design: Design, inputs: NDArray[np.int64], answers: Codes) -> dict[str, str]:
    """Return the texts of inputs.hex and outputs.hex for what `port_codes` gives."""
    formats = ([Format(f.bits, f.signed) for f in fields] for fields in (design.input_fields, design.output_fields))
    codes = (inputs, answers.astype(np.int64))
    return {
        name: pack_hex(values, widths)
        for name, values, widths in zip(("inputs.hex", "outputs.hex"), codes, formats, strict=True)
    }


def write_vectors(folder: Path, design: Design, inputs: NDArray[np.int64], answers: Codes) -> None:
    """Write `folder`/vectors/inputs.hex and outputs.hex."""
    where = folder / "vectors"
    where.mkdir(parents=True, exist_ok=True)
    for name, text in golden_vectors(design, inputs, answers).items():
        (where / name).write_text(text, encoding="ascii")
