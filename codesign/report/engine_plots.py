"""The plots of an engine's report: where the cycles go, and how busy the array is meanwhile."""

from __future__ import annotations

from typing import Any

from codesign.report.plots import new_figure

__all__ = ["engine_cycles_plot", "engine_utilisation_plot"]


def engine_cycles_plot(rows: list[dict[str, Any]]) -> Any | None:
    """Cycles of each layer, by the law and as the hardware counted them; `rows` are of `layer_counts`."""
    if not rows:
        return None
    plot = new_figure("Cycles of each layer")
    names = [row["name"] for row in rows]
    plot.add_bar(x=names, y=[row["cycles"] for row in rows], name="predicted (exact)")
    if all(row["counted"] is not None for row in rows):
        plot.add_bar(x=names, y=[row["counted"] for row in rows], name="counted by the hardware, simulated")
    plot.update_layout(barmode="group", bargap=max(0.2, 1 - len(rows) / 6), yaxis_title="clock cycles")
    return plot


def engine_utilisation_plot(rows: list[dict[str, Any]]) -> Any | None:
    """Share of the array's multiplications that each layer uses."""
    if not rows:
        return None
    plot = new_figure("Utilisation of the array")
    values = [100 * row["utilisation"] for row in rows]
    plot.add_bar(x=[row["name"] for row in rows], y=values, name="utilisation", showlegend=False)
    plot.update_traces(text=[f"{value:.1f}" for value in values], textposition="outside", cliponaxis=False)
    plot.update_layout(bargap=max(0.2, 1 - len(rows) / 6))
    plot.update_yaxes(title="% of all multiplications", range=[0, 108])
    return plot
