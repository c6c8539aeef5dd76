"""Ten designs from ten searches: each generated, linted and simulated; answers bit for bit, cycles against the model.

    python -m benchmarks.codesign_ten --folder FOLDER

Different devices, objectives, methods, network spaces and seeds. Needs the table of NAS-Bench-201 where data sets are
looked for. FOLDER keeps each search; a search that is there is read. The exit status is 1 where one design differs.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from codesign.config.search import SearchConfig
from codesign.rundir import read_json
from codesign.search.jobs import LocalRunner
from codesign.search.loop import run_search

_CELLS = {"space": "nasbench201", "accuracy": "cifar10", "evaluations": 40}
_SMALL = {"space": "nasbench201-imagenet16", "accuracy": "imagenet16-120", "evaluations": 40}
SEARCHES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("ecp5-85f", "edp", "agent", _CELLS),
    ("ecp5-85f", "latency", "genetic", {**_CELLS, "method": "evolution"}),
    ("ecp5-85f", "energy", "tpe", {**_SMALL, "method": "random"}),
    ("xc7z020", "edp", "agent", _SMALL),
    ("xc7z020", "cycles", "random", _CELLS),
    ("xc7z020", "energy", "genetic", {**_CELLS, "within": 2.0}),
    ("xc7a100t", "edp", "nsga2", {**_SMALL, "within": 1.0}),
    ("ecp5-85f", "luts", "genetic", {"file": "cifar10-small", "method": "reference"}),
    ("xc7a100t", "latency", "agent", {"file": "resnet-8", "method": "reference"}),
    ("ecp5-45f", "edp", "agent", {"file": "mnist-dense", "method": "reference"}),
)
"""Device, objective, method of the hardware half, and the section `network`."""


def config_of(number: int, *, synth: bool) -> SearchConfig:
    """The search of a number; its seed is the number."""
    target, figure, method, network = SEARCHES[number]
    return SearchConfig.model_validate(
        {
            "name": f"ten_{number}",
            "seed": number,
            "device": target,
            "objective": {"figure": figure},
            "hardware": {"space": "engine-cells", "method": method, "evaluations": 80},
            "network": network,
            "loop": {"rounds": 1, "draw": 3, "shortlist": 1},
            "realise": {"images": 2, "synth": synth},
            "rivals": False,
        }
    )


def search(number: int, folder: Path, *, synth: bool) -> dict[str, Any]:
    """Search, or read what was found."""
    run = folder / f"{number}"
    config = config_of(number, synth=synth)
    if (run / "result.json").is_file():
        return read_json(run / "result.json")
    return run_search(config, run, folder=Path(), runner=LocalRunner(run))


def main() -> None:
    """Print a row a design; end with status 1 where one is not as the model says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--synth", action="store_true", help="synthesise too")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    print(
        "| | device | objective | hardware half | network | array | order, weights | images | wrong answers | ", end=""
    )
    print("cycles, model | cycles, simulated | LUTs, estimated | LUTs, synthesised |")
    print("|---|---|---|---|---|---|---|---:|---:|---:|---:|---:|---:|")
    bad, began = 0, time.monotonic()
    for number, (target, figure, method, network) in enumerate(SEARCHES):
        result = search(number, args.folder, synth=args.synth)
        best = result["arms"][result["best"]]["best"]
        point, measured, predicted = best["hardware"], best["measured"], best["predicted"]
        same = measured["cycles"][0] == predicted["cycles"][0] and measured["vectors_mismatched"][0] == 0
        bad += not same
        half = f"{network.get('method', 'gradient')}: `{best['network']}`" if "space" in network else best["network"]
        luts = f"{measured['luts'][0]:,.0f}" if "luts" in measured else ""
        print(
            f"| {number + 1} | {target} | {figure} | {method} | {half} | {point['pe']} x {point['simd']}, "
            f"{point['weight_bits']}/{point['activation_bits']} bits | {point['dataflow']}, {point['weights']} | "
            f"{measured['vectors_checked'][0]:,.0f} | {measured['vectors_mismatched'][0]:,.0f} | "
            f"{predicted['cycles'][0]:,.0f} | {measured['cycles'][0]:,.0f} | {predicted['luts'][0]:,.0f} | {luts} |",
            flush=True,
        )
    print(f"\n{len(SEARCHES) - bad} of {len(SEARCHES)} designs are exact; {time.monotonic() - began:.0f} s")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
