"""The one canonical text of an integer network: what tests compare and a digest is taken of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from codesign.ir.integer import Add, Conv, IntegerLayer, IntegerNetwork, Requantize

__all__ = ["integer_digest", "integer_text"]


def integer_text(network: IntegerNetwork) -> str:
    """Return the canonical text: a line a layer, under it one a row of weights and one for the requantization.

    A row holds the weights of one output: input by input, each row by row. Numbers are decimal.
    """
    return "\n".join(_lines(network)) + "\n"


def integer_digest(network: IntegerNetwork) -> str:
    """SHA-256 of the canonical text, as 64 hex digits."""
    return hashlib.sha256(integer_text(network).encode()).hexdigest()


def _lines(network: IntegerNetwork) -> Iterator[str]:
    yield f"integer network {network.name}"
    yield f"input {network.input_shape} {network.input_levels}"
    for layer in network.layers:
        yield from _layer(layer)


def _layer(layer: IntegerLayer) -> Iterator[str]:
    levels = "sums" if layer.levels is None else str(layer.levels)
    sources = " ".join(layer.sources)
    if isinstance(layer, Add):
        yield f"add {layer.name} {levels} from {sources} weights {layer.weights[0]} {layer.weights[1]}"
    elif isinstance(layer, Conv):
        size = "x".join(str(n) for n in layer.weights.shape)
        window = f"stride {layer.stride} padding {layer.padding} groups {layer.groups}"
        yield f"conv {layer.name} {levels} from {sources} weights {size} {layer.weight_levels} {window}"
        for row in layer.weights.reshape(layer.weights.shape[0], -1).tolist():
            yield "  row " + " ".join(map(str, row))
    else:
        window = f"kernel {layer.kernel[0]}x{layer.kernel[1]} stride {layer.stride} padding {layer.padding}"
        yield f"pool {layer.name} {layer.kind} {levels} from {sources} {window}"
    if layer.requantize is not None:
        yield from _requantize(layer.requantize)


def _requantize(requantize: Requantize) -> Iterator[str]:
    yield f"  shift {requantize.shift}"
    yield "  multipliers " + " ".join(map(str, requantize.multipliers.tolist()))
    yield "  biases " + " ".join(map(str, requantize.biases.tolist()))
