"""The user's own table file: csv, tsv, arff, parquet or npy, columns by name; npz has a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from codesign.config import DataConfig, Flag, Section, Whole
from codesign.data.arrays import read_npy
from codesign.data.delimited import open_arff, open_csv, read_columns
from codesign.data.frame import Frame, find_column, joined
from codesign.data.labels import as_text, class_numbers, part_codes
from codesign.data.loaders.usernpz import read_user_npz
from codesign.data.lookup import file_notes
from codesign.data.options import read_options
from codesign.data.parquet import parquet_names, read_parquet
from codesign.data.splits import draw_parts, duplicate_groups, overlap_notes
from codesign.data.table import TEST, TRAIN, VALIDATION, Table, row_of
from codesign.data.words import natural_word
from codesign.errors import ConfigError, DataError

__all__ = ["FileOptions", "load_file"]


class FileOptions(Section):
    """Options of `source: file`."""

    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """csv: the character between cells; a comma (a tab for .tsv) by default."""
    header: Flag = True
    """csv: whether the first line names the columns; else they are c0, c1, ..."""
    classes: list[str | Whole] | None = None
    """The labels in the order of their class numbers."""
    target_path: Path | None = None
    """npy: a second npy file with the labels or targets; else the last column."""
    test_path: Path | None = None
    """A second file of the same kind with the test rows."""
    validation_path: Path | None = None
    """A second file of the same kind with the validation rows."""
    split: str | None = None
    """A column (npz: array) that says train, validation or test for every row."""
    group_duplicates: Flag = False
    """Keep rows with equal features in one part."""


_KINDS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".arff": "arff", ".parquet": "parquet", ".pq": "parquet"} | {
    ".npy": "npy",
    ".npz": "npz",
}
_ONLY = {
    "delimiter": ("csv",),
    "header": ("csv",),
    "target_path": ("npy",),
    "test_path": ("csv", "arff", "parquet"),
    "validation_path": ("csv", "arff", "parquet"),
}


@dataclass(frozen=True)
class _Opened:
    """A table file whose columns are known; `read(numbers, words)` reads the ones asked for."""

    path: Path
    names: tuple[str, ...]
    read: Callable[[list[str], list[str]], Frame]


def load_file(config: DataConfig, *, folder: Path | None = None) -> Table:
    """Read the file `config.path` (relative to `folder`) with all its parts drawn.

    Raises ConfigError for options that do not fit, DataError for what is wrong in the file, with row and column.
    """
    options = read_options(FileOptions, config.options, "file")
    base = folder or Path()
    if config.path is None:
        raise ConfigError("data.path: `source: file` needs the path of a csv, tsv, arff, parquet, npy or npz file")
    path = base / config.path.expanduser()
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise ConfigError(f"data.path: must end in one of {', '.join(_KINDS)}, not {path.name!r}")
    for name in sorted(options.model_fields_set & set(_ONLY)):
        if kind not in _ONLY[name]:
            raise ConfigError(f"data.options.{name} is for {' and '.join(_ONLY[name])} files, not {path.name!r}")
    if kind == "npz":
        table = read_user_npz(path, config, classes=options.classes, split=options.split)
    else:
        table = _read_table(path, kind, config, options, base)
    more = [options.target_path, options.validation_path, options.test_path]
    notes = file_notes([path, *(base / name.expanduser() for name in more if name is not None)])
    return _finish(replace(table, notes=notes), config, group=options.group_duplicates)


def _finish(table: Table, config: DataConfig, *, group: bool) -> Table:
    if table.x.dtype.kind not in "biuf":
        raise DataError(f"{table.where(0)}: features must be real numbers, not {table.x.dtype}")
    if group:
        table = replace(table, groups=duplicate_groups(table.x))
    table = draw_parts(table, config)
    assert table.part is not None
    word = natural_word(table.x, table.part == TRAIN)
    return replace(table, word=word, notes=table.notes + overlap_notes(table.x, table.part))


def _read_table(path: Path, kind: str, config: DataConfig, options: FileOptions, base: Path) -> Table:
    extra = [(VALIDATION, options.validation_path), (TEST, options.test_path)]
    files = [(TRAIN, path), *((code, base / more.expanduser()) for code, more in extra if more is not None)]
    opened = [(code, _open(file, kind, options)) for code, file in files]
    first = opened[0][1]
    targets = _targets(first, config, has_file=options.target_path is not None)
    given = list(config.features) if config.features is not None else None
    drop = {*targets, *([options.split] if options.split else [])}
    features = given if given is not None else [name for name in first.names if name not in drop]
    if not features:
        raise DataError(f"{path} has no feature columns besides the target")
    for name in features:
        find_column(name, first.names, str(path))
        if name in drop or features.count(name) > 1:
            raise ConfigError(f"data.features: the column {name!r} must stand once, and not be the target or split too")
    classify = config.task == "classification"
    words = (targets if classify else []) + ([options.split] if options.split else [])
    numbers = features + ([] if classify else targets)
    for _, file in opened:
        for name in numbers + words:
            find_column(name, file.names, str(file.path))
    frames = [file.read(numbers, words) for _, file in opened]
    frame = frames[0] if len(frames) == 1 else joined(frames)
    part = None
    if options.split:
        if len(frames) > 1:
            raise ConfigError("data.options: give either `split` or files for the other parts, not both")
        part = part_codes(_column(frame, options.split), where=frame.where, column=options.split)
    elif len(frames) > 1:
        part = np.concatenate([np.full(f.rows, code, np.int8) for (code, _), f in zip(opened, frames, strict=True)])
    y, class_names = _answers(frame, targets, config, options, base)
    name = path.stem
    return Table(name, config.task, frame.matrix(features), y, tuple(features), class_names, frame.where, part)


def _targets(opened: _Opened, config: DataConfig, *, has_file: bool) -> list[str]:
    if has_file:
        if config.target is not None:
            raise ConfigError("data.target: give either a target column or data.options.target_path, not both")
        return []
    if config.target is None:
        return [opened.names[-1]]
    targets = [config.target] if isinstance(config.target, str) else list(config.target)
    if not targets or (config.task == "classification" and len(targets) != 1):
        raise ConfigError(f"data.target: a {config.task} takes {'one column' if targets else 'a column'}")
    for name in targets:
        find_column(name, opened.names, str(opened.path))
        if targets.count(name) > 1:
            raise ConfigError(f"data.target: the column {name!r} stands twice")
    return targets


def _column(frame: Frame, name: str) -> NDArray:
    return frame.words[name] if name in frame.words else frame.numbers[name]


def _answers(
    frame: Frame, targets: list[str], config: DataConfig, options: FileOptions, base: Path
) -> tuple[NDArray, tuple[str, ...]]:
    where, column = frame.where, targets[0] if targets else "target"
    if options.target_path is not None:
        path = base / options.target_path.expanduser()
        values = read_npy(path)
        where, column = row_of(str(path)), path.name
        if len(values.shape) == 0 or len(values) != frame.rows:
            raise DataError(f"{path} must have {frame.rows} rows, one a row of features, not shape {values.shape}")
    elif config.task == "classification":
        values = _column(frame, targets[0])
    else:
        return frame.matrix(targets), ()
    if config.task == "classification":
        return class_numbers(values, where=where, column=column, classes=options.classes)
    if values.dtype.kind not in "biuf" or values.ndim > 2:
        raise DataError(f"{where(0)}: targets must be real numbers (rows, targets), not {values.dtype} {values.shape}")
    return values.reshape(len(values), -1), ()


def _open(path: Path, kind: str, options: FileOptions) -> _Opened:
    if kind == "npy":
        return _open_npy(path)
    if kind == "parquet":
        return _Opened(path, parquet_names(path), lambda n, w: read_parquet(path, numbers=n, words=w))
    if kind == "arff":
        text = open_arff(path)
    else:
        tab = "\t" if path.suffix.lower() == ".tsv" else ","
        text = open_csv(path, delimiter=options.delimiter or tab, header=options.header)
    return _Opened(path, text.names, lambda n, w: read_columns(text, numbers=n, words=w))


def _open_npy(path: Path) -> _Opened:
    array = read_npy(path)
    if array.dtype.names:
        columns = {name: as_text(array[name]) for name in array.dtype.names}
    elif array.ndim == 2 and array.dtype.kind in "biufSU":
        columns = {f"c{i}": as_text(array[:, i]) for i in range(array.shape[1])}
    else:
        raise DataError(f"{path} must be a table of numbers (rows, columns), not {array.dtype} {array.shape}")
    where = row_of(str(path))

    def read(numbers: list[str], words: list[str]) -> Frame:
        for name in numbers:
            if columns[name].dtype.kind not in "biuf":
                raise DataError(f"{path}, column {name!r}: must hold numbers, not {columns[name].dtype}")
        taken = {name: columns[name].astype(np.float64) for name in numbers}
        labels = {name: columns[name] for name in words}
        return Frame(str(path), taken, labels, where, len(array))

    return _Opened(path, tuple(columns), read)
