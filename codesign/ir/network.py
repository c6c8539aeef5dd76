"""The network as a circuit: stages over signals, where a neuron is a table, a sum, an encoder or a decision."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.errors import DataError
from codesign.ir.formats import Codes, Fixed, Format

__all__ = ["Decide", "Encode", "Feature", "LutNetwork", "Neuron", "Stage", "Sum", "Sums", "Tables", "address_bits"]


def _frozen(array: NDArray[Any], dtype: np.dtype[Any], what: str) -> NDArray[Any]:
    """Return a read-only array of `dtype`, copied only where needed; what `dtype` cannot hold is a DataError."""
    given: NDArray[Any] = np.asarray(array)
    with np.errstate(invalid="ignore"):
        out: NDArray[Any] = np.ascontiguousarray(given, dtype=dtype)
    if out.dtype != given.dtype and not np.array_equal(out, given):
        raise DataError(f"a neuron's {what} must hold entries of {dtype}, not such of {given.dtype}")
    if out is array or out.base is not None:
        out = out.copy()
    out.setflags(write=False)
    return out


@dataclass(frozen=True)
class Feature:
    """One input feature: `code = number of thresholds <= x`.

    thresholds: ascending, in the feature's own unit. With a `word`, the hardware takes fixed-point
    words and every threshold lies on the word's grid, so that hardware and real arithmetic agree
    exactly; without one, the hardware takes the codes and encoding happens outside.
    """

    name: str
    thresholds: tuple[float, ...]
    word: Fixed | None = None

    def word_thresholds(self) -> tuple[int, ...]:
        """Thresholds as integers of the input word; needs a `word`."""
        assert self.word is not None
        return tuple(round(t * 2**self.word.fraction_bits) for t in self.thresholds)


@dataclass(frozen=True)
class Encode:
    """Stage that turns features into codes.

    `binary`: one signal a feature, holding the count of thresholds passed.
    `thermometer`: one 1-bit signal a threshold, feature by feature, lowest threshold first.
    """

    name: str
    features: tuple[Feature, ...]
    coding: Literal["binary", "thermometer"] = "binary"

    @property
    def formats(self) -> tuple[Format, ...]:
        """Formats of the signals that leave the stage."""
        if self.coding == "thermometer":
            return tuple(Format(1) for f in self.features for _ in f.thresholds)
        return tuple(Format(max(1, len(f.thresholds).bit_length())) for f in self.features)

    @property
    def in_hardware(self) -> bool:
        """True when every feature has a fixed-point word, so that the encoder can be built."""
        return all(f.word is not None for f in self.features)


@dataclass(frozen=True, eq=False)
class Neuron:
    """A truth table over a few signals of the stage before.

    sources: indices of signals; source 0 holds the lowest bits of the address.
    table:   int32 (2**address_bits,), the output code for each address, read-only.
    format:  of the output signal.
    care:    bool (2**address_bits,) or None; False where the address can never occur. Rows outside
             the care set hold any legal code.
    """

    sources: tuple[int, ...]
    table: Codes
    format: Format
    care: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", _frozen(self.table, np.dtype(np.int32), "table"))
        if self.care is not None:
            object.__setattr__(self, "care", _frozen(self.care, np.dtype(np.bool_), "care set"))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Neuron):
            return NotImplemented
        same_care = (self.care is None) == (other.care is None) and (
            self.care is None or other.care is None or np.array_equal(self.care, other.care)
        )
        return (
            self.sources == other.sources
            and self.format == other.format
            and same_care
            and np.array_equal(self.table, other.table)
        )

    def __hash__(self) -> int:
        return hash((self.sources, self.format, self.table.tobytes()))


@dataclass(frozen=True)
class Tables:
    """Stage of truth tables, one output signal a neuron."""

    name: str
    neurons: tuple[Neuron, ...]

    @property
    def formats(self) -> tuple[Format, ...]:
        """Formats of the signals that leave the stage."""
        return tuple(n.format for n in self.neurons)


@dataclass(frozen=True)
class Sum:
    """A signed sum of signals: `bias + sum(sign * value(source))`, exact in `format`."""

    sources: tuple[int, ...]
    signs: tuple[Literal[1, -1], ...]
    format: Format
    bias: int = 0


@dataclass(frozen=True)
class Sums:
    """Stage of exact integer sums, one output signal a sum."""

    name: str
    sums: tuple[Sum, ...]

    @property
    def formats(self) -> tuple[Format, ...]:
        """Formats of the signals that leave the stage."""
        return tuple(s.format for s in self.sums)


@dataclass(frozen=True)
class Decide:
    """Last stage: how the answer is read from the signals before it.

    `argmax`:    one signal, the index of the largest value (lowest index on a tie).
    `threshold`: one bit a signal, `value >= threshold`.
    `none`:      the codes pass through; a user reads `offset + scale * value` (regression).
    """

    name: str
    kind: Literal["argmax", "threshold", "none"]
    inputs: tuple[Format, ...]
    threshold: int = 0
    scale: float = 1.0
    offset: float = 0.0

    @property
    def formats(self) -> tuple[Format, ...]:
        """Formats of the signals that leave the stage."""
        if self.kind == "argmax":
            return (Format(max(1, (len(self.inputs) - 1).bit_length())),)
        if self.kind == "threshold":
            return tuple(Format(1) for _ in self.inputs)
        return self.inputs


Stage: TypeAlias = Encode | Tables | Sums | Decide


@dataclass(frozen=True)
class LutNetwork:
    """Stages in order; each reads the signals of the one before it.

    inputs: formats of the input codes where the first stage is not an `Encode`; empty otherwise.
    stages: at most one `Encode`, first; at most one `Decide`, last; any `Tables` and `Sums` between.
    """

    name: str
    stages: tuple[Stage, ...]
    inputs: tuple[Format, ...] = field(default=())

    @property
    def encode(self) -> Encode | None:
        """The encoder, where the network has one."""
        first = self.stages[0] if self.stages else None
        return first if isinstance(first, Encode) else None

    @property
    def decide(self) -> Decide | None:
        """The decision, where the network has one."""
        last = self.stages[-1] if self.stages else None
        return last if isinstance(last, Decide) else None

    @property
    def outputs(self) -> tuple[Format, ...]:
        """Formats of the answer."""
        return self.stages[-1].formats if self.stages else self.inputs

    @property
    def code_inputs(self) -> tuple[Format, ...]:
        """Formats of the codes that enter the first stage after the encoder."""
        return self.encode.formats if self.encode else self.inputs

    @property
    def core(self) -> tuple[Stage, ...]:
        """The stages after the encoder."""
        return self.stages[1:] if self.encode else self.stages

    def stage_inputs(self, index: int) -> tuple[Format, ...]:
        """Formats of the signals that enter stage `index` (an encoder takes none: it reads features)."""
        if index == 0:
            return self.inputs
        return self.stages[index - 1].formats


def address_bits(sources: tuple[int, ...], inputs: tuple[Format, ...]) -> int:
    """Width of the address that the given source signals form."""
    return sum(inputs[s].bits for s in sources)
