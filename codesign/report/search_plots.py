"""The plots of a search's report: what was evaluated, how methods converged, fronts, what the network search did."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from codesign.report.plots import new_figure

__all__ = ["convergence_plot", "evaluated_plot", "fronts_plot", "steps_plot", "ticks"]

_PHASES = {
    "reference": "agent's training",
    "train": "agent's training",
    "propose": "agent's proposals",
    "transfer": "winners of other rounds",
    "adapt": "the method, adapting",
}
_COLOURS = ("#3f7cac", "#e07a3f", "#4c9f70", "#8c6bb1", "#9fb3c8", "#b8860b", "#c2577a")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star")
_MOST_TICKS = 8


def ticks(values: Sequence[float]) -> tuple[bool, list[float]]:
    """Whether an axis of positive values is best logarithmic, and its ticks: 1, 2 and 5 of each decade, as many as fit.

    A range of less than a decade is linear, and plotly's own ticks serve: ([], False).
    """
    fine = [value for value in values if value > 0]
    if not fine or max(fine) < 10 * min(fine):
        return False, []
    low, high = math.floor(math.log10(min(fine))), math.ceil(math.log10(max(fine)))
    for steps in ((1, 2, 5), (1,)):
        found = [step * 10.0**power for power in range(low, high + 1) for step in steps]
        found = [tick for tick in found if min(fine) / 1.5 <= tick <= max(fine) * 1.5]
        if len(found) <= _MOST_TICKS:
            return True, found
    every = math.ceil((high - low + 1) / _MOST_TICKS)
    return True, [10.0**power for power in range(low, high + 1, every)]


def evaluated_plot(rows: Sequence[Mapping[str, Any]], *, figure: str, arm: str, realised: str) -> Any | None:
    """Every accelerator that was costed: the objective's figure against LUTs, by phase; realised: name of the built."""
    groups: dict[str, tuple[list[float], list[float]]] = {}
    other = "luts" if figure != "luts" else "cycles"
    for row in rows:
        figures = row.get("figures") or {}
        if row["arm"] != arm or not all(_is_number(figures.get(name, [None])[0]) for name in (figure, other)):
            continue  # a user's own cost function may say anything
        phase = str(row["phase"])
        name = realised if phase == "realise" else _PHASES.get(phase, phase)
        xs, ys = groups.setdefault(name, ([], []))
        xs.append(figures[other][0])
        ys.append(figures[figure][0])
    if not groups:
        return None
    plot = new_figure("Accelerators evaluated, for whichever network", height=400)
    for (name, (xs, ys)), colour in zip(groups.items(), _COLOURS, strict=False):
        star = {"size": 12, "symbol": "star", "color": "#1f2933", "line": {"color": "white", "width": 1}}
        marker = star if name == realised else {"size": 6, "opacity": 0.6, "color": colour}
        plot.add_scatter(x=xs, y=ys, mode="markers", name=name, marker=marker)
    _scale(plot, "x", [x for xs, _ in groups.values() for x in xs], other)
    _scale(plot, "y", [y for _, ys in groups.values() for y in ys], figure)
    return _below(plot)


def convergence_plot(rivals: Mapping[str, Mapping[str, Any]], *, figure: str) -> Any | None:
    """The best value of each method after each evaluation of the found network's accelerators."""
    curves = {name: row["curve"] for name, row in rivals.items() if row.get("curve")}
    if not curves:
        return None
    plot = new_figure("The found network: best value so far", height=400)
    for (name, curve), colour in zip(curves.items(), _COLOURS, strict=False):
        ends = rivals[name].get("in the loop")
        plot.add_scatter(
            x=list(range(1, len(curve) + 1)),
            y=curve,
            name=f"{name}, in the loop" if ends else name,
            line={"width": 3 if ends else 1.5, "shape": "hv", "color": "#1f2933" if ends else colour},
        )
    values = [value for curve in curves.values() for value in curve if value is not None]
    optimum = rivals.get("exhaustive", {}).get("value")
    if optimum is not None:
        ends = [1, max(len(curve) for curve in curves.values())]  # a line of two points: shapes go wrong on such axes
        line = {"dash": "dot", "color": "#1f2933", "width": 1.5}
        plot.add_scatter(x=ends, y=[optimum, optimum], name="optimum, by a sweep", mode="lines", line=line)
        values.append(optimum)
    plot.update_xaxes(title="evaluations")
    _scale(plot, "y", values, figure)
    return _below(plot)


def fronts_plot(rivals: Mapping[str, Mapping[str, Any]], *, figure: str) -> Any | None:
    """The designs of each method that no other of it beats in the objective's figure and LUTs, beside the sweep's."""
    fronts = {name: row["front"] for name, row in rivals.items() if row.get("front")}
    if not fronts:
        return None
    plot = new_figure("The found network: what no other beats in both figures", height=400)
    looks = zip(_COLOURS, _SYMBOLS, strict=True)
    for name, front in fronts.items():
        xs, ys = [one[1] for one in front], [one[0] for one in front]
        if name == "exhaustive":
            line = {"shape": "vh", "dash": "dot", "color": "#1f2933", "width": 1.5}
            plot.add_scatter(x=xs, y=ys, name="sweep", mode="lines", line=line)
            continue
        colour, symbol = next(looks, ("#1f2933", "circle"))
        label = f"{name}, in the loop" if rivals[name].get("in the loop") else name
        marker = {"size": 7, "opacity": 0.75, "color": colour, "symbol": symbol}
        plot.add_scatter(x=xs, y=ys, name=label, mode="markers", marker=marker)
    points = [one for front in fronts.values() for one in front]
    _scale(plot, "x", [one[1] for one in points], "luts" if figure != "luts" else "cycles")
    _scale(plot, "y", [one[0] for one in points], figure)
    return _below(plot)


def steps_plot(steps: Sequence[Sequence[Any]], drops: Sequence[Mapping[str, Any]], *, unit: str) -> Any | None:
    """The figure of the most probable network at the logged steps of each gradient search, a colour a round.

    steps: [step, temperature, loss, found cost, legal], one search after another; drops: one a search, for its round.
    """
    searches: list[list[Sequence[Any]]] = []
    for step in steps:
        if not searches or step[0] <= searches[-1][-1][0]:
            searches.append([])
        searches[-1].append(step)
    if not searches:
        return None
    plot = new_figure("Network search: the most probable network", height=400)
    told: set[int] = set()
    for index, one in enumerate(searches):
        number = int(drops[index]["round"]) if index < len(drops) else 0
        plot.add_scatter(
            x=[step[0] for step in one],
            y=[step[3] for step in one],
            name=f"round {number + 1}",
            legendgroup=str(number),
            showlegend=number not in told,
            mode="lines",
            opacity=0.8,
            line={"shape": "hv", "width": 1.5, "color": _COLOURS[number % len(_COLOURS)]},
        )
        told.add(number)
    plot.update_xaxes(title="step of its gradient search")
    figure = drops[0]["figure"] if drops else "cost"
    _scale(plot, "y", [step[3] for step in steps], f"{figure}{f' over {unit}' if unit else ''}")
    return _below(plot)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _scale(plot: Any, axis: str, values: Sequence[float], title: str) -> None:
    """A linear axis, or a logarithmic one with few ticks."""
    logarithmic, at = ticks(values)
    update = plot.update_xaxes if axis == "x" else plot.update_yaxes
    if logarithmic:
        update(title=title, type="log", tickvals=at, tickformat="~s" if min(at, default=1) >= 1 else "~g")
    else:
        update(title=title, nticks=6, tickformat="~s")


def _below(plot: Any) -> Any:
    """The legend under the plot, where it covers nothing."""
    plot.update_layout(legend={"y": -0.24, "yanchor": "top"}, margin={"b": 120, "t": 50})
    return plot
