"""Proves that an integer network equals the trained model: requantization sum by sum, every layer on samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from codesign.errors import MismatchError
from codesign.extract.integer import supported_maps
from codesign.ir.integer import Conv, IntegerLayer, IntegerNetwork, Integers, Pool, Requantize, trace_integer
from codesign.nn.conv_integers import IntegerStep
from codesign.nn.conv_model import ConvModel
from codesign.nn.requantize import real_codes

__all__ = ["BrevitasAgreement", "check_brevitas", "check_integer_samples", "check_requantize"]

_WHOLE_RANGE = 1 << 16
"""Sums of one channel that are checked one by one; of wider ranges, the sides of every step and as many others."""

_CHUNK_ROWS = 64

_NOISE = 1e-3
"""Of a code: how near to an edge float32 may decide differently than exact arithmetic."""


@dataclass(frozen=True)
class BrevitasAgreement:
    """Outputs compared with Brevitas' own float32 modules, and how many differ for a stated reason.

    at_edges: within a thousandth of a code of an edge, where float32 is not to be trusted. moved: in channels that no
    16-bit multiplier can follow exactly. All others are equal.
    """

    values: int
    at_edges: int
    moved: int


def check_requantize(model: ConvModel, network: IntegerNetwork) -> int:
    """Compare the requantization of every channel with batch norm and quantizer; return how many sums were compared.

    Every sum of the exact range of up to 65,536; of a wider one both sides of each step of both functions, and a
    spread of others. Channels that cannot be exact are compared with the model's evaluation instead. Weights must be
    equal too. A difference is a MismatchError naming layer, channel, sum, wanted and got.
    """
    supported_maps(model)
    model = model.cpu().eval()
    layers = {layer.name: layer for layer in network.layers}
    total = 0
    for name, step in model.integer_steps().items():
        layer = layers.get(name)
        if layer is None or type(layer) is not type(step.layer) or layer.sources != step.layer.sources:
            raise MismatchError(f"layer {name!r} of the model has no like in network {network.name!r}")
        _check_weights(layer, step.layer)
        if (step.fit is None) != (layer.requantize is None or layer.levels is None):
            raise MismatchError(f"layer {name!r}: only one of model and network requantizes its sums")
        if step.fit is not None:
            total += _check_channels(layer, step)
    return total


def _check_weights(layer: IntegerLayer, wanted: IntegerLayer) -> None:
    if isinstance(layer, Pool) or isinstance(wanted, Pool):
        return
    want, got = np.asarray(wanted.weights), np.asarray(layer.weights)
    if want.shape != got.shape:
        raise MismatchError(f"layer {layer.name!r}: weights must be {want.shape}, not {got.shape}")
    for at in np.argwhere(want != got)[:1]:
        place = tuple(int(i) for i in at)
        channel = f", channel {place[0]}" if isinstance(layer, Conv) else ""
        raise MismatchError(
            f"layer {layer.name!r}{channel}: the trained weight at {place} is {want[place]}, "
            f"the network has {got[place]}"
        )


def _check_channels(layer: IntegerLayer, step: IntegerStep) -> int:
    assert step.fit is not None and layer.requantize is not None and layer.levels is not None
    levels, count = layer.levels, 0
    if len(layer.requantize.multipliers) != len(step.scale):
        raise MismatchError(
            f"layer {layer.name!r}: there must be {len(step.scale)} channels, not {len(layer.requantize.multipliers)}"
        )
    for channel in range(len(step.scale)):
        one = slice(channel, channel + 1)
        sums = _sums(step, channel)
        if step.fit.exact[channel]:
            wanted = real_codes(sums, step.scale[one], step.offset[one], levels)
        else:
            wanted = _codes(step.layer, channel, sums)
        got = _codes(layer, channel, sums)
        wrong = np.flatnonzero(wanted != got)
        if len(wrong):
            raise MismatchError(
                f"layer {layer.name!r}, channel {channel}: at the sum {sums[wrong[0]]} the trained layer gives "
                f"{wanted[wrong[0]]}, the network {got[wrong[0]]}"
            )
        count += len(sums)
    return count


def _codes(layer: IntegerLayer, channel: int, sums: Integers) -> Integers:
    assert layer.requantize is not None and layer.levels is not None
    one, step = slice(channel, channel + 1), layer.requantize
    alone = Requantize(step.multipliers[one], step.biases[one], step.shift)
    return alone.apply(sums[:, None, None, None], layer.levels)[:, 0, 0, 0]


def _sums(step: IntegerStep, channel: int) -> Integers:
    """All sums of a channel, or where there are too many a spread of them and the sides of every step."""
    low, high = int(step.low[channel]), int(step.high[channel])
    if high - low < _WHOLE_RANGE:
        return np.arange(low, high + 1)
    assert step.fit is not None and step.layer.levels is not None
    levels = step.layer.levels
    codes = np.arange(levels.low, levels.high + 1)
    edges = [np.linspace(low, high, _WHOLE_RANGE).astype(np.int64)]
    scale, offset = float(step.scale[channel]), float(step.offset[channel])
    multiplier = int(step.fit.requantize.multipliers[channel])
    if scale:
        edges.append(np.clip((codes - 0.5 - offset) / scale, low, high).astype(np.int64))
    if multiplier:
        shift, bias = step.fit.requantize.shift, int(step.fit.requantize.biases[channel])
        edges.append(np.clip(((codes << shift) - bias) // multiplier, low, high))
    near = np.concatenate(edges)[:, None] + np.arange(-2, 3)
    return np.unique(np.clip(near, low, high))


def check_integer_samples(model: ConvModel, network: IntegerNetwork, x: NDArray) -> int:
    """Compare the output of every layer on raw features x (samples, features); return the samples compared.

    A difference is a MismatchError naming layer, channel, position, sample, wanted (of the model) and got.
    """
    supported_maps(model)
    model = model.cpu().eval()
    shape = network.input_shape
    for at in range(0, len(x), _CHUNK_ROWS):
        part = x[at : at + _CHUNK_ROWS]
        wanted = model.stages(part)
        inputs = model.encoder.values(part).reshape(len(part), shape.channels, shape.height, shape.width)
        got = trace_integer(network, inputs)
        for name, want in wanted.items():
            if name not in got or got[name].shape != want.shape:
                raise MismatchError(f"layer {name!r}: the network must give maps of {want.shape[1:]}")
            wrong = np.argwhere(want != got[name])
            if len(wrong):
                sample, channel, row, column = (int(i) for i in wrong[0])
                place = (sample, channel, row, column)
                raise MismatchError(
                    f"layer {name!r}, channel {channel}, row {row}, column {column}: on sample {at + sample} the model "
                    f"gives {want[place]}, the network {got[name][place]}"
                )
    return len(x)


@torch.no_grad()
def check_brevitas(model: ConvModel, x: NDArray) -> BrevitasAgreement:
    """Run Brevitas' own modules, layer by layer, on what the integer layers read, and compare all codes.

    Convolution, batch norm (with its running figures) and quantizer run in float32 as they were trained, so a code may
    differ within a thousandth of an edge between two codes; any other difference in a channel that is exact is a
    MismatchError naming layer, channel, position, sample, wanted (Brevitas) and got.
    """
    supported_maps(model)
    model = model.cpu().eval()
    steps = model.integer_steps()
    values = at_edges = moved = 0
    for at in range(0, len(x), _CHUNK_ROWS):
        found = model.stages(x[at : at + _CHUNK_ROWS])
        for name, step in steps.items():
            if step.fit is None:
                continue
            wanted, distance = _brevitas_codes(model, name, step, found)
            differs = wanted != found[name]
            values += differs.size
            if not differs.any():
                continue
            inexact = ~step.fit.exact[None, :, None, None] & differs
            edge = differs & ~inexact & (distance < _NOISE)
            moved, at_edges = moved + int(inexact.sum()), at_edges + int(edge.sum())
            for place in np.argwhere(differs & ~inexact & ~edge)[:1]:
                sample, channel, row, column = (int(i) for i in place)
                raise MismatchError(
                    f"layer {name!r}, channel {channel}, row {row}, column {column}: on sample {at + sample} Brevitas "
                    f"gives {wanted[tuple(place)]}, the integer layer {found[name][tuple(place)]}"
                )
    return BrevitasAgreement(values, at_edges, moved)


def _brevitas_codes(
    model: ConvModel, name: str, step: IntegerStep, found: dict[str, Integers]
) -> tuple[Integers, NDArray[np.float64]]:
    """Codes by Brevitas' modules, and how far each value lay from an edge between two codes, in codes."""
    layer = model.spec.topology.layer(name)
    units = [float(model.step(model.groups[source])) for source in layer.sources]
    maps = [torch.from_numpy(found[s]).float() * unit for s, unit in zip(layer.sources, units, strict=True)]
    levels = step.layer.levels
    assert levels is not None
    if isinstance(step.layer, Pool):
        value = F.avg_pool2d(F.pad(maps[0], (layer.padding,) * 4), step.layer.kernel, layer.stride) / units[0]
        if not levels.bipolar:
            value = value.clamp(levels.low, levels.high)
        codes = torch.where(value >= 0, 1, -1) if levels.bipolar else torch.floor(value + 0.5)
        return codes.to(torch.int64).numpy(), _distance(value, bipolar=levels.bipolar)
    if isinstance(step.layer, Conv):
        module: Any = model.weighted[name]
        norm: Any = model.norms[name]
        total: Tensor = module(maps[0].flatten(1))[:, :, None, None] if layer.kind == "dense" else module(maps[0])
        value = norm(total)
    else:
        value = maps[0] * layer.weights[0] + maps[1] * layer.weights[1]
    quantizer: Any = model.quantizers[model.groups[name]]
    unit = float(model.step(model.groups[name]))
    codes = torch.round(quantizer.reference(value) / unit).to(torch.int64)
    return codes.numpy(), _distance(value / unit, bipolar=levels.bipolar)


def _distance(value: Tensor, *, bipolar: bool) -> NDArray[np.float64]:
    exact = value.double().numpy()
    return np.abs(exact) if bipolar else np.abs(exact - np.floor(exact) - 0.5)
