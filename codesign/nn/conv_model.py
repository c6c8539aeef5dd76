"""The trainable network over feature maps: Brevitas weights and activations; in evaluation exact integers.

In training a layer is Brevitas' convolution, batch norm, and Brevitas' quantized ReLU (or sign). In evaluation all of
it is integers: the integer weights, exact sums, and for each channel a multiplier, a bias and a shift in place of batch
norm and quantizer. They equal the real function (float64, halves rounded up) on every sum of the channel's exact range
wherever a multiplier of 16 bits can; where none can, the edge of a step moves by as few sums as possible, and that is
what the model computes: validation, the choice of the best epoch and the accuracy see it, so hardware equals the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from codesign.config import TrainConfig
from codesign.errors import ConfigError
from codesign.ir.conv_topology import ConvLayer, ConvTopology, check_conv_topology, integer_layer
from codesign.ir.integer import INPUT, Conv, IntegerLayer, Integers, Pool
from codesign.ir.integer_check import sum_range
from codesign.nn.conv_integers import IntegerStep, run_step
from codesign.nn.conv_layers import average, integer_weights, weight_layer, weight_scale
from codesign.nn.level_encoder import LevelEncoder, fit_levels
from codesign.nn.quantizers import BrevitasQuantizer
from codesign.nn.requantize import fit_requantize
from codesign.nn.seeds import generator
from codesign.nn.trainable import TrainableModel

if TYPE_CHECKING:
    from codesign.data import DataSet

__all__ = ["ConvModel", "ConvSpec", "build_conv_model"]

_CHUNK_VALUES = 1 << 23
"""Values of one layer's windows evaluated at once (32 MiB of float32)."""


@dataclass(frozen=True)
class ConvSpec:
    """All that is needed to build the modules again; the numbers are in the state dict."""

    topology: ConvTopology
    seed: int
    task: Literal["classification"] = "classification"


class ConvModel(TrainableModel):
    """A low-bit network over feature maps.

    Training: `prepare` features once, then `forward` on batches gives values (batch, answers) with gradients.
    Evaluation: `stages`, `output_codes` and `predict` give the exact integers that the engine will give.
    """

    kind = "maps"
    spec: ConvSpec
    encoder: LevelEncoder  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, spec: ConvSpec, *, encoder: LevelEncoder):
        super().__init__()
        self.spec = spec
        self.encoder = encoder
        topology = spec.topology
        self.shapes = topology.shapes()
        self.groups = {layer.name: topology.scale_group(layer.name) for layer in topology.layers} | {INPUT: INPUT}
        self.weighted = nn.ModuleDict()
        self.norms = nn.ModuleDict()
        self.quantizers = nn.ModuleDict()
        for index, layer in enumerate(topology.layers):
            shape = self.shapes[layer.sources[0]]
            channels = self.shapes[layer.name].channels
            if layer.weighted:
                groups = shape.channels if layer.kind == "depthwise" else layer.groups
                kernel = (layer.kernel or shape.height, layer.kernel or shape.width)
                self.weighted[layer.name] = weight_layer(
                    (channels, shape.channels // groups, *kernel),
                    bits=layer.weight_bits,
                    stride=layer.stride,
                    padding=layer.padding,
                    groups=groups,
                    dense=layer.kind == "dense",
                    draws=generator(spec.seed, "weights", index),
                )
            if layer.bits is None:
                continue
            if layer.weighted:
                self.norms[layer.name] = nn.BatchNorm2d(channels)
            group = self.groups[layer.name]
            if group != INPUT and group not in self.quantizers:
                self.quantizers[group] = BrevitasQuantizer(layer.bits, role="hidden")
        self.register_buffer("target_mean", torch.zeros((), dtype=torch.float64))
        self.register_buffer("target_spread", torch.ones((), dtype=torch.float64))
        # At the start the logits differ by about one, whatever the bits of the last layer.
        last = self.weighted[topology.layers[-1].name]
        weights = integer_weights(last).double() * weight_scale(last)
        fan_in = weights[0].numel()
        self.logit_gain = nn.Parameter(torch.tensor(1.0 / (float(weights.square().mean()) * fan_in) ** 0.5))

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.logit_gain.device

    # ---- training

    def forward(self, prepared: Tensor) -> Tensor:
        """Run in training: prepared rows (batch, features) to the outputs' values (batch, answers)."""
        shape = self.shapes[INPUT]
        maps = {INPUT: self.encoder(prepared).view(-1, shape.channels, shape.height, shape.width)}
        for layer in self.spec.topology.layers:
            maps[layer.name] = self._train_layer(layer, [maps[source] for source in layer.sources])
        return maps[self.spec.topology.layers[-1].name].flatten(1)

    def _train_layer(self, layer: ConvLayer, sources: list[Tensor]) -> Tensor:
        x = sources[0]
        kernel = (layer.kernel or x.shape[2], layer.kernel or x.shape[3])
        if layer.kind == "max_pool":
            return F.max_pool2d(F.pad(x, (layer.padding,) * 4), kernel, layer.stride)
        if layer.kind == "average_pool":
            assert layer.levels is not None
            high = 0 if layer.levels.bipolar else layer.levels.high
            step = self.step(self.groups[layer.name])
            return average(x, kernel, stride=layer.stride, padding=layer.padding, step=step, high=high)
        if layer.kind == "add":
            x = x * layer.weights[0] + sources[1] * layer.weights[1]
        elif layer.kind == "dense":
            x = self.weighted[layer.name](x.flatten(1))[:, :, None, None]
        else:
            x = self.weighted[layer.name](x)
        if layer.bits is None:
            return x
        if layer.weighted:
            x = self.norms[layer.name](x)
        return self.quantizers[self.groups[layer.name]](x)

    def step(self, group: str) -> Tensor | float:
        """What one step of the values of a group stands for."""
        if group == INPUT:
            return self.encoder.scale
        quantizer: Any = self.quantizers[group]
        return quantizer.scale()

    def decayed_parameters(self) -> list[nn.Parameter]:
        """Return the weights of convolutions and dense layers."""
        return [p for module in self.weighted.values() for p in module.parameters()]

    # ---- evaluation

    @torch.no_grad()
    def integer_steps(self) -> dict[str, IntegerStep]:
        """Return the exact integer form of every layer, by name, from the parameters as they are."""
        return {layer.name: self._integer_step(layer) for layer in self.spec.topology.layers}

    def _integer_step(self, layer: ConvLayer) -> IntegerStep:
        topology = self.spec.topology
        levels = [level for level in map(topology.levels, layer.sources) if level is not None]
        channels = self.shapes[layer.name].channels
        built = self._integer_layer(layer)
        low, high = (np.broadcast_to(end, channels).copy() for end in sum_range(built, levels))
        scale, offset = self._real_function(layer, channels)
        if layer.bits is None or layer.kind == "max_pool":
            return IntegerStep(built, None, scale, offset, low, high)
        assert layer.levels is not None
        fit = fit_requantize(scale, offset, low, high, layer.levels)
        return IntegerStep(replace(built, requantize=fit.requantize), fit, scale, offset, low, high)

    def _integer_layer(self, layer: ConvLayer) -> IntegerLayer:
        def weights(_: ConvLayer, shape: tuple[int, int, int, int]) -> Integers:
            return integer_weights(self.weighted[layer.name]).reshape(shape).numpy()

        return integer_layer(layer, self.shapes[layer.sources[0]], weights)

    def _real_function(self, layer: ConvLayer, channels: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scale and offset, float64 (channels,), from a layer's integer sums to the codes (or values, if last)."""
        zeros, ones = np.zeros(channels), np.ones(channels)
        if layer.kind == "max_pool":
            return ones, zeros
        if layer.kind == "average_pool":
            shape = self.shapes[layer.sources[0]]
            return ones / ((layer.kernel or shape.height) * (layer.kernel or shape.width)), zeros
        source = float(self.step(self.groups[layer.sources[0]]))
        if layer.kind == "add":
            return ones * (source / float(self.step(self.groups[layer.name]))), zeros
        sums = source * weight_scale(self.weighted[layer.name])
        if layer.bits is None:
            return ones * sums, zeros
        norm: Any = self.norms[layer.name]
        gain, shift, mean, variance = (
            t.detach().cpu().double().numpy() for t in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        )
        gain = gain / np.sqrt(variance + norm.eps)
        step = float(self.step(self.groups[layer.name]))
        return gain * sums / step, (shift - gain * mean) / step

    @torch.no_grad()
    def stages(self, features: NDArray) -> dict[str, Integers]:
        """Return the values of the input and of every layer, by name: (rows, channels, height, width)."""
        parts = list(self._chunks(features))
        return {name: np.concatenate([part[name].cpu().numpy() for part in parts]) for name in parts[0]}

    @torch.no_grad()
    def output_codes(self, features: NDArray) -> Integers:
        """Return the exact sums of the last layer, (rows, answers)."""
        last = self.spec.topology.layers[-1].name
        return np.concatenate([part[last].flatten(1).cpu().numpy() for part in self._chunks(features)])

    def answer_values(self, features: NDArray) -> Tensor:
        """Return the exact values of the outputs; see `TrainableModel`."""
        return torch.from_numpy(self.output_codes(features) * self.output_step())

    def predict(self, features: NDArray) -> Integers:
        """Return class indices (rows,): the largest sum, the lowest index on a tie."""
        return self.output_codes(features).argmax(axis=1)

    def output_step(self) -> float:
        """Return what one unit of the answer's sums stands for."""
        layer = self.spec.topology.layers[-1]
        with torch.no_grad():
            return float(self._real_function(layer, 1)[0][0])

    def _chunks(self, features: NDArray) -> Any:
        """Yield the values of every layer for some rows at a time; the size of the parts cannot change a value."""
        steps = self.integer_steps()
        shape = self.shapes[INPUT]
        most = shape.size
        for step in steps.values():
            if isinstance(step.layer, Conv | Pool):
                inputs = self.shapes[step.layer.source].channels
                most = max(most, inputs * math.prod(step.layer.kernel) * self.shapes[step.layer.name].pixels)
        chunk = max(1, _CHUNK_VALUES // most)
        for at in range(0, max(1, len(features)), chunk):
            values = self.encoder.values(features[at : at + chunk])
            maps = {INPUT: torch.from_numpy(values).to(self.device).view(-1, shape.channels, shape.height, shape.width)}
            for name, step in steps.items():
                maps[name] = run_step(step, [maps[source] for source in step.layer.sources])
            yield maps


def build_conv_model(topology: ConvTopology, *, train: TrainConfig, data: DataSet, seed: int) -> ConvModel:
    """Build a network over feature maps for a data set; the input's levels come from its word or training rows.

    An impossible combination is a ConfigError: other features than the input map has values, answers other than the
    data's classes, a regression, or a key of `train` that only networks of tables know.
    """
    check_conv_topology(topology)
    last = topology.shapes()[topology.layers[-1].name]
    if data.task != "classification":
        raise ConfigError(f"a network over feature maps answers with classes; data {data.name!r} is a {data.task}")
    if topology.input_shape.size != data.inputs:
        raise ConfigError(
            f"the input {topology.input_shape} has {topology.input_shape.size} values, "
            f"but data {data.name!r} has {data.inputs} features"
        )
    if last.size != data.answers or last.pixels != 1:
        raise ConfigError(f"the last layer must give {data.answers}x1x1, one sum a class of {data.name!r}, not {last}")
    for key in ("sparsity", "quantizer", "quantizer_options", "neuron_options", "table_learning_rate"):
        if getattr(train, key) != TrainConfig.model_fields[key].default:
            raise ConfigError(f"train.{key} is for networks of tables; leave it out for a network over feature maps")
    encoder = fit_levels(data, bits=topology.input_bits)
    return ConvModel(ConvSpec(topology, seed), encoder=encoder)
