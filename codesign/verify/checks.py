"""What a check is: two forms that agree, on how many inputs, in how many seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.table import Table

from codesign.line import Notify

__all__ = ["Check", "Steps", "run_steps", "verify_table"]

Steps = list[tuple[str, Callable[[], int]]]
"""What each check compares, and the function that does and returns on how many inputs."""


@dataclass(frozen=True)
class Check:
    """One agreement that was checked: between which forms, on how many inputs, in how many seconds."""

    name: str
    inputs: int
    seconds: float


def run_steps(steps: Steps, *, notify: Notify) -> tuple[Check, ...]:
    """Run the checks in order; the first that fails raises its own error."""
    checks: list[Check] = []
    for name, step in steps:
        notify("verify", name, None)
        started = time.monotonic()
        checks.append(Check(name, step(), time.monotonic() - started))
    return tuple(checks)


def verify_table(checks: tuple[Check, ...]) -> Table:
    """The checks as a table; a check that failed raised instead, so every row agrees."""
    table = Table(title="verified")
    table.add_column("forms that agree")
    table.add_column("inputs", justify="right")
    table.add_column("seconds", justify="right")
    for check in checks:
        table.add_row(check.name, f"{check.inputs:,}", f"{check.seconds:.1f}")
    return table
