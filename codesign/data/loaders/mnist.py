"""MNIST: 60,000 training and 10,000 test images of 28 x 28 pixels, from idx files (plain or gzipped) or npz."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.config import DataConfig
from codesign.data.arrays import read_idx, read_npz, wanted_array
from codesign.data.labels import class_numbers
from codesign.data.loaders.common import NoOptions, given_path, parts_where, refuse_target
from codesign.data.lookup import file_notes, locate
from codesign.data.options import read_options
from codesign.data.table import TEST, TRAIN, Table
from codesign.errors import DataError
from codesign.ir import Fixed

__all__ = ["load_mnist"]

_KEYS = ("x_train", "y_train", "x_test", "y_test")


def load_mnist(config: DataConfig, *, folder: Path | None = None) -> Table:
    """Read MNIST with its own test split: 784 pixels of 0 to 255 (row by row), ten classes.

    The path may name the npz file, or a folder with it or with the four idx files.
    """
    read_options(NoOptions, config.options, "mnist")
    refuse_target(config)
    found = locate("mnist", given_path(config, folder))
    if len(found.files) == 4:
        arrays = [read_idx(path) for path in found.files]
    else:
        path = found.files[0]
        if path.suffix != ".npz":
            raise DataError(f"data.path: give the npz file, or the folder of the four idx files, not {path}")
        npz = read_npz(path, only=_KEYS)
        arrays = [wanted_array(npz, key, path) for key in _KEYS]
    origin = str(found.files[0] if len(found.files) == 1 else found.files[0].parent)
    x_train, x_test = (_images(arrays[i], arrays[i + 1], origin, _KEYS[i]) for i in (0, 2))
    where = parts_where(origin, ("train", "test"), (len(x_train), len(x_test)))
    digits = tuple(str(digit) for digit in range(10))
    y, _ = class_numbers(np.concatenate([arrays[1], arrays[3]]), where=where, column="label", names=digits)
    return Table(
        "mnist",
        "classification",
        np.concatenate([x_train, x_test]),
        y,
        tuple(f"r{row}c{column}" for row in range(28) for column in range(28)),
        digits,
        where,
        part=np.repeat(np.array([TRAIN, TEST], dtype=np.int8), [len(x_train), len(x_test)]),
        word=Fixed(8),
        notes=("MNIST (LeCun, Cortes and Burges)", *file_notes(found.files)),
    )


def _images(images: NDArray, labels: NDArray, origin: str, name: str) -> NDArray[np.uint8]:
    if images.dtype != np.uint8 or images.ndim < 2 or images.size != len(images) * 784:
        raise DataError(
            f"{origin}: {name} must be uint8 images (rows, 28, 28), not {images.dtype} {images.shape}; fetch it again"
        )
    if labels.shape != (len(images),):
        raise DataError(f"{origin}: {name} has {len(images)} images, but there are labels of shape {labels.shape}")
    return images.reshape(len(images), 784)
