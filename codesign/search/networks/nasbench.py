"""The trained accuracies of NAS-Bench-201: validation to choose by, test accuracies for the final figure alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.data.lookup import file_notes, locate
from codesign.errors import ConfigError, DataError, did_you_mean
from codesign.ir.archive import UNREADABLE
from codesign.search.networks.cells import CELLS, operations_of

__all__ = ["DATA_SETS", "Accuracies", "load_accuracies"]

DATA_SETS = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16-120": "in16_120"}
"""Data sets that the cells were trained on, and how the table's columns begin."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Accuracies:
    """Accuracies of all 15,625 cells on one data set, in percent, of networks in floating point of 5 cells a stage.

    archs:      architecture strings; row i of every array belongs to archs[i].
    validation: after the short training (12 epochs): what a search may look at.
    test:       mean test accuracy after 200 epochs: read once, for what was chosen.
    """

    data_set: str
    archs: tuple[str, ...]
    validation: Numbers
    test: Numbers
    notes: tuple[str, ...]

    def row(self, arch: str) -> int:
        """Row of an architecture; a ConfigError where it is none."""
        if arch not in self._row_of:
            operations_of(arch)
        return self._row_of[arch]

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {arch: row for row, arch in enumerate(self.archs)}


def load_accuracies(data_set: str, *, path: Path | None = None) -> Accuracies:
    """Read the table of one of `DATA_SETS`; path: its file or folder, found as data sets are where None.

    A DataError says which file to put where, or what is wrong with it.
    """
    if data_set not in DATA_SETS:
        raise ConfigError(
            f"NAS-Bench-201 has no data set {data_set!r}.{did_you_mean(data_set, DATA_SETS)} "
            f"Known: {', '.join(DATA_SETS)}."
        )
    file = locate("nasbench201", path).files[0]
    begin = DATA_SETS[data_set]
    try:
        with np.load(file, allow_pickle=False) as table:
            archs, validation, test = table["arch_str"], table[f"{begin}_val"], table[f"{begin}_test"]
    except UNREADABLE as problem:
        raise DataError(f"{file} is not the table of NAS-Bench-201: {problem}") from None
    for name, values in (("arch_str", archs), (f"{begin}_val", validation), (f"{begin}_test", test)):
        if values.shape != (CELLS,):
            raise DataError(f"{file}: {name} must have {CELLS} rows, not shape {values.shape}")
    for name, values in (("val", validation), ("test", test)):
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 100):
            raise DataError(f"{file}: {begin}_{name} must be accuracies in percent, 0 to 100")
    if len(set(archs.tolist())) != CELLS:
        raise DataError(f"{file}: arch_str must name every cell once")
    return Accuracies(
        data_set,
        tuple(archs.tolist()),
        validation.astype(np.float64),
        test.astype(np.float64),
        file_notes([file]),
    )
