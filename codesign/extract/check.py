"""Proves that tables equal the trained model: on every row of every table, and on real samples at every stage."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.errors import MismatchError
from codesign.extract.lower import stage_names, supported
from codesign.ir import LutNetwork, Tables, encode, trace
from codesign.nn.layers import LutLayer
from codesign.nn.model import LutModel

__all__ = ["check_samples", "check_tables"]

_BATCH_VALUES = 1 << 19
"""Values of a layer's full-width output evaluated at once (4 MiB of float64 a tensor)."""


@torch.no_grad()
def check_tables(model: LutModel, network: LutNetwork) -> int:
    """Compare every row of every table, and the encoder at its thresholds, with the trained model; count the rows.

    Each layer runs as a whole, in evaluation mode, on inputs of its full width. Neurons whose sources can be driven
    through all their codes together share a batch; all other signals hold random legal codes, so that a neuron that
    reads anything but its stated sources fails. A difference is a MismatchError naming layer, neuron, code, wanted
    (of the model) and got (in the table).
    """
    supported(model)
    model = model.cpu().eval()
    stages = {stage.name: stage for stage in network.stages}
    rows = _check_encoder(model, network)
    draws = torch.Generator().manual_seed(0)
    for index, layer in enumerate(model.lut_layers()):
        names = stage_names(layer)
        first = stages.get(names[0])
        if not isinstance(first, Tables) or len(first.neurons) != layer.shape.tables:
            raise MismatchError(f"layer {names[0]!r} of the model has no stage of {layer.shape.tables} tables")
        _check_sources(layer, first)
        rows += _check_layer(layer, first, levels=model.input_levels(index), draws=draws)
        if layer.sum_norm is not None:
            last = stages.get(names[2])
            if not isinstance(last, Tables) or len(last.neurons) != layer.shape.width:
                raise MismatchError(f"layer {names[2]!r} of the model has no stage of {layer.shape.width} tables")
            rows += _check_requantizing(layer, last)
    return rows


def _check_sources(layer: LutLayer, stage: Tables) -> None:
    for j, (neuron, sources) in enumerate(zip(stage.neurons, layer.sources.tolist(), strict=True)):
        if list(neuron.sources) != sources:
            raise MismatchError(
                f"layer {stage.name!r}, neuron {j}: its sources must be {sources}, not {list(neuron.sources)}"
            )


def _check_layer(layer: LutLayer, stage: Tables, *, levels: Tensor, draws: torch.Generator) -> int:
    shape = layer.shape
    bits = shape.source_bits
    size = 1 << (shape.fan_in * bits)
    stated = [torch.from_numpy(n.table.astype(np.int64)) for n in stage.neurons]
    chunk = max(1, min(size, _BATCH_VALUES // max(shape.tables, shape.signals)))
    for members, place in _groups(layer.sources.numpy(), shape.signals):
        driven = np.flatnonzero(place >= 0)
        shift = torch.from_numpy(place[driven])[:, None] * bits
        for at in range(0, size, chunk):
            address = torch.arange(at, min(at + chunk, size))
            codes = torch.randint(0, 1 << bits, (shape.signals, len(address)), generator=draws)
            codes[driven] = (address >> shift) & ((1 << bits) - 1)
            found = layer.codes(codes, levels)[0]
            for j in members:
                own = torch.zeros_like(address)
                for k, source in enumerate(layer.sources[j].tolist()):
                    own |= codes[source] << (k * bits)
                wrong = found[j] != stated[j][own]
                if bool(wrong.any()):
                    row = int(wrong.nonzero()[0])
                    raise MismatchError(
                        f"layer {stage.name!r}, neuron {j}: at input code {int(own[row])} "
                        f"(0x{int(own[row]):x}) the trained neuron gives {int(found[j, row])}, "
                        f"the table has {int(stated[j][own[row]])}"
                    )
    return shape.tables * size


def _groups(sources: NDArray[np.int64], signals: int) -> list[tuple[list[int], NDArray[np.int64]]]:
    """Group tables (tables, fan_in) greedily so that a group's sources run through all codes together.

    Returns (tables, place) pairs: place (signals,) is the field of a common address that drives a signal, -1 for
    none; a table fits a group while its sources have different fields. Every table is in exactly one group.
    """
    fan_in = sources.shape[1]
    left = list(range(len(sources)))
    groups: list[tuple[list[int], NDArray[np.int64]]] = []
    while left:
        place = np.full(signals, -1, dtype=np.int64)
        members: list[int] = []
        rest: list[int] = []
        for j in left:
            taken = [int(place[s]) for s in sources[j] if place[s] >= 0]
            if len(set(taken)) != len(taken):
                rest.append(j)
                continue
            free = iter(sorted(set(range(fan_in)) - set(taken)))
            for s in sources[j]:
                if place[s] < 0:
                    place[s] = next(free)
            members.append(j)
        groups.append((members, place))
        left = rest
    return groups


def _check_requantizing(layer: LutLayer, stage: Tables) -> int:
    size = 1 << layer.shape.sum_bits
    totals = torch.arange(size).expand(layer.shape.width, -1)
    found = layer.sum_codes(totals, slice(0, layer.shape.width)).numpy()
    for j, neuron in enumerate(stage.neurons):
        if neuron.sources != (j,) or neuron.table.shape != (size,):
            raise MismatchError(f"layer {stage.name!r}, neuron {j}: must be a table of sum {j} with {size} rows")
        wrong = np.flatnonzero(found[j] != neuron.table)
        if len(wrong):
            raise MismatchError(
                f"layer {stage.name!r}, neuron {j}: at sum {wrong[0]} the trained neuron gives "
                f"{found[j, wrong[0]]}, the table has {neuron.table[wrong[0]]}"
            )
    return size * layer.shape.width


def _check_encoder(model: LutModel, network: LutNetwork) -> int:
    """Compare the encoder at each threshold and at the nearest value below it, all features at once."""
    stage = network.encode
    if stage is None or len(stage.features) != len(model.encoder.shape.features):
        raise MismatchError(
            f"network {network.name!r} must have an encoder of {len(model.encoder.shape.features)} features"
        )
    count = max(len(f.thresholds) for f in stage.features)
    points = np.array([[f.thresholds[min(k, len(f.thresholds) - 1)] for f in stage.features] for k in range(count)])
    words = [f.word for f in stage.features]
    steps = np.array([0.0 if w is None else 2.0**-w.fraction_bits for w in words])
    below = np.where(steps > 0, points - steps, np.nextafter(points, -np.inf))
    x = np.concatenate([points, np.where(np.isfinite(below), below, points)])
    return _compare(stage.name, model.encoder.codes(x).t().numpy(), encode(stage, x)) * x.shape[1]


def check_samples(model: LutModel, network: LutNetwork, x: NDArray) -> int:
    """Compare the codes after every stage on real samples x (samples, features); return the samples compared."""
    supported(model)
    stage = network.encode
    if stage is None:
        raise MismatchError(f"network {network.name!r} has no encoder to compare with the model's")
    start = encode(stage, x)
    wanted = model.cpu().eval().stages(x)
    names = [stage.name, *(s.name for s in network.core)]
    for name, want, got in zip(names, wanted, [start, *trace(network, start)], strict=False):
        _compare(name, want, got)
    return len(x)


def _compare(name: str, wanted: NDArray, got: NDArray) -> int:
    if wanted.shape != got.shape:
        raise MismatchError(f"stage {name!r}: must have {wanted.shape[1]} signals, not {got.shape[1]}")
    wrong = np.argwhere(wanted != got)
    if len(wrong):
        row, signal = wrong[0]
        raise MismatchError(
            f"stage {name!r}, signal {signal}: on sample {row} the model gives {wanted[row, signal]}, "
            f"the network {got[row, signal]}"
        )
    return len(wanted)
