"""Says whether two networks give the same answers, on given samples or on every input there is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codesign.errors import DataError, MismatchError
from codesign.ir import (
    Encode,
    LutNetwork,
    Tables,
    addresses,
    encode,
    evaluate,
    evaluate_codes,
    trace,
)
from codesign.ir.evaluate import checked_codes

__all__ = ["MAX_INPUTS", "check_care", "every_input", "same_everywhere", "same_function"]

MAX_INPUTS = 1 << 20
"""Inputs that `every_input` lists at most."""


def same_function(a: LutNetwork, b: LutNetwork, samples: ArrayLike) -> bool:
    """Return whether two networks give equal answers in equal formats on `samples`.

    samples: features (samples, features) where `a` has an encoder, else input codes (samples, signals).
    """
    if a.outputs != b.outputs or (a.encode is None) != (b.encode is None):
        return False
    run = evaluate_codes if a.encode is None else evaluate
    return bool(np.array_equal(run(a, samples), run(b, samples)))


def same_everywhere(a: LutNetwork, b: LutNetwork, *, limit: int = MAX_INPUTS) -> bool:
    """Return whether two networks give equal answers on every input; more than `limit` inputs are a DataError.

    With an encoder, every combination of the intervals between the thresholds of *both* networks is tried.
    """
    if a.encode is None or b.encode is None:
        return a.inputs == b.inputs and same_function(a, b, every_input(a, limit=limit))
    if len(a.encode.features) != len(b.encode.features):
        return False
    columns = [
        np.unique(np.concatenate([_points(a.encode, i), _points(b.encode, i)])) for i in range(len(a.encode.features))
    ]
    return same_function(a, b, _product(columns, limit, a.name))


def every_input(network: LutNetwork, *, limit: int = MAX_INPUTS) -> NDArray[Any]:
    """List every input of a network: features, one for each code an encoder can give, or all input codes.

    Returns (inputs, features or signals); more than `limit` inputs are a DataError.
    """
    if network.encode is not None:
        return _product([_points(network.encode, i) for i in range(len(network.encode.features))], limit, network.name)
    # math.prod first: a column of a 30-bit signal must not be built only to be refused.
    count = math.prod(f.count for f in network.inputs)
    if count > limit:
        raise DataError(f"network {network.name!r} has {count} inputs, more than the limit of {limit}; use samples")
    return _product([np.arange(f.count) for f in network.inputs], limit, network.name)


def _points(stage: Encode, index: int) -> NDArray[np.float64]:
    """Return one value of a feature for every count of thresholds it can pass."""
    feature = stage.features[index]
    if feature.word is None:
        t = np.unique(np.asarray(feature.thresholds, dtype=np.float64))
        below = np.nextafter(t[:1], -np.inf) if t.size else np.zeros(1)
        return np.concatenate([below, t])
    word = feature.word
    t = np.unique(np.clip(np.asarray(feature.word_thresholds(), dtype=np.int64), word.format.low, word.format.high))
    words = np.unique(np.concatenate([[word.format.low, word.format.high], t, np.maximum(t - 1, word.format.low)]))
    return np.ldexp(words.astype(np.float64), -word.fraction_bits)


def _product(columns: list[NDArray[Any]], limit: int, name: str) -> NDArray[Any]:
    count = math.prod(len(c) for c in columns)
    if count > limit:
        raise DataError(f"network {name!r} has {count} inputs, more than the limit of {limit}; use samples")
    if not columns:
        return np.zeros((1, 0))
    return np.stack(np.meshgrid(*columns, indexing="ij"), axis=-1).reshape(-1, len(columns))


def check_care(network: LutNetwork, samples: ArrayLike) -> int:
    """Return how many table look-ups of `samples` were checked against the care sets.

    A look-up at an address that its neuron's care set excludes is a MismatchError naming sample, stage and neuron.
    samples: features where the network has an encoder, else input codes.
    """
    codes = checked_codes(network, samples) if network.encode is None else encode(network.encode, samples)
    looked_up = 0
    inputs = network.code_inputs
    for stage, arriving in zip(network.core, [codes, *trace(network, codes)], strict=False):
        if isinstance(stage, Tables):
            for j, neuron in enumerate(stage.neurons):
                if neuron.care is None:
                    continue
                address = addresses(arriving, neuron.sources, inputs)
                met = neuron.care[address]
                if not met.all():
                    row = int(np.argmin(met))
                    raise MismatchError(
                        f"stage {stage.name!r}, neuron {j}: sample {row} has address {int(address[row])}, which the "
                        "neuron's care set says cannot occur; the care set does not hold for these samples"
                    )
                looked_up += len(address)
        inputs = stage.formats
    return looked_up
