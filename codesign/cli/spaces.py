"""`cods space`: configuration spaces, checked, counted and sampled."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from codesign.cli.tables import terminal

__all__ = ["register"]

SpaceArgument = Annotated[
    str, typer.Argument(help="A space that ships with codesign, or a YAML file.", metavar="SPACE")
]


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    group = typer.Typer(help="Check and sample configuration spaces.", no_args_is_help=True)
    group.command("check")(check)
    group.command("sample")(sample)
    app.add_typer(group, name="space")


def check(name: SpaceArgument) -> None:
    """Read a space, say what is wrong with it, or list its knobs and count its points."""
    from rich.table import Table

    from codesign.accel import space

    found = space(name)
    table = Table(title=f"{found.name}: {len(found.knobs)} knobs, {found.size:,} points (valid and invalid)")
    for heading in ("knob", "values", "unit", "meaning"):
        table.add_column(heading)
    for knob in found.knobs:
        values = ", ".join(str(value).lower() if isinstance(value, bool) else str(value) for value in knob.values)
        table.add_row(knob.name, values, knob.unit, knob.meaning)
    terminal().print(table)


def sample(
    name: SpaceArgument,
    count: Annotated[int, typer.Option(min=1, help="How many points to draw.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
) -> None:
    """Draw points, each knob uniformly, valid or not; one JSON object a line."""
    import numpy as np

    from codesign.accel import space

    found = space(name)
    for row in found.sample(count, rng=np.random.default_rng(seed)):
        settings = {knob.name: knob.values[i] for knob, i in zip(found.knobs, row, strict=True)}
        print(json.dumps(settings))
