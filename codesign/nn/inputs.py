"""Fits the input encoder to the training rows: words, mean and spread, thresholds, and the value of every code."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.config import InputsConfig
from codesign.errors import ConfigError
from codesign.ir import Fixed, Topology
from codesign.nn.encoder import EncoderShape, InputEncoder
from codesign.nn.quantizers import make_quantizer

if TYPE_CHECKING:
    from codesign.data import DataSet

__all__ = ["choose_words", "encoder_shape", "fit_encoder", "quantile_thresholds"]

_FRACTION_BITS = range(-256, 257)


def choose_words(config: InputsConfig, data: DataSet) -> tuple[Fixed, ...]:
    """Return the fixed-point word of every feature, or () where the encoder stays outside the hardware.

    Without `word_bits` the data's own word (pixels, bits) serves. With it, each feature gets the finest grid on
    which no training row saturates, unless `fraction_bits` says otherwise.
    """
    if config.word_bits is None:
        if config.fraction_bits is not None or config.signed is not None:
            raise ConfigError("inputs: fraction_bits and signed say nothing without word_bits; give word_bits too")
        return () if data.word is None else (data.word,) * len(data.feature_names)
    x = np.asarray(data.x_train, dtype=np.float64)
    words: list[Fixed] = []
    for name, low, high in zip(data.feature_names, x.min(axis=0), x.max(axis=0), strict=True):
        signed = bool(low < 0) if config.signed is None else config.signed
        if config.fraction_bits is not None:
            words.append(Fixed(config.word_bits, config.fraction_bits, signed))
            continue
        if low < 0 and not signed:
            raise ConfigError(
                f"inputs.signed is false, but feature {name!r} goes down to {low:g}; "
                "leave `signed` out, or give fraction_bits to saturate on purpose"
            )
        words.append(_finest(config.word_bits, signed, float(low), float(high)))
    return tuple(words)


def _finest(bits: int, signed: bool, low: float, high: float) -> Fixed:
    """Return the word with the most fraction bits that holds [low, high] without saturating."""
    if bits == 1 and signed:
        raise ConfigError("inputs.word_bits must be at least 2 for a feature with negative values")
    limit = max(abs(low), abs(high))
    if limit == 0:
        return Fixed(bits, 0, signed)
    top = Fixed(bits, 0, signed).format
    # The exact answer is at most one step from this estimate.
    near = bits - int(signed) - math.frexp(limit)[1]
    fits = [
        f
        for f in range(near + 1, near - 2, -1)
        if f in _FRACTION_BITS
        and math.floor(math.ldexp(high, f)) <= top.high
        and math.floor(math.ldexp(low, f)) >= top.low
    ]
    if not fits:
        raise ConfigError(f"inputs: no {bits}-bit word holds values from {low:g} to {high:g}")
    return Fixed(bits, fits[0], signed)


def encoder_shape(config: InputsConfig, data: DataSet, *, topology: Topology) -> EncoderShape:
    """Choose the kind of encoder that the configuration, the words and the topology ask for."""
    words = choose_words(config, data)
    kind = "fixed"
    if config.thresholds == "learned" and not _whole_words(words, topology):
        kind = "scaled" if topology.coding == "binary" else "learned"
    return EncoderShape(kind, tuple(data.feature_names), topology.input_bits, topology.coding, words)


def _whole_words(words: tuple[Fixed, ...], topology: Topology) -> bool:
    """Say whether the code can hold the whole word, so that nothing is left to choose."""
    bits = topology.input_bits if topology.coding == "binary" else int(topology.input_bits == 1)
    return bool(words) and all(w.bits <= bits for w in words)


def fit_encoder(
    config: InputsConfig, data: DataSet, *, topology: Topology, quantizer: str, quantizer_options: dict[str, Any]
) -> InputEncoder:
    """Build the encoder and fit it to the training rows alone."""
    shape = encoder_shape(config, data, topology=topology)
    made = None
    if shape.kind == "scaled":
        made = make_quantizer(quantizer, shape.bits, role="input", options=quantizer_options)
    encoder = InputEncoder(shape, quantizer=made)
    x = encoder.on_grid(data.x_train)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread < 1e-12 * np.maximum(1.0, np.abs(mean))] = 1.0
    standard = (x - mean) / spread
    if config.standardize:
        encoder.mean.copy_(torch.from_numpy(mean))
        encoder.spread.copy_(torch.from_numpy(spread))
    with torch.no_grad():
        if shape.kind == "scaled":
            # A start at two standard deviations wastes few codes; without standardising, training begins at the same.
            encoder.gain.fill_(0.5)
            if not config.standardize:
                encoder.gain.copy_(torch.from_numpy(0.5 / spread))
                encoder.offset.copy_(torch.from_numpy(-0.5 * mean / spread))
        elif shape.kind == "learned":
            start = quantile_thresholds(standard if config.standardize else x, shape.thresholds)
            encoder.thresholds.copy_(torch.from_numpy(start))
        else:
            thresholds = _on_words(_fixed_thresholds(config, x, shape), shape.words)
            encoder.fixed_thresholds.copy_(torch.from_numpy(thresholds))
            encoder.fixed_levels.copy_(torch.from_numpy(_levels(shape, standard, x, thresholds)))
    return encoder


def _fixed_thresholds(config: InputsConfig, x: NDArray[np.float64], shape: EncoderShape) -> NDArray[np.float64]:
    count = shape.thresholds
    if isinstance(config.thresholds, list):
        if len(config.thresholds) != count:
            raise ConfigError(
                f"inputs.thresholds must list {count} values for {shape.bits} bits in {shape.coding} code, "
                f"not {len(config.thresholds)}"
            )
        if sorted(config.thresholds) != config.thresholds:
            raise ConfigError(f"inputs.thresholds must ascend, not {config.thresholds}")
        return np.tile(np.asarray(config.thresholds, dtype=np.float64), (x.shape[1], 1))
    if config.thresholds == "learned":  # the whole word is the code; see _whole_words
        lows = np.array([w.format.low for w in shape.words], dtype=np.float64)
        steps = np.array([2.0**-w.fraction_bits for w in shape.words])
        tops = np.array([w.format.high for w in shape.words])
        return np.minimum(lows[:, None] + np.arange(1, count + 1), tops[:, None] + 1) * steps[:, None]
    if config.thresholds == "quantile":
        return quantile_thresholds(x, count)
    low, high = x.min(axis=0)[:, None], x.max(axis=0)[:, None]
    return low + (high - low) * np.arange(1, count + 1) / (count + 1)


def quantile_thresholds(x: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return thresholds (features, count) that split the rows of x (rows, features) evenly.

    Each stands midway between neighbouring values. Where one value fills many rows (zeros, say) the rest is split
    evenly above it; a feature of few values gets a threshold at every one of them, and the last repeats.
    """
    out = np.empty((x.shape[1], count))
    for i in range(x.shape[1]):
        values, rows = np.unique(x[:, i], return_counts=True)
        chosen = _even_splits(rows, count) if len(values) > count + 1 else np.arange(1, len(values))
        if not len(chosen):
            out[i] = values[0]
            continue
        between = values[chosen - 1] + (values[chosen] - values[chosen - 1]) / 2
        out[i, : len(between)] = between
        out[i, len(between) :] = between[-1]
    return out


def _even_splits(rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Choose up to `count` of the values 1, 2, ... with `rows` rows each, so that the rows between them are alike."""
    ends = np.cumsum(rows)
    chosen: list[int] = []
    at = 0
    while len(chosen) < count and at < len(rows) - 1:
        left = ends[-1] - ends[at]
        goal = ends[at] + left // (count - len(chosen) + 1)
        at = max(at + 1, int(np.searchsorted(ends, goal, side="right")))
        chosen.append(min(at, len(rows) - 1))
    return np.asarray(chosen)


def _on_words(thresholds: NDArray[np.float64], words: tuple[Fixed, ...]) -> NDArray[np.float64]:
    """Move thresholds up to the words' grid, which changes no comparison with a word."""
    if not words:
        return thresholds
    scales = np.array([w.fraction_bits for w in words])[:, None]
    low = np.array([w.format.low for w in words])[:, None]
    beyond = np.array([w.format.high + 1 for w in words])[:, None]
    return np.ldexp(np.clip(np.ceil(np.ldexp(thresholds, scales)), low, beyond), -scales)


def _levels(
    shape: EncoderShape, standard: NDArray[np.float64], x: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the value of every code (signals, codes): -1 and +1 for one bit, else the mean of its training rows."""
    if shape.signal_bits == 1:
        return np.tile([-1.0, 1.0], (shape.signals, 1))
    codes = 2**shape.bits
    out = np.zeros((len(shape.features), codes))
    for i in range(len(shape.features)):
        found = np.searchsorted(thresholds[i], x[:, i], side="right")
        rows = np.bincount(found, minlength=codes)
        sums = np.bincount(found, weights=standard[:, i], minlength=codes)
        seen = np.flatnonzero(rows)
        out[i] = np.interp(np.arange(codes), seen, sums[seen] / rows[seen])
    return out
