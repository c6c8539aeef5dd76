"""`cods calibrate`: the estimates of a model, fitted anew to what the tools make of sampled points."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.interrupts import begins
from codesign.cli.tables import terminal

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    group = typer.Typer(
        help="Fit the models' estimates to what the tools make of sampled points.", no_args_is_help=True
    )
    group.command("engine")(engine)
    group.callback()(_group)
    app.add_typer(group, name="calibrate")


def _group() -> None:
    """Fit the models' estimates to what the tools make of sampled points."""


def engine(
    family: Annotated[str, typer.Option(help="Family of devices: xc7, xcup or ecp5.")],
    points: Annotated[int, typer.Option(min=8, help="Points to synthesise; half of them are fitted.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Draws the points, and the half that is fitted.")] = 2026,
    out: Annotated[Path, typer.Option(help="Folder of the table and the calibration; what is in it is kept.")] = Path(
        "calibration"
    ),
    also: Annotated[
        list[Path] | None,
        typer.Option(help="A table of points synthesised for another end; they join the points drawn."),
    ] = None,
    fmax: Annotated[
        int, typer.Option(min=0, help="Points to place and route as well, for the clock (ecp5 alone).")
    ] = 0,
    device_name: Annotated[str, typer.Option("--device", help="Device that is timed.")] = "ecp5-85f",
) -> None:
    """Synthesise points drawn from the engine's space, fit LUTs and flip-flops, and print the errors.

    Block RAMs and DSP blocks are not fitted: every point must have exactly those of the law. A run that was stopped
    goes on where it ended. A point takes half a minute to two, and some minutes more to place and route.
    """
    from rich.table import Table

    from codesign.errors import ConfigError
    from codesign.synth.engine_fit import error_table, fit_resources, write_calibration
    from codesign.synth.engine_sample import COMMANDS, read_table, sample_points
    from codesign.tools.yosys import find_yosys

    if family not in COMMANDS:
        raise ConfigError(f"--family must be one of {', '.join(COMMANDS)}, not {family!r}")
    command = f"cods calibrate engine --family {family} --points {points} --seed {seed}"
    name, work = f"engine_{family}", out / f"work_{family}"
    screen = terminal()
    with begins(again="the same command"):
        sampled = sample_points(
            family,
            points=points,
            seed=seed,
            table=out / f"{name}.csv",
            work=work,
            yosys=find_yosys(),
            progress=screen.print,
        )
    others = also or []
    sampled += tuple(one for path in others for one in read_table(path))
    command += "".join(f" --also {path.name}" for path in others)
    names = [path.name for path in others]
    found = fit_resources(sampled, family=family, seed=seed, command=command, table=f"{name}.csv", also=names)
    write_calibration(found, out / f"{name}.yaml")
    table = Table(title=f"Engine on {family}: {len(sampled)} points, {found.tool} {found.tool_version}, seed {seed}")
    headings, *rows = error_table(found)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("family", "estimate") else "right")
    for row in rows:
        table.add_row(*row)
    screen.print(table)
    if fmax:
        _clock(family, device_name, fmax, seed, out, f"{command} --fmax {fmax} --device {device_name}")
    shutil.rmtree(work, ignore_errors=True)


def _clock(family: str, device_name: str, points: int, seed: int, out: Path, command: str) -> None:
    """Place and route points, fit the clock, and print the errors."""
    from codesign.accel import device
    from codesign.errors import ConfigError
    from codesign.synth.engine_place import fit_fmax, time_points, write_fmax_calibration
    from codesign.tools.nextpnr import find_nextpnr
    from codesign.tools.yosys import find_yosys

    target = device(device_name)
    if target.family != family:
        raise ConfigError(f"--device must be of family {family!r}; {device_name} is of {target.family!r}")
    table = out / f"engine_{family}_fmax.csv"
    timed = time_points(
        target,
        points=points,
        seed=seed,
        table=table,
        work=out / f"work_{family}",
        yosys=find_yosys(),
        nextpnr=find_nextpnr(family),
        progress=terminal().print,
    )
    found = fit_fmax(timed, target, seed=seed, command=command, table=table.name)
    write_fmax_calibration(found, out / f"engine_{family}_fmax.yaml")
    terminal().print(
        f"clock on {target.name}: {found.points} points, {found.lowest_mhz:.0f} to {found.highest_mhz:.0f} MHz; each "
        f"estimated from the others: median error {100 * found.median_error:.1f} %, "
        f"worst {100 * found.worst_error:.1f} % (their mean instead: median {100 * found.constant_error:.1f} %)"
    )
