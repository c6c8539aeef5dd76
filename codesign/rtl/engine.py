"""Writes one point of the folded engine as a folder of Verilog that stands alone: sources, description, reference."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from codesign.accel.engine.point import ANSWER_BITS, EnginePoint
from codesign.accel.engine.registers import DESCRIPTOR_TAG, register_map
from codesign.accel.engine.structure import BLOCK_FROM
from codesign.errors import MALFORMED, ConfigError, DataError, SpaceError
from codesign.resources import resource_dir
from codesign.rtl.templates import render

__all__ = ["EngineDesign", "engine_ports", "generate", "reference"]

_VERSION = 1
_IDENTITY = 0x434E4731
_PARTS = {
    "engine_array": "array",
    "engine_product": "array",
    "engine_tree": "array",
    "engine_operands": "array",
    "engine_accumulator": "accumulators",
    "engine_serializer": "requantizer",
    "engine_requantizer": "requantizer",
    "engine_writer": "requantizer",
    "engine_memory": "memories",
    "engine_bank": "memories",
    "engine_weight_memory": "memories",
    "engine_image_loader": "streams",
    "engine_weight_loader": "streams",
    "engine_unload": "streams",
}


@dataclass(frozen=True)
class EngineDesign:
    """A generated engine, whole in the folder that holds its design.json.

    top: module; point: its configuration; parameters: of engine_core, as (name, value); sources: Verilog files,
    relative to the folder, in compile order.
    """

    top: str
    point: EnginePoint
    parameters: tuple[tuple[str, int], ...]
    sources: tuple[str, ...]

    def part(self, module: str) -> str:
        """What a module is for: "array", "accumulators", "requantizer", "memories", "streams" or "control"."""
        matches = [name for name in _PARTS if module.startswith(name)]
        return _PARTS[max(matches, key=len)] if matches else "control"

    def save(self, folder: Path) -> None:
        """Write `folder`/design.json; equal designs give equal bytes."""
        value = {
            "version": _VERSION,
            "family": "engine",
            "top": self.top,
            "point": self.point.as_dict(),
            "parameters": dict(self.parameters),
            "sources": list(self.sources),
        }
        (folder / "design.json").write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> EngineDesign:
        """Read `folder`/design.json; a missing or malformed one is a DataError."""
        path = folder / "design.json"
        try:
            value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if value["version"] != _VERSION or value["family"] != "engine":
                raise ValueError(f"it must be an engine of version {_VERSION}")
            return cls(
                value["top"],
                EnginePoint.from_dict(value["point"]),
                tuple((name, int(number)) for name, number in value["parameters"].items()),
                tuple(value["sources"]),
            )
        except FileNotFoundError:
            raise DataError(f"no design.json in {folder}; it is written when an engine is generated") from None
        except (*MALFORMED, SpaceError) as problem:
            raise DataError(f"{path} does not describe an engine ({problem!r}); generate it again") from None


def generate(point: EnginePoint, folder: Path, *, top: str = "engine_top") -> EngineDesign:
    """Write the engine of `point` to `folder`: rtl/, design.json, README.md and a FuseSoC core file.

    A point that breaks a rule is refused by a SpaceError that lists them all; equal arguments give equal bytes.
    """
    point.check()
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", top) or (top != "engine_top" and top.startswith("engine_")):
        raise ConfigError(f"top must be a Verilog name that does not begin with 'engine_', not {top!r}")
    parameters = _parameters(point)
    room = resource_dir("rtl_templates") / "engine"
    texts = {path.name: path.read_text(encoding="ascii") for path in sorted(room.glob("*.v"))}
    known = register_map()
    context: dict[str, Any] = {
        "fields": known.descriptor,
        "words": [(word, list(fields)) for word, fields in groupby(known.descriptor, lambda field: field.word)],
        "tag": DESCRIPTOR_TAG,
        "registers": known.registers,
        "window": known.window,
        "codes": {error.name: error.code for error in known.errors},
        "constants": _constants(point),
        "parameters": parameters,
        "ports": list(engine_ports(point)),
        "top": top,
        "point": point,
        "summary": _summary(point),
    }
    for name in ("engine_descriptor", "engine_registers", "engine_sequencer", "engine_core"):
        texts[f"{name}.v"] = render(f"{name}.v.j2", family="engine", **context)
    texts[f"{top}.v"] = render("engine_top.v.j2", family="engine", **context)
    design = EngineDesign(top, point, tuple(parameters.items()), tuple(f"rtl/{name}" for name in texts))
    (folder / "rtl").mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / "rtl" / name).write_text(text, encoding="ascii")
    design.save(folder)
    readme = render("README.md.j2", family="engine", design=design, reference=reference(), **context)
    (folder / "README.md").write_text(readme, encoding="utf-8")
    (folder / f"{top}.core").write_text(render("core.j2", family="engine", design=design, **context), encoding="utf-8")
    return design


def reference() -> str:
    """Return the programmer's reference in Markdown: registers, errors and descriptors, from registers.yaml."""
    known = register_map()
    return render(
        "reference.md.j2",
        family="engine",
        registers=known.registers,
        window=known.window,
        errors=known.errors,
        fields=known.descriptor,
    )


def _bits(depth: int) -> int:
    """Address bits of a memory of `depth` words, at least 1."""
    return max(1, (depth - 1).bit_length())


def _parameters(point: EnginePoint) -> dict[str, int]:
    """Return the parameters of engine_core."""
    lanes = max(1, point.stream_out_bits // ANSWER_BITS)
    words = -(-point.answer_depth // lanes)
    psums, parameters = max(2, point.psum_depth), max(2, -(-point.param_depth // point.requantizers))
    return {
        "PE": point.pe,
        "SIMD": point.simd,
        "LEVELS": point.simd.bit_length() - 1,
        "WEIGHT_BITS": point.weight_bits,
        "ACTIVATION_BITS": point.activation_bits,
        "ACCUMULATOR": point.accumulator_bits,
        "WEIGHT_STATIONARY": int(point.stationary_weights),
        "STREAMED": int(point.streamed),
        "DOUBLE_BUFFER": int(point.double_buffer),
        "USE_DSP": int(point.multiplier == "dsp"),
        "PIPELINE": point.pipeline,
        "BANKS": point.banks,
        "BANK_DEPTH": point.bank_depth,
        "BANK_ADDRESS": _bits(point.bank_depth),
        "BANK_BLOCK": int(point.bank_depth >= BLOCK_FROM),
        "WEIGHT_DEPTH": point.weight_depth,
        "WEIGHT_ADDRESS": _bits(point.weight_depth),
        "WEIGHT_BLOCK": int(point.weight_memory == "bram"),
        "WEIGHT_CHUNKS": point.weight_beats,
        "PSUM_DEPTH": psums,
        "PSUM_ADDRESS": _bits(psums),
        "PSUM_BLOCK": int(psums >= BLOCK_FROM),
        "REQUANTIZERS": point.requantizers,
        "REQUANTIZER_BITS": point.requantizers.bit_length() - 1,
        "PARAM_DEPTH": point.param_depth,
        "PARAM_WORDS": parameters,
        "PARAM_ADDRESS": _bits(parameters),
        "PARAM_BLOCK": int(parameters >= BLOCK_FROM),
        "PARAM_BEATS": point.parameter_beats,
        "IMAGE_BEATS": point.image_beats,
        "STREAM_IN": point.stream_in_bits,
        "STREAM_OUT": point.stream_out_bits,
        "ANSWER_DEPTH": point.answer_depth,
        "ANSWER_LANES": lanes,
        "ANSWER_SLICES": max(1, ANSWER_BITS // point.stream_out_bits),
        "ANSWER_LANE_BITS": lanes.bit_length() - 1,
        "ANSWER_WORDS": max(2, words),
        "ANSWER_ADDRESS": _bits(max(2, words)),
        "ANSWER_BLOCK": int(words >= BLOCK_FROM),
    }


def _constants(point: EnginePoint) -> dict[str, int]:
    """Return the values of the registers that never change."""
    features = int(point.stationary_weights) | int(point.streamed) << 1 | int(point.double_buffer) << 2
    shape = point.pe | point.simd << 8 | point.weight_bits << 16 | point.activation_bits << 20
    return {
        "ID": _IDENTITY,
        "VERSION": _VERSION,
        "SHAPE": shape | point.accumulator_bits << 24,
        "FEATURES": features | point.banks << 4 | point.pipeline << 8 | point.requantizers << 12,
        "BANK_DEPTH": point.bank_depth,
        "WEIGHT_DEPTH": point.weight_depth,
        "PSUM_DEPTH": point.psum_depth,
        "PARAM_DEPTH": point.param_depth,
        "ANSWER_DEPTH": point.answer_depth,
        "STREAMS": point.stream_in_bits | point.stream_out_bits << 16,
    }


def engine_ports(point: EnginePoint) -> Iterator[tuple[str, int, str]]:
    """Yield (direction, bits, name) of the top's ports."""
    yield from (("input", 1, "aclk"), ("input", 1, "aresetn"))
    for name, bits, direction in (
        ("awaddr", 13, "input"), ("awvalid", 1, "input"), ("awready", 1, "output"),
        ("wdata", 32, "input"), ("wstrb", 4, "input"), ("wvalid", 1, "input"), ("wready", 1, "output"),
        ("bresp", 2, "output"), ("bvalid", 1, "output"), ("bready", 1, "input"),
        ("araddr", 13, "input"), ("arvalid", 1, "input"), ("arready", 1, "output"),
        ("rdata", 32, "output"), ("rresp", 2, "output"), ("rvalid", 1, "output"), ("rready", 1, "input"),
    ):  # fmt: skip
        yield direction, bits, f"s_axi_{name}"
    for stream, width, given, taken in (
        ("s_axis_data", point.stream_in_bits, "input", "output"),
        ("s_axis_weight", point.stream_in_bits, "input", "output"),
        ("m_axis", point.stream_out_bits, "output", "input"),
    ):
        yield from ((given, 1, f"{stream}_tvalid"), (taken, 1, f"{stream}_tready"))
        yield from ((given, 1, f"{stream}_tlast"), (given, width, f"{stream}_tdata"))
    yield from (("output", 1, "busy"), ("output", 1, "done"), ("output", 1, "failed"))


def _summary(point: EnginePoint) -> str:
    """Return the point in one line."""
    return (
        f"{point.pe} rows of {point.simd} lanes, {point.weight_bits}-bit weights, {point.activation_bits}-bit "
        f"activations, {point.dataflow.replace('_', ' ')}, {point.weights} weights"
        + (", double buffered" if point.double_buffer else "")
    )
