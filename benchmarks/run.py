"""Times every stage of the line for jsc-s, jsc-l and nid-l and prints a table; each preset in a process of its own."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PRESETS = ("jsc-s", "jsc-l", "nid-l")
ROWS = {
    "training_samples_per_s": "training, samples/s",
    "extract_s": "extraction, s",
    "rows": "table rows",
    "check_s": "check of all rows, s",
    "passes_s": "passes, s",
    "table_emit_s": "emission, plain tables, s",
    "table_bytes": "Verilog, plain tables, bytes",
    "mapped_emit_s": "emission, mapped, s",
    "mapped_bytes": "Verilog, mapped, bytes",
    "verilator_build_s": "Verilator build (mapped), s",
    "vectors_per_s": "simulated vectors/s (mapped)",
    "synth_s": "yosys xcup (mapped), s",
    "luts": "LUTs, yosys xcup (mapped)",
    "peak_mb": "peak memory of the process, MB",
    "tools_peak_mb": "peak memory of its tools, MB",
}


def main() -> None:
    """Run the presets asked for and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="*", default=PRESETS, help=f"of {', '.join(PRESETS)}")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="also write the table to this Markdown file")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    results: dict[str, dict[str, Any]] = {}
    for preset in arguments.presets:
        command = [sys.executable, "-m", "benchmarks.run", "--one", preset]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        results[preset] = json.loads(done.stdout.splitlines()[-1])
    lines = [f"| | {' | '.join(results)} |", "|---|" + "---:|" * len(results)]
    for key, label in ROWS.items():
        cells = (_number(result.get(key)) for result in results.values())
        lines.append(f"| {label} | {' | '.join(cells)} |")
    text = "\n".join(lines)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(f"\n{machine}; trained on synthetic rows of each preset's shape\n\n{text}")
    if arguments.out:
        arguments.out.write_text(f"{machine}; trained on synthetic rows of each preset's shape.\n\n{text}\n")
    subprocess.run([sys.executable, "-m", "benchmarks.engine_model"], check=True)


def measure(name: str) -> dict[str, Any]:
    """Measure one preset; every figure in the unit that ROWS says."""
    from benchmarks.shapes import synthetic_data
    from codesign.accel import device
    from codesign.config import BuildConfig, RtlConfig, SimulateConfig, SynthConfig
    from codesign.extract import check_tables, extract
    from codesign.ir import Tables, preset
    from codesign.nn import build_model, train_model
    from codesign.passes import run_passes
    from codesign.rtl import emit
    from codesign.simulate import simulate, write_bench
    from codesign.synth import synthesize

    os.environ["CODESIGN_CACHE"] = tempfile.mkdtemp(prefix="codesign-bench-cache-")  # cold: nothing kept from before
    config = BuildConfig.model_validate(
        {
            "name": name.replace("-", "_"),
            "topology": {"preset": name},
            "train": {"epochs": 3, "batch_size": 1024, "tensorboard": False},
        }
    )
    shape = preset(name)
    data = synthetic_data(shape, rows=20_000, seed=0)
    topology = config.topology.topology(config.name, inputs=data.inputs, answers=data.answers, task=data.task)
    out: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="codesign-bench-") as folder:
        work = Path(folder)
        model = build_model(topology, inputs=config.inputs, train=config.train, data=data, seed=0)
        result = train_model(model, data, config=config.train, folder=work / "train", seed=0)
        out["training_samples_per_s"] = result.samples_per_s
        network, out["extract_s"] = timed(lambda: extract(result.model, name=config.name))
        out["rows"] = sum(len(n.table) for s in network.stages if isinstance(s, Tables) for n in s.neurons)
        _, out["check_s"] = timed(lambda: check_tables(result.model, network))
        (network, _), out["passes_s"] = timed(lambda: run_passes(network))
        for form in ("table", "mapped"):
            settings = RtlConfig(form=form)
            target = work / form
            design, seconds = timed(lambda s=settings, t=target: emit(network, s, t, features=data.x_test))
            out[f"{form}_emit_s"] = seconds
            out[f"{form}_bytes"] = sum((target / source).stat().st_size for source in design.sources)
        write_bench(work / "mapped")
        run = simulate(work / "mapped", config=SimulateConfig(cocotb=False), work=work / "simulate")
        out["verilator_build_s"] = run.build_s
        out["vectors_per_s"] = run.vectors_checked / run.run_s if run.run_s else None
        limits = SynthConfig(place_and_route=False)
        report = synthesize(work / "mapped", device("xcvu9p"), config=limits, work=work / "synth")
        out["synth_s"], out["luts"] = report.wall_s, report.luts
    out["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    out["tools_peak_mb"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return out


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Run `work` once; return its result and the wall seconds."""
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def _number(value: float | None) -> str:
    if value is None:
        return "not measured"
    return f"{value:,.0f}" if value >= 100 or isinstance(value, int) else f"{value:,.2f}"


if __name__ == "__main__":
    main()
