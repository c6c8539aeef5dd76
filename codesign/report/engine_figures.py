"""The figures of an engine's run as plain values, and the tables that its build ends with."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from codesign.report.figures import RunFacts

__all__ = ["engine_figures", "engine_summary", "layer_counts", "layers_table"]

_RESOURCES = ("luts", "ffs", "brams", "dsps")


def engine_figures(facts: RunFacts) -> dict[str, Any]:
    """Return the figures of a run of the family `engine`; a figure that was not computed is None.

    Keys that a pipeline's run has too mean the same: latency_cycles is of one image by itself (load, layers, answers),
    initiation_interval the cycles between images. Clock, latency_ns and images_per_s are of one routed device.
    """
    out: dict[str, Any] = {
        "name": facts.config["name"],
        "family": facts.family,
        "seed": facts.config["seed"],
        "data": facts.data and facts.data["name"],
        "task": facts.data and facts.data["task"],
    }
    for split in ("train", "validation", "test"):
        out[f"accuracy_{split}"] = facts.scores[split]["accuracy"] if facts.scores else None
    out["test_rows"] = facts.scores["test"]["rows"] if facts.scores else None
    compiled, simulated, extracted = facts.compiled, facts.simulation, facts.extraction
    out["requantize_sums_checked"] = extracted and extracted["sums_checked"]
    out["program_values_checked"] = compiled and compiled["values_checked"]
    out["multiplications"] = compiled and compiled["operations"]
    out["utilisation"] = compiled and compiled["utilisation"]
    out["latency_cycles"] = compiled and compiled["image_cycles"]
    out["initiation_interval"] = compiled and compiled["period_cycles"]
    out["load_cycles"] = compiled and compiled["load_cycles"]
    out["latency_cycles_simulated"] = simulated and simulated["one_image"]["counted"]
    out["initiation_interval_simulated"] = _interval(simulated)
    out["layer_cycles"] = [row["cycles"] for row in compiled["layers"]] if compiled else None
    out["layer_cycles_simulated"] = [row["counted"] for row in simulated["layers"]] if simulated else None
    out["vectors_checked"] = simulated and simulated["vectors_checked"]
    out["vectors_mismatched"] = simulated and simulated["vectors_mismatched"]
    out["stress_vectors"] = simulated and simulated["stress_vectors"]
    groups = ((simulated or {}).get("coverage") or {}).get("groups", [])
    for name in ("states", "transitions"):
        group = next((group for group in groups if group["name"] == name), None)
        out[f"{name}_reached"], out[f"{name}_possible"] = (
            (group["reached"], group["possible"]) if group else (None, None)
        )
    out["simulated_cycles_per_s"] = simulated and simulated["cycles_per_s"]
    out["verilog_bytes"] = facts.emission and facts.emission["verilog_bytes"]
    head, routed = facts.headline, facts.routed
    out["device"] = head and head["device"]
    for key in (*_RESOURCES, "depth"):
        out[f"{key}_synthesised"] = head and head[key]
    out["device_routed"] = routed and routed["device"]
    out["luts_routed_device"] = routed and routed["luts"]
    fmax: float | None = routed["fmax_mhz"] if routed else None
    out["fmax_routed_mhz"] = fmax
    out["latency_ns"] = round(out["latency_cycles"] * 1000 / fmax, 1) if fmax and compiled else None
    out["images_per_s"] = round(fmax * 1e6 / out["initiation_interval"], 1) if fmax and compiled else None
    estimated: dict[str, Any] = facts.estimates.get(head["device"], {}) if head else {}
    for key in _RESOURCES:
        out[f"{key}_estimated"] = estimated["resources"][key] if "resources" in estimated else None
    for key, name in (("energy_nj", "total_nj"), ("energy_mhz", "clock_mhz"), ("energy_mhz_origin", "clock_origin")):
        out[key] = estimated["energy"][name] if "energy" in estimated else None
    out["energy_toggle_images"] = facts.activity["images"] if facts.activity else 0
    default = estimated.get("default", {})
    for key in ("period_ratio", "energy_ratio", "digest"):
        out[f"default_{key}"] = default.get(key)
    for name, report in facts.synthesis.items():
        for key in ("status", *_RESOURCES, "fmax_mhz"):
            out[f"{name}.{key}"] = report[key]
    for stage, seconds in facts.seconds().items():
        out[f"seconds_{stage}"] = seconds
    return out


def _interval(simulated: dict[str, Any] | None) -> int | None:
    """Cycles between images as counted: what all but the first of them took, each."""
    if simulated is None or simulated["vectors_checked"] < 2:
        return None
    more = simulated["all_images"]["counted"] - simulated["one_image"]["counted"]
    each, rest = divmod(more, simulated["vectors_checked"] - 1)
    return each if not rest else None


def layer_counts(facts: RunFacts) -> list[dict[str, Any]]:
    """Return a row a layer: what was compiled, with the cycles that were counted (None where not simulated)."""
    if not facts.compiled:
        return []
    counted = {row["name"]: row["counted"] for row in facts.simulation["layers"]} if facts.simulation else {}
    return [{**row, "counted": counted.get(row["name"])} for row in facts.compiled["layers"]]


def engine_summary(f: dict[str, Any]) -> Table:
    """The figures that a build ends with, each with its origin; `f` is of `engine_figures`."""
    table = Table(title=f"{f['name']} (seed {f['seed']})")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("origin")
    checked, wrong = f["vectors_checked"], f["vectors_mismatched"]
    equal = "integer network; not simulated"
    if checked is not None and not wrong:
        some = "" if checked == f["test_rows"] else f" on {checked:,} of {f['test_rows']:,}"
        equal = f"integer network = Verilog, bit for bit{some}"
    accuracy = f["accuracy_test"]
    table.add_row(
        "accuracy on the test split", "not computed" if accuracy is None else f"{100 * accuracy:.2f} %", equal
    )
    on = chosen = f" on {f['device']}" if f["device"] else ""
    for key, name in zip(_RESOURCES, ("LUTs", "FFs", "block RAMs", "DSPs"), strict=True):
        model = f[f"{key}_estimated"]
        origin = "synthesised" + ("" if model is None else f" (the model says {model:,})")
        table.add_row(f"{name}{on}", _count(f[f"{key}_synthesised"]), origin if on else "")
    on = f" on {f['device_routed']}" if f["device_routed"] else ""
    table.add_row(f"Fmax{on}", _count(f["fmax_routed_mhz"], " MHz"), "routed" if on else "")
    for key, name in (("latency_cycles", "cycles of one image"), ("initiation_interval", "cycles between images")):
        counted = f[f"{key}_simulated"]
        origin = "exact model" if counted is None else "simulated = exact model" if counted == f[key] else "simulated"
        table.add_row(name, _count(f[key] if counted is None else counted, " cycles"), origin if f[key] else "")
    microseconds = None if f["latency_ns"] is None else f["latency_ns"] / 1000
    table.add_row(f"time of one image{on}", _count(microseconds, " us"), "routed" if on else "")
    table.add_row(f"images a second{on}", _count(f["images_per_s"], digits=0), "routed" if on else "")
    joules = None if f["energy_nj"] is None else f["energy_nj"] / 1000
    counted = f", toggles of {f['energy_toggle_images']} images" if f["energy_toggle_images"] else ""
    assumed = (
        f"model energy at {f['energy_mhz']:g} MHz ({f['energy_mhz_origin']}){counted}" if joules is not None else ""
    )
    table.add_row(f"energy of an image{chosen}", _count(joules, " uJ"), assumed)
    matched = None if checked is None else f"{checked - wrong:,} of {checked:,}"
    table.add_row("test images that match bit for bit", matched or "not simulated", "simulated" if matched else "")
    return table


def layers_table(compiled: dict[str, Any], *, title: str, counted: dict[str, int | None] | None = None) -> Table:
    """Layers with their cycles: by the law and, where `counted` has them by name, as the hardware counted them."""
    table = Table(title=title)
    headings = ["layer", "kind", "result", "multiplications", "utilisation", "cycles predicted"]
    for heading in headings + (["cycles counted"] if counted is not None else []):
        table.add_column(heading, justify="left" if heading in ("layer", "kind") else "right")
    for row in compiled["layers"]:
        cells = [row["name"], row["kind"], row["out"], f"{row['operations']:,}", f"{100 * row['utilisation']:.1f} %"]
        cells.append(f"{row['cycles']:,}")
        table.add_row(*cells, *([_count(counted.get(row["name"]))] if counted is not None else []))
    table.add_section()
    total = [f"{compiled['operations']:,}", "", f"{compiled['compute_cycles']:,}"]
    sums = [value for value in (counted or {}).values() if value is not None]
    table.add_row("all layers", "", "", *total, *([_count(sum(sums) if sums else None)] if counted is not None else []))
    return table


def _count(value: float | None, unit: str = "", digits: int = 2) -> str:
    if value is None:
        return "not computed"
    whole = isinstance(value, int) or not unit and value == int(value)
    return f"{value:,.0f}{unit}" if whole else f"{value:,.{digits}f}{unit}"
