"""Search methods on an enumerated space of engines: how far from the true optimum after 300 and 1,000 evaluations.

`python -m benchmarks.agent --folder FOLDER` runs every method with masks and raw, ten seeds each, and writes
benchmarks/agent_results.md. FOLDER keeps each finished search, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from codesign.accel import device
from codesign.families import find_family
from codesign.ir.conv_presets import cifar10_small, resnet8
from codesign.ir.integer import MapShape
from codesign.ir.integer_random import random_network
from codesign.search import Genetic, Nsga2, Objective, Problem, RandomSearch, Searcher, Tpe, count_rules, search

SPACE, NETWORK, DEVICE, OBJECTIVE = "engine-agent", "resnet-8", "ecp5-85f", "edp"
BUDGETS = (100, 300, 1000)
METHODS = ("random", "genetic", "nsga2", "tpe", "agent")
MODES = ("masked", "raw")
NETWORKS = 6
RESULTS = Path(__file__).parent / "agent_results.md"


def make(method: str, problem: Problem, *, seed: int, raw: bool) -> Searcher:
    """Return a search method by name."""
    if method == "agent":
        from codesign.search.agent_search import AgentSearch

        return AgentSearch(problem, seed=seed, raw=raw)
    kinds: dict[str, Callable[..., Searcher]] = {"random": RandomSearch, "genetic": Genetic, "nsga2": Nsga2, "tpe": Tpe}
    return kinds[method](problem, seed=seed, raw=raw)


def kept(folder: Path, method: str, mode: str, seed: int, optimum: float) -> Path:
    """Where a finished search stands; by the optimum, so that a changed model starts anew."""
    return folder / f"{method}-{mode}-{seed}-{optimum:.6g}.json"


def run_one(problem: Problem, optimum: float, *, method: str, mode: str, seed: int, folder: Path) -> dict[str, Any]:
    """Search once, or read what was found before; values are divided by the optimum."""
    path = kept(folder, method, mode, seed, optimum)
    if path.is_file():
        return json.loads(path.read_text())
    began = time.process_time()
    history = search(make(method, problem, seed=seed, raw=mode == "raw"), budget=max(BUDGETS))
    best = history.best_values() / optimum
    found = {
        "ratios": [float(best[min(budget, len(best)) - 1]) for budget in BUDGETS],
        "evaluations": history.evaluations,
        **history.states(),
        "cpu_s": round(time.process_time() - began, 1),
    }
    path.write_text(json.dumps(found))
    return found


def amortised(folder: Path, optimum: float, *, seeds: int, episodes: int, collect: bool = False) -> list[list[str]]:
    """Train an agent over networks, and compare its first proposal for new ones with 300 random valid evaluations."""
    from codesign.search.agent import HardwareAgent

    path = folder / f"amortised-{seeds}-{episodes}-{optimum:.6g}.json"
    if path.is_file():
        return json.loads(path.read_text())
    if collect:
        return []
    sides = (16, 24, 32)
    makers = {"cifar10-small": cifar10_small, "resnet-8": resnet8}

    def problem(kind: str, channels: int, side: int) -> Problem:
        topology = makers[kind](channels=channels, shape=MapShape(3, side, side))
        name = f"{kind}, {channels} channels, {side} x {side}"
        family = find_family(SPACE)
        return Problem(
            family,
            random_network(topology, seed=0),
            device=device(DEVICE),
            objective=Objective(OBJECTIVE),
            name=name,
        )

    new = [("cifar10-small", 24, 32), ("resnet-8", 16, 32), ("resnet-8", 24, 24)]
    trained = [(k, c, s) for k in makers for c in (8, 16, 32) for s in sides if (k, c, s) not in new]
    rng = np.random.default_rng(0)
    chosen = [problem(*trained[i]) for i in sorted(rng.choice(len(trained), size=NETWORKS, replace=False))]
    for one in chosen:
        one.sweep()  # figures are read from it then; only the points that the agent asks for are counted
    held = [problem(*one) for one in new]
    optima = [one.sweep().value for one in held]
    first: list[list[float]] = []
    evaluations = 0
    for seed in range(seeds):
        agent = HardwareAgent.new(chosen, seed=seed)
        agent.learn(episodes)
        evaluations = max(evaluations, agent.evaluations)
        first.append([p.evaluate(agent.propose(p))[0].value / o for p, o in zip(held, optima, strict=True)])
    rows: list[list[str]] = []
    for index, (one, best) in enumerate(zip(held, optima, strict=True)):
        drawn = [search(RandomSearch(one, seed=s), budget=300).best for s in range(10)]
        random = [trial.value / best for trial in drawn if trial is not None]
        ours = [row[index] for row in first]
        rows.append(
            [
                one.name,
                f"{np.median(ours):.3f}",
                f"{max(ours):.3f}",
                f"{np.median(random):.3f}",
                f"{max(random):.3f}",
                f"{evaluations:,}",
            ]
        )
    path.write_text(json.dumps(rows))
    return rows


def table(
    problem: Problem,
    optimum: float,
    *,
    methods: Sequence[str],
    modes: Sequence[str],
    seeds: int,
    folder: Path,
    collect: bool = False,
) -> list[str]:
    """Run everything that is asked for (or collect what is there) and return the rows of the table."""
    lines: list[str] = []
    for mode in modes:
        for method in methods:
            wanted = [s for s in range(seeds) if not collect or kept(folder, method, mode, s, optimum).is_file()]
            runs = [run_one(problem, optimum, method=method, mode=mode, seed=s, folder=folder) for s in wanted]
            if not runs:
                continue
            ratios = np.array([run["ratios"] for run in runs])
            cells: list[str] = []
            for index in range(len(BUDGETS)):
                column = ratios[:, index]
                none = int(np.isnan(column).sum())
                worst = "none" if none else f"{column.max():.3f}"
                middle = np.median(np.where(np.isnan(column), np.inf, column))
                cells.append(f"{middle:.3f} ({worst})" if np.isfinite(middle) else f"none ({none} of {len(runs)})")
            invalid = np.median([run["invalid"] for run in runs])
            cpu = np.median([run["cpu_s"] for run in runs])
            lines.append(f"| {method} | {mode} | {len(runs)} | {' | '.join(cells)} | {invalid:g} | {cpu:.1f} |")
            print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Run, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="keeps finished searches")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--agents", type=int, default=2, help="seeds of the amortised agent")
    parser.add_argument("--episodes", type=int, default=4000, help="of its training")
    parser.add_argument("--collect", action="store_true", help="run nothing, tabulate what FOLDER has")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)
    family = find_family(SPACE)
    network = family.read_network(Path(NETWORK))
    problem = Problem(family, network, device=device(DEVICE), objective=Objective(OBJECTIVE), name=NETWORK)
    swept = problem.sweep()
    valid = int(problem.valid.sum())
    share = 100 - 100 * valid / problem.space.size
    quantiles = np.quantile(swept.values, (0.001, 0.01, 0.1, 0.5)) / swept.value
    best = problem.evaluate([swept.best])[0].figures
    rules = count_rules(family, network, problem.device).text()
    lines = [
        "# Search methods on an enumerated space",
        "",
        f"`python -m benchmarks.agent --folder FOLDER` (Python {platform.python_version()}, {os.cpu_count()} cores, "
        "shared with other work).",
        "",
        f"Space `{SPACE}`, network `{NETWORK}` (random weights of 4 bits), device `{DEVICE}`: {problem.space.size:,} "
        f"points, {valid:,} of them valid ({share:.2f} % are not). Objective: {OBJECTIVE}, the model energy of one "
        f"image times its latency; the optimum, by a sweep of all valid points, is {swept.value:,.0f} nJ us "
        f"({best['latency_us'].value:,.0f} us, {best['energy_nj'].value:,.0f} nJ). The best 0.1 %, 1 %, 10 % and 50 % "
        f"of the valid points reach {', '.join(f'{q:.3f}' for q in quantiles)} times the optimum.",
        "",
        f"{rules[0].upper()}{rules[1:]}.",
        "",
        f"EDP of the best point found over the optimum's: median (worst) over the seeds after "
        f"{', '.join(f'{b:,}' for b in BUDGETS)} evaluations. An evaluation is a distinct point; raw methods pay for "
        "invalid ones, of which `invalid` is the median number. Masked, no method evaluates one.",
        "",
        "| method | mode | seeds | " + " | ".join(f"after {b:,}" for b in BUDGETS) + " | invalid | CPU s |",
        "|---|---|" + "---:|" * (len(BUDGETS) + 3),
        *table(
            problem,
            swept.value,
            methods=arguments.methods,
            modes=arguments.modes,
            seeds=arguments.seeds,
            folder=arguments.folder,
            collect=arguments.collect,
        ),
        "",
    ]
    rows = amortised(
        arguments.folder,
        swept.value,
        seeds=arguments.agents,
        episodes=arguments.episodes,
        collect=arguments.collect or not arguments.agents,
    )
    if rows:
        lines += [
            f"The amortised agent: trained over {NETWORKS} networks ({arguments.episodes:,} episodes, "
            f"{arguments.agents} seeds), then asked for a point for each of three new networks, without an evaluation; "
            "beside it the best of 300 random valid points (10 seeds), both as medians. Ratios to each network's true "
            "optimum.",
            "",
            "| new network | first proposal | worst | best of 300 random | worst | points in training |",
            "|---|---:|---:|---:|---:|---:|",
            *("| " + " | ".join(row) + " |" for row in rows),
            "",
        ]
    if set(arguments.methods) == set(METHODS) and set(arguments.modes) == set(MODES):
        RESULTS.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
