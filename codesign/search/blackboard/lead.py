"""The side of the search: gives jobs to the blackboard and waits for their outcomes, working too if it is asked to."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal

from codesign.errors import ConfigError
from codesign.search.blackboard.board import Board, Entry, WorkerRecord, settle
from codesign.search.blackboard.storage import Store, check_shared
from codesign.search.blackboard.worker import PARENT, Worker
from codesign.search.jobs import Job, Outcome

__all__ = ["Blackboard", "local_workers"]

_LONELY_S = 30.0


def _silent(message: str) -> None:
    """Tell nobody."""


class Blackboard:
    """A `Runner` whose jobs are trials of a study in an Optuna storage, done by workers in any number of processes.

    Jobs are remembered by their keys for as long as the study lives: a search that was killed and is run again gets
    the outcomes that are there, and goes on with the others. Use it as a context manager: leaving it without an error
    tells the workers that the search is over.
    """

    def __init__(
        self,
        storage: str,
        study: str,
        *,
        folder: Path = Path("runs/jobs"),
        works: bool = True,
        limit_s: float | None = None,
        stale_s: float = 60.0,
        losses: int = 3,
        patience_s: float = 30.0,
        poll_s: float = 0.5,
        shown: Mapping[str, Literal["minimize", "maximize"]] | None = None,
        notify: Callable[[str], None] = _silent,
    ):
        """Open or begin the study.

        storage: see `FORMS`; SQLite only while this process works alone.
        folder, works: whether this process does jobs as well, and where.
        limit_s: time limit of each job; what takes longer has failed. stale_s: a worker that gives no sign of life for
        so long is lost, and its job waits again. losses: a job that lost so many workers has failed.
        patience_s: how long a storage may be away. shown: figures that become the trials' values, for dashboards.
        """
        for name, value in (("limit_s", limit_s), ("stale_s", stale_s), ("losses", losses)):
            if value is not None and value <= 0:
                raise ConfigError(f"{name} must be positive, not {value}")
        if not works:
            check_shared(storage)
        self.limit_s = limit_s
        self.poll_s = poll_s
        self.notify = notify
        self.store = Store(storage, patience_s=patience_s)
        self.board = Board.begin(self.store, study, stale_s=stale_s, losses=losses, shown=shown or {})
        self.worker = Worker(self.board, folder=folder) if works else None
        self._told = time.monotonic()

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Return the outcomes in the order of `jobs`; equal keys are evaluated once, ever.

        A storage that stays away is a StorageError; what was decided before is kept in it.
        """
        wanted = {job.key: job for job in jobs}
        found: dict[str, Outcome] = {}
        if self.worker is not None:
            self.worker.rest()
        while True:
            entries = self.board.entries()
            self.board.reap(entries, own=self.worker.name if self.worker else "")
            missing = self._collect(wanted, found, entries)
            if len(found) == len(wanted):
                return [found[job.key] for job in jobs]
            for job in missing:
                self.board.add(job, limit_s=self.limit_s)
            if missing:
                continue
            if self.worker is None or self.worker.step() is None:
                self._lonely(entries)
                time.sleep(self.poll_s)

    def workers(self) -> list[WorkerRecord]:
        """What the workers of this search say of themselves, this process included."""
        return self.board.workers()

    def close(self, *, ended: bool = True) -> None:
        """Give back the storage; `ended` tells the workers that the search is over."""
        if ended:
            self.board.mark_ended(True)
        self.store.close()

    def __enter__(self) -> Blackboard:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        self.close(ended=kind is None)

    def _collect(self, wanted: Mapping[str, Job], found: dict[str, Outcome], entries: Sequence[Entry]) -> list[Job]:
        """Add the outcomes that are there to `found`; return the jobs that nobody does or will do."""
        attempts: dict[str, list[Entry]] = {key: [] for key in wanted if key not in found}
        for entry in entries:
            if entry.job.key in attempts:
                attempts[entry.job.key].append(entry)
        missing: list[Job] = []
        for key, of_job in attempts.items():
            stands = settle(wanted[key], of_job, most_losses=self.board.most_losses)
            if stands.outcome is not None:
                found[key] = stands.outcome
            elif not stands.live:
                missing.append(wanted[key])
        return missing

    def _lonely(self, entries: Sequence[Entry]) -> None:
        """Say from time to time that jobs wait and nobody works."""
        running = any(entry.state == "running" for entry in entries)
        waiting = sum(entry.state == "waiting" for entry in entries)
        now = time.monotonic()
        if running or not waiting:
            self._told = now
        elif now - self._told > _LONELY_S:
            self._told = now
            self.notify(f"{waiting} jobs wait and no worker is at work: start some with `cods worker STORAGE`")


@contextmanager
def local_workers(
    storage: str, study: str, *, count: int, folder: Path = Path("runs/jobs"), log: Path | None = None
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run `count` workers of a study on this machine while the context lasts; they end with this process too.

    log: a folder for what each prints. SQLite is a ConfigError.
    """
    if count:
        check_shared(storage)
    command = [sys.executable, "-m", "codesign", "worker", storage, "--study", study, "--folder", str(folder)]
    environment = {**os.environ, PARENT: str(os.getpid())}
    workers: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(count):
            path = Path(os.devnull) if log is None else log / f"worker_{number}.log"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as out:
                workers.append(
                    subprocess.Popen(
                        command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=environment
                    )
                )
        yield workers
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()
