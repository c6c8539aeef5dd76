"""Shows a build on the terminal: a line a stage, a bar while it runs."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

__all__ = ["StageProgress"]


class StageProgress:
    """A context manager whose `notify` is handed to the line."""

    def __init__(self, console: Console | None = None):
        self.console = console or Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[stage]:9}"),
            BarColumn(bar_width=24),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._stage = ""
        self._started = time.monotonic()

    def __enter__(self) -> StageProgress:
        self._progress.start()
        self._started = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def notify(self, stage: str, message: str, share: float | None) -> None:
        """Show what a stage is doing; `done` and `kept` end it with a line. What a `sweep` says stays.

        A stage's time runs from the end of the one before, so that work before its first message counts.
        """
        if stage == "sweep":
            self.console.print(message, highlight=False, soft_wrap=True, markup=False)
            self._started = time.monotonic()
            return
        if stage != self._stage or self._task is None:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._stage = stage
            self._task = self._progress.add_task(message, stage=stage, total=None)
        if message in ("done", "kept"):
            seconds = f"{time.monotonic() - self._started:8.1f} s" if message == "done" else "      kept"
            self._progress.remove_task(self._task)
            self._task, self._stage, self._started = None, "", time.monotonic()
            self.console.print(f"  {stage:9} {seconds}", highlight=False)
            return
        total = None if share is None else 1.0
        self._progress.update(self._task, description=message, total=total, completed=share or 0.0)
