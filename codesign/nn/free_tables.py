"""Free tables: neurons whose table entries are themselves the parameters (neuron kind `lut`).

Nothing is enumerated at extraction: the table that trains is the table that is built. A layer of free tables works
on codes, in training too, so its forward pass is a few row copies and one look-up.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from codesign.errors import ConfigError
from codesign.nn.layers import LayerShape, LutLayer, batch_norm
from codesign.nn.learned_sources import PinCapture, score_gradient
from codesign.nn.masks import Mask, MaskView
from codesign.nn.neurons import NEURONS, NeuronFunction
from codesign.nn.quantizers import Quantizer, Role

__all__ = [
    "FreeTableLayer",
    "FreeTables",
    "GridQuantizer",
    "codes_of",
    "default_temperature",
    "entry_codes",
    "look_up",
    "pin_slopes",
]


class FreeTables(NeuronFunction):
    """The tables of a layer: entries (tables, 2**address_bits), real, -1 to 1, uniform at the start.

    In use an entry is rounded to the grid of its code (one bit: its sign); the gradient passes straight through to
    the entry that was read. One-bit tables trained so are the weightless networks of DWN (Bacellar et al., ICML 2024).
    """

    linear_part = False

    def __init__(self, neurons: int, fan_in: int, *, generator: torch.Generator):
        super().__init__(neurons, fan_in, generator=generator)
        self.entries = nn.Parameter(torch.zeros(neurons, 0))

    def allocate(self, address_bits: int, generator: torch.Generator) -> None:
        """Draw the entries, once the layer has said how many there are."""
        drawn = torch.rand(self.neurons, 1 << address_bits, generator=generator)
        self.entries = nn.Parameter(drawn * 2 - 1)

    @torch.no_grad()
    def clamp(self) -> None:
        """Bring the entries back to -1 to 1, so that none drifts out of reach of the next gradients."""
        self.entries.clamp_(-1.0, 1.0)


NEURONS["lut"] = FreeTables


def entry_codes(entries: Tensor, bits: int) -> Tensor:
    """Round entries in -1 to 1 to codes of `bits` bits (int64): one bit is ``entry > 0``, more the nearest one."""
    if bits == 1:
        return (entries > 0).to(torch.int64)
    top = 2**bits - 1
    return torch.round((entries.double() + 1) * (top / 2)).clamp(0, top).to(torch.int64)


class GridQuantizer(Quantizer):
    """The codes of free tables as levels: ``2**bits`` of them, evenly from -1 to 1."""

    roles = ("hidden", "term", "output")

    def __init__(self, bits: int, *, role: Role):
        super().__init__(bits, role=role)
        self.register_buffer("grid", torch.linspace(-1, 1, 2**bits, dtype=torch.float64), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Round to the grid, straight through; see `Quantizer.forward`."""
        return x + (self.levels().to(x.dtype)[self.codes(x)] - x).detach()

    def codes(self, x: Tensor) -> Tensor:
        """Round to codes; see `Quantizer.codes`."""
        return entry_codes(x, self.bits)

    def levels(self) -> Tensor:
        """Return the grid; see `Quantizer.levels`."""
        return self.grid  # pyright: ignore[reportReturnType]


class FreeTableLayer(LutLayer):
    """A layer of free tables; see `LutLayer` and `FreeTables`.

    The tables' codes come from the entries, so `quantizer` serves only where the sum of several terms is requantized.
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
        if mask.wants == "weights":
            raise ConfigError(
                f"layer {shape.name!r}: sparsity method {type(mask).__name__} ranks linear weights, and a neuron of "
                "kind 'lut' has none; use sparsity method learned, regrow or random"
            )
        if term_quantizer is None:
            quantizer = GridQuantizer(shape.bits, role="output" if shape.last else "hidden")
        else:
            term_quantizer = GridQuantizer(shape.term_bits, role="term")
        super().__init__(
            shape, mask=mask, function=function, quantizer=quantizer, term_quantizer=term_quantizer, generator=generator
        )
        del self.norm  # the entries are their own scale
        self.tables.allocate(shape.fan_in * shape.source_bits, generator)

    @property
    def tables(self) -> FreeTables:
        """The layer's function, typed."""
        assert isinstance(self.function, FreeTables)
        return self.function

    @property
    def code_bits(self) -> int:
        """Bits of every table's code."""
        return self.shape.bits if self.term_quantizer is None else self.shape.term_bits

    # ---- training

    def forward(self, values: Tensor, levels: Tensor | None = None) -> Tensor:
        """Run in training: codes or values (signals, batch) to values (width, batch), differentiable.

        values: integer codes, which carry no gradient, or real values with gradient; then levels, (1, codes), says
        what each code stands for.
        """
        ratio: Tensor | None = None
        codes = values
        if values.is_floating_point():
            assert levels is not None
            codes = codes_of(values.detach(), levels[0])
            ratio = _unit_slopes(levels[0]).to(values.dtype)
        capture = self.capture if isinstance(self.capture, PinCapture) else None
        y = look_up(
            self.tables.entries,
            codes,
            self.sources,
            bits=(self.shape.source_bits, self.code_bits),
            values=values if ratio is not None and values.requires_grad else None,
            ratio=ratio,
            capture=capture,
        )
        if isinstance(self.capture, Tensor):
            y = self._probe(y, _centred(codes, self.shape.source_bits), self.capture, None)
        if self.term_quantizer is None:
            return y
        total = y.view(self.shape.width, self.shape.terms, -1).sum(1)
        if self.sum_norm is None:
            return total
        assert self.quantizer is not None
        return self.quantizer(batch_norm(self.sum_norm, total))

    def after_step(self) -> None:
        """Clamp the entries; see `LutLayer.after_step`."""
        self.tables.clamp()

    def take_sources(self, sources: Tensor) -> list[tuple[nn.Parameter, Tensor]]:
        """Move to new sources; see `LutLayer.take_sources`.

        A table whose pin gets another source forgets what it knew of it: the entries become their mean over that pin.
        Learned sources keep them: a pin moves to the signal that its entries ask for.
        """
        sources = self.mask.checked(sources)
        changed = (sources != self.mask.sources).view(self.shape.tables, self.shape.fan_in)
        self.mask.sources.copy_(sources)
        if self.mask.wants == "pins":
            return []
        count = 1 << self.shape.source_bits
        with torch.no_grad():
            entries = self.tables.entries
            for pin in changed.any(dim=0).nonzero()[:, 0].tolist():
                rows = changed[:, pin].nonzero()[:, 0]
                view = entries[rows].view(len(rows), -1, count, count**pin)
                entries[rows] = view.mean(dim=2, keepdim=True).expand_as(view).reshape(len(rows), -1)
        return []

    def view(self, step: int, total_steps: int) -> MaskView:
        """Return what the mask may look at; a pin's magnitude is its mean absolute slope. See `LutLayer.view`."""
        plain = super().view(step, total_steps)
        if self.mask.wants != "gradient":
            return plain
        entries, bits = self.tables.entries.detach(), self.shape.source_bits
        slopes = [pin_slopes(entries, pin, bits).abs().mean(dim=1) for pin in range(self.shape.fan_in)]
        return replace(plain, magnitude=torch.stack(slopes, dim=1).view(self.mask.sources.shape))

    # ---- evaluation

    def codes(self, codes: Tensor, levels: Tensor) -> list[Tensor]:
        """Run exactly on source codes (signals, batch), int64; see `LutLayer.codes`. Levels are not needed."""
        address = _address(codes, self.sources, self.shape.source_bits)
        first = self.stored_codes().gather(1, address)
        if self.term_quantizer is None:
            return [first]
        total = first.view(self.shape.width, self.shape.terms, -1).sum(1)
        return [first, total] if self.shape.last else [first, total, self.sum_codes(total, slice(0, self.shape.width))]

    def stored_codes(self) -> Tensor:
        """Return the tables themselves, int64 (tables, 2**address_bits)."""
        return entry_codes(self.tables.entries.detach(), self.code_bits)


def default_temperature(shape: LayerShape) -> float:
    """Return the logit temperature of a last layer of free tables, in steps of the code.

    1.4 standard deviations of the sum of `terms` independent codes, each equally likely.
    """
    bits = shape.term_bits if shape.terms > 1 else shape.bits
    return 1.4 * math.sqrt(shape.terms * (4**bits - 1) / 12)


def codes_of(values: Tensor, levels: Tensor) -> Tensor:
    """Return the codes, uint8 (int32 beyond 8 bits), whose levels (codes,) are nearest to the values."""
    dtype = torch.uint8 if len(levels) <= 256 else torch.int32
    ordered, order = levels.to(values.device).sort()
    middles = ((ordered[1:] + ordered[:-1]) / 2).to(values.dtype)
    if len(levels) == 2 and int(order[0]) == 0:
        return (values > middles[0]).to(dtype)
    return order.to(dtype)[torch.bucketize(values.contiguous(), middles)]


def pin_slopes(entries: Tensor, pin: int, source_bits: int) -> Tensor:
    """Slope of every table by one pin's centred code, (tables, 2**address_bits), at every address.

    It is the difference of the real entries one code up and one code down (at the ends: the end itself), the other
    pins as addressed, divided by the distance of those codes on the scale from -1 to 1. The real entries tell
    more than the rounded ones: how far a bit is from turning.
    """
    count = 1 << source_bits
    view = entries.view(len(entries), -1, count, count**pin)
    if source_bits == 1:
        return ((view[:, :, 1:] - view[:, :, :1]) / 2).expand_as(view).reshape(len(entries), -1)
    at = torch.arange(count, device=entries.device)
    up, down = (at + 1).clamp(max=count - 1), (at - 1).clamp(min=0)
    distance = (up - down) * (2.0 / (count - 1))
    return ((view[:, :, up] - view[:, :, down]) / distance[:, None]).reshape(len(entries), -1)


def _unit_slopes(levels: Tensor) -> Tensor:
    """Slope of the centred code by the value, (codes,), by the same differences as `pin_slopes`."""
    at = torch.arange(len(levels), device=levels.device)
    up, down = (at + 1).clamp(max=len(levels) - 1), (at - 1).clamp(min=0)
    rise = levels[up] - levels[down]
    return torch.where(rise == 0, 0.0, (up - down) * (2.0 / (len(levels) - 1)) / rise)


def _centred(codes: Tensor, bits: int) -> Tensor:
    """Return codes as float32 from -1 to 1."""
    return codes.to(torch.float32) * (2.0 / (2**bits - 1)) - 1.0


def _address(codes: Tensor, sources: Tensor, bits: int) -> Tensor:
    """Return the addresses int64 (tables, batch) of codes (signals, batch); source 0 has the lowest bits."""
    width = sources.shape[1] * bits
    if width <= 8:  # bytes are copied several times faster than words
        codes = codes.to(torch.uint8)
    else:
        codes = codes.to(torch.int32)
    address = codes.index_select(0, sources[:, 0].contiguous())
    for pin in range(1, sources.shape[1]):
        address |= codes.index_select(0, sources[:, pin].contiguous()) << (pin * bits)
    return address.to(torch.int64)


def look_up(
    entries: Tensor,
    codes: Tensor,
    sources: Tensor,
    *,
    bits: tuple[int, int],
    values: Tensor | None = None,
    ratio: Tensor | None = None,
    capture: PinCapture | None = None,
) -> Tensor:
    """Return the levels (-1 to 1) of the tables' codes, (tables, batch), with the gradients of free tables.

    entries: real, (tables, 2**address_bits); codes: (signals, batch); sources: (tables, fan_in); bits: of a source and
    of a table's code. values, ratio: what the codes stand for, where it has a gradient, and the slope of the centred
    code by it. capture: receives the gradient by every pin's scores.
    """
    out = _LookUp.apply(entries, codes, values, ratio, sources, bits, capture)
    assert isinstance(out, Tensor)
    return out


class _LookUp(torch.autograd.Function):
    """Levels of the tables' codes; straight through to the entries, finite differences to sources and scores."""

    @staticmethod
    def forward(
        ctx: Any,
        entries: Tensor,
        codes: Tensor,
        values: Tensor | None,
        ratio: Tensor | None,
        sources: Tensor,
        bits: tuple[int, int],
        capture: PinCapture | None,
    ) -> Tensor:
        address = _address(codes, sources, bits[0])
        ctx.save_for_backward(entries, codes, ratio, sources, address)
        ctx.source_bits, ctx.wants_values, ctx.capture = bits[0], values is not None, capture
        grid = entry_codes(entries, bits[1]).to(entries.dtype) * (2.0 / (2 ** bits[1] - 1)) - 1.0
        return grid.gather(1, address)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        entries, codes, ratio, sources, address = ctx.saved_tensors
        g = gradients[0]
        to_entries = torch.zeros_like(entries).scatter_add_(1, address, g)
        to_values: Tensor | None = None
        if ctx.wants_values or ctx.capture is not None:
            pins = g.new_empty(*sources.shape, g.shape[1])
            for pin in range(sources.shape[1]):
                slopes = pin_slopes(entries, pin, ctx.source_bits)
                torch.mul(slopes.gather(1, address), g, out=pins[:, pin])
            pins = pins.view(-1, g.shape[1])
            if ctx.capture is not None:
                ctx.capture.grad = score_gradient(pins, _centred(codes, ctx.source_bits))
            if ctx.wants_values:
                to_values = g.new_zeros(codes.shape).index_add_(0, sources.reshape(-1), pins)
                to_values *= ratio[codes.to(torch.int64)]
        return to_entries, None, to_values, None, None, None, None
