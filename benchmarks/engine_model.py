"""Times the folded engine's model on random points of its space: rules alone, all figures, and both; one core."""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable

import numpy as np

NETWORKS = ("cifar10-small", "resnet-8")
COLUMNS = (
    "network",
    "rules, points/s",
    "rules and device, points/s",
    "all figures, points/s",
    "validated and costed, points/s",
    "one by one, points/s",
)


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=200_000, help="points of the space in one array")
    parser.add_argument("--device", default="xc7a100t")
    arguments = parser.parse_args()
    rows = [measure(name, arguments.points, arguments.device) for name in NETWORKS]
    print(f"\n{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    print(f"{arguments.points:,} random points of the engine's space on {arguments.device}; processor time\n")
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---|" + "---:|" * (len(COLUMNS) - 1))
    for name, row in zip(NETWORKS, rows, strict=True):
        print(f"| {name} | {' | '.join(f'{value:,.0f}' for value in row)} |")


def measure(name: str, points: int, device_name: str) -> list[float]:
    """Points a second: structural rules, rules with the device, all figures, both, and a point at a time."""
    from codesign.accel import device, space
    from codesign.accel.engine import EnginePoint, EngineRules
    from codesign.accel.engine.cost import engine_cost, engine_cost_columns
    from codesign.ir.conv_presets import conv_preset
    from codesign.ir.integer_random import random_network

    network, target, engine = random_network(conv_preset(name)(), seed=0), device(device_name), space("engine")
    rules = EngineRules(network)
    columns = engine.columns(engine.sample(points, rng=np.random.default_rng(0)))
    rules.valid(columns, target)  # fills the tables that are kept from one call to the next
    engine_cost_columns(rules, columns, target)
    alone = seconds(lambda: rules.valid(columns))
    checked = seconds(lambda: rules.valid(columns, target))
    costed = seconds(lambda: engine_cost_columns(rules, columns, target))
    point = EnginePoint(
        8, 8, 8, 8, bank_depth=16384, weight_depth=16384, accumulator_bits=32, multiplier="dsp", param_depth=4096
    )
    large = device("xc7a100t")
    single = seconds(lambda: engine_cost(point, network, large)) if not rules.violations(point) else float("nan")
    return [points / alone, points / checked, points / costed, points / (checked + costed), 1 / single]


def seconds(work: Callable[[], object]) -> float:
    """Processor time of the fastest of three runs."""
    found: list[float] = []
    for _ in range(3):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return min(found)


if __name__ == "__main__":
    main()
