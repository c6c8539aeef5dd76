"""The report of a search of LUT networks: its result under its limits, every network that was built, the drop."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from codesign.report.html import embed, environment, plotly_script
from codesign.report.plots import new_figure
from codesign.rundir import read_json, write_text

__all__ = ["lut_search_table", "result_rows", "write_lut_search_report"]

_FIGURES = (
    ("accuracy, validation", "accuracy_validation"),
    ("accuracy, test", "accuracy_test"),
    ("LUTs", "luts"),
    ("flip-flops", "ffs"),
    ("cycles", "cycles"),
    ("vectors compared", "vectors_checked"),
    ("vectors that differ", "vectors_mismatched"),
)


def result_rows(result: Mapping[str, Any]) -> list[list[str]]:
    """Figure, value, limit and origin of the network that was found."""
    rows: list[list[str]] = []
    for title, name in _FIGURES:
        if name not in result["figures"]:
            continue
        value, unit, origin = result["figures"][name]
        said = f"{100 * value:.2f} %" if unit == "share" else f"{value:,.6g}"
        limit = result["limits"].get(name)
        bound = "" if limit is None else f"{limit:,.6g}"
        if name == "accuracy_validation" and result["least_validation_accuracy"] is not None:
            bound = f"{100 * result['least_validation_accuracy']:.2f} % or more"
        rows.append([title, said, bound, origin])
    return rows


def lut_search_table(result: Mapping[str, Any]) -> Table:
    """What `cods search` prints at its end."""
    table = Table(title=f"{result['name']} (seed {result['seed']}): the network that was found")
    for heading in ("figure", "value", "limit", "origin"):
        table.add_column(heading, justify="right" if heading in ("value", "limit") else "left")
    for row in result_rows(result):
        table.add_row(*row)
    table.add_row("choices", _choices(result["point"]), "", "")
    over = f"{result['logged_steps_over_a_limit']} of {result['logged_steps']}"
    table.add_row("logged steps over a limit", over, "", "")
    drop = result["drop"]
    said = " to ".join(f"{100 * drop[name]:.2f} %" for name in ("relaxed", "discrete"))
    table.add_row("accuracy, relaxed to discrete", said, "", "validation, in shared tables")
    return table


def write_lut_search_report(run: Path, *, config: str) -> None:
    """Write report.html of a search's folder from its result.json; config: the search file as resolved."""
    result = read_json(run / "result.json")
    finalists = [
        [
            _choices(one["point"]),
            _state(one, result["least_validation_accuracy"]),
            f"{100 * one['figures']['accuracy_validation']:.2f} %" if "accuracy_validation" in one["figures"] else "",
            f"{one['figures']['luts']:,.0f}" if "luts" in one["figures"] else "",
            f"{one['luts_predicted']:,.0f}",
        ]
        for one in result["finalists"]
    ]
    page = (
        environment()
        .get_template("lut_search.html.j2")
        .render(
            title=f"{result['name']} (seed {result['seed']})",
            r=result,
            rows=result_rows(result),
            choices=_choices(result["point"]),
            finalists=finalists,
            plots=embed(built=_built_plot(result), steps=_steps_plot(result)),
            config=config,
            script=plotly_script(),
        )
    )
    write_text(run / "report.html", page)


def _choices(point: Mapping[str, Any]) -> str:
    """The choices that matter, in words."""
    layers = [
        f"{point[f'l{i}_width']} tables of {_many(point[f'l{i}_fan_in'], 'pin')}, {_many(point[f'l{i}_bits'], 'bit')}"
        for i in range(int(point["depth"]))
    ]
    votes = _many(point.get("last_terms", 1), "vote")
    last = f"{votes} an answer of {_many(point['last_fan_in'], 'pin')}, {_many(point['last_bits'], 'bit')}"
    every = int(point["registers_every"])
    return "; ".join([*layers, last, "a register after " + ("every stage" if every == 1 else f"every {every} stages")])


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if int(count) == 1 else 's'}"


def _state(built: Mapping[str, Any], least: float | None) -> str:
    """Whether a network that was built could be the result, and why not."""
    if built["reason"]:
        return f"{built['state']}: {built['reason']}"
    behind = least is not None and built["figures"]["accuracy_validation"] < least - 1e-9
    return f"{built['state']}: not accurate enough" if behind else str(built["state"])


def _built_plot(result: Mapping[str, Any]) -> Any:
    """Validation accuracy over LUTs of the networks that were built; the result is marked."""
    plot = new_figure("Accuracy and LUTs of each", height=320)
    pairs = [
        (one["figures"]["luts"], 100 * one["figures"]["accuracy_validation"])
        for one in result["finalists"]
        if {"luts", "accuracy_validation"} <= one["figures"].keys()
    ]
    found = (result["figures"]["luts"][0], 100 * result["figures"]["accuracy_validation"][0])
    for name, shown, size in (("built", [pair for pair in pairs if pair != found], 8), ("the result", [found], 12)):
        x, y = [pair[0] for pair in shown], [pair[1] for pair in shown]
        plot.add_scatter(x=x, y=y, name=name, mode="markers", marker_size=size)
    if "luts" in result["limits"]:
        plot.add_vline(x=result["limits"]["luts"], line_dash="dot", annotation_text="limit")
    if (least := result["least_validation_accuracy"]) is not None:
        plot.add_hline(
            y=100 * least, line_dash="dot", annotation_text="accurate enough", annotation_position="bottom left"
        )
    plot.update_xaxes(title="LUTs, synthesised", rangemode="tozero")
    plot.update_yaxes(title="validation accuracy (%)")
    return plot


def _steps_plot(result: Mapping[str, Any]) -> Any:
    """LUTs predicted for the most probable network at the logged steps, and the limit."""
    plot = new_figure("The most probable network at each logged step", height=320)
    steps = result["steps"]
    plot.add_scatter(x=[one[0] for one in steps], y=[one[1] for one in steps], name="LUTs, predicted", line_shape="hv")
    if "luts" in result["limits"]:
        plot.add_hline(y=result["limits"]["luts"], line_dash="dot", annotation_text="limit")
    plot.update_xaxes(title="step")
    plot.update_yaxes(title="LUTs", rangemode="tozero")
    return plot
