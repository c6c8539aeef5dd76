"""What the loaders of known data sets share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from codesign.config import DataConfig, Section
from codesign.errors import ConfigError

__all__ = ["JET_CLASSES", "JET_FEATURES", "NoOptions", "given_path", "parts_where", "refuse_target"]

JET_FEATURES = (
    "zlogz",
    "c1_b0_mmdt",
    "c1_b1_mmdt",
    "c1_b2_mmdt",
    "c2_b1_mmdt",
    "c2_b2_mmdt",
    "d2_b1_mmdt",
    "d2_b2_mmdt",
    "d2_a1_b1_mmdt",
    "d2_a1_b2_mmdt",
    "m2_b1_mmdt",
    "m2_b2_mmdt",
    "n2_b1_mmdt",
    "n2_b2_mmdt",
    "mass_mmdt",
    "multiplicity",
)
"""The 16 jet observables, in the order of the hls4ml LHC jet data set."""

JET_CLASSES = ("g", "q", "w", "z", "t")
"""Gluon, light quark, W boson, Z boson and top quark jets."""


class NoOptions(Section):
    """Of sources without options."""


def given_path(config: DataConfig, folder: Path | None) -> Path | None:
    """The path that the configuration names, resolved against its folder."""
    return None if config.path is None else (folder or Path()) / config.path.expanduser()


def refuse_target(config: DataConfig, known: Sequence[str] = ()) -> None:
    """A known data set has its own target: another is a ConfigError."""
    if config.target is not None and config.target not in known:
        allowed = f"it may be {' or '.join(known)}" if known else "leave data.target out"
        raise ConfigError(f"data.target: the source {config.source!r} has a target of its own; {allowed}")


def parts_where(origin: str, names: Sequence[str], sizes: Sequence[int]) -> Callable[[int], str]:
    """Name rows of parts that lie one under the other: "file, test row 3"."""
    starts = np.cumsum([0, *sizes])

    def where(row: int) -> str:
        index = min(int(np.searchsorted(starts, row, side="right")) - 1, len(names) - 1)
        return f"{origin}, {names[index]} row {row - int(starts[index])}"

    return where
