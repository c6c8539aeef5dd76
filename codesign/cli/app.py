"""The typer application, and what becomes of errors: one clear line, exit code not 0, no traceback."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import Annotated, Any

import typer

from codesign import __version__
from codesign.cli import build, calibrate, ci, doctor, search, show, spaces, worker
from codesign.cli.interrupts import hint
from codesign.errors import CodesignError
from codesign.plugins import blame

__all__ = ["app", "main"]

app = typer.Typer(
    name="cods",
    help="From a data set to proven Verilog: train, extract, optimize, emit, simulate, synthesize, report.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (build, ci, show, spaces, search, worker, calibrate, doctor):
    group.register(app)


def _version(value: bool) -> None:
    if value:
        print(f"codesign {__version__}")
        raise typer.Exit


@app.callback()
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of every command."""
    if debug:
        os.environ["CODESIGN_DEBUG"] = "1"


def main() -> None:
    """Run the command line; exit codes: 0, 1 (our error), 2 (usage or defect), 130 (interrupted), 143 (terminated)."""
    signal.signal(signal.SIGTERM, _stopped)
    signal.signal(signal.SIGINT, _stopped)
    try:
        app()
    except CodesignError as problem:
        _end(problem, f"error: {problem}", 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as problem:
        told = hint()
        full = f" (the disk is full: free space{f'; {told}' if told else ''})" if problem.errno == errno.ENOSPC else ""
        _end(problem, f"error: {problem}{full}", 1)
    except Exception as problem:  # noqa: BLE001 - the last line of defence: no traceback without --debug
        if told := blame(problem):
            _end(problem, f"error: {told}", 1)
        text = f"defect in codesign: {type(problem).__name__}: {problem}\nRun with --debug and report the traceback."
        _end(problem, text, 2)


def _stopped(number: int, frame: Any) -> None:
    """Unwind, so that the programs that we started end with us."""
    what, told = "interrupted" if number == signal.SIGINT else "terminated", hint()
    print(f"{what}; {told}" if told else what, file=sys.stderr)
    sys.exit(128 + number)


def _end(problem: BaseException, text: str, status: int) -> None:
    if os.environ.get("CODESIGN_DEBUG"):
        raise problem
    print(text, file=sys.stderr)
    sys.exit(status)
