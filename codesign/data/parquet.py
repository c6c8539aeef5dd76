"""Reads columns of a parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.data.frame import Frame
from codesign.data.options import need
from codesign.data.table import row_of
from codesign.errors import DataError

__all__ = ["parquet_names", "read_parquet"]


def parquet_names(path: Path) -> tuple[str, ...]:
    """Column names of a parquet file."""
    return tuple(_file(path).schema_arrow.names)


def read_parquet(path: Path, *, numbers: Sequence[str], words: Sequence[str] = ()) -> Frame:
    """Read the named columns: numbers as float64, words as text (or as numbers where the column holds numbers)."""
    arrow = need("pyarrow", "reading parquet files")
    try:
        table = _file(path).read(columns=list(dict.fromkeys([*numbers, *words])))
    except (arrow.ArrowException, OSError, ValueError, TypeError, MemoryError) as problem:
        raise DataError(f"{path} is not a readable parquet file, or is truncated: {_short(problem)}") from None
    where = row_of(str(path))
    if not table.num_rows:
        raise DataError(f"{path} has no rows")
    taken: dict[str, NDArray[np.float64]] = {}
    texts: dict[str, NDArray] = {}
    for name in dict.fromkeys([*numbers, *words]):
        column = table.column(name)
        if column.null_count:
            row = int(np.flatnonzero(column.is_null().to_numpy())[0])
            raise DataError(f"{where(row)}, column {name!r}: the cell must not be empty. Mend or drop such rows.")
        kind = column.type
        types = arrow.types
        if types.is_floating(kind) or types.is_integer(kind) or types.is_boolean(kind) or types.is_decimal(kind):
            taken[name] = np.asarray(column.to_numpy(), dtype=np.float64)
        elif name in numbers:
            raise DataError(f"{path}, column {name!r}: must hold numbers, not {kind}; leave it out of data.features")
        else:
            texts[name] = np.array([str(value) for value in column.to_pylist()], dtype=np.str_)
    return Frame(str(path), taken, texts, where, table.num_rows)


def _file(path: Path) -> Any:
    arrow = need("pyarrow", "reading parquet files")
    parquet = need("pyarrow.parquet", "reading parquet files")
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    try:
        return parquet.ParquetFile(path)
    except (arrow.ArrowException, OSError, ValueError, TypeError, MemoryError) as problem:
        raise DataError(f"{path} is not a readable parquet file, or is truncated: {_short(problem)}") from None


def _short(problem: Exception) -> str:
    return " ".join(str(problem).split())[:160]
