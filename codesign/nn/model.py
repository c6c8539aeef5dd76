"""The trainable network: encoder, layers, answer. In evaluation it is exact and gives codes, stage by stage."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from codesign.config import InputsConfig, TrainConfig
from codesign.errors import ConfigError, did_you_mean
from codesign.ir import Codes, Topology
from codesign.ir.topology import check_topology
from codesign.nn.encoder import EncoderShape, InputEncoder
from codesign.nn.free_tables import FreeTableLayer, FreeTables, default_temperature
from codesign.nn.inputs import fit_encoder
from codesign.nn.layers import LayerShape, LutLayer
from codesign.nn.mask_registry import find_mask, make_mask
from codesign.nn.neurons import NEURONS, NeuronFunction, make_neurons
from codesign.nn.quantizers import make_quantizer
from codesign.nn.seeds import generator
from codesign.nn.trainable import TrainableModel
from codesign.plugins import find_class

if TYPE_CHECKING:
    from codesign.data import DataSet

__all__ = ["LutModel", "ModelSpec", "build_model"]

_CHUNK_VALUES = 1 << 22
"""Values of one layer evaluated at once (32 MiB of float64)."""


@dataclass(frozen=True)
class ModelSpec:
    """All that is needed to build the modules again; the numbers are in the state dict."""

    topology: Topology
    encoder: EncoderShape
    task: Literal["classification", "regression"]
    answers: int
    quantizer: str
    quantizer_options: dict[str, Any]
    sparsity: str
    sparsity_options: dict[str, Any]
    neuron_options: dict[str, Any]
    seed: int


class LutModel(TrainableModel):
    """A network whose neurons become truth tables.

    Training: `prepare` features once, then `forward` on batches gives values (batch, outputs) with gradients.
    Evaluation: `codes` and `predict` give the exact codes that the tables, and the hardware, will give.
    """

    kind = "tables"
    spec: ModelSpec
    encoder: InputEncoder  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, spec: ModelSpec, *, encoder: InputEncoder, usable: Tensor | None = None):
        super().__init__()
        self.spec = spec
        self.encoder = encoder
        self.layers = nn.ModuleList(self._layers(usable))
        self.logit_gain = nn.Parameter(torch.ones(()))
        self.register_buffer("target_mean", torch.zeros((), dtype=torch.float64))
        self.register_buffer("target_spread", torch.ones((), dtype=torch.float64))
        with torch.no_grad():
            self.logit_gain.fill_(1.0 / (float(self.output_levels().abs().max()) or 1.0))

    def _layers(self, usable: Tensor | None) -> Iterator[LutLayer]:
        spec = self.spec
        topology = spec.topology
        options = _split_options(topology, spec.neuron_options)
        for index, layer in enumerate(topology.layers):
            last = index == len(topology.layers) - 1
            shape = LayerShape.of(
                layer, signals=topology.signals(index), source_bits=topology.signal_bits(index), last=last
            )
            rows, places = shape.mask_shape(per_table=find_mask(spec.sparsity).per_table)
            mask = make_mask(
                spec.sparsity,
                rows,
                signals=shape.signals,
                fan_in=places,
                generator=generator(spec.seed, "mask", index),
                usable=usable if index == 0 else None,
                layer=layer.name,
                options=spec.sparsity_options,
            )
            draws = generator(spec.seed, "weights", index)
            function = make_neurons(
                layer.neuron, shape.tables, fan_in=shape.fan_in, generator=draws, options=options[layer.neuron]
            )
            chosen = (spec.quantizer, spec.quantizer_options)
            term = make_quantizer(chosen[0], shape.term_bits, role="term", options=chosen[1])
            role = "output" if last else "hidden"
            kind = FreeTableLayer if isinstance(function, FreeTables) else LutLayer
            yield kind(
                shape,
                mask=mask,
                function=function,
                quantizer=make_quantizer(chosen[0], shape.bits, role=role, options=chosen[1]),
                term_quantizer=term if shape.terms > 1 else None,
                generator=draws,
            )

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.logit_gain.device

    def lut_layers(self) -> list[LutLayer]:
        """Return the layers, typed."""
        return [layer for layer in self.layers if isinstance(layer, LutLayer)]

    # ---- training

    def forward(self, prepared: Tensor) -> Tensor:
        """Run in training: prepared rows (batch, columns) to the outputs' values (batch, outputs)."""
        layers = self.lut_layers()
        if self.encoder.shape.kind == "fixed" and isinstance(layers[0], FreeTableLayer):
            values = prepared.t().contiguous()  # the codes themselves: nothing before this layer learns
        else:
            values = self.encoder(prepared)
        for index, layer in enumerate(layers):
            values = layer(values, self.input_levels(index)) if isinstance(layer, FreeTableLayer) else layer(values)
        return values.t()

    # ---- evaluation

    def input_levels(self, index: int) -> Tensor:
        """Return the value of every code that enters layer `index`, float64 (signals or 1, codes)."""
        if index == 0:
            return self.encoder.levels()
        quantizer = self.lut_layers()[index - 1].quantizer
        assert quantizer is not None
        return quantizer.levels()[None].to(self.device)

    def output_levels(self) -> Tensor:
        """Return the value of every code (or sum of term codes) of the outputs, float64, in rising order."""
        last = self.lut_layers()[-1]
        if last.term_quantizer is None:
            assert last.quantizer is not None
            return last.quantizer.levels().to(self.device)
        scale, offset = last.sum_scale()
        top = last.shape.terms * (2**last.shape.term_bits - 1)
        return (torch.arange(top + 1, dtype=torch.float64, device=scale.device) * scale + offset).to(self.device)

    def output_step(self) -> float:
        """Return the step between neighbouring output values."""
        last = self.lut_layers()[-1]
        quantizer = last.term_quantizer or last.quantizer
        assert quantizer is not None
        levels = quantizer.levels()
        return float(levels[1] - levels[0])

    @torch.no_grad()
    def stages(self, features: NDArray) -> list[Codes]:
        """Return the codes after every step, int32 (rows, signals): encoder first, then each step of each layer.

        A layer of several terms has the steps terms, sums and (unless last) requantized codes; others have one.
        Small chunks bound the memory; they cannot change a code.
        """
        widest = max(max(layer.shape.signals, layer.shape.tables) for layer in self.lut_layers())
        chunk = max(1, _CHUNK_VALUES // widest)
        parts = [self._stages(features[at : at + chunk]) for at in range(0, max(1, len(features)), chunk)]
        return [np.concatenate(steps) for steps in zip(*parts, strict=True)]

    def _stages(self, features: NDArray) -> list[Codes]:
        codes = self.encoder.codes(features)
        steps = [codes]
        for index, layer in enumerate(self.lut_layers()):
            steps += layer.codes(steps[-1], self.input_levels(index))
        return [np.ascontiguousarray(step.t().cpu().numpy().astype(np.int32)) for step in steps]

    def output_codes(self, features: NDArray) -> Codes:
        """Return the codes of the last layer before any decision, int32 (rows, outputs)."""
        return self.stages(features)[-1]

    def output_values(self, features: NDArray) -> NDArray[np.float64]:
        """Return the exact values (rows, outputs): scores for classes, targets in their own unit for regression."""
        codes = self.output_codes(features)
        if self.spec.task == "regression":
            scale, offset = self.answer_scale()
            return codes.astype(np.float64) * scale + offset
        return self.output_levels().detach().cpu().numpy()[codes]

    def answer_values(self, features: NDArray) -> Tensor:
        """Return the exact values of the outputs; see `TrainableModel`."""
        codes = torch.from_numpy(self.output_codes(features).astype(np.int64))
        return self.output_levels().detach().cpu()[codes]

    def answer_scale(self) -> tuple[float, float]:
        """Return (scale, offset): a regression target is ``offset + scale * code``."""
        levels = self.output_levels().detach()
        spread, mean = float(self.target_spread), float(self.target_mean)
        step = float(levels[1] - levels[0]) if len(levels) > 1 else 0.0
        return step * spread, float(levels[0]) * spread + mean

    def fix_temperature(self, temperature: float | None) -> None:
        """Fix the logits at `temperature` steps of the output code a unit; None leaves the factor to be learned.

        A last layer of free tables has no scale to learn, and None gives it its own; see `default_temperature`.
        """
        last = self.lut_layers()[-1]
        if temperature is None and isinstance(last, FreeTableLayer):
            temperature = default_temperature(last.shape)
        super().fix_temperature(temperature)

    def decayed_parameters(self) -> list[nn.Parameter]:
        """Return the neurons' weights; scales, thresholds and batch norms are never decayed."""
        return [
            p
            for layer in self.lut_layers()
            for p in [*([] if layer.weight is None else [layer.weight]), *layer.function.parameters()]
        ]

    def table_entries(self) -> list[nn.Parameter]:
        """Return the entries of free tables."""
        return [f.entries for f in (layer.function for layer in self.lut_layers()) if isinstance(f, FreeTables)]

    def output_boundary(self) -> float:
        """Return the value midway between the output codes of the first and of the second class (one output)."""
        levels, first = self.output_levels(), self.threshold()
        return float(levels[first - 1] + levels[first]) / 2 if 0 < first < len(levels) else 0.0

    def threshold(self) -> int:
        """Return the smallest output code whose value is not negative: the second class starts there."""
        levels = self.output_levels()
        return int((levels < 0).sum())

    def predict(self, features: NDArray) -> NDArray:
        """Return the answers: class indices int64 (rows,), or regression targets float64 (rows, outputs)."""
        if self.spec.task == "regression":
            return self.output_values(features)
        codes = self.output_codes(features)
        if codes.shape[1] == 1:
            return (codes[:, 0] >= self.threshold()).astype(np.int64)
        return codes.argmax(axis=1).astype(np.int64)


def build_model(topology: Topology, *, inputs: InputsConfig, train: TrainConfig, data: DataSet, seed: int) -> LutModel:
    """Build a network for a data set; everything data-dependent comes from the training rows alone.

    An impossible combination is a ConfigError, a table over the cap a TableTooLarge naming the layer.
    """
    check_topology(topology)
    outputs = topology.layers[-1].width
    if len(data.feature_names) != topology.inputs:
        raise ConfigError(
            f"topology.inputs must be {len(data.feature_names)}, the data's features, not {topology.inputs}"
        )
    if data.task == "regression" and topology.decide != "none":
        raise ConfigError(f"topology.decide must be 'none' for regression, not {topology.decide!r}")
    if topology.decide == "threshold" and outputs != 1:
        raise ConfigError(f"topology.decide 'threshold' needs a last layer of width 1, not {outputs}")
    if topology.decide == "argmax" and outputs == 1:
        raise ConfigError("topology.decide 'argmax' needs a last layer of at least 2 neurons; use 'threshold' for one")
    if outputs != data.answers and not (data.task == "classification" and data.answers == 2 and outputs == 1):
        raise ConfigError(f"the last layer must have width {data.answers}, one neuron an answer, not {outputs}")
    encoder = fit_encoder(
        inputs, data, topology=topology, quantizer=train.quantizer, quantizer_options=train.quantizer_options
    )
    spec = ModelSpec(
        topology=topology,
        encoder=encoder.shape,
        task="regression" if data.task == "regression" else "classification",
        answers=data.answers,
        quantizer=train.quantizer,
        quantizer_options=train.quantizer_options,
        sparsity=train.sparsity.method,
        sparsity_options=train.sparsity.options,
        neuron_options=train.neuron_options,
        seed=seed,
    )
    model = LutModel(spec, encoder=encoder, usable=_varying(encoder, data.x_train))
    if data.task == "regression":
        y = np.asarray(data.y_train, dtype=np.float64)
        # Outputs share one scale, as the hardware's answer does; half the largest deviation fills the codes' range.
        model.target_mean.fill_(float((y.max() + y.min()) / 2))
        model.target_spread.fill_(float(max((y.max() - y.min()) / 2, 1e-30)) / float(model.output_levels().abs().max()))
    return model


def _varying(encoder: InputEncoder, x: NDArray) -> Tensor:
    """Say which signals take more than one code on the training rows, bool (signals,)."""
    first = encoder.codes(x[:1])
    seen = torch.zeros(encoder.shape.signals, dtype=torch.bool)
    with torch.no_grad():
        for at in range(0, len(x), 4096):
            seen |= (encoder.codes(x[at : at + 4096]) != first).any(dim=1).cpu()
    return seen


def _split_options(topology: Topology, options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give each neuron kind of the topology those options that it takes; one that none takes is a ConfigError."""
    kinds = {layer.neuron for layer in topology.layers}
    takes: dict[str, set[str]] = {}
    for kind in kinds:
        parameters = inspect.signature(
            find_class(kind, NeuronFunction, known=NEURONS, what="neuron function")
        ).parameters
        named = {n for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY} - {"generator"}
        takes[kind] = set(options) if any(p.kind is p.VAR_KEYWORD for p in parameters.values()) else named
    known = set().union(*takes.values())
    for key in options:
        if key not in known:
            raise ConfigError(
                f"train.neuron_options: no neuron kind of this topology ({', '.join(sorted(kinds))}) takes "
                f"{key!r}.{did_you_mean(key, known)}"
            )
    return {kind: {k: v for k, v in options.items() if k in takes[kind]} for kind in kinds}
