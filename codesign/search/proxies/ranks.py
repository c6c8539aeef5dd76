"""How well a figure ranks networks by accuracy: Kendall's and Spearman's correlation, alone and given the cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kendalltau, rankdata

from codesign.errors import DataError

__all__ = ["Ranking", "partial_spearman", "rank_table", "spearman"]

Numbers = NDArray[np.float64]
_RESAMPLES = 500


@dataclass(frozen=True)
class Ranking:
    """Rank correlations of one figure with accuracy.

    low, high: the middle 95 % of Spearman's over networks drawn again with replacement. given: Spearman's that is left
    when what each of the counts named explains (by a line through ranks) is taken from both.
    """

    name: str
    networks: int
    kendall: float
    spearman: float
    low: float
    high: float
    given: Mapping[str, float]


def spearman(first: ArrayLike, second: ArrayLike) -> float:
    """Return the correlation of the ranks of two lists; NaN where one of them is constant."""
    return _correlation(rankdata(first), rankdata(second))


def partial_spearman(first: ArrayLike, second: ArrayLike, *given: ArrayLike) -> float:
    """Return the correlation of what lines through the ranks of `given` leave of both ranks; NaN where nothing is."""
    ones = np.ones(len(np.asarray(first)))
    design = np.stack([ones, *(rankdata(one) for one in given)], axis=1)
    left: list[Numbers] = []
    for one in (first, second):
        ranks = rankdata(one)
        fitted = design @ np.linalg.lstsq(design, ranks, rcond=None)[0]
        left.append(ranks - fitted)
        if np.linalg.norm(left[-1]) < 1e-6 * np.linalg.norm(ranks - ranks.mean()):
            return float("nan")
    return _correlation(*left)


def rank_table(
    figures: Mapping[str, ArrayLike], accuracies: ArrayLike, *, given: Mapping[str, ArrayLike], seed: int = 0
) -> list[Ranking]:
    """Rank networks by every figure, and by every count of `given` alone, which come last.

    A correlation given a count is not asked of that count itself. Fewer than 5 networks, or figures that are no
    numbers, are a DataError.
    """
    truth = np.asarray(accuracies, dtype=np.float64)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(truth), (_RESAMPLES, len(truth))) if len(truth) >= 5 else None
    if drawn is None:
        raise DataError(f"ranks need 5 networks or more, not {len(truth)}")
    found: list[Ranking] = []
    for name, values in {**figures, **given}.items():
        one = np.asarray(values, dtype=np.float64)
        if one.shape != truth.shape or not np.isfinite(one).all():
            raise DataError(f"{name}: must be {len(truth)} numbers, one a network")
        again = [spearman(one[rows], truth[rows]) for rows in drawn]
        low, high = np.nanquantile(again, [0.025, 0.975])
        left = {key: partial_spearman(one, truth, count) for key, count in given.items() if key != name}
        tau = float(kendalltau(one, truth)[0])  # pyright: ignore[reportArgumentType]
        found.append(Ranking(name, len(truth), tau, spearman(one, truth), float(low), float(high), left))
    return found


def _correlation(first: Numbers, second: Numbers) -> float:
    first, second = first - first.mean(), second - second.mean()
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum() / size) if size > 1e-9 else float("nan")
