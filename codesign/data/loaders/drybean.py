"""UCI Dry Bean: 13,611 beans, 16 shape features, 7 varieties; npz or the original arff."""

from __future__ import annotations

from pathlib import Path

from codesign.config import DataConfig
from codesign.data.delimited import open_arff, read_columns
from codesign.data.frame import find_column
from codesign.data.labels import class_numbers
from codesign.data.loaders.common import NoOptions, given_path, refuse_target
from codesign.data.loaders.jets_npz import read_plain_npz
from codesign.data.lookup import file_notes, locate
from codesign.data.options import read_options
from codesign.data.table import Table

__all__ = ["load_drybean"]

_NOTE = "Dry Bean (Koklu and Ozkan, 2020; UCI, CC BY 4.0); 68 of its rows are duplicates"


def load_drybean(config: DataConfig, *, folder: Path | None = None) -> Table:
    """Read the beans: 16 features in pixels and ratios, classes in alphabetical order, no split of their own."""
    read_options(NoOptions, config.options, "drybean")
    refuse_target(config)
    path = locate("drybean", given_path(config, folder)).files[0]
    if path.suffix == ".npz":
        return read_plain_npz(path, "drybean", _NOTE)
    text = open_arff(path)
    label = find_column("Class", text.names, str(path))
    features = tuple(name for name in text.names if name != label)
    frame = read_columns(text, numbers=features, words=[label])
    y, classes = class_numbers(frame.words[label], where=frame.where, column=label)
    notes = (_NOTE, *file_notes([path]))
    return Table("drybean", "classification", frame.matrix(features), y, features, classes, frame.where, notes=notes)
