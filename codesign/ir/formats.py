"""How an integer code on a wire is read: plain codes, and fixed-point input words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["MAX_SIGNAL_BITS", "Codes", "Fixed", "Format", "bits_for_range"]

Codes = NDArray[np.int32]
"""Codes are bit patterns: int32, 0 <= code < 2**bits, whatever the format's sign."""

MAX_SIGNAL_BITS = 30
"""Widest signal, so that every code fits an int32."""


@dataclass(frozen=True, order=True)
class Format:
    """How the code on one signal is read: `bits` wide, unsigned or two's complement.

    Bit 0 is the least significant. A code is the bit pattern; its value is what the format reads.
    """

    bits: int
    signed: bool = False

    @property
    def count(self) -> int:
        """Number of codes, ``2**bits``."""
        return 1 << self.bits

    @property
    def low(self) -> int:
        """Smallest value."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest value."""
        return (1 << (self.bits - int(self.signed))) - 1

    def values(self, codes: ArrayLike) -> NDArray[np.int64]:
        """Read codes as integers, any shape."""
        patterns = np.asarray(codes, dtype=np.int64)
        if not self.signed:
            return patterns
        return np.where(patterns >= self.count >> 1, patterns - self.count, patterns)

    def codes(self, values: ArrayLike) -> Codes:
        """Write integers as codes, any shape; a value outside the format is a ValueError."""
        integers = np.asarray(values, dtype=np.int64)
        if integers.size and (integers.min() < self.low or integers.max() > self.high):
            raise ValueError(
                f"values must be in [{self.low}, {self.high}] for {self}, not [{integers.min()}, {integers.max()}]"
            )
        return (integers & (self.count - 1)).astype(np.int32)

    def __str__(self) -> str:
        return f"{'s' if self.signed else 'u'}{self.bits}"


@dataclass(frozen=True, order=True)
class Fixed:
    """A fixed-point word at the hardware's input: value = integer * 2**-fraction_bits."""

    bits: int
    fraction_bits: int = 0
    signed: bool = False

    @property
    def format(self) -> Format:
        """The integer format of the word."""
        return Format(self.bits, self.signed)

    def words(self, values: ArrayLike) -> NDArray[np.int64]:
        """Turn real values into integers: floor to the grid, then saturate. Any shape."""
        grid = np.floor(np.ldexp(np.asarray(values, dtype=np.float64), self.fraction_bits))
        return np.clip(grid, self.format.low, self.format.high).astype(np.int64)

    def __str__(self) -> str:
        return f"{self.format}.{self.fraction_bits}"


def bits_for_range(low: int, high: int) -> Format:
    """Return the narrowest format that holds every integer in [low, high] (at least one bit)."""
    if low >= 0:
        return Format(max(1, high.bit_length()), signed=False)
    return Format(max((-low - 1).bit_length(), high.bit_length() if high > 0 else 0) + 1, signed=True)
