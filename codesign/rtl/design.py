"""What was emitted: one design's ports, timing and files, kept as design.json in the folder of Verilog."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from codesign.errors import MALFORMED, DataError

__all__ = ["Design", "Field", "Part"]

_VERSION = 1

Part = str
"""What a module is for: "encoder", "tables", "sums", "decide" or "interface"."""


@dataclass(frozen=True)
class Field:
    """One value inside a packed word: `bits` bits from bit `low` upwards, read as unsigned or two's complement."""

    name: str
    bits: int
    signed: bool
    low: int


@dataclass(frozen=True)
class Design:
    """One emitted design, whole in the folder that holds its design.json.

    name, top:         network and top module.
    form:              "mapped", "table" or "case": how the table neurons are written.
    mapper:            who made the nodes of the form "mapped": "abc", or "structural" where ABC was not found and the
                       tables were built of sub-tables and multiplexers (more LUTs, same answers); "" for other forms.
    interface:         "bare", "ready_valid" or "axi_stream".
    stream_bits:       width of both AXI4-Streams; 0 for the other interfaces.
    encoder_in_hardware: True where the ports take fixed-point words, False where they take codes.
    input_fields, output_fields: values of the packed input and answer words, lowest first, with no gaps.
    input_bits, output_bits: widths of those words.
    input_beats, output_beats: transfers a sample and an answer; 1 but for narrow streams.
    latency_cycles:    `t1 - t0` in clock edges, with the pipeline idle and nothing held back: at edge t0 the sample's
                       first beat is taken, at edge t1 the last beat of its answer can be taken. With one beat each
                       this is the number of registers between the ports; 0 is a combinational path.
    initiation_interval: clock edges between samples at full rate, `max(input_beats, output_beats)`.
    registers_after:   indices of the network's stages that a register follows.
    registers_inside:  registers within a stage, as (stage index, how many).
    depths:            estimated LUT levels of each combinational stretch, from port or register to the next.
    sources:           Verilog files, relative to the folder, in compile order.
    parts:             module name (or its beginning) to what it is for; the longest match counts.
    vectors:           samples in vectors/inputs.hex and vectors/outputs.hex.
    """

    name: str
    top: str
    form: str
    interface: str
    stream_bits: int
    encoder_in_hardware: bool
    input_fields: tuple[Field, ...]
    output_fields: tuple[Field, ...]
    latency_cycles: int
    initiation_interval: int
    input_beats: int
    output_beats: int
    registers_after: tuple[int, ...]
    registers_inside: tuple[tuple[int, int], ...]
    depths: tuple[int, ...]
    sources: tuple[str, ...]
    parts: Mapping[str, Part] = field(hash=False)
    vectors: int = 0
    mapper: str = ""

    @property
    def input_bits(self) -> int:
        """Width of the packed input word."""
        return sum(f.bits for f in self.input_fields)

    @property
    def output_bits(self) -> int:
        """Width of the packed answer word."""
        return sum(f.bits for f in self.output_fields)

    @property
    def clock(self) -> str:
        """Name of the clock port."""
        return "aclk" if self.interface == "axi_stream" else "clk"

    def part(self, module: str) -> Part:
        """Return what a module is for; the top itself counts as interface."""
        matches = [prefix for prefix in self.parts if module.startswith(prefix)]
        return self.parts[max(matches, key=len)] if matches else "interface"

    def save(self, folder: Path) -> None:
        """Write `folder`/design.json; equal designs give equal bytes."""
        value = {"version": _VERSION, **asdict(self), "input_bits": self.input_bits, "output_bits": self.output_bits}
        text = json.dumps(value, indent=2, sort_keys=True) + "\n"
        (folder / "design.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Design:
        """Read `folder`/design.json; a missing or malformed one is a DataError."""
        path = folder / "design.json"
        try:
            value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(f"no design.json in {folder}; it is written when Verilog is emitted") from None
        except MALFORMED as problem:
            raise DataError(f"{path} cannot be read ({problem}); emit the design again") from None
        try:
            if value.pop("version") != _VERSION:
                raise ValueError(f"its version must be {_VERSION}")
            widths = value.pop("input_bits"), value.pop("output_bits")
            for key in ("input_fields", "output_fields"):
                value[key] = tuple(Field(**item) for item in value[key])
            value["registers_inside"] = tuple((int(a), int(b)) for a, b in value["registers_inside"])
            for key in ("registers_after", "depths", "sources"):
                value[key] = tuple(value[key])
            design = cls(**value)
            if widths != (design.input_bits, design.output_bits):
                raise ValueError(f"its widths {widths} differ from its fields")
        except MALFORMED as problem:
            raise DataError(f"{path} does not describe a design ({problem}); emit the design again") from None
        return design
