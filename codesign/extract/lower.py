"""Turns a trained model into a network of tables: same function, no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.errors import TableTooLarge, UnsupportedModel
from codesign.extract.tables import requantize_tables, term_tables
from codesign.extract.thresholds import encode_stage
from codesign.ir import Decide, Format, LutNetwork, Neuron, Stage, Sum, Sums, Tables, check
from codesign.nn.layers import LutLayer
from codesign.nn.model import LutModel

__all__ = ["extract", "stage_names"]


def extract(model: LutModel, *, name: str) -> LutNetwork:
    """Enumerate every neuron of a trained model and return the network of its tables.

    The answer's codes, and every signal between, equal the model's in evaluation mode. A model with a layer that
    has no table form is an UnsupportedModel naming it; a table over the cap is a TableTooLarge.
    """
    supported(model)
    model = model.cpu().eval()
    stages: list[Stage] = [encode_stage(model.encoder, name="encode")]
    for index, layer in enumerate(model.lut_layers()):
        stages += _layer_stages(layer, model, index)
    stages.append(_decide(model, stages[-1].formats))
    return check(LutNetwork(name, tuple(stages)))


def supported(model: LutModel) -> None:
    """Raise UnsupportedModel, naming it, for a layer that is no LutLayer, and TableTooLarge for one over the cap."""
    if not isinstance(model, LutModel):
        raise UnsupportedModel(f"extract takes a codesign.nn.LutModel, not {type(model).__name__}")
    cap = model.spec.topology.max_address_bits
    for index, layer in enumerate(model.layers):
        if not isinstance(layer, LutLayer):
            raise UnsupportedModel(
                f"layer {index} ({type(layer).__name__}) has no table form; every layer must be a codesign.nn.LutLayer"
            )
        bits = layer.shape.fan_in * layer.shape.source_bits
        if bits > cap:
            raise TableTooLarge(f"layer {layer.shape.name!r}: {bits} address bits; the cap is {cap} bits")


def stage_names(layer: LutLayer) -> list[str]:
    """Return the names of the stages that a layer becomes."""
    name = layer.shape.name
    if layer.term_quantizer is None:
        return [name]
    return [f"{name}_terms", name] if layer.shape.last else [f"{name}_terms", f"{name}_sums", name]


def _layer_stages(layer: LutLayer, model: LutModel, index: int) -> list[Stage]:
    shape = layer.shape
    names = stage_names(layer)
    bits = shape.bits if layer.term_quantizer is None else shape.term_bits
    first = term_tables(layer, model.input_levels(index))
    stages: list[Stage] = [_tables(names[0], layer.sources.tolist(), first, Format(bits))]
    if layer.term_quantizer is None:
        return stages
    terms = range(shape.terms)
    signs = (1,) * shape.terms
    total = Format(shape.sum_bits)
    sums = tuple(Sum(tuple(j * shape.terms + t for t in terms), signs, total) for j in range(shape.width))
    stages.append(Sums(names[1], sums))
    if not shape.last:
        last = requantize_tables(layer)
        stages.append(_tables(names[2], [[j] for j in range(shape.width)], last, Format(shape.bits)))
    return stages


def _tables(name: str, sources: list[list[int]], tables: NDArray[np.int32], fmt: Format) -> Tables:
    return Tables(name, tuple(Neuron(tuple(s), t, fmt) for s, t in zip(sources, tables, strict=True)))


def _decide(model: LutModel, inputs: tuple[Format, ...]) -> Decide:
    kind = model.spec.topology.decide
    if kind == "threshold":
        return Decide("decide", kind, inputs, threshold=model.threshold())
    if kind == "none":
        scale, offset = model.answer_scale()
        return Decide("decide", kind, inputs, scale=scale, offset=offset)
    return Decide("decide", kind, inputs)
