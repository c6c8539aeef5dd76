"""Gradient search and evolution over NAS-Bench-201 cells on a default accelerator, against chance and the best.

    python -m benchmarks.network_gradient --device ecp5-85f --data-set cifar10 --seeds 5

Needs the table of NAS-Bench-201 where data sets are looked for. Every method may look up as many validation accuracies;
test accuracies are read for what was chosen, and for the exhaustive optimum beside it, which no method sees.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from codesign.accel import device
from codesign.accel.engine.defaults import default_point
from codesign.search.evolution import evolve_front
from codesign.search.gradient import GradientConfig, search_cells
from codesign.search.networks import CellSpace, load_accuracies, network_space
from codesign.search.networks.cell_cost import CellCosts
from codesign.search.networks.predictor import cell_features


def main() -> None:
    """Print a line a seed and method, then the worst and the median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="ecp5-85f")
    parser.add_argument("--data-set", default="cifar10", help="cifar10, cifar100 or imagenet16-120")
    parser.add_argument("--space", default="nasbench201")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--share", type=float, default=0.3, help="EDP limit, as a quantile of the runnable cells")
    parser.add_argument("--mode", default="exact", choices=["exact", "relaxed", "one_path"])
    parser.add_argument("--hold", default="projection", choices=["projection", "penalty"])
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    space = network_space(args.space)
    assert isinstance(space, CellSpace)
    part = device(args.device)
    table, chosen = load_accuracies(args.data_set), default_point(part)
    begin = time.process_time()
    figures = CellCosts(space).figures(chosen.point, part)
    fits, every = int(figures.valid.sum()), len(figures.valid)
    print(f"{args.device}, default accelerator {chosen.digest[:12]}: {fits:,} of {every:,}")
    print(
        f"cells can run; all costed in {time.process_time() - begin:.2f} s of CPU time; cycles exact, EDP model energy"
    )
    limit = float(np.quantile(figures.edp[figures.valid], args.share))
    legal = figures.valid & (figures.edp <= limit)
    rows = np.array([table.row(space.arch(space.choices.point(i))) for i in range(space.choices.size)])
    validation, test = table.validation[rows], table.test[rows]
    best = int(np.where(legal, validation, -1).argmax())
    print(f"limit: EDP {limit:,.0f} nJ us ({int(legal.sum()):,} cells); by validation the best of all of them has")
    print(
        f"{validation[best]:.2f} (test {test[best]:.2f}); the best test accuracy of them is {test[legal].max():.2f}\n"
    )
    print("seed | method | queries | validation | test | EDP, nJ us | violations | drop of score | CPU s")
    kept: dict[str, list[float]] = {"gradient": [], "evolution": [], "random": []}
    for seed in range(args.seeds):
        config = GradientConfig(mode=args.mode, hold=args.hold, steps=args.steps, cost_weight=0.02)
        begin = time.process_time()
        found = search_cells(
            space, figures, table, limits={"edp": limit}, queries=args.queries, config=config, seed=seed
        )
        spent = time.process_time() - begin
        drop = max(one.drop.score for one in found.explored.searches)
        print(
            f"{seed} | gradient ({args.mode}, {args.hold}) | {len(found.explored.known)} | {found.validation:.2f} | "
            f"{found.test:.2f} | {found.cost:,.0f} | {found.explored.violations} | {drop:+.3f} | {spent:.1f}"
        )
        begin = time.process_time()
        pick = _evolve(space, figures.edp, legal, validation, args.queries, seed)
        spent = time.process_time() - begin
        print(
            f"{seed} | evolution | {args.queries} | {validation[pick]:.2f} | {test[pick]:.2f} | "
            f"{figures.edp[pick]:,.0f} | 0 | | {spent:.1f}"
        )
        kept["evolution"].append(float(test[pick]))
        drawn = np.random.default_rng(1000 + seed).choice(np.flatnonzero(legal), args.queries, replace=False)
        pick = drawn[validation[drawn].argmax()]
        print(
            f"{seed} | random, legal | {args.queries} | {validation[pick]:.2f} | {test[pick]:.2f} | "
            f"{figures.edp[pick]:,.0f} | 0 | |"
        )
        kept["gradient"].append(found.test)
        kept["random"].append(float(test[pick]))
    for name, values in kept.items():
        print(f"{name}: median test {np.median(values):.2f}, worst of {args.seeds} seeds {min(values):.2f}")


def _evolve(
    space: CellSpace,
    edp: np.ndarray,
    legal: np.ndarray,
    validation: np.ndarray,
    queries: int,
    seed: int,
) -> int:
    """The cell with the best validation accuracy that an evolution over a predictor comes to."""
    sizes = [len(knob.values) for knob in space.choices.knobs]
    strides = np.cumprod([1, *sizes[:-1]])
    features = cell_features(space.all_operations())
    found = evolve_front(
        sizes,
        accuracy=lambda indices: float(validation[np.array(indices) @ strides]),
        cost=lambda indices: edp[indices @ strides],
        legal=lambda indices: legal[indices @ strides],
        features=lambda indices: features[indices @ strides],
        first=queries // 2,
        rounds=4,
        each=(queries - queries // 2) // 4,
        seed=seed,
    )
    return int(np.array(max(found.evaluated, key=lambda one: one.accuracy).indices) @ strides)


if __name__ == "__main__":
    main()
