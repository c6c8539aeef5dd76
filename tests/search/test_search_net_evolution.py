"""Evolution over a predictor finds the front of a toy, keeps limits, and counts what it spends; halving likewise."""

import numpy as np
import pytest

from codesign.errors import ConfigError, SpaceError
from codesign.search.evolution import Evaluated, evolve_front, non_dominated, one_hot, successive_halving

SIZES = (4, 3, 4, 3, 4)


def _cost(indices):
    return 1.0 + np.asarray(indices) @ np.array([5, 3, 2, 1, 1.0])


def _accuracy(indices):
    return 50 + 30 * (1 - np.exp(-_cost(np.array([indices]))[0] / 10)) + 3 * indices[4] - 4 * (indices[1] == 1)


def _every():
    return np.stack([one.ravel() for one in np.meshgrid(*map(range, SIZES), indexing="ij")], axis=1)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_front_of_a_toy_is_found(seed):
    asked = []

    def accuracy(indices):
        asked.append(indices)
        return _accuracy(indices)

    def legal(indices):
        return _cost(indices) <= 20

    found = evolve_front(SIZES, accuracy=accuracy, cost=_cost, legal=legal, first=20, rounds=3, each=8, seed=seed)
    assert len(set(asked)) == len(asked) == len(found.evaluated) <= 20 + 3 * 8
    assert max(one.cost for one in found.evaluated) <= 20
    every = _every()[legal(_every())]
    truth = [
        Evaluated(tuple(int(i) for i in one), _accuracy(one), float(_cost(one[None])[0]), 0, 0, 0) for one in every
    ]

    def area(front):
        """Accuracy over 40, summed over the costs from 0 to 20."""
        return sum(
            max((one.accuracy - 40 for one in front if one.cost <= most), default=0) for most in np.arange(0, 20, 0.5)
        )

    drawn = [truth[i] for i in np.random.default_rng(seed).choice(len(truth), len(asked), replace=False)]
    assert area(found.front) > 0.97 * area(non_dominated(truth))
    assert area(found.front) > area(non_dominated(drawn))
    assert [one.number for one in found.rounds] == list(range(len(found.rounds))) and len(found.rounds) > 1
    late = [one for one in found.evaluated if one.round > 0]
    assert all(np.isfinite([one.predicted, one.deviation]).all() for one in late)


def test_the_non_dominated_and_complaints():
    made = [Evaluated((i,), a, c, 0, 0, 0) for i, (a, c) in enumerate([(5, 2), (5, 1), (7, 3), (6, 4), (7, 3)])]
    assert [one.indices for one in non_dominated(made)] == [(1,), (2,)]
    assert one_hot(np.array([[1, 0]]), (2, 3)).tolist() == [[0, 1, 1, 0, 0]]

    def nothing(indices):
        return np.zeros(len(indices), dtype=bool)

    with pytest.raises(SpaceError, match="only 0 are legal"):
        evolve_front(SIZES, accuracy=_accuracy, cost=_cost, legal=nothing)
    with pytest.raises(ConfigError, match="first, with what is known, must be 5 or more"):
        evolve_front(SIZES, accuracy=_accuracy, cost=_cost, legal=nothing, first=2)


def test_successive_halving_goes_on_and_counts():
    calls = []

    def train(candidate, start, end):
        calls.append((candidate, start, end))
        return float("nan") if candidate == 8 else candidate - 20 / end * (candidate == 7)

    found = successive_halving(range(9), train, epochs=(1, 3, 9))
    assert [len(rung.accuracies) for rung in found.rungs] == [9, 3, 1]
    assert calls[9:] == [(6, 1, 3), (5, 1, 3), (4, 1, 3), (6, 3, 9)]
    assert (found.best, found.accuracy, found.epochs) == (6, 6.0, 9 + 3 * 2 + 6)
    assert successive_halving(["a"], lambda *_: 1.0, epochs=(2,)).epochs == 2
    for bad in ({"epochs": (3, 1)}, {"keep": 1.0}):
        with pytest.raises(ConfigError):
            successive_halving([1], train, **bad)
    with pytest.raises(ConfigError, match="none of the 1 candidates"):
        successive_halving([8], train)
