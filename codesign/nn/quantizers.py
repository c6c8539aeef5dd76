"""Activation quantizers: Brevitas' integer and binary ones with a learned scale, and the interface for a user's own.

A quantizer maps a real pre-activation to one of ``2**bits`` levels. In training it passes gradients by the
straight-through estimator; in evaluation it gives the level's code. Only codes and levels reach the tables, so
any deterministic quantizer converts exactly.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from brevitas.nn import QuantHardTanh, QuantIdentity, QuantReLU
from brevitas.quant import SignedBinaryActPerTensorConst, Uint8ActPerTensorFloat
from torch import Tensor, nn

from codesign.errors import UnsupportedModel
from codesign.plugins import build, find_class

__all__ = ["QUANTIZERS", "BrevitasQuantizer", "Quantizer", "Role", "make_quantizer", "sign"]

Role = Literal["input", "hidden", "term", "output"]
"""What a quantizer is for. `term` and `output` codes are summed or compared as integers, so their levels must be
equally spaced; an `input` quantizer must not decrease, so that it is a set of thresholds."""


class Quantizer(nn.Module):
    """Base of all quantizers; a user's own subclass overrides `forward`, `codes` and `levels`.

    bits: of the code. `roles` says where the class may stand; where it may not, Brevitas' stands instead.
    """

    roles: tuple[Role, ...] = ("hidden",)

    def __init__(self, bits: int, *, role: Role):
        super().__init__()
        self.bits = bits
        self.role: Role = role

    def forward(self, x: Tensor) -> Tensor:
        """Quantize for training: any shape in, levels of the same shape and dtype out, differentiable."""
        raise NotImplementedError

    def codes(self, x: Tensor) -> Tensor:
        """Quantize exactly: float64 of any shape in, int64 codes 0 <= code < 2**bits out, element by element."""
        raise NotImplementedError

    def levels(self) -> Tensor:
        """Return the float64 value of every code, shape (2**bits,), on the parameters' device."""
        raise NotImplementedError


class _Steps(torch.autograd.Function):
    """``(clamp(round(x / s - shift), low, high) + shift) * s`` with the straight-through gradient of Brevitas.

    One fused step in place of some twenty elementwise ones; equal to Brevitas' own in value and gradient. With
    ``low == 0`` (and no shift) a ReLU comes first.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: float, low: float, high: float) -> Tensor:
        t = x / scale
        if low == 0:
            t.relu_()
        else:
            t -= shift
        q = torch.round(t)
        clamped = q.clamp(low, high)
        inside = clamped == q
        if low == 0:  # a ReLU stands before the steps
            inside &= t > 0
        # d(output)/d(scale) is q + shift outside the clamp and q - t inside it.
        slope = torch.where(inside, clamped - t, clamped + shift)
        ctx.save_for_backward(inside, slope)
        return (clamped + shift if shift else clamped) * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inside, slope = ctx.saved_tensors
        g = gradients[0]
        return g * inside, (g * slope).sum(), None, None, None


class _Sign(torch.autograd.Function):
    """Sign (zero counts as positive), gradient passed where ``abs(x) <= 1``: Brevitas' clamped binary quantizer."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x.abs() <= 1)
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return (gradients[0] * ctx.saved_tensors[0],)


def sign(x: Tensor) -> Tensor:
    """Return -1 below zero and +1 from zero on, with the gradient of a hard tanh."""
    return _Sign.apply(x)  # pyright: ignore[reportReturnType]


class BrevitasQuantizer(Quantizer):
    """Brevitas' quantizer for each role, with a learned scale (one a layer).

    - hidden, 2 bits and more: quantized ReLU, levels ``0 .. 2**bits - 1`` times the scale;
    - hidden, 1 bit: sign, levels -1 and +1, gradient passed where ``abs(x) <= 1``;
    - input, term, output: hard tanh shifted by half a step, so that the levels lie evenly about zero
      (``(q + 1/2) * scale``, ``-2**(bits-1) <= q < 2**(bits-1)``): few-bit codes then waste no level.

    limit: largest level at the start, in units of the pre-activation.
    """

    roles = ("input", "hidden", "term", "output")

    def __init__(self, bits: int, *, role: Role, limit: float | None = None):
        super().__init__(bits, role=role)
        self.binary = bits == 1 and role in ("hidden", "input")
        self.shift = 0.0
        if self.binary:
            self.low, self.high = 0, 1
            layer = QuantIdentity(act_quant=SignedBinaryActPerTensorConst, scaling_const=1.0)
        elif role == "hidden":
            self.low, self.high = 0, 2**bits - 1
            layer = QuantReLU(
                act_quant=Uint8ActPerTensorFloat,
                bit_width=bits,
                scaling_impl_type="parameter",
                scaling_stats_op=None,
                scaling_init=1.61 if limit is None else limit,
                scaling_min_val=1e-4,
            )
        else:
            self.low, self.high, self.shift = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 0.5
            limit = 1.0 if limit is None else limit
            layer = QuantHardTanh(bit_width=bits, max_val=limit, min_val=-limit, scaling_min_val=1e-4)
        # Brevitas' proxy around these makes new parameters on every load_state_dict, which an optimizer would lose.
        proxy: Any = layer.act_quant
        self.steps = proxy.fused_activation_quant_proxy

    def scale(self) -> Tensor:
        """Return the learned step between levels, a positive scalar (1 for the sign)."""
        quant: Any = self.steps.tensor_quant
        if self.binary:
            return quant.scaling_impl(torch.ones(()))
        return quant.scaling_impl(torch.ones(()), quant.int_scaling_impl(quant.msb_clamp_bit_width_impl()))

    def forward(self, x: Tensor) -> Tensor:
        """Quantize for training; see `Quantizer.forward`."""
        if self.binary:
            return sign(x)
        return _Steps.apply(x, self.scale(), self.shift, self.low, self.high)  # pyright: ignore[reportReturnType]

    def reference(self, x: Tensor) -> Tensor:
        """Quantize by Brevitas' own modules alone (slower); equal to `forward`."""
        if self.shift == 0.0:
            return self.steps(x)[0]
        half = self.scale() * self.shift
        return self.steps(x - half)[0] + half

    def codes(self, x: Tensor) -> Tensor:
        """Quantize exactly; see `Quantizer.codes`."""
        if self.binary:
            return (x >= 0).to(torch.int64)
        t = x / self.scale().detach().double()
        if self.shift:
            t = t - self.shift
        return torch.round(t).clamp(self.low, self.high).to(torch.int64) - self.low

    def levels(self) -> Tensor:
        """Return the value of every code; see `Quantizer.levels`."""
        if self.binary:
            return torch.tensor([-1.0, 1.0], dtype=torch.float64)
        scale = self.scale().detach().double()
        steps = torch.arange(self.low, self.high + 1, dtype=torch.float64, device=scale.device)
        return (steps + self.shift) * scale


QUANTIZERS: dict[str, type[Quantizer]] = {"brevitas": BrevitasQuantizer}
"""Quantizers by name."""


def make_quantizer(name: str, bits: int, *, role: Role, options: dict[str, Any] | None = None) -> Quantizer:
    """Build the quantizer `name` for a role; roles that the class does not serve get Brevitas'."""
    kind = find_class(name, Quantizer, known=QUANTIZERS, what="quantizer")
    if role not in kind.roles:
        return BrevitasQuantizer(bits, role=role)
    made = build(kind, bits, what="quantizer", name=name, options=options, role=role)
    _check_quantizer(made, name)
    return made


def _check_quantizer(made: Quantizer, name: str) -> None:
    levels = made.levels()
    if levels.shape != (2**made.bits,) or levels.dtype != torch.float64 or not bool(torch.isfinite(levels).all()):
        raise UnsupportedModel(
            f"quantizer {name!r}: levels() must be {2**made.bits} finite float64 values for {made.bits} bits, "
            f"not {tuple(levels.shape)} {levels.dtype}"
        )
    codes = made.codes(torch.linspace(-4, 4, 65, dtype=torch.float64))
    if codes.dtype != torch.int64 or int(codes.min()) < 0 or int(codes.max()) >= 2**made.bits:
        raise UnsupportedModel(f"quantizer {name!r}: codes() must be int64 from 0 to {2**made.bits - 1}")
    if made.role == "input" and bool((codes.diff() < 0).any()):
        raise UnsupportedModel(f"quantizer {name!r}: the codes of an input must not fall as the input rises")
    if made.role in ("term", "output"):
        steps = levels.diff()
        if bool((steps <= 0).any()) or float((steps - steps[0]).abs().max()) > 1e-9 * float(steps.abs().max()):
            raise UnsupportedModel(f"quantizer {name!r}: the levels of a {made.role} must rise by equal steps")
