"""What runs in the process of one job: read it, do it, write what came of it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from codesign.errors import CodesignError
from codesign.rundir import read_json, write_json
from codesign.search.blackboard.worker import end_with
from codesign.search.jobs import Job, attempt

__all__ = ["main"]


def main(request: str, answer: str, parent: str) -> None:
    """Do the job of the file `request` and write `answer`; end with `parent`, the process that waits."""
    end_with(int(parent), by=signal.SIGKILL)
    given = read_json(Path(request))
    job = Job(given["kind"], given["spec"])
    try:
        told = attempt(job, Path(given["folder"]), worker=given["worker"]).as_dict()
    except CodesignError as problem:  # it speaks of this machine: nothing is known of the job
        told = {"machine": type(problem).__name__, "message": str(problem)}
    write_json(Path(answer), told)


if __name__ == "__main__":
    main(*sys.argv[1:])
