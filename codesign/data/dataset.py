"""The noun of this room: a data set as arrays in three parts, and the one check of what is legal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from codesign.errors import DataError
from codesign.ir import Fixed

__all__ = ["PARTS", "DataSet", "Where", "check_dataset"]

PARTS = ("train", "validation", "test")
"""The parts of a data set, in the order of their codes (0, 1, 2)."""

_BLOCK_VALUES = 1 << 17

Where = Callable[[str, int], str]
"""Names the origin of row `row` of part `part`, e.g. "flows.csv:17"."""


@dataclass(frozen=True, eq=False)
class DataSet:
    """Features and answers, split into training, validation and test rows.

    x_*: float32 (rows, features), in the data's own raw units: nothing is standardised here.
    y_*: int64 (rows,) class numbers, or float32 (rows, targets) for regression.
    class_names: name of every class; empty for regression.
    word: the fixed-point word that holds every feature exactly, where the data is integral (pixels: 8 bits,
        binary features: 1 bit). Where its width was taken from training rows, other rows may exceed it, and saturate.
    notes: facts about origin and split, for the report.

    Training uses the training rows alone, every choice the validation rows alone, and the test rows serve for the
    final figures only.
    """

    name: str
    task: Literal["classification", "regression"]
    x_train: NDArray[np.float32]
    y_train: NDArray
    x_validation: NDArray[np.float32]
    y_validation: NDArray
    x_test: NDArray[np.float32]
    y_test: NDArray
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...] = ()
    word: Fixed | None = None
    notes: tuple[str, ...] = ()

    @property
    def inputs(self) -> int:
        """Number of features."""
        return len(self.feature_names)

    @property
    def answers(self) -> int:
        """Number of classes, or of regression targets."""
        return len(self.class_names) if self.task == "classification" else self.y_train.shape[1]

    def part(self, name: str) -> tuple[NDArray[np.float32], NDArray]:
        """Features and answers of one part: "train", "validation" or "test"."""
        if name not in PARTS:
            raise ValueError(f"part must be one of {PARTS}, not {name!r}")
        return getattr(self, f"x_{name}"), getattr(self, f"y_{name}")


def check_dataset(data: DataSet, *, where: Where | None = None) -> DataSet:
    """Return the data set if it is legal, else raise a DataError that names file, row and column.

    Refused: no features, too few rows, ragged or mistyped arrays, NaN or infinite values, labels that are no class
    number, a class without rows in any part, and values that are not on the grid of `word`.
    where: names the origin of a row; "x_train, row 3" by default.
    """
    named = where or (lambda part, row: f"x_{part}, row {row}")
    _check_names(data)
    for part in PARTS:
        x, y = data.part(part)
        _check_shapes(data, part, x, y)
        _check_values(data, part, x, named)
        if data.task == "classification":
            _check_labels(data, part, y, named)
        elif not np.isfinite(y).all():
            row, target = np.argwhere(~np.isfinite(y))[0]
            raise DataError(
                f"data set {data.name!r}: {named(part, int(row))}, target {target} is {y[row, target]}; "
                "every target must be a finite float32. Mend or drop such rows."
            )
    return data


def _check_names(data: DataSet) -> None:
    if data.task not in ("classification", "regression"):
        raise DataError(f"data set {data.name!r}: task must be classification or regression, not {data.task!r}")
    if not data.feature_names:
        raise DataError(f"data set {data.name!r} must have at least one feature")
    for what, names in (("feature", data.feature_names), ("class", data.class_names)):
        twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set[str]()
        if twice:
            raise DataError(f"data set {data.name!r}: the {what} name {min(twice)!r} stands twice; names must differ")
    if data.task == "classification" and len(data.class_names) < 2:
        raise DataError(f"data set {data.name!r} must have at least two classes, not {len(data.class_names)}")
    if data.task == "regression" and data.class_names:
        raise DataError(f"data set {data.name!r} is a regression, so it must have no class names")


def _check_shapes(data: DataSet, part: str, x: NDArray, y: NDArray) -> None:
    name, features = data.name, len(data.feature_names)
    if not isinstance(x, np.ndarray) or x.dtype != np.float32 or x.ndim != 2 or x.shape[1] != features:
        raise DataError(f"data set {name!r}: x_{part} must be float32 (rows, {features}), not {_shape(x)}")
    classes = data.task == "classification"
    wanted = "int64 (rows,)" if classes else "float32 (rows, targets)"
    if not isinstance(y, np.ndarray) or (y.dtype, y.ndim) != ((np.int64, 1) if classes else (np.float32, 2)):
        raise DataError(f"data set {name!r}: y_{part} must be {wanted}, not {_shape(y)}")
    if len(x) != len(y):
        raise DataError(f"data set {name!r}: x_{part} has {len(x)} rows and y_{part} {len(y)}; they must be equal")
    if not classes and (not y.shape[1] or y.shape[1] != data.y_train.shape[1]):
        raise DataError(f"data set {name!r}: every part must have the same targets, one or more, not {_shape(y)}")
    least = 2 if part == "train" else 1
    if len(x) < least:
        raise DataError(f"data set {name!r} must have at least {least} {part} row(s), not {len(x)}")


def _shape(array: object) -> str:
    return f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__


def _check_labels(data: DataSet, part: str, y: NDArray, where: Where) -> None:
    classes = len(data.class_names)
    wrong = np.flatnonzero((y < 0) | (y >= classes))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"data set {data.name!r}: {where(part, row)} has the label {y[row]}; labels must be 0 to {classes - 1}"
        )
    empty = np.flatnonzero(np.bincount(y, minlength=classes) == 0)
    if len(empty):
        raise DataError(
            f"data set {data.name!r}: class {data.class_names[empty[0]]!r} has no {part} rows; every class must have "
            "rows to train, to validate and to test. Add rows, or leave the class out."
        )


def _check_values(data: DataSet, part: str, x: NDArray[np.float32], where: Where) -> None:
    """Every value finite, and in the word; block by block, so that a block stays in the processor's cache."""
    step = max(1, _BLOCK_VALUES // x.shape[1])
    for start in range(0, len(x), step):
        block = x[start : start + step]
        # One pass on the good path: a sum is finite if all values are (or it overflows, and the slow path decides).
        with np.errstate(over="ignore", invalid="ignore"):
            suspect = not np.isfinite(block.sum(dtype=np.float32))
        if suspect and not np.isfinite(block).all():
            row, column = np.argwhere(~np.isfinite(block))[0]
            raise DataError(
                f"data set {data.name!r}: {where(part, start + int(row))}, column {data.feature_names[column]!r} is "
                f"{block[row, column]}; every value must be a finite float32. Mend or drop such rows."
            )
        if data.word is not None:
            _check_word(data, data.word, part, block, start, where)


def _check_word(data: DataSet, word: Fixed, part: str, block: NDArray, start: int, where: Where) -> None:
    scaled = np.ldexp(block, word.fraction_bits) if word.fraction_bits else block
    low, high = word.format.low, word.format.high
    in_range = part != "train" or (scaled.min() >= low and scaled.max() <= high)
    if in_range and np.array_equal(scaled, np.floor(scaled)):
        return
    wrong = scaled != np.floor(scaled)
    if part == "train":
        wrong |= (scaled < low) | (scaled > high)
    row, column = np.argwhere(wrong)[0]
    raise DataError(
        f"data set {data.name!r}: {where(part, start + int(row))}, column {data.feature_names[column]!r} is "
        f"{block[row, column]}, which the word {word} does not hold"
    )
