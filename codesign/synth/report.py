"""What synthesis and place and route said about one design on one device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["PartsOrigin", "Status", "SynthReport"]

PartsOrigin = Literal["flat", "hierarchical"]
"""Where a split into parts comes from: the netlist that is counted, or a second one with the stages kept apart."""

Status = Literal["done", "skipped", "does not fit"]
"""`skipped` and `does not fit` never count as passed; `reason` says why."""


@dataclass(frozen=True)
class SynthReport:
    """One design on one device, by one tool. A figure that was not measured is None, never 0.

    luts, ffs, muxes, carries, brams, dsps: cells of the design alone, as the tool named in `tool` counted them.
    luts_by_size:  such as {"LUT6": 182}; sums to luts for yosys (an ECP5 carry cell CCU2C takes two LUTs).
    luts_by_part:  encoder, tables, sums, decision ("decide"), interface; luts_by_stage: by stage name.
    parts_origin:  "flat": the two above are of the same netlist as luts and sum to it; "hierarchical": from a second
                   run with the stages kept apart, so that their sum may differ from luts.
    depth:         most LUTs in a row between registers; wide multiplexers and carry chains add none.
    fmax_mhz:      after placing and routing, registers at every port; fmax_origin "routed", or both None.
    latency_ns:    latency cycles / fmax (one period for a design without registers); area_delay_lut_ns: luts x that.
    routed_cells:  cells that were placed, the harness around the design included; harness: the harness alone.
    seeds_mhz:     clock reached for each placement seed; fmax_mhz is the best of them.
    peak_bytes:    largest memory of a tool's process. raw: the tools' own words; full logs lie in the work folder.
    vivado:        Vivado's own report, on AMD parts.
    """

    device: str
    status: Status
    reason: str
    tool: str
    tool_version: str
    luts: int | None = None
    luts_by_size: Mapping[str, int] = field(default_factory=dict[str, int])
    luts_by_part: Mapping[str, int] = field(default_factory=dict[str, int])
    luts_by_stage: Mapping[str, int] = field(default_factory=dict[str, int])
    parts_origin: PartsOrigin | None = None
    ffs: int | None = None
    muxes: int | None = None
    carries: int | None = None
    brams: float | None = None
    dsps: int | None = None
    depth: int | None = None
    fmax_mhz: float | None = None
    fmax_origin: Literal["routed"] | None = None
    latency_ns: float | None = None
    area_delay_lut_ns: float | None = None
    router: str | None = None
    routed_cells: Mapping[str, int] = field(default_factory=dict[str, int])
    harness: Mapping[str, int] = field(default_factory=dict[str, int])
    seeds_mhz: Mapping[str, float] = field(default_factory=dict[str, float])
    wall_s: float = 0.0
    peak_bytes: int = 0
    raw: str = ""
    vivado: SynthReport | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data, every field."""
        return asdict(self)
