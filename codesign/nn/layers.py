"""One layer of table neurons: few sources each, a function of them, batch norm, a quantizer; exact in evaluation.

Inside the network signals come first: values are (signals, batch), so that taking sources copies whole rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codesign.ir import Layer, bits_for_range
from codesign.nn.learned_sources import PinCapture, watch_pins
from codesign.nn.masks import Mask, MaskView
from codesign.nn.neurons import NeuronFunction
from codesign.nn.quantizers import Quantizer

__all__ = ["LayerShape", "LutLayer", "batch_norm", "normalize"]


@dataclass(frozen=True)
class LayerShape:
    """The sizes of a layer: `width` neurons of `terms` tables, each of `fan_in` of `signals` sources.

    source_bits: bits of every source; term_bits: bits of every term's code (`terms` > 1); bits: of a neuron's code;
    last: no requantizing after the sum.
    """

    name: str
    signals: int
    source_bits: int
    width: int
    fan_in: int
    bits: int
    terms: int
    term_bits: int
    last: bool

    @staticmethod
    def of(layer: Layer, *, signals: int, source_bits: int, last: bool) -> LayerShape:
        """Take the sizes from a topology's layer and what enters it."""
        fan_in = min(layer.fan_in, signals)
        term_bits = layer.bits if layer.term_bits is None else layer.term_bits
        return LayerShape(
            layer.name, signals, source_bits, layer.width, fan_in, layer.bits, layer.terms, term_bits, last
        )

    @property
    def tables(self) -> int:
        """Tables over the sources: one a term of each neuron, a neuron's terms side by side."""
        return self.width * self.terms

    def mask_shape(self, *, per_table: bool = False) -> tuple[int, int]:
        """Rows and places of the mask: the terms of a neuron share a row, so that their sources differ, if they can.

        per_table: a row for every term, whose sources may be those of another term.
        """
        places = self.fan_in * self.terms
        return (self.tables, self.fan_in) if per_table or places > self.signals else (self.width, places)

    @property
    def sum_bits(self) -> int:
        """Bits of the exact sum of a neuron's term codes."""
        return bits_for_range(0, self.terms * (2**self.term_bits - 1)).bits


class LutLayer(nn.Module):
    """A layer of neurons that become truth tables.

    In training `forward` works on values with gradients, by whatever is fastest. In evaluation `codes` works on
    codes in float64, term by term in a fixed order, so that a neuron's code depends on its source codes alone: not
    on batch size, chunking, device or library.
    """

    def __init__(
        self,
        shape: LayerShape,
        *,
        mask: Mask,
        function: NeuronFunction,
        quantizer: Quantizer,
        term_quantizer: Quantizer | None,
        generator: torch.Generator,
    ):
        super().__init__()
        self.shape = shape
        self.mask = mask
        self.function = function
        self.quantizer = None if shape.last and shape.terms > 1 else quantizer
        self.term_quantizer = term_quantizer
        self.norm = nn.BatchNorm1d(shape.tables)
        self.sum_norm = nn.BatchNorm1d(shape.width) if shape.terms > 1 and not shape.last else None
        self.weight: nn.Parameter | None = None
        if function.linear_part:
            kept = shape.signals if mask.wants == "weights" else mask.fan_in
            self.weight = nn.Parameter(torch.randn(mask.rows, kept, generator=generator) / shape.fan_in**0.5)
        self.capture: Tensor | PinCapture | None = None
        """What receives the dense gradient while a mask asks for it: zeros (mask rows, signals), or one for pins."""

    @property
    def sources(self) -> Tensor:
        """Sources of every table, int64 (tables, fan_in)."""
        return self.mask.sources.view(self.shape.tables, self.shape.fan_in)

    def used_weights(self) -> Tensor:
        """Return the linear weights in use, (tables, fan_in)."""
        assert self.weight is not None
        used = self.weight.gather(1, self.mask.sources) if self.mask.wants == "weights" else self.weight
        return used.view(self.shape.tables, self.shape.fan_in)

    # ---- training

    def forward(self, values: Tensor) -> Tensor:
        """Run in training: values (signals, batch) to values (width, batch), differentiable."""
        sources = self.sources
        y: Tensor | None = None
        picked: Tensor | None = None
        if isinstance(self.capture, PinCapture) or not self.function.is_zero:
            picked = values.index_select(0, sources.reshape(-1)).view(*sources.shape, values.shape[1])
        if isinstance(self.capture, PinCapture) and picked is not None:
            picked = watch_pins(picked, values, self.capture)
            if self.weight is not None:
                y = (picked * self.used_weights()[:, :, None]).sum(1)
        elif self.weight is not None:
            y = F.embedding_bag(sources, values, mode="sum", per_sample_weights=self.used_weights())
        if not self.function.is_zero:
            assert picked is not None
            extra = self.function(picked)
            y = extra if y is None else y + extra
        assert y is not None
        if self.mask.wants == "weights" and self.weight is not None:
            y = self._probe(y, values, self.weight, self.mask.active_weights())
        elif isinstance(self.capture, Tensor):
            y = self._probe(y, values, self.capture, None)
        y = batch_norm(self.norm, y)
        if self.term_quantizer is None:
            assert self.quantizer is not None
            return self.quantizer(y)
        total = self.term_quantizer(y).view(self.shape.width, self.shape.terms, -1).sum(1)
        if self.sum_norm is None:
            return total
        assert self.quantizer is not None
        return self.quantizer(batch_norm(self.sum_norm, total))

    def _probe(self, y: Tensor, values: Tensor, weight: Tensor, active: Tensor | None) -> Tensor:
        """Add nothing, but give the unused entries of `weight` (mask rows, signals) the gradient they would have."""
        unused = torch.ones_like(weight, dtype=torch.bool) if active is None else active.clone()
        unused.scatter_(1, self.mask.sources, False)
        return y + _Probe.apply(y, values, weight, unused)

    # ---- evaluation

    def codes(self, codes: Tensor, levels: Tensor) -> list[Tensor]:
        """Run exactly: source codes int64 (signals, batch) to the codes after every step of the layer.

        levels: float64 (signals or 1, codes), the value of every source code. Returns one tensor (width, batch) for
        a plain layer; term codes (tables, batch) and their sums, then (unless last) the requantized codes otherwise.
        """
        values = levels[0][codes] if levels.shape[0] == 1 else levels.gather(1, codes)
        sources = self.sources
        first = self.table_codes([values[sources[:, k]] for k in range(self.shape.fan_in)], slice(0, self.shape.tables))
        if self.term_quantizer is None:
            return [first]
        total = first.view(self.shape.width, self.shape.terms, -1).sum(1)
        return [first, total] if self.shape.last else [first, total, self.sum_codes(total, slice(0, self.shape.width))]

    def table_codes(self, x: list[Tensor], rows: slice) -> Tensor:
        """Compute the codes of the tables in `rows` from their sources' values, float64 tensors (rows, batch)."""
        y: Tensor | None = None
        if self.weight is not None:
            weights = self.used_weights()[rows].detach().double()
            for k, value in enumerate(x):
                term = value * weights[:, k, None]
                y = term if y is None else y.add_(term)
        if not self.function.is_zero:
            extra = self.function.evaluate(x, rows)
            y = extra.clone() if y is None else y.add_(extra)
        assert y is not None
        quantizer = self.term_quantizer or self.quantizer
        assert quantizer is not None
        return quantizer.codes(normalize(self.norm, y, rows))

    def sum_codes(self, totals: Tensor, rows: slice) -> Tensor:
        """Requantize the neurons in `rows`: integer sums (rows, batch) to codes."""
        assert self.quantizer is not None and self.term_quantizer is not None and self.sum_norm is not None
        scale, offset = self.sum_scale()
        return self.quantizer.codes(normalize(self.sum_norm, totals.double() * scale + offset, rows))

    def sum_scale(self) -> tuple[Tensor, Tensor]:
        """Return scale and offset (float64 scalars) that turn a sum of term codes into its value."""
        assert self.term_quantizer is not None
        levels = self.term_quantizer.levels()
        return levels[1] - levels[0], levels[0] * self.shape.terms

    def stored_codes(self) -> Tensor | None:
        """Return the tables' codes, int64 (tables, 2**address_bits), where the layer holds them as they are."""
        return None

    # ---- changing sources

    def after_step(self) -> None:
        """Bring parameters back to where they must stay, after an optimizer step."""

    def start_capture(self) -> None:
        """Ask the next backward pass for the dense gradient, where the mask wants it."""
        if self.mask.wants == "gradient":
            device = self.mask.sources.device
            self.capture = torch.zeros(self.mask.rows, self.shape.signals, device=device, requires_grad=True)
        elif self.mask.wants == "pins":
            self.capture = PinCapture()

    def view(self, step: int, total_steps: int) -> MaskView:
        """Return what the mask may look at, after the backward pass of `step`."""
        magnitude = torch.ones(self.mask.sources.shape)
        weights = None
        if self.weight is not None:
            magnitude = self.used_weights().detach().abs().view(self.mask.sources.shape)
            weights = self.weight.detach() if self.mask.wants == "weights" else None
        gradient = None if self.capture is None else self.capture.grad
        return MaskView(step, total_steps, magnitude, gradient, weights)

    def take_sources(self, sources: Tensor) -> list[tuple[nn.Parameter, Tensor]]:
        """Move to new sources; return the parameters' entries (bool) that now start from zero."""
        sources = self.mask.checked(sources)
        changed = sources != self.mask.sources
        self.mask.sources.copy_(sources)
        if self.mask.wants == "pins":
            return []
        started = self.function.reset(changed.view(self.shape.tables, self.shape.fan_in))
        if self.weight is not None and self.mask.wants != "weights":
            started = [(self.weight, changed), *started]
        with torch.no_grad():
            for parameter, entries in started:
                parameter[entries] = 0.0
        return started


class _Probe(torch.autograd.Function):
    """Zero in the forward pass; in the backward pass the linear gradient of every unused signal."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, values: Tensor, weight: Tensor, unused: Tensor) -> Tensor:
        ctx.save_for_backward(values, unused)
        return y.new_zeros(()).expand_as(y)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        values, unused = ctx.saved_tensors
        g = gradients[0]
        rows = unused.shape[0]
        if rows != g.shape[0]:  # the terms of a neuron share a row: the mean of what each would have
            g = g.view(rows, -1, g.shape[1]).mean(1)
        return None, None, (g @ values.t()) * unused, None


def batch_norm(norm: nn.BatchNorm1d, y: Tensor) -> Tensor:
    """Normalize (channels, batch) over the batch by its own statistics, and keep their running means."""
    return F.batch_norm(
        y[None],
        norm.running_mean,
        norm.running_var,
        norm.weight,
        norm.bias,
        training=norm.training,
        momentum=0.1 if norm.momentum is None else norm.momentum,
        eps=norm.eps,
    )[0]


def normalize(norm: nn.BatchNorm1d, y: Tensor, rows: slice) -> Tensor:
    """Apply a batch norm's running statistics in float64, (rows, batch) in place of `y`, operation by operation."""
    assert norm.running_mean is not None and norm.running_var is not None
    gain = norm.weight.detach().double() / torch.sqrt(norm.running_var.double() + norm.eps)
    y = y.sub_(norm.running_mean.double()[rows, None])
    return y.mul_(gain[rows, None]).add_(norm.bias.detach().double()[rows, None])
