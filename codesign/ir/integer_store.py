"""Keeps an integer network in one .npz file (nothing pickled), guarded by a digest of its contents."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from codesign.errors import CodesignError, DataError
from codesign.ir.archive import read_archive, write_archive
from codesign.ir.integer import Add, Conv, IntegerLayer, IntegerNetwork, Integers, Levels, MapShape, Pool, Requantize
from codesign.ir.integer_check import check_integer

__all__ = ["load_integer", "save_integer"]

_VERSION = 1
_KEYS = ("weights", "multipliers", "biases")


def save_integer(network: IntegerNetwork, path: Path) -> None:
    """Write a legal network to `path` (.npz). Equal networks give equal bytes."""
    check_integer(network)
    header = {
        "version": _VERSION,
        "name": network.name,
        "input_shape": asdict(network.input_shape),
        "input_levels": asdict(network.input_levels),
        "layers": [_layer_header(layer) for layer in network.layers],
    }
    weights = [layer.weights for layer in network.layers if isinstance(layer, Conv)]
    steps = [layer.requantize for layer in network.layers if layer.requantize is not None]
    arrays = {
        "weights": _flat(weights).astype(np.int8),
        "multipliers": _flat([step.multipliers for step in steps]).astype(np.int16),
        "biases": _flat([step.biases for step in steps]),
    }
    write_archive(path, header, arrays)


def load_integer(path: Path) -> IntegerNetwork:
    """Read an integer network; a damaged, hand-edited or foreign file is a DataError that names it."""
    header, stored = read_archive(path, _KEYS, version=_VERSION)
    try:
        arrays = {key: _Reader(stored[key].astype(np.int64)) for key in _KEYS}
        network = IntegerNetwork(
            header["name"],
            MapShape(**header["input_shape"]),
            Levels(**header["input_levels"]),
            tuple(_layer(item, arrays) for item in header["layers"]),
        )
        for key, reader in arrays.items():
            if reader.left:
                raise ValueError(f"{reader.left} {key} too many")
        return check_integer(network)
    except (KeyError, TypeError, IndexError, ValueError) as problem:
        raise DataError(f"{path} does not describe an integer network ({problem}); extract it again") from None
    except CodesignError as problem:
        raise DataError(f"{path}: {problem}") from None


class _Reader:
    """Takes arrays off a flat one, in order."""

    def __init__(self, flat: Integers):
        self.flat = flat
        self.left = len(flat)

    def take(self, shape: tuple[int, ...]) -> Integers:
        """Return the next values as an array of `shape`; too few left is a ValueError."""
        count = int(np.prod(shape))
        if count > self.left:
            raise ValueError(f"{count} values needed, {self.left} left")
        start = len(self.flat) - self.left
        self.left -= count
        return self.flat[start : start + count].reshape(shape)


def _flat(parts: list[Integers]) -> Integers:
    return np.concatenate([part.reshape(-1) for part in parts]) if parts else np.zeros(0, np.int64)


def _layer_header(layer: IntegerLayer) -> dict[str, Any]:
    step = layer.requantize
    header: dict[str, Any] = {
        "kind": type(layer).__name__,
        "name": layer.name,
        "sources": list(layer.sources),
        "levels": None if layer.levels is None else asdict(layer.levels),
        "requantize": None if step is None else {"shift": step.shift, "channels": len(step.multipliers)},
    }
    if isinstance(layer, Add):
        return {**header, "weights": list(layer.weights)}
    header |= {"stride": layer.stride, "padding": layer.padding}
    if isinstance(layer, Conv):
        levels = asdict(layer.weight_levels)
        return {**header, "shape": list(layer.weights.shape), "weight_levels": levels, "groups": layer.groups}
    return {**header, "pool": layer.kind, "kernel": list(layer.kernel)}


def _layer(item: dict[str, Any], arrays: dict[str, _Reader]) -> IntegerLayer:
    kind, name, sources = item["kind"], item["name"], tuple(item["sources"])
    levels = None if item["levels"] is None else Levels(**item["levels"])
    step: Requantize | None = None
    if item["requantize"] is not None:
        shape = (item["requantize"]["channels"],)
        step = Requantize(arrays["multipliers"].take(shape), arrays["biases"].take(shape), item["requantize"]["shift"])
    if kind == "Add":
        if step is None or levels is None:
            raise ValueError(f"addition {name!r} has no requantization")
        return Add(name, sources, step, levels, tuple(item["weights"]))
    (source,) = sources
    window: dict[str, Any] = {"stride": item["stride"], "padding": item["padding"], "requantize": step}
    if kind == "Conv":
        weights = arrays["weights"].take(tuple(item["shape"]))
        weight_levels = Levels(**item["weight_levels"])
        return Conv(name, source, weights, weight_levels, groups=item["groups"], levels=levels, **window)
    if kind == "Pool":
        if levels is None:
            raise ValueError(f"pooling {name!r} has no levels")
        return Pool(name, source, item["pool"], tuple(item["kernel"]), levels, **window)
    raise ValueError(f"unknown kind of layer {kind!r}")
