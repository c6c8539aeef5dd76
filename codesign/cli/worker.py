"""`cods worker` and `cods proxy`: processes that work on a search from anywhere."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codesign.cli.tables import terminal

if TYPE_CHECKING:
    from codesign.search.blackboard import Board, Store, WorkerRecord
    from codesign.search.jobs import Outcome

__all__ = ["register"]

StorageArgument = Annotated[
    str,
    typer.Argument(
        help="journal:PATH, postgresql://USER@HOST/DATABASE or grpc://HOST:PORT.", metavar="STORAGE", show_default=False
    ),
]
_SHOWN = ("cycles", "luts", "accuracy_validation", "fmax_mhz")


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command("worker")(worker)
    app.command("proxy")(proxy)


def worker(
    storage: StorageArgument,
    study: Annotated[str | None, typer.Option("--study", help="The search; needed where there are several.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="End after so many jobs.")] = None,
    idle: Annotated[float | None, typer.Option(min=0, help="End after so many seconds without a job.")] = None,
    folder: Annotated[Path, typer.Option(help="Where jobs run, a folder each.")] = Path("runs/jobs"),
    status: Annotated[bool, typer.Option("--status", help="Say how the search stands, and end.")] = False,
) -> None:
    """Do jobs of a search, one after another, until it is over; start as many as there are cores to spare, anywhere.

    A worker that is killed loses nothing: its job waits again. SIGINT and SIGTERM give the job in hand back at once.
    """
    from codesign.search.blackboard import Board, Store, Worker, check_begun, check_shared
    from codesign.search.blackboard.worker import PARENT, end_with

    check_shared(storage)
    if status:
        check_begun(storage)
        store = Store(storage, create=False)
        _tell_status(Board.join(store, study))
        store.close()
        return
    stopped = _signals()
    if parent := os.environ.pop(PARENT, ""):
        end_with(int(parent), by=signal.SIGTERM)
    store = Store(storage, create=False)
    board = _board(store, study, idle=idle, stopped=stopped)
    if board is None:
        terminal().print("no search began")
        return
    screen = terminal()
    one = Worker(board, folder=folder, stop=lambda: bool(stopped))
    screen.print(f"worker {one.name} on the search {board.name!r}", highlight=False)
    try:
        one.run(jobs=jobs, idle_s=idle, told=lambda done: screen.print(_line(done), highlight=False, markup=False))
    finally:
        screen.print(_summary(one.record), highlight=False)
    store.close()
    if stopped:
        sys.exit(128 + stopped[0])


def proxy(
    storage: StorageArgument,
    host: Annotated[str, typer.Option(help="Address to listen on; the default takes this machine's own alone.")] = (
        "localhost"
    ),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 13000,
) -> None:
    """Serve a storage to workers by gRPC, until stopped: they name it grpc://HOST:PORT. There is no password."""
    from codesign.search.blackboard.proxy import serve

    terminal().print(f"serving at grpc://{host}:{port}", highlight=False)
    serve(storage, host=host, port=port)


def _board(store: Store, study: str | None, *, idle: float | None, stopped: list[int]) -> Board | None:
    """Open the search, waiting for it to begin; None where that took too long, or we were stopped."""
    from codesign.search.blackboard import Board

    began, told = time.monotonic(), False
    while (board := Board.join(store, study)) is None:
        if stopped or (idle is not None and time.monotonic() - began > idle):
            return None
        if not told:
            terminal().print("the search has not begun yet: waiting for it", highlight=False)
            told = True
        time.sleep(0.5)
    return board


def _signals() -> list[int]:
    """Take SIGINT and SIGTERM as requests to stop; the list holds what came. A second one ends at once."""
    found: list[int] = []

    def stop(number: int, frame: Any) -> None:
        found.append(number)
        if len(found) > 1:
            sys.exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return found


def _line(outcome: Outcome) -> str:
    """One job on one line."""
    head = f"{outcome.state:6} {outcome.job.kind} {outcome.job.folder_name} {outcome.seconds:8.1f} s"
    if not outcome.done:
        return f"{head}  {outcome.reason.splitlines()[0][:200]}"
    figures = outcome.figures
    names = [name for name in _SHOWN if name in figures] or list(figures)[:3]
    return f"{head}  {', '.join(f'{name} {figures[name].value:g}' for name in names)}"


def _summary(record: WorkerRecord) -> str:
    share = record.busy_share
    busy = "there was no work" if share is None else f"busy {100 * share:.1f} % of {record.work_s:.1f} s with work"
    return f"worker {record.name}: {record.done} done, {record.failed} failed; {busy}"


def _tell_status(board: Board | None) -> None:
    """Print how many trials are in which state, and what the workers did."""
    from rich.table import Table

    screen = terminal()
    if board is None:
        screen.print("there is no search yet")
        return
    entries = board.entries()
    states = Counter(entry.state for entry in entries)
    outcomes = Counter(entry.outcome.state for entry in entries if entry.outcome is not None)
    lost = sum(bool(entry.lost) for entry in entries)
    screen.print(
        f"search {board.name!r}: {states['waiting']} jobs wait, {states['running']} run, {outcomes['done']} are done, "
        f"{outcomes['failed']} failed; {lost} attempts were lost with their workers"
        + ("; it is over" if board.ended else ""),
        highlight=False,
    )
    table = Table("worker", "done", "failed", "seconds in jobs", "seconds with work", "busy")
    for record in board.workers():
        share = "" if record.busy_share is None else f"{100 * record.busy_share:.1f} %"
        table.add_row(
            record.name, str(record.done), str(record.failed), f"{record.busy_s:.1f}", f"{record.work_s:.1f}", share
        )
    screen.print(table)
