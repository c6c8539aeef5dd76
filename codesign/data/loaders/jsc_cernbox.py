"""JSC as CERNBox publishes it: an HDF5 file (named .z or .h5) with the table t_allpar_new."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.config import DataConfig
from codesign.data.frame import find_column
from codesign.data.loaders.common import JET_CLASSES, JET_FEATURES, NoOptions, given_path, refuse_target
from codesign.data.lookup import file_notes, locate
from codesign.data.options import need, read_options
from codesign.data.table import Table
from codesign.errors import DataError

__all__ = ["load_jsc_cernbox"]

_TABLE = "t_allpar_new"
_NOTE = "JSC, CERNBox form; the OpenML form is another sample, on which accuracies are about a point higher"


def load_jsc_cernbox(config: DataConfig, *, folder: Path | None = None) -> Table:
    """Read the 16 high-level features (j_zlogz, ...) and the one-hot classes j_g, j_q, j_w, j_z, j_t.

    As in the published pipelines, rows that repeat features and label of an earlier row are dropped; rows without
    any label are dropped too. Both counts are noted. There is no split of its own.
    """
    read_options(NoOptions, config.options, "jsc_cernbox")
    refuse_target(config)
    path = locate("jsc_cernbox", given_path(config, folder)).files[0]
    x, hot = _read(path)
    several = np.flatnonzero((hot != 0).sum(axis=1) > 1)
    if len(several):
        raise DataError(f"{path}, row {several[0]}: must have one of the labels {', '.join(JET_CLASSES)}, not several")
    labelled = (hot != 0).any(axis=1)
    y = hot.argmax(axis=1).astype(np.int64)
    # A set of the rows' bytes keeps the first of equal rows, in order.
    both = np.ascontiguousarray(np.concatenate([x, y[:, None]], axis=1))
    seen: set[bytes] = set()
    keep = np.zeros(len(x), dtype=bool)
    for row in np.flatnonzero(labelled):
        content = both[row].tobytes()
        if content not in seen:
            seen.add(content)
            keep[row] = True
    rows = np.flatnonzero(keep)
    notes = (
        _NOTE,
        f"{int((~labelled).sum())} rows without a label and {int(labelled.sum()) - len(rows)} repeated rows dropped",
        *file_notes([path]),
    )
    return Table(
        "jsc_cernbox",
        "classification",
        x[rows],
        y[rows],
        JET_FEATURES,
        JET_CLASSES,
        lambda row: f"{path}, row {rows[row]}" if len(rows) else str(path),
        notes=notes,
    )


def _read(path: Path) -> tuple[NDArray[np.float32], NDArray]:
    h5py = need("h5py", "reading HDF5 files")
    try:
        with h5py.File(path, "r") as file:
            if _TABLE not in file:
                raise DataError(f"{path} has no table {_TABLE!r}; it has {', '.join(file) or 'nothing'}")
            table = file[_TABLE]
            names = tuple(table.dtype.names or ()) if hasattr(table, "dtype") else ()
            if not names:
                raise DataError(f"{path}: {_TABLE} must be a table with named columns")
            wanted = [name if name in names else f"j_{name}" for name in JET_FEATURES]
            labels = [f"j_{name}" for name in JET_CLASSES]
            for name in (*wanted, *labels):
                find_column(name, names, f"{path}, table {_TABLE}")
            rows = table.fields([*wanted, *labels])[:]
    except OSError as problem:
        raise DataError(f"{path} is not a readable HDF5 file, or is truncated: {str(problem)[:160]}") from None
    x = np.stack([rows[name] for name in wanted], axis=1).astype(np.float32)
    return x, np.stack([rows[name] for name in labels], axis=1)
