"""Jet sets in npz files: the re-simulated JSC-like jets, and 3,000 jets with observables derived from constituents."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from codesign.config import DataConfig
from codesign.data.arrays import read_npz, wanted_array
from codesign.data.labels import class_numbers
from codesign.data.loaders.common import NoOptions, given_path, parts_where, refuse_target
from codesign.data.lookup import file_notes, locate
from codesign.data.options import read_options
from codesign.data.table import TEST, TRAIN, Table, row_of
from codesign.errors import DataError

__all__ = ["load_jets_3k", "load_jets_sim"]

_SIM_NOTE = (
    "re-simulated JSC-like jets: not the hls4ml LHC jet data set, and accuracies on it are not comparable with "
    "published JSC accuracies"
)
_3K_NOTE = (
    "3,000 jets of the hls4ml 150-particle sample (Zenodo 3602260); ungroomed observables derived from at most 32 "
    "constituents: not the JSC high-level features"
)


def load_jets_sim(config: DataConfig, *, folder: Path | None = None) -> Table:
    """Read the re-simulated JSC-like jets: 16 observables, 5 classes, with their own test split."""
    read_options(NoOptions, config.options, "jets_sim")
    refuse_target(config)
    path = locate("jets_sim", given_path(config, folder)).files[0]
    arrays = read_npz(path)
    x = [wanted_array(arrays, f"x_{part}", path) for part in ("train", "test")]
    y = [wanted_array(arrays, f"y_{part}", path) for part in ("train", "test")]
    names = tuple(str(name) for name in wanted_array(arrays, "feature_names", path))
    classes = tuple(str(name) for name in wanted_array(arrays, "class_names", path))
    for one, other in zip(x, y, strict=True):
        if one.ndim != 2 or one.shape[1] != len(names) or other.shape != (len(one),):
            raise DataError(f"{path} must hold x (rows, {len(names)}) and y (rows,), not {one.shape} and {other.shape}")
    sizes = [len(part) for part in x]
    where = parts_where(str(path), ("train", "test"), sizes)
    labels, _ = class_numbers(np.concatenate(y), where=where, column="y", names=classes)
    part = np.repeat(np.array([TRAIN, TEST], dtype=np.int8), sizes)
    notes = (_SIM_NOTE, *file_notes([path]))
    return Table("jets_sim", "classification", np.concatenate(x), labels, names, classes, where, part, notes=notes)


def load_jets_3k(config: DataConfig, *, folder: Path | None = None) -> Table:
    """Read the 3,000 jets with derived observables: 16 features, 5 classes, no split of their own."""
    read_options(NoOptions, config.options, "jets_3k")
    refuse_target(config)
    return read_plain_npz(locate("jets_3k", given_path(config, folder)).files[0], "jets_3k", _3K_NOTE)


def read_plain_npz(path: Path, name: str, note: str) -> Table:
    """Read x, y, feature_names and class_names from an npz file without a split of its own."""
    arrays = read_npz(path)
    x, y = wanted_array(arrays, "x", path), wanted_array(arrays, "y", path)
    names = tuple(str(feature) for feature in wanted_array(arrays, "feature_names", path))
    classes = tuple(str(label) for label in wanted_array(arrays, "class_names", path))
    if x.ndim != 2 or x.shape[1] != len(names) or y.shape != (len(x),):
        raise DataError(f"{path} must hold x (rows, {len(names)}) and y (rows,), not {x.shape} and {y.shape}")
    where = row_of(str(path))
    labels, _ = class_numbers(y, where=where, column="y", names=classes)
    notes = (note, *file_notes([path]))
    return Table(name, "classification", x, labels, names, classes, where, notes=notes)
