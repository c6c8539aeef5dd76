"""scikit-learn's digits: 1,797 images of 8 x 8 pixels that ship inside the package."""

from __future__ import annotations

from pathlib import Path

from codesign.config import DataConfig
from codesign.data.loaders.common import NoOptions, refuse_target
from codesign.data.options import need, read_options
from codesign.data.table import Table, row_of
from codesign.errors import ConfigError
from codesign.ir import Fixed

__all__ = ["load_digits"]


def load_digits(config: DataConfig, *, folder: Path | None = None) -> Table:
    """Read the digits: 64 pixels of 0 to 16, ten classes, no split of their own."""
    read_options(NoOptions, config.options, "digits")
    refuse_target(config)
    if config.path is not None:
        raise ConfigError("data.path: the source 'digits' ships with scikit-learn and takes no path")
    raw = need("sklearn.datasets", "the data set 'digits'").load_digits()
    names = tuple(f"r{row}c{column}" for row in range(8) for column in range(8))
    return Table(
        "digits",
        "classification",
        raw["data"].astype("uint8"),
        raw["target"].astype("int64"),
        names,
        tuple(str(digit) for digit in range(10)),
        row_of("scikit-learn digits"),
        word=Fixed(5),
        notes=("handwritten digits of the UCI repository (its test part, 1,797 images), as shipped with scikit-learn",),
    )
