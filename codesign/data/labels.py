"""Turns labels, words or numbers, into class numbers; and columns of part names into parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.data.table import TEST, TRAIN, VALIDATION
from codesign.errors import DataError, did_you_mean

__all__ = ["as_text", "class_numbers", "part_codes"]


def as_text(values: NDArray) -> NDArray:
    """Decode an array of bytes to text; other arrays are returned as they are."""
    return np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values


def class_numbers(
    values: NDArray,
    *,
    where: Callable[[int], str],
    column: str,
    classes: Sequence[str | int] | None = None,
    names: Sequence[str] | None = None,
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return (class numbers, class names) of a column of labels (rows,).

    Words are numbered in sorted order; integers must be 0 to n-1 without gaps, and are named by `names` or by
    themselves. `classes` lists the labels in the order wanted, in both cases. A label that is not an integer, not in
    the list, out of range, or that mixes words with numbers is a DataError with its row.
    """
    values = as_text(values)
    if values.ndim != 1:
        raise DataError(f"{where(0)}: the labels {column!r} must be one value a row, not shape {values.shape}")
    if values.dtype.kind in "UT":
        numeric = np.array([_number(word) is not None for word in values])
        if classes is not None and not numeric.all():
            return _by_list(values, [str(c) for c in classes], where, column)
        if not numeric.any():
            found, y = np.unique(values, return_inverse=True)
            return y.astype(np.int64), tuple(str(word) for word in found)
        if not numeric.all():
            odd = int(np.flatnonzero(numeric != (numeric.mean() > 0.5))[0])
            raise DataError(
                f"{where(odd)}, column {column!r}: labels must be all words or all numbers, but this one is "
                f"{str(values[odd])!r}. Mend it, or list the labels in data.options.classes."
            )
        values = np.array([_number(word) for word in values])
    if values.dtype.kind not in "biuf":
        raise DataError(f"{where(0)}: the labels {column!r} must be integers or words, not {values.dtype}")
    wrong = np.flatnonzero(values != np.floor(values)) if values.dtype.kind == "f" else np.zeros(0, np.int64)
    if len(wrong):  # NaN and infinity differ from every integer or overflow below
        row = int(wrong[0])
        raise DataError(
            f"{where(row)}, column {column!r}: a label must be an integer, not {values[row]}. "
            "For real-valued answers set data.task: regression."
        )
    if values.dtype.kind == "f" and np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values))[0])
        raise DataError(f"{where(row)}, column {column!r}: a label must be an integer, not {values[row]}")
    if classes is not None:
        words = np.array([str(int(v)) for v in values])
        return _by_list(words, [str(c) for c in classes], where, column)
    return _by_range(values.astype(np.int64), names, where, column)


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _by_list(
    words: NDArray, classes: list[str], where: Callable[[int], str], column: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    index = {name: i for i, name in enumerate(classes)}
    y = np.array([index.get(str(word), -1) for word in words], dtype=np.int64)
    if (y < 0).any():
        row = int(np.flatnonzero(y < 0)[0])
        word = str(words[row])
        raise DataError(
            f"{where(row)}, column {column!r}: the label {word!r} is not one of data.options.classes "
            f"({', '.join(classes)}).{did_you_mean(word, classes)}"
        )
    return y, tuple(classes)


def _by_range(
    y: NDArray[np.int64], names: Sequence[str] | None, where: Callable[[int], str], column: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    found = np.unique(y)
    top = len(names) - 1 if names is not None else int(found[-1]) if len(found) else 0
    wrong = np.flatnonzero((y < 0) | (y > top))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{where(row)}, column {column!r}: labels must be 0 to {top}, not {y[row]}. "
            "List other labels in data.options.classes, in order."
        )
    gap = np.flatnonzero(found != np.arange(len(found)))
    if len(gap):
        row = int(np.flatnonzero(y == found[gap[0]])[0])
        raise DataError(
            f"{where(row)}, column {column!r}: the label is {found[gap[0]]}, but no row has the label {gap[0]}; labels "
            "must be 0 to n-1 without gaps. List the labels in data.options.classes, or set data.task: regression."
        )
    return y, tuple(names) if names is not None else tuple(str(label) for label in range(top + 1))


def part_codes(values: NDArray, *, where: Callable[[int], str], column: str) -> NDArray[np.int8]:
    """Read a column that says train, validation or test (or 0, 1, 2) as part codes."""
    values = as_text(values)
    known = {"train": TRAIN, "0": TRAIN, "validation": VALIDATION, "1": VALIDATION, "test": TEST, "2": TEST}
    words = [str(int(v)) if values.dtype.kind in "biuf" and v == np.floor(v) else str(v) for v in values]
    codes = np.array([known.get(word.strip().lower(), -1) for word in words], dtype=np.int8)
    if (codes < 0).any():
        row = int(np.flatnonzero(codes < 0)[0])
        raise DataError(
            f"{where(row)}, column {column!r}: a part must be train, validation or test (or 0, 1, 2), "
            f"not {words[row]!r}.{did_you_mean(words[row], ('train', 'validation', 'test'))}"
        )
    return codes
