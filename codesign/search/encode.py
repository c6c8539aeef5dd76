"""Devices and networks as numbers that an agent can read: sizes by their logarithms, shares, bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.accel import Device
from codesign.ir.integer import INPUT, Conv, IntegerNetwork, Pool

__all__ = ["DEVICE_FEATURES", "NETWORK_FEATURES", "encode_device", "encode_network"]

Numbers = NDArray[np.float32]

_FAMILIES = ("xc7", "xcup", "ecp5", "ice40")
DEVICE_FEATURES = (*_FAMILIES, "luts", "ffs", "brams", "bram bits", "dsps")
"""Names of a device's features."""

NETWORK_FEATURES = (
    "layers",
    "products",
    "weights",
    "largest layer's weights",
    "largest map",
    "second largest map",
    "input",
    "input channels",
    "answers",
    "channels",
    "most taps",
    "greatest common divisor of channels",
    "largest map's pixels",
    "products 1x1",
    "products 3x3",
    "products depthwise",
    "products dense",
    "pooling layers",
    "additions",
    "weight bits",
    "activation bits",
    "padding",
)
"""Names of an integer network's features; sizes are log2 / 20, shares and bits are between 0 and 1."""


def encode_device(device: Device) -> Numbers:
    """Return the features of a device, in the order of `DEVICE_FEATURES`."""
    family = [float(device.family == name) for name in _FAMILIES]
    sizes = (device.luts, device.ffs, device.brams, device.bram_bits, device.dsps)
    return np.array([*family, *(_size(count) for count in sizes)], dtype=np.float32)


def encode_network(network: Any) -> Numbers:
    """Return the features of an integer network, in the order of `NETWORK_FEATURES`; zeros for what is none."""
    if not isinstance(network, IntegerNetwork):
        return np.zeros(len(NETWORK_FEATURES), dtype=np.float32)
    shapes = network.shapes()
    kinds = {"1x1": 0, "3x3": 0, "depthwise": 0, "dense": 0}
    products: list[int] = []
    weights: list[int] = []
    for layer in network.layers:
        if not isinstance(layer, Conv):
            continue
        count = int(layer.weights.size) * shapes[layer.name].pixels
        products.append(count)
        weights.append(int(layer.weights.size))
        if layer.groups > 1:
            kinds["depthwise"] += count
        elif shapes[layer.name].pixels == 1:
            kinds["dense"] += count
        elif layer.kernel in ((1, 1), (3, 3)):
            kinds["1x1" if layer.kernel == (1, 1) else "3x3"] += count
    inner = [shapes[layer.name] for layer in network.layers[:-1]]
    maps = sorted((shape.size for shape in (shapes[INPUT], *inner)), reverse=True)
    levels = [
        found.bits
        for name in (INPUT, *(layer.name for layer in network.layers[:-1]))
        if (found := network.levels(name))
    ]
    convs = [layer for layer in network.layers if isinstance(layer, Conv)]
    total = max(1, sum(products))
    return np.array(
        [
            _size(len(network.layers)),
            _size(sum(products)),
            _size(sum(weights)),
            _size(max(weights, default=0)),
            _size(maps[0]),
            _size(maps[1] if len(maps) > 1 else 0),
            _size(shapes[INPUT].size),
            _size(shapes[INPUT].channels),
            _size(shapes[network.layers[-1].name].size),
            _size(max((shape.channels for shape in inner), default=1)),
            _size(max((int(np.prod(layer.weights.shape[1:])) for layer in convs), default=0)),
            _size(int(np.gcd.reduce([shape.channels for shape in inner])) if inner else 1),
            _size(max((shape.pixels for shape in inner), default=1)),
            *(kinds[name] / total for name in ("1x1", "3x3", "depthwise", "dense")),
            _size(sum(isinstance(layer, Pool) for layer in network.layers)),
            _size(sum(not isinstance(layer, Conv | Pool) for layer in network.layers)),
            max((layer.weight_levels.bits for layer in convs), default=0) / 8,
            max(levels, default=0) / 8,
            float(any(isinstance(layer, Conv | Pool) and layer.padding > 0 for layer in network.layers)),
        ],
        dtype=np.float32,
    )


def _size(count: int) -> float:
    return float(np.log2(1 + max(0, count)) / 20)
