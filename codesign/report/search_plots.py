"""The plots of a search's report: what was evaluated, how methods converged, what the network search did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from codesign.report.plots import new_figure

__all__ = ["convergence_plot", "evaluated_plot", "steps_plot"]

_PHASES = {
    "reference": "agent's training",
    "train": "agent's training",
    "propose": "agent's proposals",
    "transfer": "winners of other rounds",
    "adapt": "agent, adapting",
}


def evaluated_plot(rows: Sequence[Mapping[str, Any]], *, figure: str, arm: str) -> Any | None:
    """Every accelerator that was costed: LUTs against the objective's figure, by phase."""
    groups: dict[str, tuple[list[float], list[float]]] = {}
    other = "luts" if figure != "luts" else "cycles"
    for row in rows:
        figures = row.get("figures") or {}
        if row["arm"] != arm or figure not in figures or other not in figures:
            continue
        phase = str(row["phase"])
        name = "realised" if phase == "realise" else _PHASES.get(phase, phase)
        xs, ys = groups.setdefault(name, ([], []))
        xs.append(figures[other][0])
        ys.append(figures[figure][0])
    if not groups:
        return None
    plot = new_figure("Accelerators evaluated, for whichever network", height=380)
    for name, (xs, ys) in groups.items():
        marker = {"size": 11, "symbol": "star"} if name == "realised" else {"size": 6, "opacity": 0.65}
        plot.add_scatter(x=xs, y=ys, mode="markers", name=name, marker=marker)
    plot.update_xaxes(title=other, type="log", dtick="D2")
    plot.update_yaxes(title=figure, type="log", dtick=1)
    plot.update_layout(legend={"y": -0.3, "yanchor": "top"}, margin={"b": 110})
    return plot


def convergence_plot(rivals: Mapping[str, Mapping[str, Any]], *, figure: str) -> Any | None:
    """The best value of each method after each evaluation of the found network's accelerators."""
    curves = {name: row["curve"] for name, row in rivals.items() if row.get("curve")}
    if not curves:
        return None
    plot = new_figure("The found network: best value so far", height=380)
    for name, curve in curves.items():
        ends = rivals[name].get("in the loop")
        plot.add_scatter(
            x=list(range(1, len(curve) + 1)),
            y=curve,
            name=f"{name}, in the loop" if ends else name,
            line={"width": 3 if ends else 1.5, "shape": "hv"},
        )
    optimum = rivals.get("exhaustive", {}).get("value")
    if optimum is not None:
        plot.add_hline(y=optimum, line_dash="dot", annotation_text="optimum", annotation_position="bottom right")
    plot.update_xaxes(title="evaluations")
    plot.update_yaxes(title=figure, type="log", dtick=1)
    plot.update_layout(legend={"y": -0.3, "yanchor": "top"}, margin={"b": 110})
    return plot


def steps_plot(steps: Sequence[Sequence[Any]]) -> Any | None:
    """Loss and temperature of the network search at its logged steps, one search after another."""
    if not steps:
        return None
    plot = new_figure("Network search", height=380)
    numbers = list(range(len(steps)))
    plot.add_scatter(x=numbers, y=[step[2] for step in steps], name="loss")
    plot.add_scatter(x=numbers, y=[step[1] for step in steps], name="temperature", yaxis="y2")
    plot.update_layout(yaxis2={"overlaying": "y", "side": "right", "title": "temperature", "showgrid": False})
    plot.update_xaxes(title="logged step, all searches")
    plot.update_yaxes(title="loss", selector={"anchor": "x"})
    return plot
