"""What a loader hands over: one table of rows with its answers, before it is split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from codesign.ir import Fixed

__all__ = ["TEST", "TRAIN", "UNUSED", "VALIDATION", "Table", "row_of"]

TRAIN, VALIDATION, TEST, UNUSED = 0, 1, 2, -1
"""Codes of the parts in `Table.part`; unused rows were left out by a limit."""


def row_of(origin: str) -> Callable[[int], str]:
    """Name rows of an array file, counted from 0."""
    return lambda row: f"{origin}, row {row}"


@dataclass(frozen=True, eq=False)
class Table:
    """Rows as a loader read them.

    x: (rows, features), any real dtype, raw units. y: int64 (rows,) or float (rows, targets).
    part: int8 (rows,), TRAIN, VALIDATION or TEST, where the data brings its own split (kept as is); None otherwise.
    drawn: the split is complete, limit and validation included.
    groups: int64 (rows,); rows of one group never fall into different parts that we draw.
    where: names the file and row of row number i.
    """

    name: str
    task: Literal["classification", "regression"]
    x: NDArray
    y: NDArray
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    where: Callable[[int], str]
    part: NDArray[np.int8] | None = None
    drawn: bool = False
    groups: NDArray[np.int64] | None = None
    word: Fixed | None = None
    notes: tuple[str, ...] = ()
