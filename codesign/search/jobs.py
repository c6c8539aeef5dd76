"""Pieces of expensive work that a search asks for, what came of them, and who does them: here, or workers anywhere."""

from __future__ import annotations

import hashlib
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from codesign.accel.family import Figure, Origin
from codesign.errors import CodesignError, ConfigError, DataError, RunError, ToolNotFound, ToolTooOld
from codesign.plugins import blame, find_class
from codesign.rundir import read_json, write_json

__all__ = ["Job", "JobKind", "LocalRunner", "Outcome", "Runner", "attempt", "found_folder", "perform"]

_MACHINE = (ToolNotFound, ToolTooOld, RunError)
"""Errors that speak of the machine (a tool is missing, the disk is full), not of the job."""


@dataclass(frozen=True, eq=False)
class Job:
    """One piece of expensive work. Two jobs are equal where their keys are.

    kind: `line`, `random_engine` (see `codesign.search.job_kinds`), or `module:Class` of a user's own `JobKind`.
    spec: what the kind needs, plain JSON; anything else is a ConfigError.
    """

    kind: str
    spec: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Bring the spec to what JSON gives back, so that a job is the same on every machine."""
        try:
            plain = json.loads(json.dumps(self.spec, allow_nan=False))
        except (TypeError, ValueError) as problem:
            raise ConfigError(f"the spec of a job of kind {self.kind!r} must be plain JSON: {problem}") from None
        object.__setattr__(self, "spec", plain)

    @cached_property
    def key(self) -> str:
        """SHA-256 of the canonical JSON of kind and spec, 64 hex digits."""
        text = json.dumps({"kind": self.kind, "spec": self.spec}, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def folder_name(self) -> str:
        """Name of the folder in which the job is done: the first 16 digits of its key."""
        return self.key[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"kind": self.kind, "spec": dict(self.spec)}


@dataclass(frozen=True)
class Outcome:
    """What came of a job. A job that failed has no figures, so it can never win; `reason` says why it failed.

    worker: who did it; seconds: wall time it took; folder: where the run lies on that worker's machine, "" where none.
    """

    job: Job
    state: Literal["done", "failed"]
    figures: Mapping[str, Figure]
    reason: str
    worker: str
    seconds: float
    folder: str

    @property
    def done(self) -> bool:
        """Whether there are figures."""
        return self.state == "done"

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; figures as [value, unit, origin]."""
        return {
            "job": self.job.as_dict(),
            "state": self.state,
            "figures": {name: [f.value, f.unit, f.origin] for name, f in self.figures.items()},
            "reason": self.reason,
            "worker": self.worker,
            "seconds": self.seconds,
            "folder": self.folder,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Outcome:
        """Read what `as_dict` gives; a DataError otherwise."""
        try:
            if value["state"] not in ("done", "failed"):
                raise ValueError(f"state {value['state']!r}")
            return cls(
                job=Job(value["job"]["kind"], value["job"]["spec"]),
                state=value["state"],
                figures={name: Figure(*figure) for name, figure in value["figures"].items()},
                reason=str(value["reason"]),
                worker=str(value["worker"]),
                seconds=float(value["seconds"]),
                folder=str(value["folder"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise DataError(f"not an outcome of a job ({problem!r}): {str(value)[:200]}") from None


class JobKind(ABC):
    """A kind of work. A user's own derives from this and is named `module:Class`; it must be importable by workers."""

    @abstractmethod
    def perform(self, spec: Mapping[str, Any], folder: Path) -> Mapping[str, Figure]:
        """Do the work in `folder`, which exists and may hold what an earlier, killed attempt left; return its figures.

        The figures must depend on the spec alone. What it raises makes the job a failed one, with the reason.
        """


class Runner(Protocol):
    """Does jobs."""

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Return the outcomes in the order of `jobs`. Jobs with equal keys are evaluated once, ever."""
        ...


def perform(job: Job, folder: Path) -> dict[str, Figure]:
    """Do the work of a job in `folder` and return its figures, each with its origin; whatever it raises passes."""
    from codesign.search.job_kinds import KINDS

    kind = find_class(job.kind, JobKind, known=KINDS, what="kind of job")
    folder.mkdir(parents=True, exist_ok=True)
    return _checked(job, kind().perform(job.spec, folder))  # pyright: ignore[reportAbstractUsage] - a subclass, by name


def attempt(job: Job, folder: Path, *, worker: str) -> Outcome:
    """Do a job and tell what came of it; what it raises is a failed outcome with the reason.

    What speaks of the machine is raised: ToolNotFound, ToolTooOld, and RunError (the disk is full, a folder in use).
    """
    started = time.monotonic()
    figures: dict[str, Figure] = {}
    try:
        figures, reason = perform(job, folder), ""
    except _MACHINE:
        raise
    except CodesignError as problem:
        reason = f"{type(problem).__name__}: {problem}"
    except Exception as problem:  # noqa: BLE001 - whatever a user's own kind raises is a failed job
        reason = blame(problem) or f"{type(problem).__name__}: {problem}"
    seconds = round(time.monotonic() - started, 3)
    return Outcome(job, "failed" if reason else "done", figures, reason, worker, seconds, str(folder))


class LocalRunner:
    """Does jobs in this process, one after another, and remembers their outcomes as files.

    A job runs in FOLDER/jobs/<first digits of its key>; its outcome is FOLDER/outcomes/<key>.json.
    """

    def __init__(self, folder: Path, *, worker: str = "local"):
        """folder: made if absent; outcomes that it holds are not computed again."""
        self.folder = folder
        self.worker = worker

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Return the outcomes in the order of `jobs`; a missing tool or a full disk is raised, not remembered."""
        return [self._outcome(job) for job in jobs]

    def _outcome(self, job: Job) -> Outcome:
        memo = self.folder / "outcomes" / f"{job.key}.json"
        if memo.is_file():
            return Outcome.from_dict(read_json(memo))
        found = attempt(job, self.folder / "jobs" / job.folder_name, worker=self.worker)
        memo.parent.mkdir(parents=True, exist_ok=True)
        write_json(memo, found.as_dict())
        return found


def found_folder(folder: str, run: Path) -> Path:
    """Where a job's folder lies now: where its outcome says, else under the same name in RUN/jobs, if RUN was moved."""
    said, here = Path(folder), run / "jobs" / Path(folder).name
    return here if not said.is_dir() and here.is_dir() else said


def _checked(job: Job, figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """Return plain figures; a DataError names one that is no finite number, or has no origin."""
    if not figures:
        raise DataError(f"a job of kind {job.kind!r} gave no figures")
    found: dict[str, Figure] = {}
    for name, figure in figures.items():
        if not isinstance(figure, Figure):
            raise DataError(f"figure {name!r} of a job of kind {job.kind!r} must be a Figure, not {figure!r}")
        if figure.origin not in get_args(Origin):
            raise DataError(
                f"figure {name!r} of a job of kind {job.kind!r} must have an origin of {', '.join(get_args(Origin))}, "
                f"not {figure.origin!r}"
            )
        try:
            value = float(figure.value)
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise DataError(f"figure {name!r} of a job of kind {job.kind!r} must be finite, not {figure.value!r}")
        found[str(name)] = Figure(value, figure.unit, figure.origin)
    return found
