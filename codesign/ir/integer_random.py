"""Integer networks with random weights that behave as trained ones do: for benches, tests and estimates."""

from __future__ import annotations

import numpy as np

from codesign.ir.conv_topology import ConvLayer, ConvTopology, assemble
from codesign.ir.integer import Add, Conv, IntegerLayer, IntegerNetwork, Integers, Levels, Requantize
from codesign.ir.integer_check import check_integer

__all__ = ["random_network", "spread_requantize"]


def random_network(topology: ConvTopology, *, seed: int) -> IntegerNetwork:
    """Draw the weights of a topology, and requantizations under which the codes of every layer spread over its levels.

    Weights are normal, rounded (bipolar ones fair coins). The same seed gives the same network.
    """
    draws = np.random.default_rng(seed)

    def weights(layer: ConvLayer, shape: tuple[int, int, int, int]) -> Integers:
        if layer.weight_bits == 1:
            return 2 * draws.integers(0, 2, shape) - 1
        top = (1 << (layer.weight_bits - 1)) - 1
        return np.clip(np.rint(draws.normal(size=shape) * max(top / 2.5, 0.8)), -top, top).astype(np.int64)

    def requantize(layer: ConvLayer, built: IntegerLayer, levels: list[Levels], channels: int) -> Requantize:
        assert layer.levels is not None
        return spread_requantize(built, levels, layer.levels, channels=channels, rng=draws)

    return check_integer(assemble(topology, weights=weights, requantize=requantize))


def spread_requantize(
    layer: IntegerLayer, sources: list[Levels], levels: Levels, *, channels: int, rng: np.random.Generator
) -> Requantize:
    """Scale a layer's sums to `levels`, as a batch norm and a quantizer do, with random shifts of each channel.

    sources: levels of what the layer reads, taken as evenly spread and independent. Additions and average poolings
    keep the scale of what they read.
    """
    if isinstance(layer, Conv):
        rows = layer.weights.reshape(channels, -1)
        mean, spread = rows.sum(axis=1) * _mean(sources[0]), np.sqrt((rows**2).sum(axis=1)) * _deviation(sources[0])
        gain = (levels.high - levels.low) / 4 / np.maximum(spread, 1.0)
        offset = rng.normal(size=channels) * (levels.high - levels.low) / 8 - mean * gain
    else:
        taps = sum(map(abs, layer.weights)) if isinstance(layer, Add) else layer.kernel[0] * layer.kernel[1]
        gain, offset = np.full(channels, 1.0 / taps), np.zeros(channels)
    top = (1 << (Requantize.MULTIPLIER_BITS - 1)) - 1
    shift = int(np.clip(np.floor(np.log2(top / gain.max())), 0, Requantize.MAX_SHIFT - 15))
    scaled = np.rint((offset + (0 if levels.bipolar else 0.5)) * 2.0**shift)
    most = (1 << (Requantize.BIAS_BITS - 1)) - 1
    multipliers = np.clip(np.rint(gain * 2.0**shift), -top, top)
    return Requantize(multipliers.astype(np.int64), np.clip(scaled, -most, most).astype(np.int64), shift)


def _mean(levels: Levels) -> float:
    return (levels.low + levels.high) / 2


def _deviation(levels: Levels) -> float:
    return 1.0 if levels.bipolar else float(np.sqrt((4.0**levels.bits - 1) / 12))
