"""The plot of what a pipeline's simulation reached: addresses of tables, neuron by neuron."""

from __future__ import annotations

from typing import Any

from codesign.report.plots import new_figure

__all__ = ["address_plot"]

_MOST_STAGES = 24
"""Stages that are drawn; a report of more shows the first ones, its table has all."""


def address_plot(simulation: dict[str, Any] | None) -> Any | None:
    """Share of each neuron's possible addresses that was reached: a box a stage, with every neuron as a point."""
    tables = (simulation or {}).get("tables")
    if not tables or not tables["stages"]:
        return None
    plot = new_figure("Addresses of each table that the vectors reached", height=360)
    for stage in tables["stages"][:_MOST_STAGES]:
        pairs = zip(stage["reached_by_neuron"], stage["possible_by_neuron"], strict=True)
        shares = [100 * reached / possible for reached, possible in pairs if possible]
        plot.add_box(
            y=shares,
            name=stage["name"],
            boxpoints="all" if len(shares) <= 400 else "outliers",
            jitter=0.5,
            pointpos=0,
            marker={"size": 3, "color": "#3f7cac", "opacity": 0.6},
            line={"color": "#829ab1", "width": 1},
            fillcolor="rgba(0,0,0,0)",
            showlegend=False,
            hovertemplate="%{y:.1f} % of the addresses that can occur<extra></extra>",
        )
    plot.update_yaxes(title="% of the addresses that can occur", range=[-3, 103])
    plot.update_xaxes(type="category")
    return plot
