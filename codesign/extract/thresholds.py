"""Finds an encoder's thresholds exactly: the smallest input at which each code begins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.errors import UnsupportedModel
from codesign.ir import Encode, Feature
from codesign.nn.encoder import InputEncoder

__all__ = ["encode_stage"]


def encode_stage(encoder: InputEncoder, *, name: str) -> Encode:
    """Return the encoder as thresholds in the data's own unit, exact for every float64 (or every word).

    Without words: bisection over all finite float64. With words: bisection over the word's integers; a code that
    every word reaches gets the word's lowest value, one that no word reaches the value one above its highest.
    """
    shape = encoder.shape
    if shape.kind == "fixed":
        thresholds = encoder.fixed_thresholds.cpu().numpy().copy()
    elif shape.words:
        thresholds = _on_words(encoder)
    else:
        thresholds = _on_floats(encoder)
    thresholds += 0.0  # no negative zero
    words = shape.words or (None,) * len(shape.features)
    features = tuple(
        Feature(feature, tuple(float(t) for t in row), word)
        for feature, row, word in zip(shape.features, thresholds, words, strict=True)
    )
    return Encode(name, features, shape.coding)


def _first_points(encoder: InputEncoder, low: NDArray[np.int64], high: NDArray[np.int64], read) -> NDArray[np.int64]:
    """Bisect, for every feature and code >= 1, the smallest integer point in [low, high] that reaches the code.

    read(points) gives the feature values of integer points; the answer is high + 1 where none reaches it. Points are
    kept within int64 by halving before adding.
    """
    count = encoder.shape.thresholds
    wanted = np.arange(1, count + 1)
    below = np.tile(low[:, None] - 1, (1, count))  # greatest point known not to reach the code
    reach = np.tile(high[:, None] + 1, (1, count))  # smallest point known to reach it
    while (open_ := below + 1 < reach).any():
        middle = (below >> 1) + (reach >> 1) + (below & reach & 1)
        middle = np.where(open_, middle, low[:, None])
        passed = encoder.feature_codes(read(middle)) >= wanted
        reach = np.where(open_ & passed, middle, reach)
        below = np.where(open_ & ~passed, middle, below)
    return reach


def _on_words(encoder: InputEncoder) -> NDArray[np.float64]:
    words = encoder.shape.words
    low = np.array([w.format.low for w in words], dtype=np.int64)
    high = np.array([w.format.high for w in words], dtype=np.int64)
    shift = np.array([-w.fraction_bits for w in words])[:, None]

    def read(points: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.ldexp(points.astype(np.float64), shift)

    return read(_first_points(encoder, low, high, read))


def _on_floats(encoder: InputEncoder) -> NDArray[np.float64]:
    """Bisect over the finite float64 in order: their bit patterns, mapped to integers that rise with them."""
    top = _order(np.array(np.finfo(np.float64).max))
    low = np.full(len(encoder.shape.features), -top)
    points = _first_points(encoder, low, np.full_like(low, top), _float)
    lost = np.argwhere(points > top)
    if len(lost):
        feature = encoder.shape.features[lost[0, 0]]
        raise UnsupportedModel(
            f"encoder feature {feature!r}: no finite input reaches code {lost[0, 1] + 1}; its scale has collapsed. "
            "Lower train.learning_rate, or use fixed thresholds."
        )
    return _float(points)


def _order(x: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return integers that rise with the float64 values (and are 0 at zero)."""
    bits = x.view(np.int64)
    return np.where(bits < 0, np.iinfo(np.int64).min - bits, bits)


def _float(order: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the float64 values of `_order`'s integers."""
    bits = np.where(order < 0, np.iinfo(np.int64).min - order, order)
    return np.ascontiguousarray(bits).view(np.float64)
