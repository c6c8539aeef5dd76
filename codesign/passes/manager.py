"""Runs passes by name, in order, until nothing changes, and reports what each saved."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from codesign.errors import ConfigError, did_you_mean
from codesign.ir import LutNetwork, check
from codesign.passes.base import Details, Pass
from codesign.passes.care_sets import care_sets
from codesign.passes.fill_dont_cares import fill_dont_cares
from codesign.passes.fold_constants import fold_constants
from codesign.passes.fold_decision import fold_decision
from codesign.passes.measure import Size, measure
from codesign.passes.merge_duplicates import merge_duplicates
from codesign.passes.narrow_signals import narrow_signals
from codesign.passes.reduce_support import reduce_support
from codesign.passes.remove_unused import remove_unused

__all__ = ["DEFAULT_PASSES", "MAX_ROUNDS", "PASSES", "PassReport", "find_pass", "run_passes", "total_saved"]

DEFAULT_PASSES: tuple[str, ...] = (
    "remove_unused",
    "care_sets",
    "fold_constants",
    "reduce_support",
    "merge_duplicates",
    "narrow_signals",
    "fill_dont_cares",
)
"""Names of the passes that run where none are named, in this order."""

PASSES: dict[str, Pass] = {
    p.name: p
    for p in (
        remove_unused,
        care_sets,
        fold_constants,
        reduce_support,
        merge_duplicates,
        narrow_signals,
        fill_dont_cares,
        fold_decision,
    )
}
"""Every pass by name; a user's own is added with ``PASSES[mine.name] = mine``."""

MAX_ROUNDS = 10
"""Times the list of passes is repeated at most."""


@dataclass(frozen=True)
class PassReport:
    """What one run of one pass did.

    round:   1 for the first time through the list.
    seconds: wall-clock time.
    details: counts that the pass itself states.
    """

    name: str
    round: int
    seconds: float
    before: Size
    after: Size
    details: Details = field(default_factory=dict[str, int])

    @property
    def changed(self) -> bool:
        """True where a size differs."""
        return self.before != self.after

    @property
    def saved(self) -> dict[str, int]:
        """Before minus after, for every size."""
        before, after = asdict(self.before), asdict(self.after)
        return {key: before[key] - after[key] for key in before}

    def as_dict(self) -> dict[str, Any]:
        """Return plain values: name, round, seconds, before, after, saved, details."""
        return {**asdict(self), "saved": self.saved}


def run_passes(
    network: LutNetwork, names: Sequence[str] | None = None, *, rounds: int = MAX_ROUNDS
) -> tuple[LutNetwork, tuple[PassReport, ...]]:
    """Run passes in the given order (DEFAULT_PASSES for None), the whole list again until a round changes nothing.

    At most `rounds` rounds. The network's features, inputs and answers never change. Returns the network and one
    report a pass and round. An unknown name is a ConfigError; an illegal network, before or after, a DataError.
    """
    chosen = [find_pass(name) for name in (DEFAULT_PASSES if names is None else names)]
    if rounds < 1:
        raise ConfigError(f"passes must run at least one round, not {rounds}")
    check(network)
    reports: list[PassReport] = []
    size = measure(network)
    # What each pass left behind when it last ran: run again on the same network, it would find the same.
    left: dict[str, LutNetwork] = {}
    for number in range(1, rounds + 1):
        start = network
        for step in chosen:
            if left.get(step.name) is network:
                continue
            begin = time.perf_counter()
            network, details = step.apply(network)
            seconds = time.perf_counter() - begin
            after = measure(network)
            reports.append(PassReport(step.name, number, seconds, size, after, details))
            size = after
            left[step.name] = network
        if network is start:
            break
    return network, tuple(reports)


def find_pass(name: str) -> Pass:
    """Return a pass by name; an unknown one is a ConfigError with the nearest known."""
    if name not in PASSES:
        raise ConfigError(f"no pass {name!r}.{did_you_mean(name, PASSES)} Known: {', '.join(PASSES)}.")
    return PASSES[name]


def total_saved(reports: Sequence[PassReport]) -> dict[str, dict[str, float]]:
    """Return for each pass, over all rounds, what it saved of every size, and its seconds and runs."""
    out: dict[str, dict[str, float]] = {}
    for report in reports:
        row = out.setdefault(report.name, {"runs": 0, "seconds": 0.0, **dict.fromkeys(report.saved, 0)})
        row["runs"] += 1
        row["seconds"] += report.seconds
        for key, value in report.saved.items():
            row[key] += value
    return out
