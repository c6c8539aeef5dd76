"""Writes report.html: one file that works offline, every figure with its origin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codesign.report import plots
from codesign.report.coverage import address_plot
from codesign.report.engine_figures import layer_counts
from codesign.report.engine_plots import engine_cycles_plot, engine_utilisation_plot
from codesign.report.figures import RunFacts, figures
from codesign.report.html import embed, environment, plotly_script
from codesign.report.pipeline import pipeline_picture
from codesign.rundir import write_text

__all__ = ["comparison_page", "write_report"]


def write_report(run: Path, out: Path | None = None) -> None:
    """Write `report.html` and `figures.json` of a run, at its root and (figures) in `out`."""
    from codesign.rundir import write_json

    facts = RunFacts(run)
    values = figures(run)
    template, parts = _engine_parts(facts) if facts.family == "engine" else _pipeline_parts(facts, values)
    title = f"{values['name']} (seed {values['seed']})"
    page = (
        environment().get_template(template).render(title=title, f=values, facts=facts, script=plotly_script(), **parts)
    )
    write_text(run / "report.html", page)
    write_json((out or run) / "figures.json", values)


def _pipeline_parts(facts: RunFacts, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the template of a pipeline's report, and what it needs beside the figures."""
    shown = embed(
        learning=plots.learning_plot(facts),
        confusion=plots.confusion_plot(facts),
        layers=plots.layers_plot(facts),
        sizes=plots.table_sizes_plot(facts),
        passes=plots.passes_plot(facts),
        addresses=address_plot(facts.simulation),
    )
    picture = pipeline_picture(facts.emission["stages"], values["latency_cycles"]) if facts.emission else ""
    return "report.html.j2", {"plots": shown, "picture": picture}


def _engine_parts(facts: RunFacts) -> tuple[str, dict[str, Any]]:
    """Return the template of an engine's report, and what it needs beside the figures."""
    rows = layer_counts(facts)
    shown = embed(
        learning=plots.learning_plot(facts),
        confusion=plots.confusion_plot(facts),
        cycles=engine_cycles_plot(rows),
        utilisation=engine_utilisation_plot(rows),
    )
    return "engine.html.j2", {"plots": shown, "layers": rows}


def comparison_page(
    rows: list[dict[str, Any]], columns: list[str], lines: list[list[str]], *, quality: tuple[str, str]
) -> str:
    """Return the page that compares several runs: the table, and quality against LUTs."""
    embedded = embed(pareto=plots.pareto_plot(rows, quality=quality))
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            title=f"{len(rows)} runs compared",
            columns=columns,
            lines=lines,
            plots=embedded,
            script=plotly_script(),
        )
    )
