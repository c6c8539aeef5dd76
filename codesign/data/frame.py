"""Named columns of a table file, each row with its place in the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.errors import DataError, did_you_mean

__all__ = ["Frame", "find_column", "joined", "number_problem"]


@dataclass(frozen=True, eq=False)
class Frame:
    """Columns read from a file.

    numbers: float64 (rows,) a column; words: str (rows,) a column. where: file and row (or line) of row number i.
    """

    origin: str
    numbers: dict[str, NDArray[np.float64]]
    words: dict[str, NDArray[np.str_]]
    where: Callable[[int], str]
    rows: int

    def matrix(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Join number columns to (rows, names)."""
        return np.stack([self.numbers[name] for name in names], axis=1) if names else np.zeros((self.rows, 0))


def joined(frames: Sequence[Frame]) -> Frame:
    """Put frames with equal columns one under the other."""
    first = frames[0]
    starts = np.cumsum([0, *(frame.rows for frame in frames)])

    def where(row: int) -> str:
        index = int(np.searchsorted(starts, row, side="right")) - 1
        return frames[index].where(row - int(starts[index]))

    return Frame(
        " and ".join(frame.origin for frame in frames),
        {name: np.concatenate([frame.numbers[name] for frame in frames]) for name in first.numbers},
        {name: np.concatenate([frame.words[name] for frame in frames]) for name in first.words},
        where,
        int(starts[-1]),
    )


def find_column(name: str, names: Sequence[str], origin: str) -> str:
    """Return the column's name if the file has it, else raise a DataError with the nearest known one."""
    if name not in names:
        shown = ", ".join(names[:16]) + (", ..." if len(names) > 16 else "")
        raise DataError(f"{origin} has no column {name!r}.{did_you_mean(name, names)} Known: {shown}.")
    return name


def number_problem(where: str, column: str, cell: str) -> DataError:
    """Say that a cell is no finite number."""
    met = f"not {cell!r}" if cell.strip() else "but the cell is empty"
    return DataError(f"{where}, column {column!r}: must be a finite number, {met}. Mend or drop such rows.")
