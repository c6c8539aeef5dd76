"""The binarisation of FINN and LogicNets: numbers scaled to integers, categories to codes, all as plain bits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.errors import ConfigError, DataError, did_you_mean

__all__ = ["BitEncoder", "BitField", "fit_bits"]

_TOP = 2.0**32 - 1
_MAX_BITS = 64


@dataclass(frozen=True)
class BitField:
    """The bits of one column, the most significant first.

    Numbers: code = round_half_up(value * scale), clipped to 0 and to the smaller of 2**32 - 1 and 2**bits - 1.
    Categories: code = place in `categories` (sorted); a category that is not listed is all ones.
    """

    name: str
    bits: int
    scale: float = 1.0
    categories: tuple[str, ...] = ()

    def codes(self, column: NDArray) -> NDArray[np.uint64]:
        """Integer codes of a column of numbers or words (rows,)."""
        top = 2.0**self.bits - 1
        if self.categories:
            known = np.array(self.categories)
            place = np.minimum(np.searchsorted(known, column), len(known) - 1)
            return np.where(known[place] == column, place, int(top)).astype(np.uint64)
        scaled = np.clip(np.asarray(column, dtype=np.float64) * self.scale, 0, _TOP)
        floor = np.floor(scaled)
        return np.minimum(np.where(scaled - floor < 0.5, floor, floor + 1), min(top, _TOP)).astype(np.uint64)


@dataclass(frozen=True)
class BitEncoder:
    """Fields side by side, in order."""

    fields: tuple[BitField, ...]

    @property
    def bits(self) -> int:
        """Bits of a row."""
        return sum(field.bits for field in self.fields)

    @property
    def bit_names(self) -> tuple[str, ...]:
        """Name of every bit: "column[weight]", each column from its most significant bit down to 0."""
        return tuple(f"{field.name}[{bit}]" for field in self.fields for bit in reversed(range(field.bits)))

    def encode(self, columns: Mapping[str, NDArray]) -> NDArray[np.uint8]:
        """Encode columns (rows,) by name to bits (rows, bits)."""
        rows = len(columns[self.fields[0].name])
        out = np.empty((rows, self.bits), dtype=np.uint8)
        at = 0
        for field in self.fields:
            codes = field.codes(columns[field.name])
            for bit in reversed(range(field.bits)):
                out[:, at] = (codes >> np.uint64(bit)) & np.uint64(1)
                at += 1
        return out


def fit_bits(
    columns: Mapping[str, NDArray],
    *,
    rows: NDArray[np.bool_],
    categories: Mapping[str, Sequence[str]] | None = None,
    widths: Mapping[str, int] | None = None,
    scales: Mapping[str, float] | None = None,
) -> BitEncoder:
    """Fit scales, widths and category lists on the marked rows alone.

    A number column whose smallest positive value m is below 1 is scaled by 1/m; its width is the least that holds
    the greatest scaled value, ceil(log2(max + 1)), and at least 1. A word column has the listed categories and those
    met, sorted, and a width that leaves the all-ones code free for others. `widths` and `scales` override both.
    Follows FINN's cyber-security example (dataloader_quantized) and thereby LogicNets' UNSW-NB15 input.
    """
    widths, scales, categories = widths or {}, scales or {}, categories or {}
    for what, given in (("widths", widths), ("scales", scales)):
        for name, value in given.items():
            if name not in columns:
                raise ConfigError(f"data.options.{what}: there is no column {name!r}.{did_you_mean(name, columns)}")
            if not value > 0 or (what == "widths" and value > _MAX_BITS):
                raise ConfigError(f"data.options.{what}: {name} must be above 0 (widths at most 64), not {value}")
    if not columns or not rows.any():
        raise DataError("an encoder needs at least one column and one training row to be fitted on")
    return BitEncoder(
        tuple(
            _fit(name, column[rows], categories.get(name, ()), widths.get(name), scales.get(name))
            for name, column in columns.items()
        )
    )


def _fit(name: str, column: NDArray, listed: Sequence[str], width: int | None, scale: float | None) -> BitField:
    if column.dtype.kind in "UT":
        if scale is not None:
            raise ConfigError(f"data.options.scales: the column {name!r} holds words, which have no scale")
        met = tuple(sorted({*listed, *(str(word) for word in np.unique(column))}))
        bits = width or math.ceil(math.log2(len(met) + 1))
        if len(met) > 2**bits - 1:
            raise ConfigError(
                f"data.options.widths: {name} needs {math.ceil(math.log2(len(met) + 1))} bits for {len(met)} "
                f"categories and the code of others, not {bits}"
            )
        return BitField(name, bits, 1.0, met)
    values = column.astype(np.float64)
    if scale is None:
        positive = values[values > 0]
        scale = max(1.0, 1.0 / max(float(positive.min()), 2.0**-_MAX_BITS)) if len(positive) else 1.0
    top = min(max(float(values.max()), 0.0) * scale, 2.0**_MAX_BITS)
    return BitField(name, width or min(max(math.ceil(math.log2(top + 1.0)), 1), _MAX_BITS), scale)
