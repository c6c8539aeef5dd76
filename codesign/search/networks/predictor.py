"""A predictor of trained accuracy from few trained networks, with its uncertainty: a Gaussian process over features."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from codesign.errors import DataError
from codesign.ir.conv_presets import NASBENCH_OPERATIONS
from codesign.search.networks.cells import EDGES, cell_layers

__all__ = ["Predictor", "cell_features"]

Numbers = NDArray[np.float64]
_LEAST = 5


@dataclass(frozen=True, eq=False)
class Predictor:
    """Fitted to a few networks; scores are normal: 0 is the median of those networks, 1 a standard deviation above it.

    Accuracies are mapped to normal scores by their ranks, so that a few networks that did not train at all do not
    decide the scale. queries: how many networks it was fitted to.
    """

    model: Any
    scores: Numbers
    accuracies: Numbers
    queries: int

    @classmethod
    def fit(cls, features: Numbers, accuracies: Numbers, *, seed: int) -> Predictor:
        """Fit to features (networks, features), of like sizes, and accuracies (networks,), at least 5 (a DataError)."""
        accuracies = np.asarray(accuracies, dtype=np.float64)
        if len(accuracies) < _LEAST or not np.isfinite(accuracies).all():
            raise DataError(
                f"a predictor needs {_LEAST} trained accuracies or more, all numbers; it got {len(accuracies)}"
            )
        scores = ndtri((rankdata(accuracies) - 0.5) / len(accuracies))
        width = float(np.sqrt(features.shape[1])) / 2
        near = ConstantKernel(1.0, (0.1, 10)) * Matern(width, (width / 10, width * 10), nu=1.5)
        model = GaussianProcessRegressor(near + WhiteKernel(0.1, (1e-3, 1.0)), random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound is still a kernel
            model.fit(features, scores)
        order = np.argsort(accuracies)
        return cls(model, scores[order], accuracies[order], len(accuracies))

    def predict(self, features: Numbers) -> tuple[Numbers, Numbers]:
        """Return mean and standard deviation of the scores of networks (networks, features)."""
        mean, deviation = self.model.predict(features, return_std=True)
        return np.asarray(mean), np.asarray(deviation)

    def score(self, accuracy: float) -> float:
        """Return the score that an accuracy stands for; beyond the best known one, half a deviation above its score."""
        best = float(self.accuracies[-1])
        return (
            float(self.scores[-1]) + 0.5
            if accuracy > best
            else float(np.interp(accuracy, self.accuracies, self.scores))
        )

    def accuracy(self, scores: Numbers) -> Numbers:
        """Return the accuracies that scores stand for, within the range of the networks it was fitted to."""
        return np.interp(scores, self.scores, self.accuracies)


def cell_features(operations: NDArray[np.int64]) -> Numbers:
    """Return features (cells, 36) of cells given as operation numbers (cells, 6).

    A one-hot operation an edge, edges that do not reach the output as `none`; the layers by kind; the most
    convolutions on a way from input to output; whether input and output are joined without any.
    """
    rows: list[list[float]] = []
    for numbers in operations:
        names = tuple(NASBENCH_OPERATIONS[int(i)] for i in numbers)
        kept = _reaching(names)
        hot = [float(kept[i] == name) for i in range(len(EDGES)) for name in NASBENCH_OPERATIONS]
        kinds = [layer.kind for layer in cell_layers(names)[0]]
        counts = [float(kinds.count(kind)) for kind in ("conv1", "conv3", "pool", "add")]
        rows.append([*hot, *counts, *_ways(kept)])
    return np.array(rows)


def _reaching(names: tuple[str, ...]) -> list[str]:
    """Operations, `none` where an edge lies on no way from input to output."""
    from_input, to_output = {0}, {3}
    for (start, end), name in zip(EDGES, names, strict=True):
        if name != "none" and start in from_input:
            from_input.add(end)
    for (start, end), name in reversed(list(zip(EDGES, names, strict=True))):
        if name != "none" and end in to_output:
            to_output.add(start)
    alive = from_input & to_output
    return [
        name if start in alive and end in alive else "none" for (start, end), name in zip(EDGES, names, strict=True)
    ]


def _ways(kept: list[str]) -> list[float]:
    """Most convolutions on a way from input to output, and whether a way has none."""
    most, least = {0: 0.0}, {0: 0.0}
    for (start, end), name in zip(EDGES, kept, strict=True):
        if name == "none" or start not in most:
            continue
        step = float(name.startswith("nor_conv"))
        most[end] = max(most.get(end, 0.0), most[start] + step)
        least[end] = min(least.get(end, 9.0), least[start] + step)
    return [most.get(3, 0.0), float(least.get(3, 9.0) == 0)]
