"""CIFAR-10: colour images of 32 x 32 pixels, ten classes, from the binary batches or npz."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.config import DataConfig
from codesign.data.arrays import read_npz, wanted_array
from codesign.data.labels import class_numbers
from codesign.data.loaders.common import NoOptions, given_path, parts_where, refuse_target
from codesign.data.lookup import file_notes, locate
from codesign.data.options import read_options
from codesign.data.table import TEST, TRAIN, Table
from codesign.errors import DataError
from codesign.ir import Fixed

__all__ = ["CIFAR10_CLASSES", "load_cifar10"]

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)

_PIXELS = 3 * 32 * 32
_RECORD = 1 + _PIXELS
_PLAIN = ("x_train", "y_train", "x_test", "y_test")
_RESIDUALS = ("res_train", "y_train", "res_test", "y_test")


def load_cifar10(config: DataConfig, *, folder: Path | None = None) -> Table:
    """Read CIFAR-10 with its own test part: 3,072 pixels of 0 to 255, the red plane row by row, then green, then blue.

    The path may name an npz file, or a folder with it or with the six binary batches. An npz holds x_train and x_test
    (uint8, rows x 32 x 32 x 3), or res_train and res_test (see `decode_residuals`), and y_train and y_test.
    """
    read_options(NoOptions, config.options, "cifar10")
    refuse_target(config)
    found = locate("cifar10", given_path(config, folder))
    first = found.files[0]
    if len(found.files) > 1:
        batches = [_read_batch(path) for path in found.files]
        x_train = np.concatenate([x for x, _ in batches[:-1]])
        y_train = np.concatenate([y for _, y in batches[:-1]])
        x_test, y_test = batches[-1]
    else:
        x_train, y_train, x_test, y_test = _read_npz(first)
    origin = str(first if len(found.files) == 1 else first.parent)
    where = parts_where(origin, ("train", "test"), (len(x_train), len(x_test)))
    y, _ = class_numbers(np.concatenate([y_train, y_test]), where=where, column="label", names=CIFAR10_CLASSES)
    return Table(
        "cifar10",
        "classification",
        np.concatenate([x_train, x_test]),
        y,
        tuple(f"{colour}_r{row}c{column}" for colour in "rgb" for row in range(32) for column in range(32)),
        CIFAR10_CLASSES,
        where,
        part=np.repeat(np.array([TRAIN, TEST], dtype=np.int8), [len(x_train), len(x_test)]),
        word=Fixed(8),
        notes=(
            f"CIFAR-10 (Krizhevsky, 2009): {len(x_train)} of its 50000 training and {len(x_test)} of its 10000 test "
            "images",
            *file_notes(found.files),
        ),
    )


def decode_residuals(residuals: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Undo the lossless coding of the compact npz: (3, rows, 32, 32) to planes red, green, blue (rows, 3, 32, 32).

    Each residual is the change, modulo 256, from the pixel above and the one to the left; the first plane is green,
    the others are red - green and blue - green.
    """
    planes = np.cumsum(np.cumsum(residuals, axis=2, dtype=np.uint8), axis=3, dtype=np.uint8)
    green = planes[0]
    return np.stack([planes[1] + green, green, planes[2] + green], axis=1)


def _read_npz(path: Path) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    if path.suffix != ".npz":
        raise DataError(f"data.path: give the npz file, or the folder of the six binary batches, not {path}")
    npz = read_npz(path, only=(*_PLAIN, *_RESIDUALS))
    coded = "res_train" in npz
    keys = _RESIDUALS if coded else _PLAIN
    x_train, y_train, x_test, y_test = (wanted_array(npz, key, path) for key in keys)
    out: list[NDArray] = []
    for key, x, y in ((keys[0], x_train, y_train), (keys[2], x_test, y_test)):
        rows = x.shape[1] if coded and x.ndim == 4 else len(x)
        wanted = (3, rows, 32, 32) if coded else (rows, 32, 32, 3)
        if x.dtype != np.uint8 or x.shape != wanted:
            shape = "(3, rows, 32, 32)" if coded else "(rows, 32, 32, 3)"
            raise DataError(f"{path}: {key} must be uint8 {shape}, not {x.dtype} {x.shape}; fetch it again")
        if y.shape != (rows,):
            raise DataError(f"{path}: {key} has {rows} images, but there are labels of shape {y.shape}")
        planes = decode_residuals(x) if coded else x.transpose(0, 3, 1, 2)
        out += [planes.reshape(rows, _PIXELS), y]
    return out[0], out[1], out[2], out[3]


def _read_batch(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read a batch of the binary version: records of a label and 3,072 pixels."""
    content = np.fromfile(path, dtype=np.uint8)
    if not len(content) or len(content) % _RECORD:
        raise DataError(
            f"{path} must hold whole records of {_RECORD} bytes (a label and 3072 pixels), not {len(content)} bytes; "
            "fetch it again"
        )
    records = content.reshape(-1, _RECORD)
    return records[:, 1:], records[:, 0]
