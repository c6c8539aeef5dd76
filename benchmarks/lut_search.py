"""The joint search of LUT networks against random networks of the same LUT budget, and the hand-made example.

python -m benchmarks.lut_search --data nid --first 10 --seeds 5
python -m benchmarks.lut_search --data mnist --first 5 --seeds 5
python -m benchmarks.lut_search --data nid --budgets 10
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from codesign.config import BuildConfig, parse_build, parse_model
from codesign.config.search import SearchConfig
from codesign.data import DataSet, load
from codesign.ir import evaluate
from codesign.ir import load as load_network
from codesign.rundir import write_json
from codesign.search.jobs import LocalRunner
from codesign.search.luts import LutProblem, LutSearchConfig, LutSearchResult, build_of, realise, search_luts
from codesign.search.luts.run import lut_search_config

EXAMPLES = Path(__file__).parents[1] / "examples"
SEARCHES: dict[str, tuple[str, dict[str, Any]]] = {
    "nid": ("nid", {}),
    "nid-smallest": ("nid", {"figure": "luts", "within": 0.1}),
    "mnist": ("mnist", {}),
}
"""What is searched: the example, whose hand-made network is examples/NAME.yaml and whose search, under the LUTs of that
and by its recipe of training, is examples/search_NAME.yaml; and what is changed of the search.

`nid-smallest` looks for the smallest network that is nearly as accurate as the most accurate one within the limits.
"""

_DRAWS = 1_000_000
"""Networks drawn at the most, to find random ones of a LUT budget."""

ROWS = 20_000
"""Training rows of the searches at several budgets."""

BUDGETS = {"nid": (50, 60, 70, 80, 90, 100, 123, 150, 200, 300), "mnist": tuple(range(700, 2700, 200))}


HEAD = """\
How it searches: [docs/search_luts.md](../docs/search_luts.md). Every method trains by the recipe of the hand-made
example, and every network in these tables was extracted, simulated bit for bit on test rows and synthesised by yosys
for the xcvu9p (encoder and decision counted). `search` is limited to the hand-made example's LUTs; `random` is the
best on validation rows of as many networks as the search's epochs pay for, rounded up, drawn from the same space and
the same LUT budget (75 to 100 % of it, as predicted); `hand` is the example itself. `nid-smallest` asks for the
smallest network whose validation accuracy is at most 0.1 points behind that of the most accurate one found; there the
random networks have the LUTs of what was found."""

NOTES = Path(__file__).with_name("lut_search_notes.md")
"""What was tried, and what the figures do and do not say; the end of the page."""


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--data", choices=sorted(SEARCHES), required=True)
    given.add_argument("--seeds", type=int, default=5)
    given.add_argument("--first", type=int, default=0, help="the first seed")
    given.add_argument(
        "--budgets", type=int, default=0, help="search at so many LUT limits instead, and count steps over"
    )
    given.add_argument("--no-random", action="store_true", help="leave the random networks for later")
    given.add_argument("--write", action="store_true", help="write benchmarks/lut_search_results.md")
    given.add_argument("--folder", type=Path, default=Path("runs") / "lut_search")
    args = given.parse_args()
    folder = args.folder / args.data
    if args.budgets:
        if args.data not in BUDGETS:
            given.error(f"--budgets: for {' and '.join(BUDGETS)}")
        budgets(args.data, args.budgets, folder)
        return
    for seed in range(args.first, args.first + args.seeds):
        record = folder / f"seed_{seed}.json"
        known = json.loads(record.read_text()) if record.is_file() else {"random": None}
        if known["random"] is None and not (args.no_random and "seed" in known):
            write_json(record, one(args.data, seed, folder, random=not args.no_random))
        print(json.dumps(json.loads(record.read_text())), flush=True)
    print("\n".join(table(args.data, folder)))
    if args.write:
        write(args.folder, Path(__file__).with_name("lut_search_results.md"))


def search_config(name: str, seed: int, **changes: Any) -> tuple[LutSearchConfig, BuildConfig]:
    """The search, and the hand-made build; changes: of `limits` and `options`."""
    example, changed = SEARCHES[name]
    hand = parse_build(EXAMPLES / f"{example}.yaml")
    assert isinstance(hand, BuildConfig)
    config = lut_search_config(parse_model(SearchConfig, EXAMPLES / f"search_{example}.yaml"), folder=EXAMPLES)
    whole = config.model_dump() | {"name": example, "seed": seed, "until": "synth", **changed}
    for section in ("limits", "options"):
        whole[section] |= changes.get(section, {})
    return LutSearchConfig.model_validate(whole), hand


def one(name: str, seed: int, folder: Path, *, random: bool = True) -> dict[str, Any]:
    """One seed: the search, then as many random networks as its epochs pay for, then the hand-made network."""
    config, hand = search_config(name, seed)
    data = load(config.data, folder=EXAMPLES)
    runner = LocalRunner(folder.parent / SEARCHES[name][0])
    started = time.process_time(), time.time()

    def told(phase: str, line: str) -> None:
        print(f"# {name} {seed} [{time.time() - started[1]:.0f} s] {phase}: {line}", flush=True)

    found = search_luts(config, runner, folder / f"search_{seed}", told, data_folder=EXAMPLES, data=data)
    spent = time.process_time() - started[0]
    count = math.ceil(found.epochs / config.train.epochs)
    most = config.limits["luts"] if config.figure == "accuracy" else found.figures["luts"].value
    others = random_networks(config, found, luts=most, count=count, seed=seed) if random else []
    outcomes = realise(others, runner, folder=EXAMPLES)
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
        }
        if random
        else None,
        "hand": {**_row(made.figures), "epochs": config.train.epochs, **paired(found.folder, made.folder, data)},
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


def paired(search: str, other: str, data: DataSet) -> dict[str, float]:
    """McNemar's exact test on the test rows that one of two networks alone has right: is one more accurate at all?"""
    from scipy.stats import binomtest

    right = []
    for run in (search, other):
        network = load_network(Path(run) / "4_optimize" / "network.npz")
        right.append(evaluate(network, data.x_test)[:, 0] == np.asarray(data.y_test))
    ahead, behind = (int((a & ~b).sum()) for a, b in (right, right[::-1]))
    chance = float(binomtest(ahead, ahead + behind).pvalue) if ahead + behind else 1.0  # pyright: ignore
    return {"ahead_rows": ahead, "behind_rows": behind, "p": chance}


def random_networks(
    config: LutSearchConfig, found: LutSearchResult, *, luts: float, count: int, seed: int
) -> list[BuildConfig]:
    """Networks drawn uniformly from the same space among those of the same LUT budget, by the same prediction."""
    problem = found.problem
    legal = problem.within({**config.limits, "luts": luts}, fill=config.options.fill)
    rng = np.random.default_rng([seed, 99])
    drawn: dict[tuple[int, ...], None] = {}
    for _ in range(_DRAWS):
        if len(drawn) == count:
            break
        at = tuple(int(rng.integers(size)) for size in problem.figures.sizes)
        if legal.holds(at):
            drawn.setdefault(problem.canonical(at), None)
    return [build_of(config, problem.space, problem.figures.point(at)) for at in drawn]


def budgets(name: str, count: int, folder: Path) -> None:
    """Search in shared tables at several LUT limits, held by projection and by a penalty; count steps over a limit."""
    rows: list[list[str]] = []
    totals = {"projection": 0, "penalty": 0}
    data = None
    for limit in BUDGETS[name][:count]:
        said: list[str] = [str(limit)]
        for hold in ("projection", "penalty"):
            options = {"epochs": 1, "hold": hold, "fill": 0.0, "cost_weight": 0.1}
            config, _ = search_config(name, 0, limits={"luts": limit}, options=options)
            if data is None:
                whole = load(config.data, folder=EXAMPLES)
                data = replace(whole, x_train=whole.x_train[:ROWS], y_train=whole.y_train[:ROWS])
            relaxed = LutProblem(config, data=data).relax()
            most = max(step.found_cost for step in relaxed.found.steps)
            said += [f"{most:.0f}", f"{relaxed.over} of {len(relaxed.found.steps)}"]
            totals[hold] += relaxed.over
        rows.append(said)
        print(f"| {' | '.join(said)} |", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "budgets.json", {"rows": rows, "totals": totals})


def table(name: str, folder: Path) -> list[str]:
    """The results of all seeds that `folder` holds, as lines of markdown."""
    rows = [json.loads(path.read_text()) for path in folder.glob("seed_*.json")]
    rows.sort(key=lambda row: row["seed"])
    if not rows:
        return []
    said = ["| seed | method | validation | test | LUTs | FFs | cycles | epochs | network |", f"|{'---|' * 9}"]
    for row in rows:
        for method in ("search", "random", "hand"):
            it = row[method]
            if it is None:
                continue
            if "test" not in it:
                said.append(f"| {row['seed']} | {method}: none of {it['networks']} within the limit |{' |' * 7}")
                continue
            shown = _shown(row["point"]) if method == "search" else ""
            if method == "random":
                shown = f"best of {it['networks']}, {it['within']} within the limit"
            said.append(
                f"| {row['seed']} | {method} | {it['validation']:.2%} | {it['test']:.2%} | {it['luts']:.0f} | "
                f"{it['ffs']:.0f} | {it['cycles']:.0f} | {it['epochs']:g} | {shown} |"
            )
    said.append("")
    for method in ("search", "random", "hand"):
        tests = [row[method]["test"] for row in rows if row[method] and "test" in row[method]]
        luts = [row[method]["luts"] for row in rows if row[method] and "luts" in row[method]]
        if tests:
            said.append(
                f"- {method}: median test {np.median(tests):.2%}, worst of {len(tests)} seeds {min(tests):.2%}; "
                f"{min(luts):.0f} to {max(luts):.0f} LUTs"
            )
    for rival in ("random", "hand"):
        both = [row for row in rows if row[rival] is not None]
        if not both:
            continue
        gains = [row["search"]["test"] - row[rival]["test"] for row in both if "test" in row[rival]]
        wins = sum(gain >= 0 for gain in gains) + len(both) - len(gains)
        fewer = sum(row["search"]["luts"] < row[rival].get("luts", math.inf) for row in both)
        spread = 100 * float(np.std(gains, ddof=1)) / math.sqrt(len(gains)) if len(gains) > 1 else math.nan
        said.append(
            f"- at least as accurate on test rows as {rival} in {wins} of {len(both)} seeds (worst difference "
            f"{100 * min(gains, default=0.0):+.2f} points, "
            f"median {100 * float(np.median(gains)):+.2f}, mean {100 * float(np.mean(gains)):+.2f} with a standard "
            f"error of {spread:.2f}); fewer LUTs in {fewer}"
        )
        chances = [row[rival]["p"] for row in both if "p" in row[rival]]
        if chances:
            worse = sum(row[rival].get("p", 1) < 0.05 and row["search"]["test"] < row[rival]["test"] for row in both)
            said.append(
                f"- McNemar's exact test against {rival}, on the same test rows, a seed: p = "
                f"{', '.join(f'{chance:.2f}' for chance in chances)}; significantly less accurate (p < 0.05) in {worse}"
            )
    steps, over = (sum(row[key] for row in rows) for key in ("steps", "steps_over"))
    said.append(
        f"- logged steps over a limit: {over} of {steps}; results over a limit: {_over(name, rows)} of {len(rows)}"
    )
    drops = ["; ".join(f"{v:.2%}" for v in row["drop"]) for row in rows]
    said.append(
        "- drop from relaxed to discrete, validation accuracy a seed (networks drawn from the distribution, as many "
        "of each kind, in shared tables; the most probable one, there; the result, trained by itself): "
        + " / ".join(drops)
    )
    ranks = [f"{row['ranks']:.2f}" for row in rows if row["ranks"] is not None]
    said.append(f"- rank correlation of candidates in shared tables and trained by themselves: {', '.join(ranks)}")
    ratios = [f"{pair[0] / pair[1] - 1:+.0%}" for row in rows for pair in row["predicted"]]
    said.append(f"- LUTs predicted before training over those synthesised, every finalist: {', '.join(ratios)}")
    said.append(f"- processor time of a search: {', '.join(str(row['search']['cpu_s']) for row in rows)} s")
    return said


def write(folder: Path, path: Path) -> None:
    """Write what `folder` holds of all data sets as a page."""
    said = ["# The joint search of LUT networks", "", *HEAD.splitlines()]
    for name in SEARCHES:
        lines = table(name, folder / name)
        if lines:
            first = min(int(path.stem.removeprefix("seed_")) for path in (folder / name).glob("seed_*.json"))
            command = f"    python -m benchmarks.lut_search --data {name} --first {first} --seeds 5"
            said += ["", f"## {name}", "", command, "", *lines]
        record = folder / name / "budgets.json"
        if record.is_file():
            kept = json.loads(record.read_text())
            count = len(kept["rows"])
            said += [
                "",
                f"{count} LUT limits, super-network alone, one pass over {ROWS:,} training rows:",
                "",
                f"    python -m benchmarks.lut_search --data {name} --budgets {count}",
                "",
                "| LUT limit | most LUTs of a logged step, projection | steps over | most LUTs, penalty | steps over |",
                "|---|---|---|---|---|",
                *(f"| {' | '.join(row)} |" for row in kept["rows"]),
                "",
                f"Steps over a limit: {kept['totals']['projection']} with projection, "
                f"{kept['totals']['penalty']} with a penalty.",
            ]
    said += ["", "## Notes", "", NOTES.read_text(encoding="utf-8").rstrip()]
    path.write_text("\n".join(said) + "\n", encoding="utf-8")


def _shown(point: dict[str, Any]) -> str:
    """A network in short: tables of pins to bits, layer by layer."""
    parts = [
        f"{point[f'l{i}_width']} x {point[f'l{i}_fan_in']} pins, {point[f'l{i}_bits']} bit"
        for i in range(point["depth"])
    ]
    return " -> ".join([*parts, f"{point['last_terms']} votes x {point['last_fan_in']} pins, {point['last_bits']} bit"])


def _over(name: str, rows: list[dict[str, Any]]) -> int:
    limits = search_config(name, 0)[0].limits
    return sum(any(row["search"][key] > limits[key] for key in ("luts", "ffs", "cycles")) for row in rows)


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
