"""The joint search of LUT networks against random networks of the same LUT budget, and the hand-made example.

python -m benchmarks.lut_search --data nid --seeds 5
python -m benchmarks.lut_search --data mnist --seeds 5
python -m benchmarks.lut_search --data nid --budgets 10
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from codesign.config import BuildConfig, parse_build
from codesign.data import load
from codesign.rundir import write_json
from codesign.search.jobs import LocalRunner
from codesign.search.luts import LutProblem, LutSearchConfig, LutSearchResult, build_of, realise, search_luts

EXAMPLES = Path(__file__).parents[1] / "examples"
SETTINGS: dict[str, dict[str, Any]] = {
    "nid": {
        "limits": {"luts": 123, "ffs": 400, "cycles": 6, "address_bits": 8},
        "options": {"epochs": 5, "rungs": [4], "candidates": 6, "keep": 0.3, "finalists": 2, "margin": 0.0},
    },
    "mnist": {
        "limits": {"luts": 2088, "ffs": 4000, "cycles": 6, "address_bits": 8},
        "options": {"epochs": 2, "rungs": [2], "candidates": 5, "keep": 0.2, "finalists": 1, "margin": 0.0},
    },
}
"""What is searched under: the LUTs of the hand-made example; the same recipe of training for every network."""

BUDGETS = {"nid": (50, 60, 70, 80, 90, 100, 123, 150, 200, 300), "mnist": tuple(range(700, 2700, 200))}


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--data", choices=sorted(SETTINGS), required=True)
    given.add_argument("--seeds", type=int, default=5)
    given.add_argument("--first", type=int, default=0, help="the first seed")
    given.add_argument(
        "--budgets", type=int, default=0, help="search at so many LUT limits instead, and count steps over"
    )
    given.add_argument("--folder", type=Path, default=Path("runs") / "lut_search")
    args = given.parse_args()
    folder = args.folder / args.data
    if args.budgets:
        budgets(args.data, args.budgets, folder)
        return
    for seed in range(args.first, args.first + args.seeds):
        record = folder / f"seed_{seed}.json"
        if not record.is_file():
            write_json(record, one(args.data, seed, folder))
        print(json.dumps(json.loads(record.read_text())), flush=True)
    table(args.data, folder)


def search_config(name: str, seed: int, **changes: Any) -> tuple[LutSearchConfig, BuildConfig]:
    """The search, and the hand-made build whose data, inputs and recipe of training it takes."""
    hand = parse_build(EXAMPLES / f"{name}.yaml")
    assert isinstance(hand, BuildConfig)
    settings = SETTINGS[name]
    config = LutSearchConfig.model_validate(
        {
            "name": name,
            "seed": seed,
            "space": f"{name}-luts",
            "data": hand.data,
            "train": hand.train,
            "limits": {**settings["limits"], **changes.get("limits", {})},
            "options": {**settings["options"], "inputs": hand.inputs, **changes.get("options", {})},
        }
    )
    return config, hand


def one(name: str, seed: int, folder: Path) -> dict[str, Any]:
    """One seed: the search, then as many random networks as its epochs pay for, then the hand-made network."""
    config, hand = search_config(name, seed)
    data = load(config.data, folder=EXAMPLES)
    runner = LocalRunner(folder)
    started = time.process_time(), time.time()

    def told(phase: str, line: str) -> None:
        print(f"# {name} {seed} [{time.time() - started[1]:.0f} s] {phase}: {line}", flush=True)

    found = search_luts(config, runner, folder / f"search_{seed}", told, data_folder=EXAMPLES, data=data)
    spent = time.process_time() - started[0]
    count = math.ceil(found.epochs / config.train.epochs)
    others = random_networks(config, found, count=count, seed=seed)
    outcomes = realise(others, runner, folder=EXAMPLES)
    most = config.limits["luts"]
    within = [out for out in outcomes if out.done and out.figures["luts"].value <= most]
    best = max(within, key=lambda out: out.figures["accuracy_validation"].value, default=None)
    plain = hand.model_dump()
    plain["seed"], plain["train"]["tensorboard"] = seed, False
    plain["simulate"] |= {"vectors": 200, "stress_vectors": 100, "cocotb": False}
    plain["synth"] |= {"devices": [config.device], "place_and_route": False, "vivado": "never"}
    (made,) = realise([BuildConfig.model_validate(plain)], runner, folder=EXAMPLES)
    relaxed = found.relaxation
    halving = found.halving
    shared = [one.score for one in relaxed.candidates[: len(halving.rungs[0].accuracies)]] if halving else []
    alone = [accuracy for _, accuracy in halving.rungs[0].accuracies] if halving else []
    return {
        "seed": seed,
        "point": {key: value for key, value in found.point.items() if key != "sparsity"},
        "search": {**_row(found.figures), "epochs": round(found.epochs, 1), "cpu_s": round(spent)},
        "random": {
            **(_row(best.figures) if best else {}),
            "networks": count,
            "within": len(within),
            "epochs": count * config.train.epochs,
            "all": [_row(out.figures) for out in outcomes],
        },
        "hand": {**_row(made.figures), "epochs": config.train.epochs},
        "steps": len(relaxed.found.steps),
        "steps_over": relaxed.over,
        "drop": [relaxed.relaxed, relaxed.discrete, found.alone],
        "predicted": [
            [one.luts, out.figures["luts"].value, one.ffs, out.figures["ffs"].value]
            for one, out in found.finalists
            if "luts" in out.figures
        ],
        "ranks": _spearman(shared, alone),
    }


def random_networks(config: LutSearchConfig, found: LutSearchResult, *, count: int, seed: int) -> list[BuildConfig]:
    """Networks drawn uniformly from the same space among those of the same LUT budget, by the same prediction."""
    problem = found.problem
    rng = np.random.default_rng([seed, 99])
    drawn: dict[tuple[int, ...], None] = {}
    while len(drawn) < count:
        at = tuple(int(rng.integers(size)) for size in problem.figures.sizes)
        if problem.legal.holds(at):
            drawn.setdefault(problem.canonical(at), None)
    return [build_of(config, problem.space, problem.figures.point(at)) for at in drawn]


def budgets(name: str, count: int, folder: Path) -> None:
    """Search in shared tables at several LUT limits, held by projection and by a penalty; count steps over a limit."""
    print(
        "| LUT limit | most LUTs at a logged step | steps over, projection | most LUTs, penalty | steps over, penalty |"
    )
    print("|---|---|---|---|---|")
    totals = {"projection": 0, "penalty": 0}
    data = None
    for limit in BUDGETS[name][:count]:
        said: list[str] = [str(limit)]
        for hold in ("projection", "penalty"):
            changes = {
                "limits": {"luts": limit},
                "options": {"epochs": 1, "hold": hold, "fill": 0.0, "cost_weight": 0.1},
            }
            config, _ = search_config(name, 0, **changes)
            data = load(config.data, folder=EXAMPLES) if data is None else data
            relaxed = LutProblem(config, data=data).relax()
            most = max(step.found_cost for step in relaxed.found.steps)
            said += [f"{most:.0f}", f"{relaxed.over} of {len(relaxed.found.steps)}"]
            totals[hold] += relaxed.over
        print(f"| {' | '.join(said)} |", flush=True)
    print(
        f"\nSteps over a limit in {count} budgets: {totals['projection']} with projection, "
        f"{totals['penalty']} with a penalty."
    )


def table(name: str, folder: Path) -> None:
    rows = [json.loads(path.read_text()) for path in sorted(folder.glob("seed_*.json"))]
    print(f"\n| seed | method | validation | test | LUTs | FFs | cycles | epochs | networks |\n|{'---|' * 9}")
    for row in rows:
        for method in ("search", "random", "hand"):
            it = row[method]
            if "test" not in it:
                none = f"none of {it['networks']} within the limit"
                print(f"| {row['seed']} | {method} | {none} | | | | | {it['epochs']} | |")
                continue
            print(
                f"| {row['seed']} | {method} | {it['validation']:.2%} | {it['test']:.2%} | {it['luts']:.0f} | "
                f"{it['ffs']:.0f} | {it['cycles']:.0f} | {it['epochs']:g} | {it.get('networks', '')} |"
            )
    for method in ("search", "random", "hand"):
        tests = [row[method]["test"] for row in rows if "test" in row[method]]
        luts = [row[method]["luts"] for row in rows if "luts" in row[method]]
        if tests:
            print(
                f"\n{method}: median test {np.median(tests):.2%}, worst {min(tests):.2%}, most LUTs {max(luts):.0f}",
                end="",
            )
    print()
    for rival in ("random", "hand"):
        wins = sum("test" not in row[rival] or row["search"]["test"] >= row[rival]["test"] for row in rows)
        least = min((row["search"]["test"] - row[rival]["test"] for row in rows if "test" in row[rival]), default=0.0)
        print(f"at least as accurate as {rival} in {wins} of {len(rows)} seeds; worst difference {least:+.2%}")
    print(f"logged steps over a limit: {sum(row['steps_over'] for row in rows)} of {sum(row['steps'] for row in rows)}")
    drops = [row["drop"] for row in rows]
    print(
        "validation accuracy, drawn from the distribution in shared tables, discrete there, trained alone: "
        + "; ".join(" / ".join(f"{v:.2%}" for v in drop) for drop in drops)
    )
    ranks = [row["ranks"] for row in rows if row["ranks"] is not None]
    if ranks:
        print("rank correlation of shared tables and trained alone: " + ", ".join(f"{v:.2f}" for v in ranks))
    ratios = [pair[0] / pair[1] - 1 for row in rows for pair in row["predicted"]]
    print("LUTs predicted before training over those synthesised: " + ", ".join(f"{r:+.0%}" for r in ratios))


def _row(figures: Any) -> dict[str, float]:
    names = {
        "validation": "accuracy_validation",
        "test": "accuracy_test",
        "luts": "luts",
        "ffs": "ffs",
        "cycles": "cycles",
    }
    return {short: figures[name].value for short, name in names.items() if name in figures}


def _spearman(a: list[float], b: list[float]) -> float | None:
    if len(a) < 3:
        return None
    ranks = [np.argsort(np.argsort(one)) for one in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


if __name__ == "__main__":
    main()
