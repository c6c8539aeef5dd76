"""The report of a search: its result, the 2 x 2, rounds, every design that was made, rivals at equal budgets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from codesign.config import dump_yaml, read_yaml
from codesign.report.html import embed, environment, plotly_script
from codesign.report.search_plots import convergence_plot, evaluated_plot, fronts_plot, steps_plot
from codesign.report.search_words import words_of
from codesign.rundir import read_json, write_text

__all__ = ["comparison_rows", "drop_rows", "result_tables", "rival_rows", "without_secrets", "write_search_report"]

_PASSWORD = re.compile(r"(://[^:/@]*):[^@/]*@")
_SHOWN = ("cycles", "latency_us", "energy_nj", "edp", "luts", "ffs", "brams", "dsps", "fmax_mhz")


def write_search_report(run: Path) -> None:
    """Write report.html of a search's folder from its result.json and evaluations.jsonl."""
    result, manifest = read_json(run / "result.json"), read_json(run / "manifest.json")
    rows = [json.loads(line) for line in (run / "evaluations.jsonl").read_text(encoding="utf-8").splitlines()]
    arm = result["arms"][result["best"]]
    words, figure = words_of(result), result["figure"]
    config, rivals = read_yaml(run / "config.yaml")[0], rival_rows(result)
    plots = embed(
        evaluated=evaluated_plot(
            rows, figure=figure, arm=result["best"], realised="built" if words.built else "judged"
        ),
        convergence=convergence_plot(result["rivals"], figure=figure),
        fronts=fronts_plot(result["rivals"], figure=figure),
        steps=steps_plot(arm["steps"], arm["drops"], unit=arm["cost_unit"]),
    )
    page = (
        environment()
        .get_template("search.html.j2")
        .render(
            title=f"{result['name']} (seed {result['seed']})",
            r=result,
            arm=arm,
            best=arm["best"],
            words=words,
            names=_letters(result),
            origins=_origins(result),
            unit=_unit(arm["best"]["figures"], figure),
            known=_known(result, rivals, built=words.built),
            adapts=config["hardware"]["method"] == "agent",
            own=config["family"] == "own",
            drops=drop_rows(arm["drops"]),
            figures=[(name, *arm["best"]["figures"][name]) for name in _SHOWN if name in arm["best"]["figures"]],
            table=comparison_rows(result),
            rivals=rivals,
            manifest=manifest,
            config=dump_yaml(without_secrets(_without_defaults(config))),
            plots=plots,
            script=plotly_script(),
        )
    )
    write_text(run / "report.html", page)


def _known(result: Mapping[str, Any], rivals: Sequence[Mapping[str, Any]], *, built: bool) -> dict[str, bool]:
    """Which columns of the report's tables hold anything."""
    arms = result["arms"].values()
    designs, table = [one for arm in arms for one in arm["designs"]], comparison_rows(result)
    return {
        "network": len(_letters(result)) > 1,
        "look_ups": any(arm["network_evaluations"] for arm in arms),
        "accuracy": any(one["accuracy"] is not None for one in designs),
        "accuracy_test": any(arm["accuracy_test"] for arm in arms),
        "value": not built or result["figure"] != "cycles",  # else it stands as the cycles that were simulated
        "cycles": any("cycles" in one["predicted"] for one in designs),
        "simulated": any("cycles" in one["measured"] for one in designs),
        "luts": any("luts" in one["measured"] for one in designs),
        "estimated": any("luts" in one["predicted"] for one in designs),
        **{f"{name}_ratio": any(row["ratios"][name] for row in table) for name in ("latency_us", "energy_nj", "edp")},
        "cycles_ratio": any(row["ratios"]["cycles"] for row in table),
        "fronts": any(row.get("front_share") is not None for row in rivals),
        "optimum": any(row["ratio"] is not None for row in rivals),
    }


def _origins(result: Mapping[str, Any]) -> dict[str, str]:
    """Origins of the figures compared with the default, and of the objective in all designs."""
    found: dict[str, set[str]] = {}
    for arm in result["arms"].values():
        for name, (_, _, origin) in arm["best"]["figures"].items():
            found.setdefault(name, set()).add(origin)
        for design in arm["designs"]:
            if design["value"] is not None:
                found.setdefault("objective", set()).add(design["figures"][result["figure"]][2])
    return {name: ", ".join(sorted(origins)) for name, origins in found.items()}


def _unit(figures: Mapping[str, Any], figure: str) -> str:
    """A figure's unit behind a comma, without its clock; "" where its name says it."""
    unit = str(figures[figure][1]).split(" at ")[0] if figure in figures else ""
    return f", {unit}" if unit and unit.lower() != figure else ""


def _letters(result: Mapping[str, Any]) -> dict[str, str]:
    """Short names for the networks of a report whose own are long, in the order in which they are met."""
    found: dict[str, str] = {}
    for arm in result["arms"].values():
        for one in (arm["best"]["network"], arm["reference"], *(row["network"] for row in arm["rounds"])):
            found.setdefault(one, "")
        for design in arm["designs"]:
            found.setdefault(design["network"], "")
    return {name: f"N{number}" for number, name in enumerate(found, start=1)}


def drop_rows(drops: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row a round: its gradient searches, and relaxed and discrete network of the one that lost most."""
    rows: list[dict[str, Any]] = []
    for number in dict.fromkeys(drop["round"] for drop in drops):
        own = [drop for drop in drops if drop["round"] == number]
        worst = max(own, key=lambda drop: drop["relaxed"] - drop["discrete"])
        rows.append({**worst, "round": number + 1, "searches": len(own)})
    return rows


def comparison_rows(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row an arm, with how many times smaller than the baseline its latency, energy and EDP are.

    The baseline is the reference network on the default accelerator, as the model has it.
    """
    base = (result["baseline"] or {}).get("figures", {})
    rows: list[dict[str, Any]] = []
    for name, arm in result["arms"].items():
        figures = arm["best"]["figures"]
        ratios = {
            key: base[key][0] / figures[key][0] if key in base and key in figures else None
            for key in ("latency_us", "energy_nj", "edp", "cycles")
        }
        rows.append(
            {
                "arm": name,
                "what": arm["what"],
                "network": arm["best"]["network"],
                "accuracy": arm["best"]["accuracy"],
                "accuracy_test": arm["accuracy_test"],
                "figures": figures,
                "value": arm["best"]["value"],
                "evaluations": arm["evaluations"],
                "network_evaluations": arm["network_evaluations"],
                "ratios": ratios,
            }
        )
    return rows


def rival_rows(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row a method: the best value for the found network, its ratio to the optimum, evaluations; best first."""
    rows = [{"method": name, **row} for name, row in result["rivals"].items()]
    return sorted(rows, key=lambda row: (row["value"] is None, row["value"] or 0.0))


def result_tables(result: Mapping[str, Any]) -> list[Table]:
    """What `cods search` prints at its end."""
    found = [_best_table(result)]
    if result["baseline"]:
        found.append(_comparison_table(result))
    return [*found, *([_rival_table(result)] if result["rivals"] else [])]


def _best_table(result: Mapping[str, Any]) -> Table:
    arm = result["arms"][result["best"]]
    best = arm["best"]
    table = Table(title=f"{result['name']} (seed {result['seed']}): {words_of(result).title}")
    table.add_column("figure")
    table.add_column("value", justify="right", overflow="fold")
    table.add_column("origin")
    table.add_row("family", result["family"], "")
    table.add_row("network", best["network"], "")
    table.add_row("hardware", ", ".join(f"{k} {v}" for k, v in best["hardware"].items()), "")
    if best["accuracy"] is not None:
        table.add_row("accuracy, validation", f"{best['accuracy']:.2f} %", best["accuracy_origin"])
    if arm["accuracy_test"] is not None:
        table.add_row("accuracy, test", f"{arm['accuracy_test'][0]:.2f} %", arm["accuracy_test"][1])
    for name in _SHOWN:
        if name in best["figures"]:
            value, unit, origin = best["figures"][name]
            table.add_row(name, f"{_plain(value)} {unit}", origin)
    for row in drop_rows(arm["drops"]):
        said = f"{row['relaxed']:.4g} to {row['discrete']:.4g} {row['unit']}"
        table.add_row(f"relaxed to discrete, round {row['round']}", said, f"{row['figure']} {100 * row['cost']:+.2f} %")
    return table


def _plain(value: float) -> str:
    """Whole numbers in full, others to four digits after the point at the most."""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 10_000 else f"{value:,.4g}"


def _comparison_table(result: Mapping[str, Any]) -> Table:
    headings = ("", "validation", "test", "cycles", "latency", "energy", "EDP", "evaluations", "accuracies or steps")
    rows: list[list[str]] = []
    for row in comparison_rows(result):
        test, ratios = row["accuracy_test"], row["ratios"]
        rows.append(
            [
                row["what"],
                "" if row["accuracy"] is None else f"{row['accuracy']:.2f}",
                "" if test is None else f"{test[0]:.2f}",
                "" if ratios["latency_us"] else _times(ratios["cycles"]),  # of a family without a clock
                *(_times(ratios[key]) for key in ("latency_us", "energy_nj", "edp")),
                f"{row['evaluations']:,}",
                f"{row['network_evaluations']:,}" if row["network_evaluations"] else "",
            ]
        )
    return _full_columns("against the reference network on the default accelerator", headings, rows)


def _full_columns(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table of the columns that hold anything, the first to the left."""
    table = Table(title=title)
    kept = [index for index in range(len(headings)) if any(row[index] for row in rows)]
    for index in kept:
        table.add_column(headings[index], justify="right" if index else "left")
    for row in rows:
        table.add_row(*(row[index] for index in kept))
    return table


def _rival_table(result: Mapping[str, Any]) -> Table:
    headings = ("method", "best", "over the optimum", "front, share of the best", "evaluations")
    rows: list[list[str]] = []
    for row in rival_rows(result):
        label = f"{row['method']}, in the loop" if row.get("in the loop") else row["method"]
        value = "none" if row["value"] is None else _plain(row["value"])
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.4f}"
        share = row.get("front_share")
        rows.append([label, value, ratio, "" if share is None else f"{share:.3f}", f"{row['evaluations']:,}"])
    return _full_columns(f"searching the found network's accelerator: {result['figure']}", headings, rows)


def _times(ratio: float | None) -> str:
    if ratio is None or round(ratio, 2) == 1:
        return "" if ratio is None else "1.00x"
    return f"{ratio:.2f}x lower" if ratio >= 1 else f"{1 / ratio:.2f}x higher"


def _without_defaults(config: Any) -> Any:
    """The configuration without what is empty, and without the section `train` where nothing is trained."""
    if not isinstance(config, dict):
        return config
    found = {key: _without_defaults(value) for key, value in config.items() if value not in (None, {}, [])}
    if found.get("family") == "own":  # the space says which
        found.pop("family")
    if "train" in found and "data" not in found:
        found.pop("train")
    return found


def without_secrets(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration without its storage's password: a report is passed on."""
    shown = dict(config)
    if "storage" in shown:
        shown["storage"] = _PASSWORD.sub(r"\1:***@", str(shown["storage"]))
    return shown
