"""Runs a LutNetwork bit-exactly in numpy, whole or stage by stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codesign.errors import DataError
from codesign.ir.formats import Codes, Format
from codesign.ir.network import Decide, Encode, LutNetwork, Stage, Sums, Tables

__all__ = ["addresses", "checked_codes", "encode", "evaluate", "evaluate_codes", "run_stage", "trace"]


def encode(stage: Encode, features: ArrayLike) -> Codes:
    """Turn real features (samples, features) into codes (samples, signals).

    Features with a fixed-point word are floored to its grid and saturated first, as the hardware's
    input is. NaN is a DataError.
    """
    x = np.asarray(features, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != len(stage.features):
        raise DataError(f"stage {stage.name!r} takes (samples, {len(stage.features)}) features, not {x.shape}")
    if np.isnan(x).any():
        row, column = (int(i) for i in np.argwhere(np.isnan(x))[0])
        raise DataError(f"feature {stage.features[column].name!r} is NaN in row {row}; mend or drop such rows")
    columns: list[NDArray[Any]] = []
    for i, feature in enumerate(stage.features):
        if feature.word is None:
            levels = np.searchsorted(np.asarray(feature.thresholds), x[:, i], side="right")
        else:
            levels = np.searchsorted(np.asarray(feature.word_thresholds()), feature.word.words(x[:, i]), side="right")
        if stage.coding == "binary":
            columns.append(levels[:, None])
        else:
            columns.append(levels[:, None] > np.arange(len(feature.thresholds)))
    if not columns:
        return np.zeros((len(x), 0), dtype=np.int32)
    return np.concatenate(columns, axis=1).astype(np.int32)


def addresses(codes: Codes, sources: Sequence[int], inputs: Sequence[Format]) -> Codes:
    """Join source codes (samples, signals) into table addresses (samples,), source 0 lowest."""
    out = np.zeros(len(codes), dtype=np.int32)
    shift = 0
    for source in sources:
        out |= codes[:, source] << shift
        shift += inputs[source].bits
    return out


def run_stage(stage: Stage, codes: Codes, inputs: tuple[Format, ...]) -> Codes:
    """Run one stage after the encoder: codes (samples, signals in) to codes (samples, signals out)."""
    if isinstance(stage, Encode):
        raise TypeError("an Encode stage reads features; use encode()")
    if isinstance(stage, Tables):
        out = np.empty((len(codes), len(stage.neurons)), dtype=np.int32)
        columns = np.asfortranarray(codes)
        for j, neuron in enumerate(stage.neurons):
            out[:, j] = neuron.table[addresses(columns, neuron.sources, inputs)]
        return out
    if isinstance(stage, Sums):
        out = np.empty((len(codes), len(stage.sums)), dtype=np.int32)
        values = np.stack([f.values(codes[:, i]) for i, f in enumerate(inputs)], axis=1)
        for j, total in enumerate(stage.sums):
            signs = np.asarray(total.signs, dtype=np.int64)
            out[:, j] = total.format.codes(values[:, list(total.sources)] @ signs + total.bias)
        return out
    return _decide(stage, codes)


def _decide(stage: Decide, codes: Codes) -> Codes:
    values = np.stack([f.values(codes[:, i]) for i, f in enumerate(stage.inputs)], axis=1)
    if stage.kind == "argmax":
        return values.argmax(axis=1).astype(np.int32)[:, None]
    if stage.kind == "threshold":
        return (values >= stage.threshold).astype(np.int32)
    return codes


def trace(network: LutNetwork, codes: Codes) -> list[Codes]:
    """Return the codes that leave every stage of ``network.core``, given the codes that enter it."""
    inputs = network.code_inputs
    out: list[Codes] = []
    for stage in network.core:
        codes = run_stage(stage, codes, inputs)
        inputs = stage.formats
        out.append(codes)
    return out


def evaluate_codes(network: LutNetwork, codes: ArrayLike) -> Codes:
    """Run the network on input codes (samples, signals); the encoder, if any, is passed over."""
    start = checked_codes(network, codes)
    steps = trace(network, start)
    return steps[-1] if steps else start


def checked_codes(network: LutNetwork, codes: ArrayLike) -> Codes:
    """Return codes (samples, signals) that may enter the first stage after the encoder, as int32.

    A code outside its signal's format is a DataError: it would run into its neighbours' address bits.
    """
    given = np.asarray(codes)
    formats = network.code_inputs
    if given.ndim != 2 or given.shape[1] != len(formats):
        raise DataError(f"network {network.name!r} takes (samples, {len(formats)}) codes, not {given.shape}")
    if given.dtype.kind not in "iub":
        raise DataError(f"network {network.name!r} takes integer codes, not {given.dtype}; encode() makes them")
    if len(given):
        for signal, (low, high) in enumerate(zip(given.min(axis=0), given.max(axis=0), strict=True)):
            if low < 0 or high >= formats[signal].count:
                raise DataError(
                    f"network {network.name!r}, input signal {signal}: codes must be 0 to {formats[signal].count - 1} "
                    f"for format {formats[signal]}, not {low} to {high}"
                )
    return given.astype(np.int32, copy=False)


def evaluate(network: LutNetwork, features: ArrayLike) -> Codes:
    """Run the whole network, encoder included: real features (samples, features) to answer codes."""
    if network.encode is None:
        raise DataError(f"network {network.name!r} has no encoder: it takes codes, see evaluate_codes()")
    return evaluate_codes(network, encode(network.encode, features))
