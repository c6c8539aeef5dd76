"""Compares several runs: one table, and a page that plots accuracy against LUTs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from codesign.report.figures import figures
from codesign.report.page import comparison_page
from codesign.rundir import write_text

__all__ = ["compare_runs", "summary_table"]


def summary_table(run: Path) -> Table:
    """The figures that a build ends with, each with its origin."""
    f = figures(run)
    table = Table(title=f"{f['name']} (seed {f['seed']})")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("origin")
    quality = "accuracy on the test split"
    if f["task"] == "regression":
        table.add_row("NMSE on the test split", _number(f["nmse_db_test"], " dB"), "tables = Verilog, bit for bit")
    else:
        table.add_row(quality, _percent(f["accuracy_test"]), "tables = Verilog, bit for bit")
    table.add_row(f"LUTs on {f['device']}", _number(f["luts_synthesised"]), "synthesised")
    table.add_row(f"FFs on {f['device']}", _number(f["ffs_synthesised"]), "synthesised")
    table.add_row(f"Fmax on {f['device_routed'] or 'no device'}", _number(f["fmax_routed_mhz"], " MHz"), "routed")
    table.add_row("latency", _number(f["latency_cycles_simulated"], " cycles"), "simulated = exact model")
    table.add_row(f"latency on {f['device_routed'] or 'no device'}", _number(f["latency_ns"], " ns"), "routed")
    table.add_row("initiation interval", _number(f["initiation_interval_simulated"], " cycles"), "simulated")
    checked, wrong = f["vectors_checked"], f["vectors_mismatched"]
    matched = None if checked is None else f"{checked - wrong:,} of {checked:,}"
    table.add_row("vectors that match bit for bit", matched or "not simulated", "simulated")
    return table


def compare_runs(runs: list[Path], page: Path, *, points: dict[str, dict[str, Any]] | None = None) -> Table:
    """Write a comparison page and return its table. `points`: what was varied, by run name."""
    rows = [figures(run) for run in runs]
    varied = list(dict.fromkeys(key for row in rows for key in (points or {}).get(row["name"], {})))
    table = Table(title=f"{len(rows)} runs")
    regression = all(row["task"] == "regression" for row in rows)
    quality = ("NMSE test", "nmse_db_test") if regression else ("accuracy test", "accuracy_test")
    columns = ["run", "seed", *varied, quality[0], "LUTs", "FFs", "Fmax MHz", "cycles", "latency ns", "matched"]
    for column in columns:
        table.add_column(column, justify="left" if column == "run" else "right")
    lines: list[list[str]] = []
    for row in rows:
        point = (points or {}).get(row["name"], {})
        checked, wrong = row["vectors_checked"], row["vectors_mismatched"]
        lines.append(
            [
                row["name"],
                str(row["seed"]),
                *(str(point.get(key, "")) for key in varied),
                _number(row[quality[1]], " dB") if regression else _percent(row[quality[1]]),
                _number(row["luts_synthesised"]),
                _number(row["ffs_synthesised"]),
                _number(row["fmax_routed_mhz"]),
                _number(row["latency_cycles"]),
                _number(row["latency_ns"]),
                "not simulated" if checked is None else f"{checked - wrong:,}/{checked:,}",
            ]
        )
        table.add_row(*lines[-1])
    page.parent.mkdir(parents=True, exist_ok=True)
    write_text(page, comparison_page(rows, columns, lines, quality=quality))
    return table


def _percent(value: float | None) -> str:
    return "not computed" if value is None else f"{100 * value:.2f} %"


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return "not computed"
    return f"{value:,}{unit}" if isinstance(value, int) else f"{value:,.2f}{unit}"
