"""`cods search`: a co-design search from one file to built hardware and a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from codesign.cli.interrupts import begins
from codesign.cli.tables import terminal
from codesign.config import parse_model
from codesign.config.search import SearchConfig

__all__ = ["register", "resume_search"]


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command("search")(search)


def search(
    config: Annotated[Path, typer.Argument(help="A search configuration (YAML).", metavar="CONFIG")],
    run: Annotated[Path | None, typer.Option("--run", help="The search's folder.", show_default="runs/NAME")] = None,
    two_by_two: Annotated[
        bool, typer.Option("--two-by-two", help="Make all four of: network searched or not, hardware searched or not.")
    ] = False,
    workers: Annotated[int, typer.Option(min=0, help="Worker processes to start on this machine beside this one.")] = 0,
) -> None:
    """Search a network, its accelerator, or both, for a device under limits; from one file to Verilog and a report.

    What is returned was generated, simulated bit for bit and synthesised.

    Of a family of one's own the report says what was done. After a kill `cods resume RUN` ends at the same result.
    """
    model = parse_model(SearchConfig, config)
    if two_by_two:
        model = model.model_copy(update={"table": True})
    target = run or Path("runs") / model.name
    with begins(target):
        _run(model, target, folder=config.parent, workers=workers)


def resume_search(run: Path, *, workers: int = 0) -> None:
    """Go on with a search that was interrupted: what was built is not built again, and the result is the same."""
    from codesign.search.loop import open_search

    with begins(run, known=True):
        model, folder = open_search(run)
        _run(model, run, folder=folder, workers=workers)


def _run(model: SearchConfig, run: Path, *, folder: Path, workers: int) -> None:
    from rich.console import Console

    screen = Console(stderr=True)

    def tell(message: str) -> None:
        screen.print(f"  {message}", highlight=False, markup=False, soft_wrap=True)

    from codesign.search.loop import run_search

    _summary(run_search(model, run, folder=folder, workers=workers, tell=tell), run, family=model.family)


def _summary(result: dict[str, Any], run: Path, *, family: str) -> None:
    from codesign.report.lut_search_page import lut_search_table
    from codesign.report.search_page import result_tables

    console = terminal()
    for table in result_tables(result) if family != "pipeline" else [lut_search_table(result)]:
        console.print(table)
    console.print(f"report: {run / 'report.html'}", soft_wrap=True, highlight=False)
