"""UNSW-NB15 network flows: the original csv files, their columns as npz, or the published binarised forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from codesign.config import DataConfig, Number, Section, Whole, read_yaml
from codesign.data.arrays import read_npz, wanted_array
from codesign.data.bits import fit_bits
from codesign.data.delimited import TextFile, open_csv, read_columns
from codesign.data.frame import Frame, find_column, joined
from codesign.data.labels import class_numbers
from codesign.data.loaders.common import given_path, parts_where, refuse_target
from codesign.data.lookup import file_notes, locate
from codesign.data.options import known_names, read_options
from codesign.data.splits import draw_parts, duplicate_groups, overlap_notes
from codesign.data.table import TEST, TRAIN, Table, row_of
from codesign.errors import ConfigError, DataError
from codesign.ir import Fixed

__all__ = ["COLUMNS", "WORD_COLUMNS", "UnswOptions", "load_unsw_nb15"]

_FACTS: Mapping[str, list[str]] = read_yaml(Path(__file__).with_suffix(".yaml"))[0]
COLUMNS = tuple(_FACTS["columns"])
"""The 42 feature columns, in the order of the csv files (without id, attack_cat and label)."""

WORD_COLUMNS = ("proto", "service", "state")
_CLASSES = ("normal", "attack")
_PUBLISHED_TRAIN_ROWS = 175_341
_NOTE = "UNSW-NB15 (Moustafa and Slay, 2015); free for academic research, ask the authors otherwise"


class UnswOptions(Section):
    """Options of `source: unsw_nb15`."""

    variant: Literal["binarized", "csv", "columns", "bits576"] | None = None
    """Which files to read; None: the first in this order that is found."""
    form: Literal["bits", "columns"] = "bits"
    """`bits`: binarised; `columns`: numbers as they are and words as codes (csv and columns only)."""
    fit: Literal["train", "all"] = "train"
    """Rows that scales and widths are taken from; `all` is the published recipe, and looks at test rows."""
    widths: dict[str, Whole] = {}
    """Bits of a column, in place of the fitted ones."""
    scales: dict[str, Number] = {}
    """Scale of a number column, in place of the fitted one."""


@dataclass(frozen=True, eq=False)
class _Flows:
    """Flows by column: float64 or str (rows,); the part where the files bring one."""

    columns: dict[str, NDArray]
    label: NDArray
    where: Callable[[int], str]
    part: NDArray[np.int8] | None
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def load_unsw_nb15(config: DataConfig, *, folder: Path | None = None) -> Table:
    """Read the flows as bits (or columns) with the classes normal and attack, or the categories of attack_cat.

    Splits that the files bring are kept (the two partitions, or the de-duplicated split of the npz files); parts that
    we draw never divide flows with equal features.
    """
    options = read_options(UnswOptions, config.options, "unsw_nb15")
    refuse_target(config, ("label", "attack_cat"))
    found = locate(
        "unsw_nb15", given_path(config, folder), choices=None if options.variant is None else [options.variant]
    )
    variant = _variant(found.files[0], options) if found.choice == "file" else found.choice
    if variant in ("binarized", "bits576"):
        given = sorted(options.model_fields_set - {"variant"})
        if given or config.target not in (None, "label"):
            what = f"options.{given[0]}" if given else "target"
            raise ConfigError(f"data.{what} does not apply to {found.files[0].name}: it holds ready bits and labels")
        return _bits_table(found.files[0], variant, config)
    names = _wanted_columns(config)
    flows = _read_csv(found.files, config, names) if variant == "csv" else _read_npz(found.files[0], config, names)
    return _flow_table(flows, names, config, options)


def _variant(path: Path, options: UnswOptions) -> str:
    """The form of one file given by its path."""
    if options.variant is not None:
        return options.variant
    if path.suffix.lower() in (".csv", ".txt"):
        return "csv"
    keys = read_npz(path, only=("train", "x_packed", "dur")) if path.suffix == ".npz" else {}
    for key, variant in (("train", "binarized"), ("x_packed", "bits576"), ("dur", "columns")):
        if key in keys:
            return variant
    raise DataError(f"{path} is no form of UNSW-NB15: give a csv file, or an npz with train, x_packed or columns")


def _wanted_columns(config: DataConfig) -> tuple[str, ...]:
    if config.features is None:
        return COLUMNS
    places = known_names(list(config.features), COLUMNS, what="data.features", where="UNSW-NB15")
    if not places:
        raise ConfigError("data.features must name at least one column")
    return tuple(COLUMNS[i] for i in places)


def _flow_table(flows: _Flows, names: tuple[str, ...], config: DataConfig, options: UnswOptions) -> Table:
    attack = config.target == "attack_cat"
    y, classes = class_numbers(
        flows.label, where=flows.where, column=str(config.target or "label"), names=None if attack else _CLASSES
    )
    columns = {name: flows.columns[name] for name in names}
    # Every distinct word gets a number, for comparing rows only.
    raw = np.stack(
        [np.unique(c, return_inverse=True)[1] if c.dtype.kind == "U" else c for c in columns.values()], axis=1
    ).astype(np.float64)
    notes = (_NOTE, *flows.notes, *file_notes(flows.files))
    table = draw_parts(
        Table(
            "unsw_nb15",
            "classification",
            raw,
            y,
            names,
            classes,
            flows.where,
            part=flows.part,
            groups=duplicate_groups(raw),
            notes=notes,
        ),
        config,
    )
    assert table.part is not None
    rows = table.part == TRAIN if options.fit == "train" else np.ones(len(raw), dtype=bool)
    encoder = fit_bits(
        columns,
        rows=rows,
        categories={name: _FACTS[name] for name in WORD_COLUMNS},
        widths=options.widths,
        scales=options.scales,
    )
    if options.form == "columns":
        codes = {field.name: field.codes(columns[field.name]) for field in encoder.fields if field.categories}
        x = np.stack([codes.get(name, columns[name]).astype(np.float64) for name in names], axis=1)
        return replace(table, x=x, notes=table.notes + overlap_notes(x, table.part))
    x = encoder.encode(columns)
    fitted = "training rows" if options.fit == "train" else "all rows, test rows included"
    note = f"{encoder.bits} bits of {len(names)} columns; scales and widths from {fitted}"
    notes = (*table.notes, note, *overlap_notes(x, table.part))
    return replace(table, x=x, feature_names=encoder.bit_names, word=Fixed(1), notes=notes)


def _read_csv(files: tuple[Path, ...], config: DataConfig, names: tuple[str, ...]) -> _Flows:
    target = str(config.target or "label")
    texts = [open_csv(path) for path in files]
    frames = [_frame(text, names, target) for text in texts]
    if len(frames) == 1:
        frame = frames[0]
        return _Flows(_columns(frame, names), _label(frame, target), frame.where, None, files, ())
    # The two partitions are swapped in some distributions; the larger published one is the training partition.
    if frames[1].rows == _PUBLISHED_TRAIN_ROWS:
        frames.reverse()
        texts.reverse()
    frame = joined(frames)
    part = np.repeat(np.array([TRAIN, TEST], dtype=np.int8), [f.rows for f in frames])
    notes = (f"{texts[0].path.name} serves to train, {texts[1].path.name} to test",)
    return _Flows(_columns(frame, names), _label(frame, target), frame.where, part, files, notes)


def _frame(text: TextFile, names: tuple[str, ...], target: str) -> Frame:
    for name in (*names, target):
        find_column(name, text.names, str(text.path))
    words = [name for name in names if name in WORD_COLUMNS] + [target]
    return read_columns(text, numbers=[name for name in names if name not in WORD_COLUMNS], words=words)


def _columns(frame: Frame, names: tuple[str, ...]) -> dict[str, NDArray]:
    return {name: frame.words[name] if name in WORD_COLUMNS else frame.numbers[name] for name in names}


def _label(frame: Frame, target: str) -> NDArray:
    return frame.words[target]


def _read_npz(path: Path, config: DataConfig, names: tuple[str, ...]) -> _Flows:
    target = str(config.target or "label")
    arrays = read_npz(path)
    label = _decoded(arrays, target, path)
    columns = {name: _decoded(arrays, name, path) for name in names}
    for name, column in columns.items():
        if column.shape != label.shape:
            raise DataError(f"{path}: column {name!r} must have {len(label)} rows, not shape {column.shape}")
        if (column.dtype.kind == "U") != (name in WORD_COLUMNS):
            raise DataError(f"{path}: column {name!r} must hold {'words' if name in WORD_COLUMNS else 'numbers'}")
        if column.dtype.kind == "f" and not np.isfinite(column).all():
            row = int(np.flatnonzero(~np.isfinite(column))[0])
            raise DataError(f"{path}, row {row}, column {name!r}: must be a finite number, not {column[row]}")
    part, notes = _own_split(arrays, len(label), path)
    return _Flows(columns, label, row_of(str(path)), part, (path,), notes)


def _decoded(arrays: dict[str, NDArray], name: str, path: Path) -> NDArray:
    """One column; codes with a list of names become words."""
    column = wanted_array(arrays, name, path)
    if f"{name}__names" not in arrays:
        return column
    words = arrays[f"{name}__names"]
    if column.dtype.kind not in "iu" or (len(column) and (column.min() < 0 or column.max() >= len(words))):
        raise DataError(f"{path}: column {name!r} must hold codes of 0 to {len(words) - 1}")
    return words[column]


def _own_split(arrays: dict[str, NDArray], rows: int, path: Path) -> tuple[NDArray[np.int8] | None, tuple[str, ...]]:
    if "split_dedup80_20" not in arrays:
        return None, ()
    split = arrays["split_dedup80_20"]
    if split.shape != (rows,) or not np.isin(split, (0, 1)).all():
        raise DataError(f"{path}: split_dedup80_20 must be 0 (train) or 1 (test) for every row")
    note = (
        "the 82,332-row partition with its de-duplicated split (equal flows on one side); accuracies are not "
        "comparable with published ones, which train on the other partition"
    )
    return np.where(split == 1, TEST, TRAIN).astype(np.int8), (note,)


def _bits_table(path: Path, variant: str, config: DataConfig) -> Table:
    """A file that holds bits already."""
    arrays = read_npz(path)
    notes: tuple[str, ...]
    if variant == "binarized":
        parts = [wanted_array(arrays, name, path) for name in ("train", "test")]
        if any(p.ndim != 2 or p.shape[1] < 2 or p.shape[1] != parts[0].shape[1] for p in parts):
            raise DataError(f"{path}: train and test must be (rows, bits and label), not {[p.shape for p in parts]}")
        both = np.concatenate(parts)
        x, label = both[:, :-1], both[:, -1]
        names = tuple(f"b{i}" for i in range(x.shape[1]))
        where = parts_where(str(path), ("train", "test"), [len(p) for p in parts])
        part = np.repeat(np.array([TRAIN, TEST], dtype=np.int8), [len(p) for p in parts])
        notes = ("binarised as published with FINN and LogicNets",)
    else:
        packed, label = wanted_array(arrays, "x_packed", path), wanted_array(arrays, "y", path)
        names = tuple(str(name) for name in wanted_array(arrays, "bit_names", path))
        if packed.dtype != np.uint8 or packed.ndim != 2 or packed.shape != (len(label), -(-len(names) // 8)):
            raise DataError(f"{path}: x_packed must be uint8 ({len(label)}, {-(-len(names) // 8)}), not {packed.shape}")
        x = np.unpackbits(packed, axis=1, count=len(names))
        where = row_of(str(path))
        part, notes = _own_split(arrays, len(label), path)
        notes += ("scales and widths of the bits were fitted on all its rows; they are not the published 593 bits",)
    if x.dtype.kind not in "biuf" or not ((x == 0) | (x == 1)).all():
        row = int(np.flatnonzero(~((x == 0) | (x == 1)).all(axis=1))[0]) if x.dtype.kind in "biuf" else 0
        raise DataError(f"{where(row)}: every feature must be a bit, 0 or 1")
    x = x.astype(np.uint8)
    if config.features is not None:
        chosen = known_names(list(config.features), names, what="data.features", where=str(path))
        x, names = x[:, chosen], tuple(config.features)
    y, classes = class_numbers(label, where=where, column="label", names=_CLASSES)
    notes = (_NOTE, *notes, *file_notes([path]))
    table = Table(
        "unsw_nb15", "classification", x, y, names, classes, where, part, groups=duplicate_groups(x), word=Fixed(1)
    )
    table = draw_parts(replace(table, notes=notes), config)
    assert table.part is not None
    return replace(table, notes=table.notes + overlap_notes(x, table.part))
