"""Small random data sets for the tests of training and extraction."""

import numpy as np

from codesign.data import DataSet
from codesign.ir import Fixed


def _split(name, task, x, y, *, classes=(), word=None):
    a, b = len(x) * 7 // 10, len(x) * 85 // 100
    parts = (x[:a], y[:a], x[a:b], y[a:b], x[b:], y[b:])
    features = tuple(f"f{i}" for i in range(x.shape[1]))
    return DataSet(name, task, *parts, features, classes, word)


def blobs(*, rows=400, features=16, classes=5, seed=0, scale=1.0, shift=0.0):
    """Real features of several classes, learnable; every class in every part."""
    draw = np.random.default_rng(seed)
    y = np.arange(rows) % classes
    centres = draw.normal(size=(classes, features)) * 1.5
    x = (centres[y] + draw.normal(size=(rows, features))) * scale + shift
    order = draw.permutation(rows)
    names = tuple(f"c{i}" for i in range(classes))
    return _split("blobs", "classification", x[order].astype(np.float32), y[order].astype(np.int64), classes=names)


def bits(*, rows=400, features=24, seed=0):
    """Binary features, two classes."""
    draw = np.random.default_rng(seed)
    x = draw.integers(0, 2, size=(rows, features))
    y = (x[:, :5].sum(axis=1) > 2).astype(np.int64)
    return _split("bits", "classification", x.astype(np.float32), y, classes=("no", "yes"), word=Fixed(1))


def waves(*, rows=400, features=4, targets=2, seed=0):
    """A smooth regression."""
    draw = np.random.default_rng(seed)
    x = draw.uniform(-1, 1, size=(rows, features))
    y = np.stack([np.sin(2 * x[:, i % features]) + 0.3 * x[:, (i + 1) % features] for i in range(targets)], axis=1)
    return _split("waves", "regression", x.astype(np.float32), (5 + 2 * y).astype(np.float32))
