"""The plots of a report, as plotly figures."""

from __future__ import annotations

from typing import Any

from codesign.accel import device
from codesign.report.figures import RunFacts

__all__ = [
    "confusion_plot",
    "layers_plot",
    "learning_plot",
    "new_figure",
    "pareto_plot",
    "passes_plot",
    "table_sizes_plot",
]

_INK, _GRID = "#1f2933", "#e4e7eb"
_COLOURS = ("#9fb3c8", "#3f7cac", "#e07a3f", "#4c9f70")


def new_figure(title: str, *, height: int = 340) -> Any:
    """An empty figure in the report's style."""
    import plotly.graph_objects as go

    plot = go.Figure()
    plot.update_layout(
        title={"text": title, "font": {"size": 15}},
        height=height,
        margin={"l": 60, "r": 30, "t": 80, "b": 50},
        plot_bgcolor="white",
        paper_bgcolor="white",
        font={"family": "system-ui, sans-serif", "color": _INK, "size": 12},
        colorway=_COLOURS,
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "xanchor": "left"},
    )
    plot.update_xaxes(gridcolor=_GRID, zeroline=False)
    plot.update_yaxes(gridcolor=_GRID, zeroline=False)
    return plot


def learning_plot(facts: RunFacts) -> Any | None:
    """Loss on the training rows and the validation figure, by epoch, with the chosen epoch marked."""
    if not facts.history:
        return None
    rows = facts.history["epochs"]
    epochs = [row["epoch"] for row in rows]
    plot = new_figure("Learning curve")
    plot.add_scatter(x=epochs, y=[row["train_loss"] for row in rows], name="training loss", yaxis="y2")
    plot.add_scatter(x=epochs, y=[row["validation_figure"] for row in rows], name="validation figure")
    plot.add_vline(x=facts.history["best_epoch"], line_dash="dot")
    plot.add_annotation(x=facts.history["best_epoch"], y=0.05, yref="paper", text="chosen", showarrow=False, xshift=-24)
    plot.update_layout(
        xaxis_title="epoch",
        yaxis_title="validation",
        yaxis2={"overlaying": "y", "side": "right", "showgrid": False, "title": "loss", "nticks": 6},
        margin={"r": 70},
    )
    return plot


def confusion_plot(facts: RunFacts) -> Any | None:
    """Confusion matrix on the test split, as shares of each true class, with the counts written in."""
    matrix = facts.scores and facts.scores["test"].get("confusion")
    if not matrix:
        return None
    names = facts.data["class_names"]
    shares = [[value / max(1, sum(row)) for value in row] for row in matrix]
    plot = new_figure("Confusion matrix, test split", height=420)
    plot.add_heatmap(
        z=shares,
        x=names,
        y=names,
        text=matrix,
        texttemplate="%{text}",
        textfont={"color": _INK},
        colorscale=[[0, "#ffffff"], [1, "#8fbadb"]],  # light enough for dark digits on it
        showscale=False,
        hovertemplate="true %{y}, answered %{x}: %{text}<extra></extra>",
    )
    plot.update_layout(xaxis_title="answered", yaxis_title="true")
    plot.update_xaxes(type="category")
    plot.update_yaxes(type="category", autorange="reversed")
    return plot


def layers_plot(facts: RunFacts) -> Any | None:
    """LUTs of each stage: worst case, worst case after the passes, and as synthesised where stages are attributed."""
    if not facts.layers:
        return None
    names = [row["stage"] for row in facts.layers]
    plot = new_figure("LUTs a layer of tables")
    plot.add_bar(x=names, y=[row["luts_worst_case"] for row in facts.layers], name="estimated")
    plot.add_bar(x=names, y=[row["luts_worst_case_optimized"] for row in facts.layers], name="after passes")
    synthesised = ""
    stages = (facts.headline or {}).get("luts_by_stage") or {}
    if stages:
        target = device((facts.headline or {})["device"])
        synthesised = f"; {target.name}: {target.lut_inputs}"
        plot.add_bar(x=names, y=[stages.get(name, 0) for name in names], name=f"synthesised, {target.name}")
    plot.update_layout(
        barmode="group", bargap=max(0.2, 1 - len(names) / 6), yaxis_title=f"LUTs (estimated: 6 inputs{synthesised})"
    )
    return plot


def table_sizes_plot(facts: RunFacts) -> Any | None:
    """How many tables have how many address bits, before and after the passes."""
    if not facts.layers:
        return None
    plot = new_figure("Table sizes")
    for key, label in (("address_bits", "as trained"), ("address_bits_optimized", "after the passes")):
        counts: dict[int, int] = {}
        for row in facts.layers:
            for bits, count in row[key].items():
                counts[int(bits)] = counts.get(int(bits), 0) + count
        plot.add_bar(x=sorted(counts), y=[counts[bits] for bits in sorted(counts)], name=label)
    plot.update_layout(barmode="group", xaxis_title="address bits", yaxis_title="tables")
    widest = max((int(bits) for row in facts.layers for bits in row["address_bits"]), default=6)
    plot.update_xaxes(dtick=1, range=[0.5, max(widest, 6) + 0.5])
    return plot


def passes_plot(facts: RunFacts) -> Any | None:
    """Worst-case LUTs after each pass."""
    if not facts.passes:
        return None
    names = ["as trained", *(report["name"] for report in facts.passes)]
    first = facts.passes[0]["before"]["worst_case_luts"]
    plot = new_figure("Worst-case LUTs, pass by pass")
    values = [first, *(report["after"]["worst_case_luts"] for report in facts.passes)]
    plot.add_scatter(x=list(range(len(values))), y=values, mode="lines+markers", line_shape="hv", name="LUTs")
    crowded = len(names) > 10
    plot.update_xaxes(tickvals=list(range(len(values))), ticktext=names, tickangle=-90 if crowded else -35)
    plot.update_xaxes(tickfont={"size": 10 if crowded else 12})
    plot.update_yaxes(rangemode="tozero", title="LUTs (estimated)")
    plot.update_layout(margin={"b": 140 if crowded else 120}, height=440)
    return plot


def pareto_plot(rows: list[dict[str, Any]], *, quality: tuple[str, str]) -> Any | None:
    """A quality figure against synthesised LUTs, one point a run; `quality` is (title, key of `figures`)."""
    shown = [row for row in rows if row["luts_synthesised"] is not None and row[quality[1]] is not None]
    if not shown:
        return None
    plot = new_figure(f"{quality[0]} against LUTs", height=460)
    plot.add_scatter(
        x=[row["luts_synthesised"] for row in shown],
        y=[row[quality[1]] for row in shown],
        text=[row["name"] for row in shown],
        mode="markers+text",
        textposition="top center",
        marker={"size": 10, "color": _COLOURS[1]},
        name="runs",
    )
    plot.update_xaxes(title="LUTs (synthesised)", rangemode="tozero")
    values = [row[quality[1]] for row in shown]
    spread = max(values) - min(values) or 0.05 * max(map(abs, values)) or 1.0
    plot.update_yaxes(title=quality[0], range=[min(values) - 0.15 * spread, max(values) + 0.15 * spread])
    return plot
