"""The record of a search: a line of JSON for every evaluation, look-up and design, in their order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from codesign.accel import Figure
from codesign.search.loop.designs import Design
from codesign.search.problem import Trial

__all__ = ["Log", "plain_figures"]


def plain_figures(figures: Mapping[str, Figure]) -> dict[str, list[Any]]:
    """Figures as [value, unit, origin] by name."""
    return {name: [figure.value, figure.unit, figure.origin] for name, figure in figures.items()}


class Log:
    """Writes RUN/evaluations.jsonl anew; equal searches write equal files. Without a path it only counts.

    Rows are kept until `open`, so that a search can begin before its folder is made.
    """

    def __init__(self, path: Path | None):
        self.path = path
        self.rows: list[dict[str, Any]] = []
        self._file: TextIO | None = None

    def open(self) -> None:
        """Make the file, with the rows so far."""
        if self.path is not None and self._file is None:
            self._file = self.path.open("w", encoding="utf-8")
            for row in self.rows:
                self._write(row)

    def trial(self, trial: Trial, *, arm: str, round: int, phase: str, network: str) -> None:
        """An accelerator was costed for a network."""
        self._add(
            arm,
            round,
            phase,
            network,
            number=trial.number,
            hardware=dict(trial.point),
            state=trial.state,
            value=_finite(trial.value),
            figures=plain_figures(trial.figures),
            reason=trial.reason,
        )

    def look_up(self, network: str, accuracy: float, *, arm: str, round: int, origin: str) -> None:
        """An accuracy was read or trained."""
        self._add(arm, round, "network", network, state="done", value=accuracy, reason=origin)

    def design(self, design: Design) -> None:
        """A design was realised."""
        self._add(
            design.arm,
            design.round,
            "realise",
            design.candidate.label,
            hardware=dict(design.point),
            state=design.state,
            value=_finite(design.value),
            figures=plain_figures(design.figures),
            reason=design.reason,
            accuracy=design.accuracy,
            job=design.job.key if design.job is not None else None,
        )

    def close(self) -> None:
        """End the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _add(self, arm: str, round: int, phase: str, network: str, **more: Any) -> None:
        row = {"index": len(self.rows), "arm": arm, "round": round, "phase": phase, "network": network, **more}
        self.rows.append(row)
        self._write(row)

    def _write(self, row: Mapping[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(row, default=_plain) + "\n")
            self._file.flush()


def _finite(value: float) -> float | None:
    return float(value) if value == value and abs(value) != float("inf") else None


def _plain(value: Any) -> Any:
    return value.item()  # numpy scalars
