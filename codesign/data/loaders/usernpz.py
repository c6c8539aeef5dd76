"""The user's own npz file: ready-made parts, one table with its answers, or one array a column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.config import DataConfig
from codesign.data.arrays import read_npz, wanted_array
from codesign.data.labels import as_text, class_numbers, part_codes
from codesign.data.options import known_names
from codesign.data.table import TEST, TRAIN, VALIDATION, Table, row_of
from codesign.errors import ConfigError, DataError

__all__ = ["read_user_npz"]

_PARTS = ((TRAIN, "train"), (VALIDATION, "validation"), (TEST, "test"))


def read_user_npz(
    path: Path, config: DataConfig, *, classes: Sequence[str | int] | None = None, split: str | None = None
) -> Table:
    """Read an npz file in one of three layouts.

    Parts: x_train and y_train, with x_validation, y_validation, x_test, y_test where the file has them.
    Table: x (rows, ...) and y. Columns: every array in `config.features` (or every 1-D number array) is a column.
    `config.target` names the answers (`y` by default); feature_names and class_names are read where they are given.
    """
    arrays = {key: as_text(array) for key, array in read_npz(path).items()}
    target = config.target or "y"
    stem = target if isinstance(target, str) else ""
    if "x_train" in arrays and (f"{stem}_train" in arrays or config.target is None):
        if split is not None:
            raise ConfigError(f"data.options.split: {path} holds x_train, so its parts are its own")
        x, y, part, where = _ready_parts(arrays, stem, path)
        x, names = _chosen(x, _names(arrays, x, path), config.features, path)
    else:
        where, part = row_of(str(path)), None
        if split is not None:
            part = part_codes(wanted_array(arrays, split, path), where=where, column=split)
        y = _joined_targets(arrays, target, path)
        taken = {split, *([target] if isinstance(target, str) else target)}
        x, names = _features(arrays, config.features, taken, len(y), path)
    for what, rows in (("answers", len(y)), ("parts", len(part) if part is not None else len(y))):
        if rows != len(x):
            raise DataError(f"{path} must have as many {what} as rows of features: {len(x)}, not {rows}")
    if config.task == "regression":
        if y.dtype.kind not in "biuf" or y.ndim > 2:
            raise DataError(f"{path}: targets must be real numbers (rows, targets), not {y.dtype} {y.shape}")
        return Table(path.stem, "regression", x, y.reshape(len(y), -1), names, (), where, part)
    listed = _listed(arrays, "class_names", path) if "class_names" in arrays else None
    numbers, class_names = class_numbers(y, where=where, column=stem, classes=classes, names=listed)
    return Table(path.stem, "classification", x, numbers, names, class_names, where, part)


def _ready_parts(
    arrays: dict[str, NDArray], stem: str, path: Path
) -> tuple[NDArray, NDArray, NDArray[np.int8], Callable[[int], str]]:
    xs: list[NDArray] = []
    ys: list[NDArray] = []
    codes: list[int] = []
    for code, name in _PARTS:
        if f"x_{name}" in arrays or f"{stem}_{name}" in arrays:
            x, y = wanted_array(arrays, f"x_{name}", path), wanted_array(arrays, f"{stem}_{name}", path)
            if x.ndim < 2 or y.ndim < 1 or len(x) != len(y):
                raise DataError(
                    f"{path}: x_{name} and {stem}_{name} must have equal rows, not shapes {x.shape} and {y.shape}"
                )
            xs.append(x.reshape(len(x), -1))
            ys.append(y)
            codes.append(code)
    if len({x.shape[1] for x in xs}) > 1 or len({y.shape[1:] for y in ys}) > 1:
        raise DataError(f"{path}: all parts must have equal columns, not {[x.shape for x in xs]}")
    starts = np.cumsum([0, *(len(x) for x in xs)])
    names = dict(_PARTS)

    def where(row: int) -> str:
        index = int(np.searchsorted(starts, row, side="right")) - 1
        return f"{path}, {names[codes[index]]} row {row - int(starts[index])}"

    part = np.repeat(np.array(codes, dtype=np.int8), [len(x) for x in xs])
    try:
        return np.concatenate(xs), np.concatenate(ys), part, where
    except TypeError:
        kinds = [[str(array.dtype) for array in arrays] for arrays in (xs, ys)]
        raise DataError(f"{path}: all parts must be of one kind, not {kinds[0]} and {kinds[1]}") from None


def _joined_targets(arrays: dict[str, NDArray], target: str | list[str], path: Path) -> NDArray:
    if isinstance(target, str):
        return np.atleast_1d(wanted_array(arrays, target, path))
    columns = [wanted_array(arrays, name, path) for name in target]
    if any(column.ndim != 1 or len(column) != len(columns[0]) for column in columns):
        raise DataError(f"{path}: the targets {target} must be 1-D arrays of equal length")
    if any(column.dtype.kind not in "biuf" for column in columns):
        raise DataError(f"{path}: the targets {target} must be real numbers")
    return np.stack(columns, axis=1)


def _features(
    arrays: dict[str, NDArray], wanted: list[str] | None, taken: set[str | None], rows: int, path: Path
) -> tuple[NDArray, tuple[str, ...]]:
    """The features as (rows, columns) with their names."""
    if "x" in arrays and "x" not in taken:
        x = arrays["x"]
        if x.ndim < 2:
            raise DataError(f"{path}: x must be (rows, features), not shape {x.shape}")
        x = x.reshape(len(x), -1)
        return _chosen(x, _names(arrays, x, path), wanted, path)
    columns = {
        key: array
        for key, array in arrays.items()
        if key not in taken and array.ndim == 1 and array.dtype.kind in "biuf" and (len(array) == rows or wanted)
    }
    names = tuple(columns)
    if wanted is not None:
        names = tuple(names[i] for i in known_names(list(wanted), names, what="data.features", where=str(path)))
    if not names:
        raise DataError(f"{path} has no features: neither an array x nor 1-D arrays of {rows} numbers")
    ragged = [name for name in names if len(columns[name]) != rows]
    if ragged:
        raise DataError(f"{path}: column {ragged[0]!r} has {len(columns[ragged[0]])} rows, the answers {rows}")
    return np.stack([columns[name] for name in names], axis=1), names


def _chosen(
    x: NDArray, names: tuple[str, ...], wanted: list[str] | None, path: Path
) -> tuple[NDArray, tuple[str, ...]]:
    if wanted is None:
        return x, names
    chosen = known_names(list(wanted), names, what="data.features", where=str(path))
    return x[:, chosen], tuple(names[i] for i in chosen)


def _listed(arrays: dict[str, NDArray], key: str, path: Path) -> list[str]:
    """The texts of an array of names."""
    if arrays[key].ndim != 1:
        raise DataError(f"{path}: {key} must be one row of names, not of shape {arrays[key].shape}")
    return [str(name) for name in arrays[key]]


def _names(arrays: dict[str, NDArray], x: NDArray, path: Path) -> tuple[str, ...]:
    if "feature_names" not in arrays:
        return tuple(f"x{i}" for i in range(x.shape[1]))
    names = tuple(_listed(arrays, "feature_names", path))
    if len(names) != x.shape[1]:
        raise DataError(f"{path}: feature_names must name {x.shape[1]} columns, not {len(names)}")
    return names
