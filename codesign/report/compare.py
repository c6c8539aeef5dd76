"""Compares several runs: one table, and a page that plots accuracy against LUTs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from codesign.report.engine_figures import engine_summary, layer_counts, layers_table
from codesign.report.figures import RunFacts, figures
from codesign.report.page import comparison_page
from codesign.rundir import write_text

__all__ = ["compare_runs", "summary_tables"]


_COMPARED = {
    "LUTs": "luts_synthesised",
    "FFs": "ffs_synthesised",
    "Fmax MHz": "fmax_routed_mhz",
    "cycles": "latency_cycles",
    "latency ns": "latency_ns",
}
"""Columns of a comparison and the keys of `figures` that they show."""


def summary_tables(run: Path) -> tuple[Table, ...]:
    """What a build ends with: the figures, each with its origin; of an engine also the cycles of its layers."""
    facts = RunFacts(run)
    if facts.family != "engine":
        return (_pipeline_summary(figures(run)),)
    summary = engine_summary(figures(run))
    if not facts.compiled:
        return (summary,)
    counted = {row["name"]: row["counted"] for row in layer_counts(facts)}
    return summary, layers_table(facts.compiled, title="cycles of one image, layer by layer", counted=counted)


def _pipeline_summary(f: dict[str, Any]) -> Table:
    table = Table(title=f"{f['name']} (seed {f['seed']})")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("origin")
    checked, wrong = f["vectors_checked"], f["vectors_mismatched"]
    exact = checked is not None and not wrong
    origin = "tables = Verilog, bit for bit" if exact else "tables; not simulated"
    if f["task"] == "regression":
        table.add_row("NMSE on the test split", _number(f["nmse_db_test"], " dB"), origin)
    else:
        table.add_row("accuracy on the test split", _percent(f["accuracy_test"]), origin)
    on = f" on {f['device']}" if f["device"] else ""
    table.add_row(f"LUTs{on}", _number(f["luts_synthesised"]), "synthesised" if on else "")
    table.add_row(f"FFs{on}", _number(f["ffs_synthesised"]), "synthesised" if on else "")
    on = f" on {f['device_routed']}" if f["device_routed"] else ""
    table.add_row(f"Fmax{on}", _number(f["fmax_routed_mhz"], " MHz"), "routed" if on else "")
    if exact:
        agree = f["latency_cycles_simulated"] == f["latency_cycles"]
        table.add_row(
            "latency", _cycles(f["latency_cycles_simulated"]), "simulated = exact model" if agree else "simulated"
        )
    else:
        table.add_row("latency", _cycles(f["latency_cycles"]), "exact model" if f["latency_cycles"] is not None else "")
    table.add_row(f"latency{on}", _number(f["latency_ns"], " ns"), "routed" if on else "")
    counted = f["initiation_interval_simulated"]
    table.add_row("initiation interval", _cycles(counted), "simulated" if counted is not None else "")
    matched = None if checked is None else f"{checked - wrong:,} of {checked:,}"
    table.add_row("vectors that match bit for bit", matched or "not simulated", "simulated" if matched else "")
    return table


def compare_runs(runs: list[Path], page: Path, *, points: dict[str, dict[str, Any]] | None = None) -> Table:
    """Write a comparison page and return its table. `points`: what was varied, by run name.

    A figure that no run has gets no column; the caption names it.
    """
    rows = [figures(run) for run in runs]
    points = points or {}
    varied = list(dict.fromkeys(key for row in rows for key in points.get(row["name"], {}) if key != "seed"))
    regression = all(row["task"] == "regression" for row in rows)
    quality = ("NMSE test", "nmse_db_test") if regression else ("accuracy test", "accuracy_test")
    columns: dict[str, list[str]] = {"run": [row["name"] for row in rows], "seed": [str(row["seed"]) for row in rows]}
    for key, label in zip(varied, _short(varied), strict=True):
        columns[label] = [str(points.get(row["name"], {}).get(key, "")) for row in rows]
    show = (lambda value: _number(value, " dB")) if regression else _percent
    columns[quality[0]] = [show(row[quality[1]]) for row in rows]
    absent: list[str] = []
    for label, key in _COMPARED.items():
        if any(row[key] is not None for row in rows):
            columns[label] = [_number(row[key]) for row in rows]
        else:
            absent.append(label)
    columns["matched"] = [_matched(row) for row in rows]
    table = Table(title=f"{len(rows)} runs", caption_justify="left")
    table.caption = f"not computed for any run: {', '.join(absent)}" if absent else None
    for column in columns:
        table.add_column(column, justify="left" if column == "run" else "right", no_wrap=column == "run")
    lines = [list(line) for line in zip(*columns.values(), strict=True)]
    for line in lines:
        table.add_row(*line)
    page.parent.mkdir(parents=True, exist_ok=True)
    write_text(page, comparison_page(rows, list(columns), lines, quality=quality))
    return table


def _short(keys: list[str]) -> list[str]:
    """The shortest endings of dotted keys that tell them apart, from each other and from the other columns."""
    for parts in range(1, 1 + max((key.count(".") + 1 for key in keys), default=0)):
        short = [".".join(key.split(".")[-parts:]) for key in keys]
        if len(set(short)) == len(short) and not {"run", "seed", "matched", *_COMPARED} & set(short):
            return short
    return keys


def _matched(row: dict[str, Any]) -> str:
    checked, wrong = row["vectors_checked"], row["vectors_mismatched"]
    return "not simulated" if checked is None else f"{checked - wrong:,}/{checked:,}"


def _cycles(value: int | None) -> str:
    return _number(value, " cycle" if value == 1 else " cycles")


def _percent(value: float | None) -> str:
    return "not computed" if value is None else f"{100 * value:.2f} %"


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return "not computed"
    return f"{value:,}{unit}" if isinstance(value, int) else f"{value:,.2f}{unit}"
