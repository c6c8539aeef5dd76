"""A worker: claims trials of a search one after another and does each in a process of its own, with a time limit."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from codesign import errors
from codesign.errors import CodesignError, RunError, StorageError
from codesign.rundir import read_json, write_json
from codesign.search.blackboard.board import Board, Entry, WorkerRecord
from codesign.search.jobs import Job, Outcome

__all__ = ["PARENT", "Worker", "end_with", "worker_name"]

PARENT = "CODESIGN_WORKER_OF"
"""Environment variable with the process that a worker is to end with, where there is one."""

_PR_SET_PDEATHSIG = 1

_POLL_S = 0.02
_LOG_TAIL = 500


def worker_name() -> str:
    """A name that no other worker has: host, process, and four random digits."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"


def end_with(parent: int, *, by: signal.Signals) -> None:
    """Ask the kernel for the signal `by` when `parent`, which started this process, ends (Linux)."""
    libc: Any = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, by)
    if os.getppid() != parent:  # it ended before we asked
        os.kill(os.getpid(), by)


class Worker:
    """Does jobs of one search. Everything happens in the thread that calls it; no other threads are started."""

    def __init__(
        self,
        board: Board,
        *,
        folder: Path,
        name: str | None = None,
        stop: Callable[[], bool] = lambda: False,
        poll_s: float = 0.5,
    ):
        """folder: where jobs run, a folder each, named by the first digits of the job's key.

        stop: asked often; True ends the work, and the job in hand is given back. poll_s: pause where nothing is to do.
        """
        self.board = board
        self.folder = folder.resolve()
        self.name = name or worker_name()
        self.stop = stop
        self.poll_s = poll_s
        self.record = WorkerRecord(self.name, socket.gethostname(), os.getpid())
        self._began = self._mark = time.monotonic()
        self._had_work = False

    def run(
        self, *, jobs: int | None = None, idle_s: float | None = None, told: Callable[[Outcome], None] = lambda _: None
    ) -> WorkerRecord:
        """Work until stopped, `jobs` are done, nothing was to do for `idle_s` seconds, or the search is over.

        told: called with every outcome. Errors of the storage or of this machine are raised; the trial in hand is given
        back where the storage still answers.
        """
        last = time.monotonic()
        try:
            while not self.stop() and (jobs is None or self.record.done + self.record.failed < jobs):
                outcome = self.step()
                if outcome is not None:
                    told(outcome)
                    last = time.monotonic()
                    continue
                if self.board.ended or (idle_s is not None and time.monotonic() - last > idle_s):
                    break
                self._pause(self.poll_s)
        finally:
            self._record(ended=True)
        return self.record

    def step(self) -> Outcome | None:
        """Claim the first waiting trial and do it; None where there was none, or it was given back or taken away."""
        entries = self.board.entries()
        self.board.reap(entries, own=self.name)
        for entry in entries:
            if entry.state == "waiting" and not self.stop() and self.board.claim(entry, self.name):
                self._account(busy=False, work=True)
                self._had_work = True
                try:
                    return self._done(entry)
                finally:
                    self._account(busy=True, work=True)
                    self._record()
        live = any(entry.live for entry in entries)
        self._account(busy=False, work=live)
        if live != self._had_work:  # the wait for the last jobs of others is over, and counts
            self._record()
        self._had_work = live
        return None

    def rest(self) -> None:
        """Leave the time since the last step out of the record: this process did something else than wait."""
        self._mark = time.monotonic()

    def _done(self, entry: Entry) -> Outcome | None:
        """Do a claimed trial and store its outcome."""
        try:
            outcome = self._outcome(entry)
        except StorageError:
            raise
        except BaseException:  # also where we are interrupted: nobody waits for the heartbeat to end
            self._quietly(lambda: self.board.release(entry))
            raise
        if outcome is None or not self.board.finish(entry, outcome):
            return None
        done = int(outcome.done)
        counts = {"done": self.record.done + done, "failed": self.record.failed + 1 - done}
        self.record = replace(self.record, **counts)
        return outcome

    def _outcome(self, entry: Entry) -> Outcome | None:
        """Run the process of a job to its end; None where the trial was given back, taken away, or lost with it."""
        started = time.monotonic()
        with _own_folder(self.folder, entry.job) as folder:
            child = _start(entry.job, folder, self.name)
            try:
                reason = self._watch(child, entry, started)
            finally:
                _kill(child)
            if reason == "":
                return None
            if reason is not None:
                return _failed(entry.job, reason, self.name, started, folder)
            return self._read(child, entry, started, folder)

    def _watch(self, child: subprocess.Popen[bytes], entry: Entry, started: float) -> str | None:
        """Wait for the process, saying that we are alive; None where it ended, "" where it is not to, else why not."""
        every, count, due = self.board.stale_s / 4, 0, 0.0
        while child.poll() is None:
            now = time.monotonic()
            if self.stop():
                self.board.release(entry)
                return ""
            if entry.limit_s is not None and now - started > entry.limit_s:
                return f"took more than {entry.limit_s:g} s and was stopped"
            if now >= due:
                count, due = count + 1, now + every
                if not self.board.beat(entry, count):
                    return ""
                self.board.reap(self.board.entries(), own=self.name)
            time.sleep(_POLL_S)
        return None

    def _read(self, child: subprocess.Popen[bytes], entry: Entry, started: float, folder: Path) -> Outcome | None:
        """Read what the process wrote; one that a signal ended counts as lost, so that it is tried again elsewhere."""
        status = child.returncode
        if status < 0:
            self.board.lose(entry, f"its process was ended by {signal.Signals(-status).name}")
            return None
        answer = folder / "outcome.json"
        if status or not answer.is_file():
            tail = (folder / "job.log").read_bytes()[-_LOG_TAIL:].decode(errors="replace").strip()
            reason = f"its process ended with exit code {status} and no outcome: {tail or 'it printed nothing'}"
            return _failed(entry.job, reason, self.name, started, folder)
        told: dict[str, Any] = read_json(answer)
        if "machine" in told:
            kind = getattr(errors, told["machine"], CodesignError)
            raise kind(f"{told['message']} (worker {self.name}; its trial waits again)")
        return Outcome.from_dict(told)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.stop() and time.monotonic() < until:
            time.sleep(min(0.05, seconds))

    def _account(self, *, busy: bool, work: bool) -> None:
        """Count the time since the last call as busy or not, with work in the search or without."""
        now = time.monotonic()
        spent, self._mark = now - self._mark, now
        self.record = replace(
            self.record,
            busy_s=self.record.busy_s + spent * busy,
            work_s=self.record.work_s + spent * work,
            alive_s=now - self._began,
        )

    def _record(self, *, ended: bool = False) -> None:
        self.record = replace(self.record, ended=ended)
        if ended:
            self._quietly(lambda: self.board.record(self.record))
        else:
            self.board.record(self.record)

    def _quietly(self, question: Callable[[], None]) -> None:
        """Ask the storage once, on the way out; if it does not answer, the trial is found by its missing heartbeat."""
        patience, self.board.store.patience_s = self.board.store.patience_s, 0.0
        with contextlib.suppress(StorageError):
            question()
        self.board.store.patience_s = patience


def _start(job: Job, folder: Path, worker: str) -> subprocess.Popen[bytes]:
    """Start the process of a job in a session of its own; what it prints goes to job.log."""
    answer = folder / "outcome.json"
    answer.unlink(missing_ok=True)
    request = folder / "job.json"
    write_json(request, {**job.as_dict(), "folder": str(folder), "worker": worker})
    module = "codesign.search.blackboard.child"
    command = [sys.executable, "-m", module, str(request), str(answer), str(os.getpid())]
    with (folder / "job.log").open("wb") as log:
        try:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        except OSError as problem:
            raise RunError(f"a process for a job cannot be started: {problem}") from None


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Kill the process with its group; tools that it runs in groups of their own end with it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _failed(job: Job, reason: str, worker: str, started: float, folder: Path) -> Outcome:
    return Outcome(job, "failed", {}, reason, worker, round(time.monotonic() - started, 3), str(folder))


@contextmanager
def _own_folder(base: Path, job: Job) -> Iterator[Path]:
    """Yield a folder for a job that no other process works in; what an earlier attempt left there is kept."""
    try:
        (base / ".locks").mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            name = job.folder_name + (f"-{number}" if number > 1 else "")
            with (base / ".locks" / name).open("a") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                (base / name).mkdir(exist_ok=True)
                yield base / name
                return
    except OSError as problem:
        raise RunError(f"cannot work in {base}: {problem}") from None
    raise RunError(f"cannot work in {base}: 999 processes do the job {job.folder_name}")
