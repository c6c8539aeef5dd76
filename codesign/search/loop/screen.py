"""Zero-cost proxies screen the cells that are drawn at a search's start: of those of like cost the best is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.config.search import SearchConfig
from codesign.errors import ConfigError, DataError, did_you_mean
from codesign.search.networks import CellSpace
from codesign.search.proxies import PROXIES, proxy, rank_table

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Screen"]

_POOL, _BATCH = 3, 16
"""Cells drawn for one that is kept, and images of a proxy's batch."""


class Screen:
    """Draws cells, and keeps the best by a proxy among those of like cost: costs stay spread as they were drawn.

    Proxies know no cost, and counts alone rank networks about as well: what a proxy adds is told beside them
    (`ranks`), *given* each count.
    """

    def __init__(self, name: str, space: CellSpace, *, config: SearchConfig, folder: Path, seed: int):
        """name: one of PROXIES; images are a batch of the search's `data`, else noise with drawn labels."""
        if name not in PROXIES:
            raise ConfigError(
                f"network.options.screen: no proxy {name!r}.{did_you_mean(name, PROXIES)} Known: {', '.join(PROXIES)}"
            )
        self.name, self.space, self.seed = name, space, seed
        self.images, self.labels, self.origin = _batch(config, space, folder, seed)
        self.values: dict[int, float] = {}
        self._counts: dict[int, tuple[float, float]] = {}

    def __call__(
        self, numbers: NDArray[np.int64], costs: NDArray[np.float64], count: int, rng: np.random.Generator
    ) -> list[int]:
        """Return `count` of the cells `numbers`, or all where there are no more; costs: of all cells, by number."""
        count = min(count, len(numbers))
        if not count:
            return []
        pool = rng.choice(numbers, min(len(numbers), _POOL * count), replace=False)
        alike = np.array_split(pool[np.argsort(costs[pool], kind="stable")], count)
        return [max(map(int, some), key=self.value) for some in alike]

    def value(self, number: int) -> float:
        """The proxy of a cell, larger meant to be better; computed once."""
        if number not in self.values:
            topology = self.space.topology(self.space.choices.point(number))
            self.values[number] = proxy(self.name, topology, images=self.images, labels=self.labels, seed=self.seed)
            self._counts[number] = (float(topology.macs()), float(topology.parameters()))
        return self.values[number]

    def ranks(self, accuracies: Mapping[int, float]) -> dict[str, Any]:
        """Spearman's correlation with the accuracies that were looked up: of the proxy, of plain counts alone, and of
        the proxy given each count. Nothing where fewer than 5 cells are known.
        """
        known = sorted(accuracies)
        if len(known) < 5:
            return {}
        values = [self.value(number) for number in known]
        counts = np.array([self._counts[number] for number in known])
        given = {"multiplications": counts[:, 0], "parameters": counts[:, 1]}
        table = rank_table({self.name: values}, [accuracies[n] for n in known], given=given, seed=self.seed)
        told = {
            f"rank correlation, {row.name}{'' if row.name == self.name else ' alone'}": row.spearman for row in table
        }
        told |= {f"rank correlation, {self.name} given {name}": left for name, left in table[0].given.items()}
        return {name: None if value != value else round(float(value), 3) for name, value in told.items()}


def _batch(config: SearchConfig, space: CellSpace, folder: Path, seed: int) -> tuple[torch.Tensor, torch.Tensor, str]:
    """Images (batch, channels, height, width), labels, and what they are."""
    shape = space.topology(space.draw(rng=np.random.default_rng(0))).input_shape
    if config.data is None:
        draws = torch.Generator().manual_seed(seed)
        images = torch.randn(_BATCH, shape.channels, shape.height, shape.width, generator=draws)
        return images, torch.randint(0, space.file.classes, (_BATCH,), generator=draws), "noise"
    from codesign.data import load

    data = load(config.data, folder=folder)
    if data.inputs != shape.channels * shape.height * shape.width or data.answers > space.file.classes:
        raise DataError(
            f"data: {data.name!r} has {data.inputs} features and {data.answers} classes; the cells are for images of "
            f"{shape} and {space.file.classes}"
        )
    rows = np.random.default_rng(seed).permutation(len(data.x_train))[:_BATCH]
    images = torch.from_numpy(data.x_train[rows]).float().view(-1, shape.channels, shape.height, shape.width)
    images = (images - images.mean()) / images.std().clamp_min(1e-6)
    return images, torch.from_numpy(np.asarray(data.y_train)[rows]).long(), f"training images of {data.name}"
