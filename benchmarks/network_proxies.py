"""How zero-cost proxies rank NAS-Bench-201 cells by trained accuracy, beside plain counts and given them.

    python -m benchmarks.network_proxies --cells 50 --seed 0

Needs the table of NAS-Bench-201 where data sets are looked for. The images are one batch of CIFAR-10's training rows
where that set is found, else noise with drawn labels; the output says which.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict

import numpy as np
import torch

from codesign.config import DataConfig
from codesign.data import load
from codesign.errors import DataError
from codesign.ir import MapShape
from codesign.search.networks import CellSpace, load_accuracies
from codesign.search.networks.cells import CellSpaceFile
from codesign.search.proxies import PROXIES, proxy, rank_table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=50)
    parser.add_argument("--stack", type=int, default=1, help="cells a stage of the untrained networks")
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-set", default="cifar10", help="cifar10, cifar100 or imagenet16-120: whose accuracies")
    args = parser.parse_args()
    torch.set_num_threads(1)
    accuracies = load_accuracies(args.data_set)
    space = CellSpace(CellSpaceFile(name="cells", kind="cells", channels=args.channels, cells=args.stack))
    images, labels, origin = _batch(args.batch, args.seed)
    rng = np.random.default_rng(args.seed)
    figures: dict[str, list[float]] = defaultdict(list)
    counts: dict[str, list[float]] = defaultdict(list)
    spent: dict[str, float] = defaultdict(float)
    rows: list[int] = []
    for number in rng.permutation(space.choices.size):
        point = space.choices.point(int(number))
        if space.refusal(point):
            continue
        topology = space.topology(point)
        counts["multiplications"].append(topology.macs())
        counts["parameters"].append(topology.parameters())
        for name in PROXIES:
            begin = time.process_time()
            figures[name].append(proxy(name, topology, images=images, labels=labels, seed=args.seed))
            spent[name] += time.process_time() - begin
        rows.append(accuracies.row(space.arch(point)))
        if len(rows) == args.cells:
            break
    print(f"{len(rows)} cells drawn (seed {args.seed}), {args.stack} a stage, {args.channels} channels; {origin};")
    print(f"accuracies: test, 200 epochs, {args.data_set}\n")
    heads = ["figure", "Kendall", "Spearman", "95 %", *(f"given {name}" for name in counts), "CPU s a cell"]
    print(" | ".join(heads))
    for row in rank_table(figures, accuracies.test[rows], given=counts, seed=args.seed):
        given = ["" if np.isnan(row.given.get(name, np.nan)) else f"{row.given[name]:+.2f}" for name in counts]
        seconds = f"{spent[row.name] / len(rows):.3f}" if row.name in spent else "alone"
        cells = [
            row.name,
            f"{row.kendall:+.2f}",
            f"{row.spearman:+.2f}",
            f"{row.low:+.2f} to {row.high:+.2f}",
            *given,
            seconds,
        ]
        print(" | ".join(cells))


def _batch(size: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, str]:
    shape = MapShape(3, 32, 32)
    try:
        data = load(DataConfig(source="cifar10", limit=max(200, size)))
    except DataError:
        draws = torch.Generator().manual_seed(seed)
        images = torch.randn(size, shape.channels, shape.height, shape.width, generator=draws)
        return images, torch.randint(0, 10, (size,), generator=draws), f"{size} images of noise"
    rows = np.random.default_rng(seed).permutation(len(data.x_train))[:size]
    images = torch.from_numpy(data.x_train[rows]).view(-1, shape.channels, shape.height, shape.width)
    images = (images - images.mean()) / images.std()
    return images, torch.from_numpy(data.y_train[rows]), f"{size} training images of CIFAR-10"


if __name__ == "__main__":
    main()
