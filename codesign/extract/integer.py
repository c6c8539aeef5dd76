"""Turns a trained network over feature maps into an integer network: same function, no torch."""

from __future__ import annotations

import numpy as np

from codesign.errors import DataError, UnsupportedModel
from codesign.ir.integer import IntegerNetwork, Levels
from codesign.ir.integer_check import check_integer
from codesign.nn.conv_integers import IntegerStep
from codesign.nn.conv_model import ConvModel
from codesign.nn.requantize import real_codes

__all__ = ["extract_integer", "supported_maps"]


def extract_integer(model: ConvModel, *, name: str) -> IntegerNetwork:
    """Return the integers of a trained model: weights, and for each channel multiplier, bias and shift.

    Every layer's output equals the model's in evaluation mode, which computes with these integers. Where a multiplier
    of 16 bits can follow batch norm and quantizer on every sum of a channel's range, it does; elsewhere an edge between
    two codes moves by some sums (`RequantizeFit.moved`) and no code by more than one. A channel beyond that is an
    UnsupportedModel that names layer, channel, sum and both codes.
    """
    supported_maps(model)
    model = model.cpu().eval()
    steps = model.integer_steps()
    for layer, step in steps.items():
        _check_fit(layer, step)
    topology = model.spec.topology
    network = IntegerNetwork(
        name, topology.input_shape, Levels(topology.input_bits), tuple(step.layer for step in steps.values())
    )
    try:
        return check_integer(network)
    except DataError as problem:
        raise UnsupportedModel(f"the trained network has no legal integer form: {problem}") from None


def supported_maps(model: ConvModel) -> None:
    """Raise UnsupportedModel for what is no network over feature maps, or holds numbers that are not finite."""
    if not isinstance(model, ConvModel):
        raise UnsupportedModel(f"extract_integer takes a codesign.nn.ConvModel, not {type(model).__name__}")
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise UnsupportedModel(f"the model's {name} must be finite, but holds NaN or infinite numbers; train again")


def _check_fit(layer: str, step: IntegerStep) -> None:
    if step.fit is None or step.layer.levels is None:
        return
    channel = int(step.fit.error.argmax())
    if step.fit.error[channel] <= 1:
        return
    found, levels, at = step.fit.requantize, step.layer.levels, step.fit.worst[channel]
    one = slice(channel, channel + 1)
    wanted = int(real_codes(np.array([at]), step.scale[one], step.offset[one], levels)[0])
    raise UnsupportedModel(
        f"layer {layer!r}, channel {channel}: at the sum {at} batch norm and quantizer give {wanted}, but the nearest "
        f"multiplier {found.multipliers[channel]} with shift {found.shift} is off by {step.fit.error[channel]} codes: "
        f"the layer's scales reach from {np.abs(step.scale).min():.3g} to {np.abs(step.scale).max():.3g} codes a unit "
        "of the sum, too far apart for 16-bit multipliers. Train with weight decay or a lower learning rate, or use "
        "fewer bits"
    )
