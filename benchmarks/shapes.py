"""Synthetic rows in the shape of a preset; labels come from a random function that training can find."""

from __future__ import annotations

import numpy as np

from codesign.data import DataSet
from codesign.ir import Fixed, Topology

__all__ = ["synthetic_data"]


def synthetic_data(shape: Topology, *, rows: int, seed: int) -> DataSet:
    """Return a classification set with the preset's features (bits where it takes one bit) and classes."""
    random = np.random.default_rng(seed)
    classes = max(2, shape.layers[-1].width)
    x = random.normal(size=(rows, shape.inputs)).astype(np.float32)
    if shape.input_bits == 1:
        x = (x > 0).astype(np.float32)
    hidden = np.tanh((x - x.mean(axis=0)) @ random.normal(size=(shape.inputs, 16)) / np.sqrt(shape.inputs))
    scores = hidden @ random.normal(size=(16, classes))
    y = (scores - np.median(scores, axis=0)).argmax(axis=1).astype(np.int64)
    first, second = int(rows * 0.7), int(rows * 0.8)
    parts = [slice(0, first), slice(first, second), slice(second, rows)]
    return DataSet(
        name=f"synthetic_{shape.name}",
        task="classification",
        **{
            f"{key}_{split}": array[part]
            for split, part in zip(("train", "validation", "test"), parts, strict=True)
            for key, array in (("x", x), ("y", y))
        },
        feature_names=tuple(f"f{i}" for i in range(shape.inputs)),
        class_names=tuple(f"c{i}" for i in range(classes)),
        word=Fixed(1) if shape.input_bits == 1 else None,
    )
