"""`cods report`, `cods cost` and `cods devices`: figures without computing anything new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.engine import engine_cost, engine_cost_tables, read_engine
from codesign.cli.tables import cost_table, devices_table, read_topology, terminal

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command("report")(report)
    app.command("cost")(cost)
    app.command("devices")(devices)


def report(
    runs: Annotated[list[Path], typer.Argument(help="One run, or several to compare.", metavar="RUN...")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one flat JSON object.")] = False,
    out: Annotated[Path | None, typer.Option(help="Where to write the comparison page.")] = None,
) -> None:
    """Write a run's report.html again, print its figures as JSON, or compare several runs."""
    from codesign.report import compare_runs, figures, summary_tables, write_report

    console = terminal()
    if as_json:
        values = [figures(run) for run in runs]
        print(json.dumps(values[0] if len(values) == 1 else values, indent=2))
        return
    if len(runs) == 1:
        write_report(runs[0])
        for table in summary_tables(runs[0]):
            console.print(table)
        console.print(f"report: {runs[0] / 'report.html'}", soft_wrap=True, highlight=False)
        return
    page = out or Path("compare.html")
    console.print(compare_runs(runs, page))
    console.print(f"comparison: {page}", soft_wrap=True, highlight=False)


def cost(
    topology: Annotated[Path, typer.Argument(help="A topology or build configuration (YAML), or a preset's name.")],
    inputs: Annotated[int | None, typer.Option(min=1, help="Input features, where the file does not say.")] = None,
    answers: Annotated[int | None, typer.Option(min=1, help="Classes or targets, where the file does not say.")] = None,
    lut_inputs: Annotated[int, typer.Option(help="Inputs of the device's LUT: 6 or 4.")] = 6,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Before training: worst-case LUTs, depth and cycles of a topology; cycles, resources and energy of an engine."""
    from codesign.accel import topology_cost

    if (engine := read_engine(topology)) is not None:
        rows = engine_cost(engine, inputs=inputs, answers=answers)
        if as_json:
            print(json.dumps(rows, indent=2))
        else:
            for table in engine_cost_tables(engine.name, rows):
                terminal().print(table)
        return
    shape = read_topology(topology, inputs=inputs, answers=answers)
    result = topology_cost(shape, lut_inputs=lut_inputs)
    if as_json:
        print(json.dumps(result.as_dict(), indent=2))
    else:
        terminal().print(cost_table(shape, result))


def devices() -> None:
    """List the known devices and their resources."""
    from codesign.accel import devices as known

    terminal().print(devices_table(known()))
