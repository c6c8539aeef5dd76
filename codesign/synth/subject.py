"""What synthesis must know of a design, whatever its family: ports, clock, latency, and which cells it may use."""

from __future__ import annotations

import json
from pathlib import Path

from codesign.errors import MALFORMED, DataError
from codesign.rtl.design import Design
from codesign.rtl.engine import EngineDesign, engine_ports

__all__ = ["AnyDesign", "clock_of", "latency_of", "load_design", "port_widths", "uses_blocks"]

AnyDesign = Design | EngineDesign
"""A design of either family, as its folder's design.json describes it."""


def load_design(folder: Path) -> AnyDesign:
    """Read the design.json of an emitted folder; a missing or malformed one is a DataError."""
    path = folder / "design.json"
    try:
        family = json.loads(path.read_text(encoding="utf-8")).get("family")
    except MALFORMED:
        family = None  # the pipeline's reader says what is wrong
    if family not in (None, "engine"):
        raise DataError(f"{path} describes a design of the family {family!r}, which cannot be synthesised here")
    return EngineDesign.load(folder) if family == "engine" else Design.load(folder)


def clock_of(design: AnyDesign) -> str:
    """Name of the clock port."""
    return "aclk" if isinstance(design, EngineDesign) else design.clock


def uses_blocks(design: AnyDesign) -> bool:
    """Whether block RAM, RAM of LUTs and multiplier blocks may be used; a pipeline is counted in LUTs alone."""
    return isinstance(design, EngineDesign)


def latency_of(design: AnyDesign) -> int | None:
    """Clock cycles of one sample; None for an engine, where the program decides."""
    return None if isinstance(design, EngineDesign) else design.latency_cycles


def port_widths(design: AnyDesign) -> tuple[dict[str, int], dict[str, int]]:
    """Return the input ports (all but the clock) and the output ports of the top module, as name to width."""
    if isinstance(design, EngineDesign):
        ports = [port for port in engine_ports(design.point) if port[2] != clock_of(design)]
        taken = {name: width for direction, width, name in ports if direction == "input"}
        return taken, {name: width for direction, width, name in ports if direction == "output"}
    if design.interface == "axi_stream":
        width = design.stream_bits
        inputs = {"aresetn": 1, "s_axis_tvalid": 1, "s_axis_tdata": width, "s_axis_tlast": 1, "m_axis_tready": 1}
        outputs = {"s_axis_tready": 1, "m_axis_tvalid": 1, "m_axis_tdata": width, "m_axis_tlast": 1, "frame_error": 1}
        return inputs, outputs
    inputs = {"rst": 1, "in_valid": 1, "in_data": design.input_bits}
    outputs = {"out_valid": 1, "out_data": design.output_bits}
    if design.interface == "ready_valid":
        inputs["out_ready"] = outputs["in_ready"] = 1
    return inputs, outputs
