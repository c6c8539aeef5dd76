"""Finds the fixed-point word that integral data lies in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.ir import Fixed

__all__ = ["MAX_WORD_BITS", "natural_word"]

MAX_WORD_BITS = 16
"""Integral data wider than this is taken as real: a word so wide is a choice for the user."""


def natural_word(x: NDArray, train: NDArray[np.bool_]) -> Fixed | None:
    """The narrowest integer word that holds every training row of `x` (rows, features), or None.

    None where any value, of any row, is not an integer, or where more than 16 bits are needed. uint8 arrays are
    8-bit words and boolean ones 1-bit words by their type. Widths are taken from the rows marked in `train` alone.
    """
    if x.dtype == np.bool_:
        return Fixed(1)
    if x.dtype == np.uint8:
        return Fixed(8)
    rows = x[train]
    if not rows.size or (x.dtype.kind == "f" and not (np.isfinite(x).all() and (x == np.floor(x)).all())):
        return None
    low, high = int(rows.min()), int(rows.max())
    signed = low < 0
    bits = max(high.bit_length(), (-low - 1).bit_length() if signed else 1) + int(signed)
    return Fixed(max(bits, 1), 0, signed) if bits <= MAX_WORD_BITS else None
