"""`cods build`, `cods resume`, the single stages, `cods verify` and `cods sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codesign.cli.interrupts import begins
from codesign.cli.progress import StageProgress
from codesign.cli.tables import terminal
from codesign.config import parse_build
from codesign.errors import CodesignError, ConfigError, MismatchError, RunError
from codesign.rundir import is_search

if TYPE_CHECKING:
    from codesign.line import Line

__all__ = ["register"]

RunArgument = Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")]

_STAGE_HELP = {
    "train": "Train the network of a run.",
    "extract": "Turn every trained neuron into its truth table (of an engine: into integers), checked on all rows.",
    "optimize": "Run the lossless passes on the tables (of a pipeline).",
    "compile": "Compile the network for its engine, checked layer by layer.",
    "emit": "Write the Verilog, its bench and its scripts.",
    "simulate": "Stream the test set through the Verilated design and compare every answer.",
    "synth": "Synthesise, place and route with open tools.",
}


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command("build")(build)
    app.command("resume")(resume)
    for stage, text in _STAGE_HELP.items():
        app.command(stage, help=f"{text} Everything to its left is brought up to date first.")(_stage_command(stage))
    app.command("verify")(verify)
    app.command("sweep")(sweep)


def build(
    config: Annotated[Path, typer.Argument(help="A build configuration (YAML).", metavar="CONFIG")],
    run: Annotated[Path | None, typer.Option("--run", help="The run folder; runs/NAME by default.")] = None,
    until: Annotated[str, typer.Option(help="The last stage to compute.")] = "report",
) -> None:
    """From data to report: train, extract, optimize (an engine: compile), emit, simulate, synthesize."""
    from codesign.line import new_line

    model = parse_build(config)
    target = run or Path("runs") / model.name
    with begins(target), StageProgress() as progress:
        new_line(model, target, folder=config.parent, notify=progress.notify).build(until=until)
    _summary(target, until)


def resume(
    run: RunArgument,
    workers: Annotated[
        int, typer.Option(min=0, help="Of a search: worker processes to start on this machine beside this one.")
    ] = 0,
) -> None:
    """Go on with a run or a search that was interrupted, or bring a run up to date with its config.yaml."""
    from codesign.cli.search import resume_search
    from codesign.line import open_run

    if is_search(run):
        resume_search(run, workers=workers)
        return
    if workers and (run / "config.yaml").is_file():
        raise ConfigError(
            f"--workers is for the jobs of a search; {run} is the run of one build, which one process goes on with. "
            "Leave it out"
        )
    with begins(run, known=True), StageProgress() as progress:
        open_run(run, notify=progress.notify).build()
    _summary(run, "report")


def _stage_command(stage: str):
    def command(run: RunArgument) -> None:
        from codesign.line import open_run

        with begins(run, known=True), StageProgress() as progress:
            open_run(run, notify=progress.notify).build(until=stage)

    command.__name__ = stage
    return command


def _summary(run: Path, until: str) -> None:
    if until != "report":
        return
    from codesign.report import summary_tables

    console = terminal()
    for table in summary_tables(run):
        console.print(table)
    console.print(f"report: {run / 'report.html'}", soft_wrap=True, highlight=False)


def verify(
    run: RunArgument,
    pairs: Annotated[
        int | None,
        typer.Option(min=0, help="Random engines with random programs beside an engine's own, 3 by default."),
    ] = None,
    formal: Annotated[
        bool, typer.Option("--formal", help="Prove what can be proven for every input as well (yosys, ABC).")
    ] = False,
    proof_seconds: Annotated[float, typer.Option(min=1.0, help="Time limit of one formal proof.")] = 60.0,
) -> None:
    """Check again that trained network, tables (or integers), every form after them, and Verilog all agree."""
    from codesign.line import open_run
    from codesign.verify import verify_run, verify_table

    wrong: CodesignError | None = None
    with StageProgress() as progress:
        line = open_run(run, notify=progress.notify)
        try:
            checks = verify_run(line, pairs=pairs)
        except (MismatchError, RunError) as problem:
            if not formal:
                raise
            wrong = problem
    if wrong is None:
        terminal().print(verify_table(checks))
    if formal:
        _prove(line, proof_seconds, wrong)


def _prove(line: Line[Any], proof_seconds: float, wrong: CodesignError | None) -> None:
    """Prove a run; where its checks found something `wrong`, prove the files as they are, and raise both."""
    from codesign.verify.formal import formal_table, prove_run, require_proven

    line.reads_changed = wrong is not None
    with StageProgress() as progress:
        line.notify = progress.notify
        try:
            tallies = prove_run(line, timeout_s=proof_seconds)
        except CodesignError as problem:
            raise wrong or problem from None
    terminal().print(formal_table(tallies))
    try:
        require_proven(tallies)
    except CodesignError as problem:
        raise (problem if wrong is None else type(problem)(f"{wrong}\n{problem}")) from None
    if wrong is not None:
        raise wrong


def sweep(
    config: Annotated[Path, typer.Argument(help="A sweep: a build configuration and a grid (YAML).", metavar="SWEEP")],
    run: Annotated[Path | None, typer.Option("--run", help="The folder of all runs; runs/NAME by default.")] = None,
) -> None:
    """Build every point of a grid (fan-in, bits, width, sparsity, seeds); write a table and a plot."""
    from codesign.sweep import run_sweep

    with begins(again="the same command"), StageProgress() as progress:
        result = run_sweep(config, run, notify=progress.notify)
    console = terminal()
    console.print(result.table)
    console.print(f"comparison: {result.page}", soft_wrap=True, highlight=False)
    if result.failures:
        failed = ", ".join(result.failures)
        raise CodesignError(f"{len(result.failures)} point(s) could not be built: {failed}; sweep.json has the reasons")
