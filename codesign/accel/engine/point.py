"""One configuration of the folded engine: the choices that are made before synthesis, and the sizes that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from codesign.accel.family import Refusal, Violation, refuse
from codesign.errors import SpaceError, did_you_mean

__all__ = ["ADDRESS_BITS", "MAX_LAYERS", "EnginePoint", "Refusal", "Violation", "refuse"]

MAX_LAYERS = 64
"""Layers that the program window holds."""

ADDRESS_BITS = 20
"""Bits of every memory address in a descriptor."""

PARAMETER_BITS = 64
"""Bits of a word of requantization parameters on the weight stream."""

ANSWER_BITS = 32
"""Bits of one answer."""

_STREAMS = (8, 16, 32, 64, 128, 256, 512)
_POWERS = (1, 2, 4, 8, 16, 32, 64)
_CHOICES: dict[str, tuple[Any, ...]] = {
    "pe": _POWERS,
    "simd": _POWERS,
    "weight_bits": tuple(range(1, 9)),
    "activation_bits": tuple(range(1, 9)),
    "dataflow": ("output_stationary", "weight_stationary"),
    "weights": ("resident", "streamed"),
    "weight_memory": ("lutram", "bram"),
    "banks": (2, 3, 4),
    "accumulator_bits": tuple(range(8, 33)),
    "multiplier": ("lut", "dsp"),
    "pipeline": tuple(range(5)),
    "requantizers": (1, 2, 4, 8),
    "double_buffer": (False, True),
    "stream_in_bits": _STREAMS,
    "stream_out_bits": _STREAMS,
}
_DEPTHS = ("weight_depth", "bank_depth", "param_depth", "answer_depth")


@dataclass(frozen=True)
class EnginePoint:
    """A configuration. Every field is a parameter of the Verilog.

    pe, simd:         output channels computed at once, and input channels that each takes in a clock.
    weight_bits, activation_bits: widths of the operands; 1 is bipolar.
    dataflow:         which operand stays while the other moves.
    weights:          loaded once for the whole network, or streamed layer by layer in every image.
    weight_memory:    what the weight memory is made of; weight_depth: its words of pe * simd weights.
    bank_depth:       words of simd activations in each of `banks` memories of one port.
    psum_depth:       partial sums kept by the weight-stationary order, one word of pe sums a pixel; else 0.
    accumulator_bits: width of a sum.
    multiplier:       what multiplies.
    pipeline:         registers between the operands and the accumulator.
    requantizers:     finished sums that are brought to few bits in a clock; answers always leave one by one.
    double_buffer:    the next image, and the next layer's streamed weights, load during computation.
    stream_in_bits, stream_out_bits: widths of the AXI4-Streams.
    param_depth:      channels of requantization parameters, over all layers; answer_depth: answers of one image.
    """

    pe: int
    simd: int
    weight_bits: int
    activation_bits: int
    dataflow: Literal["output_stationary", "weight_stationary"] = "output_stationary"
    weights: Literal["resident", "streamed"] = "resident"
    weight_memory: Literal["lutram", "bram"] = "bram"
    weight_depth: int = 4096
    bank_depth: int = 4096
    banks: int = 3
    psum_depth: int = 0
    accumulator_bits: int = 24
    multiplier: Literal["lut", "dsp"] = "lut"
    pipeline: int = 2
    double_buffer: bool = False
    stream_in_bits: int = 64
    stream_out_bits: int = 64
    param_depth: int = 1024
    answer_depth: int = 256
    requantizers: int = 1

    # What follows from the choices.

    @property
    def activation_word_bits(self) -> int:
        """Bits of a word of an activation bank."""
        return self.simd * self.activation_bits

    @property
    def weight_word_bits(self) -> int:
        """Bits of a word of the weight memory."""
        return self.pe * self.simd * self.weight_bits

    @property
    def image_beats(self) -> int:
        """Beats of the image stream that carry one activation word."""
        return -(-self.activation_word_bits // self.stream_in_bits)

    @property
    def weight_beats(self) -> int:
        """Beats of the weight stream that carry one weight word."""
        return -(-self.weight_word_bits // self.stream_in_bits)

    @property
    def parameter_beats(self) -> int:
        """Beats of the weight stream that carry one channel's requantization parameters."""
        return -(-PARAMETER_BITS // self.stream_in_bits)

    @property
    def streamed(self) -> bool:
        """Whether weights arrive in every image."""
        return self.weights == "streamed"

    @property
    def stationary_weights(self) -> bool:
        """Whether the order is weight stationary."""
        return self.dataflow == "weight_stationary"

    def leaving_clocks(self, *, last: bool) -> int:
        """Clocks in which the sums of a group leave the serializer; those of the last layer are answers."""
        return self.pe if last else self.pe // self.requantizers

    @property
    def layer_weight_depth(self) -> int:
        """Weight words that one load may bring: half of the memory where the other half is in use meanwhile."""
        return self.weight_depth // 2 if self.streamed and self.double_buffer else self.weight_depth

    def answer_beats(self, answers: int) -> int:
        """Beats of the output stream that carry the `answers` of one image."""
        if self.stream_out_bits >= ANSWER_BITS:
            return -(-answers // (self.stream_out_bits // ANSWER_BITS))
        return answers * (ANSWER_BITS // self.stream_out_bits)

    def violations(self) -> tuple[Violation, ...]:
        """Return the rules that the point breaks by itself, whatever program it is to run."""
        found: list[Violation] = []

        def broken(rule: str, message: str) -> None:
            found.append(Violation(rule, "", message))

        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if type(value) is not type(choices[0]) or value not in choices:
                listed = ", ".join(map(str, choices))
                broken("range", f"{name} must be one of {listed}, not {value!r}")
        for name in _DEPTHS:
            value = getattr(self, name)
            if not _whole(value) or not 2 <= value <= 1 << ADDRESS_BITS:
                broken("depth", f"{name} must be 2 to {1 << ADDRESS_BITS}, not {value!r}")
        if found and any(not _whole(getattr(self, name)) for name in (*_DEPTHS, "pe", "simd", "requantizers")):
            return tuple(found)  # the rules below compute with them
        if not _whole(self.psum_depth):
            broken("psum_depth", f"psum_depth must be a whole number, not {self.psum_depth!r}")
            return tuple(found)
        if self.stationary_weights:
            if not 2 <= self.psum_depth <= 1 << ADDRESS_BITS:
                broken("psum_depth", f"weight_stationary needs psum_depth of 2 or more, not {self.psum_depth}")
            if self.simd and self.pe % self.simd:
                broken("divisibility", f"weight_stationary needs pe {self.pe} to be a multiple of simd {self.simd}")
        elif self.psum_depth:
            broken("psum_depth", f"output_stationary needs psum_depth 0, not {self.psum_depth}")
        if self.requantizers > min(self.pe, self.simd):
            text = f"requantizers {self.requantizers} must be at most pe {self.pe} and simd {self.simd}"
            broken("divisibility", text)
        if self.streamed and self.double_buffer and self.weight_depth % 2:
            broken("depth", f"two halves of streamed weights need an even weight_depth, not {self.weight_depth}")
        return tuple(found)

    def check(self) -> None:
        """Raise a SpaceError that names every rule that the point breaks."""
        if found := self.violations():
            raise Refusal(*found)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, every field."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EnginePoint:
        """Read what `as_dict` gives; an unknown or missing field is a SpaceError. The rules are not checked here."""
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise SpaceError(
                    f"an engine has no setting {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}"
                )
        try:
            return cls(**values)
        except TypeError as problem:
            raise SpaceError(f"an engine needs more settings: {problem}") from None


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
