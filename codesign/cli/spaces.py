"""`cods space`: configuration spaces, checked, counted and sampled."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
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
    group.command("evaluate")(evaluate)
    group.command("default")(default)
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


def evaluate(
    name: SpaceArgument,
    network: Annotated[Path, typer.Argument(help="What is to run: a file that the family reads, or a preset.")],
    device_name: Annotated[str, typer.Option("--device", help="A device (`cods devices`), or a YAML file.")],
    point: Annotated[Path | None, typer.Option(help="One point (YAML): its broken rules, or its figures.")] = None,
    count: Annotated[int, typer.Option(min=1, help="How many points to draw where none is given.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw.")] = 0,
) -> None:
    """Validate and cost one point, or say how many of the points drawn are valid and which rules the others break."""
    import numpy as np
    from rich.table import Table

    from codesign.accel import device
    from codesign.accel.family import points_of
    from codesign.config import read_yaml
    from codesign.errors import ConfigError
    from codesign.families import find_family

    family = find_family(name)
    target, wanted = device(device_name), family.read_network(network)
    if point is not None:
        settings, _ = read_yaml(point)
        if not isinstance(settings, dict):
            raise ConfigError(f"{point}:1: must be a mapping of knobs to values")
        settings = settings.get("point", settings)  # as in a file of a default accelerator
        cost = family.cost(family.check(settings, wanted, target), wanted, target)
        table = Table(title=f"{point.stem} with {network.stem} on {target.name}: valid")
        for heading in ("figure", "value", "unit", "origin"):
            table.add_column(heading, justify="right" if heading == "value" else "left")
        for key, figure in cost.items():
            table.add_row(key, f"{figure.value:,.6g}", figure.unit, figure.origin)
    else:
        columns = family.space.columns(family.space.sample(count, rng=np.random.default_rng(seed)))
        valid = family.valid(columns, wanted, target)
        broken: Counter[str] = Counter()
        for one in points_of({key: values[~valid] for key, values in columns.items()}):
            broken.update({violation.rule for violation in family.validate(one, wanted, target)})
        share = f"{int(valid.sum()):,} of {count:,} points drawn are valid"
        table = Table(title=f"{family.space.name} with {network.stem} on {target.name}: {share}")
        table.add_column("rule")
        table.add_column("points that break it", justify="right")
        for rule, points in broken.most_common():
            table.add_row(rule, f"{points:,}")
    terminal().print(table)
    if point is None:
        drawn = points_of({key: values[valid] for key, values in columns.items()})
        _print_ranking(family.sensitivity(drawn, wanted, target), len(drawn))


def _print_ranking(rows: list[list[str]], count: int) -> None:
    """Print whether the ranking of the best points drawn survives a change of what the energy model assumes."""
    from rich.table import Table

    if not rows:
        return
    best = f"best {min(count, 10)} of {count:,} valid points"
    table = Table(title=f"energy-delay product: does the ranking of the {best} survive each coefficient moved?")
    for heading in rows[0]:
        table.add_column(heading)
    for row in rows[1:]:
        table.add_row(*row)
    terminal().print(table)


def default(
    device_name: Annotated[str, typer.Argument(help="A device (`cods devices`), or a YAML file.", metavar="DEVICE")],
) -> None:
    """Choose the device's default engine by the written rule, and print its file (accel_space/defaults/DEVICE.yaml)."""
    from codesign.accel import device
    from codesign.accel.engine.defaults import default_text

    print(default_text(device(device_name)), end="")
