"""From the data section of a configuration to a checked DataSet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from codesign.config import DataConfig
from codesign.data.dataset import PARTS, DataSet, check_dataset
from codesign.data.loaders.amplifier import load_amplifier
from codesign.data.loaders.cifar10 import load_cifar10
from codesign.data.loaders.digits import load_digits
from codesign.data.loaders.drybean import load_drybean
from codesign.data.loaders.jets_npz import load_jets_3k, load_jets_sim
from codesign.data.loaders.jsc_cernbox import load_jsc_cernbox
from codesign.data.loaders.jsc_openml import load_jsc_openml
from codesign.data.loaders.mnist import load_mnist
from codesign.data.loaders.unsw_nb15 import load_unsw_nb15
from codesign.data.loaders.userfile import load_file
from codesign.data.options import known_names
from codesign.data.splits import draw_parts
from codesign.data.table import TEST, TRAIN, VALIDATION, Table
from codesign.errors import ConfigError, did_you_mean

__all__ = ["SOURCES", "Loader", "load"]


class Loader(Protocol):
    """Reads one source; paths of the configuration are relative to `folder`."""

    def __call__(self, config: DataConfig, *, folder: Path | None = None) -> Table:
        """Return the source's rows."""
        ...


SOURCES: dict[str, Loader] = {
    "digits": load_digits,
    "mnist": load_mnist,
    "cifar10": load_cifar10,
    "unsw_nb15": load_unsw_nb15,
    "jsc_openml": load_jsc_openml,
    "jsc_cernbox": load_jsc_cernbox,
    "jets_sim": load_jets_sim,
    "jets_3k": load_jets_3k,
    "drybean": load_drybean,
    "amplifier": load_amplifier,
    "file": load_file,
}
"""Every source that `data.source` can name."""

_BLOCK_ROWS = 1024
_OWN_FEATURES = ("unsw_nb15", "file")
"""Sources that read `data.features` themselves."""


def load(config: DataConfig, *, folder: Path | None = None) -> DataSet:
    """Load, split and check the data that a configuration names.

    folder: what relative paths of the configuration are relative to; the current folder by default. The same
    configuration and files give the same arrays. Raises ConfigError for a configuration that cannot mean anything,
    DataError for a file that is absent, damaged or wrong, naming file, row and column.
    """
    if config.source not in SOURCES:
        raise ConfigError(
            f"data.source: there is no source {config.source!r}.{did_you_mean(config.source, SOURCES)} "
            f"Known: {', '.join(SOURCES)}."
        )
    table = SOURCES[config.source](config, folder=folder)
    if "task" in config.model_fields_set and config.task != table.task:
        raise ConfigError(f"data.task: the source {config.source!r} is a {table.task}, not a {config.task}")
    if config.features is not None and config.source not in _OWN_FEATURES:
        table = _chosen_features(table, config.features)
    return _dataset(draw_parts(table, config))


def _chosen_features(table: Table, wanted: list[str]) -> Table:
    if not wanted:
        raise ConfigError("data.features must name at least one feature")
    places = known_names(list(wanted), table.feature_names, what="data.features", where=table.name)
    return replace(table, x=table.x[:, places], feature_names=tuple(wanted))


def _float_rows(x: NDArray, rows: NDArray) -> NDArray[np.float32]:
    """The given rows as float32, block by block: no second copy of a large set."""
    out = np.empty((len(rows), x.shape[1]), dtype=np.float32)
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        out[block] = x[rows[block]]
    return out


def _dataset(table: Table) -> DataSet:
    assert table.part is not None
    rows = {
        name: np.flatnonzero(table.part == code) for code, name in zip((TRAIN, VALIDATION, TEST), PARTS, strict=True)
    }
    kind = np.int64 if table.task == "classification" else np.float32
    arrays: dict[str, np.ndarray] = {}
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and check_dataset names it
        for name, chosen in rows.items():
            arrays[f"x_{name}"] = _float_rows(table.x, chosen)
            arrays[f"y_{name}"] = table.y[chosen].astype(kind)
    data = DataSet(
        name=table.name,
        task=table.task,
        **arrays,
        feature_names=table.feature_names,
        class_names=table.class_names,
        word=table.word,
        notes=table.notes,
    )
    where: Callable[[str, int], str] = lambda part, row: table.where(int(rows[part][row]))  # noqa: E731
    return check_dataset(data, where=where)
