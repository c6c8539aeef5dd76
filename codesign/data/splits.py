"""Draws training, validation and test rows: seeded, stratified by class, duplicate groups kept together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from codesign.config import DataConfig
from codesign.data.table import TEST, TRAIN, UNUSED, VALIDATION, Table
from codesign.errors import ConfigError, DataError

__all__ = ["draw_parts", "duplicate_groups", "overlap_notes", "quotas"]


def draw_parts(table: Table, config: DataConfig) -> Table:
    """Return the table with every row's part drawn; parts that the table brings are kept as they are.

    `config.test` is a share of all rows, `config.validation` of the rows that are left to train. Classes keep their
    shares in every part. The same seed and rows give the same parts. A class too small for three parts is a
    DataError that names it.
    """
    if table.drawn:
        return table
    rng = np.random.default_rng(config.split_seed)
    rows = len(table.x)
    part = np.full(rows, TRAIN, dtype=np.int8) if table.part is None else table.part.astype(np.int8)
    strata = table.y if table.task == "classification" else np.zeros(rows, dtype=np.int64)
    wanted = [
        (code, share)
        for code, share in ((TEST, config.test), (VALIDATION, config.validation))
        if not (part == code).any()
    ]
    _check_sizes(table, part, strata, needed=1 + len(wanted))
    own = sorted({code for code in (VALIDATION, TEST)} - {code for code, _ in wanted})
    for index, (code, share) in enumerate(wanted):
        free = np.flatnonzero(part == TRAIN)
        part[_pick(free, strata, table.groups, share, rng, leave=len(wanted) - index)] = code
    notes = [_split_note(table, own, config)]
    available = int((part == TRAIN).sum())
    if config.limit is not None and config.limit < available:
        _limit(part, strata, config.limit, rng)
        notes.append(f"limited to {config.limit} of {available} training rows, and to the same share of the others")
    counts = [int((part == code).sum()) for code in (TRAIN, VALIDATION, TEST)]
    notes.append("{} training, {} validation and {} test rows".format(*counts))
    return replace(table, part=part, drawn=True, notes=(*table.notes, *notes))


def duplicate_groups(x: NDArray) -> NDArray[np.int64]:
    """Number the distinct rows of `x` (rows, features): equal rows get equal numbers."""
    seen: dict[bytes, int] = {}
    rows = np.ascontiguousarray(x)
    return np.fromiter((seen.setdefault(row.tobytes(), len(seen)) for row in rows), dtype=np.int64, count=len(rows))


def overlap_notes(x: NDArray, part: NDArray[np.int8]) -> tuple[str, ...]:
    """Say how many test rows of `x` equal a training row, where there are any."""
    known = {row.tobytes() for row in np.ascontiguousarray(x[part == TRAIN])}
    test = np.ascontiguousarray(x[part == TEST])
    seen = sum(row.tobytes() in known for row in test)
    return (f"{seen} of {len(test)} test rows equal a training row in every feature",) if seen else ()


def _check_sizes(table: Table, part: NDArray, strata: NDArray, *, needed: int) -> None:
    """Every stratum must have a row (or group) for each part that is to be drawn."""
    if not len(table.x):
        raise DataError(f"data set {table.name!r} has no rows ({table.where(0)} is missing)")
    free = part == TRAIN
    units = strata[free]
    if table.groups is not None and len(units):
        units = units[np.unique(table.groups[free], return_index=True)[1]]
    counts = np.bincount(units, minlength=max(len(table.class_names), 1))
    short = np.flatnonzero(counts < needed)
    if not len(short):
        return
    kind = "row(s)" if table.groups is None else "distinct row(s)"
    if table.task == "regression":
        raise DataError(f"data set {table.name!r} has {counts[0]} {kind}; it needs at least {needed} to be split")
    raise DataError(
        f"data set {table.name!r}: class {table.class_names[short[0]]!r} has {counts[short[0]]} {kind} "
        f"to draw from; it needs at least {needed}, one for each part. Add rows, or leave the class out."
    )


def _pick(
    free: NDArray, strata: NDArray, groups: NDArray | None, share: float, rng: np.random.Generator, *, leave: int
) -> NDArray[np.int64]:
    """Choose about `share` of the rows `free`, class by class; every class gives one row or group and keeps `leave`."""
    labels, counts = np.unique(strata[free], return_counts=True)
    wanted = quotas(counts, share * len(free), leave=leave)
    chosen: list[NDArray] = []
    unit = free if groups is None else groups[free]
    if groups is not None:  # a group belongs to the class of its first row
        names, first, inverse = np.unique(unit, return_index=True, return_inverse=True)
        sizes, stratum = np.bincount(inverse), strata[free[first]]
    for label, quota in zip(labels, wanted, strict=True):
        if groups is None:
            rows = free[strata[free] == label]
            chosen.append(rng.permutation(rows)[:quota])
        else:
            members = rng.permutation(np.flatnonzero(stratum == label))
            if not len(members):  # all rows of this class share groups with another class
                continue
            count = int(np.searchsorted(np.cumsum(sizes[members]), quota)) + 1
            chosen.append(free[np.isin(unit, names[members[: min(count, len(members) - leave)]])])
    return np.concatenate(chosen)


def quotas(counts: NDArray, total: float, *, leave: int = 0) -> NDArray[np.int64]:
    """Divide `total` rows over strata of the given sizes by largest remainder.

    Each stratum gives at least one row and keeps `leave` (where it is too small for both, it still gives one).
    """
    high = np.maximum(counts - leave, 1)
    exact = counts * (total / counts.sum())
    out = np.clip(np.floor(exact).astype(np.int64), 1, high)
    goal = min(max(round(total), len(counts)), int(high.sum()))
    while out.sum() < goal:
        room = np.where(out < high, exact - out, -np.inf)
        out[room.argmax()] += 1
    while out.sum() > goal:
        out[np.where(out > 1, out - exact, -np.inf).argmax()] -= 1
    return out


def _limit(part: NDArray, strata: NDArray, limit: int, rng: np.random.Generator) -> None:
    """Mark all but `limit` training rows, and the same share of the others, as unused."""
    share = limit / int((part == TRAIN).sum())
    classes = len(np.unique(strata))
    if limit < max(classes, 2):
        raise ConfigError(f"data.limit must be at least {max(classes, 2)} (a row for every class), not {limit}")
    for code in (TRAIN, VALIDATION, TEST):
        rows = np.flatnonzero(part == code)
        labels, counts = np.unique(strata[rows], return_counts=True)
        for label, quota in zip(labels, quotas(counts, share * len(rows)), strict=True):
            members = rows[strata[rows] == label]
            part[rng.permutation(members)[quota:]] = UNUSED


def _split_note(table: Table, own: list[int], config: DataConfig) -> str:
    names = {VALIDATION: "validation", TEST: "test"}
    how = (
        f"drawn{', stratified by class,' if table.task == 'classification' else ''} with split_seed {config.split_seed}"
    )
    if table.groups is not None:
        how += ", equal rows kept in one part"
    drawn = [name for code, name in names.items() if code not in own]
    text = f"{' and '.join(drawn)} rows {how}" if drawn else ""
    kept = f"{' and '.join(names[code] for code in own)} rows are the data set's own" if own else ""
    return "; ".join(filter(None, (kept, text)))
