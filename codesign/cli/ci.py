"""`cods ci`: the checks of emitted Verilog for somebody's continuous integration."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated

import typer

from codesign.cli.tables import terminal
from codesign.errors import ConfigError

if TYPE_CHECKING:
    from codesign.ci import Check

__all__ = ["register"]

_COLOURS = {"passed": "green", "failed": "red", "error": "red", "skipped": "yellow"}


def register(app: typer.Typer) -> None:
    """Add this group's command."""
    app.command("ci")(ci)


def ci(
    path: Annotated[Path, typer.Argument(help="A run, or a folder of emitted Verilog.", metavar="RUN_OR_RTL")],
    junit: Annotated[Path | None, typer.Option(help="Where to write the checks as JUnit XML.")] = None,
    work: Annotated[Path, typer.Option(help="Programs, logs, waveforms.")] = Path("build/ci"),
    time_limit: Annotated[float, typer.Option(min=1, help="Seconds for everything.")] = 1800,
    vectors: Annotated[int | None, typer.Option(min=1, help="At most so many golden vectors (of a pipeline).")] = None,
    cocotb: Annotated[bool, typer.Option("--cocotb/--no-cocotb", help="Run the protocol bench too.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of gaps, stalls and registers before reset.")] = 1,
) -> None:
    """Lint, simulate and compare emitted Verilog; exit code 0 only where every check passed."""
    from codesign.ci import check_rtl, rtl_folder, write_junit

    console = terminal()

    def show(check: Check) -> None:
        colour = _COLOURS[check.state]
        line = f"[{colour}]{check.state:>7}[/] {check.name} ({check.seconds:.1f} s): "
        console.print(line, end="")
        console.print(check.detail, markup=False, highlight=False, soft_wrap=True)

    folder = rtl_folder(path)
    _require_writable(work, "--work")
    if junit is not None:
        if junit.is_dir():
            raise ConfigError(f"--junit must name a file, and {junit} is a folder")
        _require_writable(junit.parent, "--junit")
    checks = check_rtl(
        folder, work=work, time_limit_s=time_limit, vectors=vectors, cocotb=cocotb, seed=seed, progress=show
    )
    if junit is not None:
        write_junit(checks, junit, suite=f"cods ci {path.resolve().name}")
    reached = next((check.reached for check in reversed(checks) if check.reached), ())
    if reached:
        console.print("reached in simulation (told, not required):")
    for name, value in reached:
        console.print(f"  {name}: {value}", markup=False, highlight=False, soft_wrap=True)
    bad = [check.name for check in checks if not check.good]
    skipped = sum(check.state == "skipped" for check in checks)
    told = f"{len(checks) - skipped - len(bad)} of {len(checks) - skipped} checks passed"
    told += f", {skipped} skipped" if skipped else ""
    console.print(told + (f"; not: {', '.join(bad)}" if bad else ""), soft_wrap=True)
    raise typer.Exit(1 if bad else 0)


def _require_writable(folder: Path, option: str) -> None:
    """Refuse a place that cannot be written before anything is checked."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise ConfigError(f"{option}: {folder} cannot be written to ({problem.strerror}); give another place") from None
