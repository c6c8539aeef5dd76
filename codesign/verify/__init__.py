"""Checks a finished run again, from the trained network to the Verilog, and says on how many inputs."""

from __future__ import annotations

from typing import Any

from codesign.errors import ConfigError
from codesign.line import EngineLine, Line, PipelineLine
from codesign.verify.checks import Check, run_steps, verify_table
from codesign.verify.engine import DEFAULT_PAIRS, engine_steps
from codesign.verify.pipeline import pipeline_steps

__all__ = ["Check", "verify_run", "verify_table"]


def verify_run(line: Line[Any], *, pairs: int | None = None) -> tuple[Check, ...]:
    """Check every hand-over of a run. Raises MismatchError (or the stage's own error) at the first difference.

    pairs: random engines that are built and run beside the run's own, for the family `engine` alone (3 where None).
    """
    if isinstance(line, EngineLine):
        steps = engine_steps(line, pairs=DEFAULT_PAIRS if pairs is None else pairs)
    elif isinstance(line, PipelineLine):
        if pairs is not None:
            raise ConfigError(f"--pairs is for runs of the family 'engine'; {line.run.path} is of {line.family!r}")
        steps = pipeline_steps(line)
    else:
        raise ConfigError(f"runs of the family {line.family!r} have no checks of their own")
    return run_steps(steps, notify=line.notify)
