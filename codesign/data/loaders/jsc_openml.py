"""JSC as OpenML publishes it (hls4ml_lhc_jets_hlf, 42468): parquet, arff, or the npy files of the hls4ml tutorial."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.config import DataConfig
from codesign.data.arrays import read_npy
from codesign.data.delimited import open_arff, read_columns
from codesign.data.frame import find_column
from codesign.data.labels import class_numbers
from codesign.data.loaders.common import JET_CLASSES, JET_FEATURES, NoOptions, given_path, parts_where, refuse_target
from codesign.data.lookup import file_notes, locate
from codesign.data.options import read_options
from codesign.data.parquet import parquet_names, read_parquet
from codesign.data.table import TEST, TRAIN, Table
from codesign.errors import DataError

__all__ = ["load_jsc_openml"]

_LABELS = ("class", "jet_type")
_NOTE = "JSC, OpenML 42468 (hls4ml_lhc_jets_hlf); the CERNBox form is another sample, on which accuracies are lower"


def load_jsc_openml(config: DataConfig, *, folder: Path | None = None) -> Table:
    """Read the 16 high-level features and the five classes g, q, w, z, t.

    parquet and arff hold raw units and no split. The npy files have the tutorial's own test split, and features that
    the tutorial has standardised already (their labels are one-hot columns, or numbers, in the order g, q, t, w, z).
    """
    read_options(NoOptions, config.options, "jsc_openml")
    refuse_target(config)
    found = locate("jsc_openml", given_path(config, folder))
    if found.choice == "npy":
        return _read_npy(found.files)
    path = found.files[0]
    suffix = path.suffix.lower()
    if suffix not in (".parquet", ".pq", ".arff"):
        raise DataError(f"data.path: give a parquet or arff file, or the folder of the four npy files, not {path}")
    text = open_arff(path) if suffix == ".arff" else None
    names = text.names if text else parquet_names(path)
    label = next((name for name in _LABELS if name in names), None) or find_column("class", names, str(path))
    for name in JET_FEATURES:
        find_column(name, names, str(path))
    if text:
        frame = read_columns(text, numbers=JET_FEATURES, words=[label])
    else:
        frame = read_parquet(path, numbers=JET_FEATURES, words=[label])
    values = frame.words[label] if label in frame.words else frame.numbers[label]
    y, classes = class_numbers(values, where=frame.where, column=label, classes=JET_CLASSES)
    x, notes = frame.matrix(JET_FEATURES), (_NOTE, *file_notes([path]))
    return Table("jsc_openml", "classification", x, y, JET_FEATURES, classes, frame.where, notes=notes)


def _read_npy(files: tuple[Path, ...]) -> Table:
    x_train, y_train, x_test, y_test = (read_npy(path) for path in files)
    for x, y, path in ((x_train, y_train, files[0]), (x_test, y_test, files[2])):
        if x.dtype.kind not in "fiu" or x.ndim != 2 or x.shape[1] != len(JET_FEATURES):
            raise DataError(f"{path} must be numbers (rows, {len(JET_FEATURES)}), not {x.dtype} {x.shape}")
        if len(y) != len(x):
            raise DataError(f"{path} has {len(x)} rows, its labels {len(y)}; they must be equal")
    where = parts_where(str(files[0].parent), ("train_val", "test"), (len(x_train), len(x_test)))
    alphabet = tuple(sorted(JET_CLASSES))
    numbers = np.concatenate([_alphabetical(y, path) for y, path in ((y_train, files[1]), (y_test, files[3]))])
    labels, _ = class_numbers(numbers, where=where, column="y", names=alphabet)
    y = np.array([JET_CLASSES.index(name) for name in alphabet])[labels]
    notes = (_NOTE, "features as the hls4ml tutorial saves them: standardised there, not raw units", *file_notes(files))
    return Table(
        "jsc_openml",
        "classification",
        np.concatenate([x_train, x_test]),
        y,
        JET_FEATURES,
        JET_CLASSES,
        where,
        part=np.repeat(np.array([TRAIN, TEST], dtype=np.int8), [len(x_train), len(x_test)]),
        notes=notes,
    )


def _alphabetical(y: NDArray, path: Path) -> NDArray:
    """Class numbers in alphabetical order, from one-hot rows or as they are."""
    if y.ndim == 1:
        return y
    one_hot = y.ndim == 2 and y.shape[1] == len(JET_CLASSES) and ((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all()
    if not one_hot:
        raise DataError(f"{path} must hold class numbers, or one-hot rows of {len(JET_CLASSES)}, not shape {y.shape}")
    return y.argmax(axis=1)
