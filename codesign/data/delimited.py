"""Reads delimited text (csv, tsv) and arff files; every complaint names file, line and column."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.data.frame import Frame, number_problem
from codesign.errors import DataError

__all__ = ["TextFile", "open_arff", "open_csv", "read_columns"]

_CHUNK_ROWS = 20_000


@dataclass(frozen=True)
class TextFile:
    """A delimited file whose head was read.

    names: its columns. start: number of lines before the first data line. quote: quoting character.
    comment: a character that starts a comment line, or "".
    """

    path: Path
    names: tuple[str, ...]
    start: int
    delimiter: str = ","
    quote: str = '"'
    comment: str = ""


def open_csv(path: Path, *, delimiter: str = ",", header: bool = True) -> TextFile:
    """Read the head of a csv file: column names from its first line, or c0, c1, ... without a header."""
    bare = TextFile(path, (), 0, delimiter)
    first = next(_rows(bare), None)
    if first is None:
        raise DataError(f"{path} is empty")
    line, cells = first
    if not header:
        return TextFile(path, tuple(f"c{i}" for i in range(len(cells))), 0, delimiter)
    names = tuple(cell.strip() for cell in cells)
    if all(_is_number(name) for name in names):
        raise DataError(
            f"{path}:{line}: the first line must hold column names, but holds numbers only; "
            "add names, or set data.options.header: false"
        )
    for name in names:
        if not name or names.count(name) > 1:
            what = f"the column name {name!r} stands twice" if name else "a column has no name"
            raise DataError(f"{path}:{line}: {what}; names must be given and differ")
    last = line + sum(cell.count("\n") for cell in cells)  # a quoted name may span lines
    return TextFile(path, names, last, delimiter)


def _is_number(text: str) -> bool:
    try:
        np.array([text], dtype=np.float64)
    except ValueError:
        return False
    return True


_ATTRIBUTE = re.compile(r"""@attribute\s+('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S+)\s+(.*)""", re.IGNORECASE)


def open_arff(path: Path) -> TextFile:
    """Read the head of a (dense) arff file: its attributes, up to the line @data."""
    names: list[str] = []
    for line, text in enumerate(_lines(path), start=1):
        text = text.strip()
        if text.lower() == "@data":
            if not names:
                raise DataError(f"{path}:{line}: @data comes before any @attribute")
            return TextFile(path, tuple(names), line, ",", "'", "%")
        if text.lower().startswith("@attribute"):
            match = _ATTRIBUTE.match(text)
            if match is None:
                raise DataError(f"{path}:{line}: must be `@attribute name type`, not {text[:80]!r}")
            names.append(match[1].strip("'\""))
            if names.count(names[-1]) > 1:
                raise DataError(f"{path}:{line}: the attribute {names[-1]!r} stands twice; names must differ")
        elif text and not text.startswith("%") and not text.lower().startswith("@relation"):
            raise DataError(f"{path}:{line}: not a line of an arff head: {text[:80]!r}")
    raise DataError(f"{path} has no line @data; it is no arff file, or is truncated")


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from file
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except UnicodeDecodeError as problem:
        raise DataError(f"{path} must be UTF-8 text ({problem.reason} at byte {problem.start})") from None
    except OSError as problem:
        raise DataError(f"cannot read {path}: {problem.strerror or problem}") from None


def _rows(file: TextFile) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of every row that is not blank."""
    lines = islice(_lines(file.path), file.start, None)
    reader = csv.reader(lines, delimiter=file.delimiter, quotechar=file.quote, skipinitialspace=True, strict=True)
    line = file.start + 1
    try:
        for cells in reader:
            if cells and not (file.comment and cells[0].startswith(file.comment)):
                yield line, cells
            line = file.start + reader.line_num + 1
    except csv.Error as problem:
        raise DataError(f"{file.path}:{line}: malformed row: {problem}") from None


def read_columns(file: TextFile, *, numbers: Sequence[str], words: Sequence[str] = ()) -> Frame:
    """Read the named columns of a file, as float64 numbers or as words; every row must have all columns.

    Rows of another width, cells that are no finite number and empty words are a DataError with file and line.
    """
    places = {name: file.names.index(name) for name in (*numbers, *words)}
    parts: dict[str, list[NDArray]] = {name: [] for name in places}
    lines: list[NDArray] = []
    rows = _rows(file)
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        for line, cells in chunk:
            if len(cells) != len(file.names):
                hint = " The file may use another delimiter (data.options.delimiter)." if len(cells) == 1 else ""
                raise DataError(
                    f"{file.path}:{line}: has {len(cells)} cells; every row must have {len(file.names)}.{hint}"
                )
        numbering = np.array([line for line, _ in chunk])
        lines.append(numbering)
        columns: list[tuple[str, ...]] = list(zip(*(cells for _, cells in chunk), strict=True))
        for name in numbers:
            parts[name].append(_numbers(columns[places[name]], file, name, numbering))
        for name in words:
            parts[name].append(_words(columns[places[name]], file, name, numbering))
    if not lines:
        raise DataError(f"{file.path} has no data rows")
    all_lines = np.concatenate(lines)
    return Frame(
        str(file.path),
        {name: np.concatenate(parts[name]) for name in numbers},
        {name: np.concatenate(parts[name]) for name in words},
        lambda row: f"{file.path}:{all_lines[row]}",
        len(all_lines),
    )


def _numbers(cells: Sequence[str], file: TextFile, name: str, lines: NDArray) -> NDArray[np.float64]:
    try:
        values = np.array(cells, dtype=np.float64)
    except ValueError:
        bad = next((row for row, cell in enumerate(cells) if not _is_number(cell)), 0)
        raise number_problem(f"{file.path}:{lines[bad]}", name, cells[bad]) from None
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise number_problem(f"{file.path}:{lines[wrong[0]]}", name, cells[int(wrong[0])])
    return values


def _words(cells: Sequence[str], file: TextFile, name: str, lines: NDArray) -> NDArray[np.str_]:
    values = np.array([cell.strip() for cell in cells], dtype=np.str_)
    empty = np.flatnonzero(values == "")
    if len(empty):
        raise DataError(f"{file.path}:{lines[empty[0]]}, column {name!r}: the cell must not be empty")
    return values
