"""Proves the ends of a pipeline on the emitted Verilog, for all time: skid buffer, both ends of an AXI4-Stream."""

from __future__ import annotations

import time
from pathlib import Path

from codesign.rtl import Design
from codesign.verify.formal.result import Proof, Tally
from codesign.verify.formal.streams import Watch, prove_watched, read_watched

__all__ = ["prove_ends"]


def prove_ends(
    folder: Path, design: Design, *, work: Path, timeout_s: float, waves: Path | None = None
) -> Tally | None:
    """Prove what flows/formal says of the modules at a pipeline's ends, where they stand; None for `bare` ports.

    Stages and registers between the ends are left out: what they give is free in every clock. waves: where traces of
    refuted claims are written.
    """
    watches = _watches(design)
    if not watches:
        return None
    started = time.monotonic()
    kept = [f"{design.top}_{name}" for name in ("skid", "collect", "send", "register")]
    modules, observers = read_watched(
        folder, design.sources, design.top, watches, kept=kept, work=work / "read", timeout_s=1800.0
    )
    proofs: list[Proof] = []
    for number, (watch, observer) in enumerate(zip(watches, observers, strict=True)):
        proofs += prove_watched(
            modules,
            design.top,
            watch,
            observer,
            clock=design.clock,
            reset=("aresetn", False) if design.interface == "axi_stream" else ("rst", True),
            work=work / f"end_{number}",
            timeout_s=timeout_s,
            waves=waves,
        )
    return Tally.of("laws of the ports: valid and ready", proofs, seconds=time.monotonic() - started)


def _watches(design: Design) -> list[Watch]:
    if design.interface == "bare":
        return []
    skid = ["clk", "rst", "in_valid", "in_ready", "in_data", "out_valid", "out_ready", "out_data"]
    watches = [
        Watch(
            "observe_skid",
            "skid buffer",
            {"WIDTH": design.output_bits},
            {name: f"skid.{name}" for name in skid},
            skid[1:],
        )
    ]
    if design.interface != "axi_stream":
        return watches
    width = design.stream_bits
    count = -(-design.input_bits // width)
    sample = ["sample_valid", "sample_ready", "sample_data"]
    binds = {name: f"collect.{name}" for name in ("clk", "rst", *sample)}
    binds |= {f"s_{name}": f"s_axis_t{name}" for name in ("valid", "ready", "last", "data")}
    watches.append(
        Watch(
            "observe_collect",
            "input stream (s_axis)",
            {"WIDTH": width, "BEATS": count, "BITS": design.input_bits, "COUNT": max(1, (count - 1).bit_length())},
            {**binds, "frame_error": "frame_error"},
            ("rst", "s_valid", "s_ready", "s_last", "s_data", *sample),
            {"recent": "collect.words"} | ({"beat": "collect.received"} if count > 1 else {}),
        )
    )
    beats = -(-design.output_bits // width)
    if beats > 1:
        answer = ["answer_valid", "answer_ready", "answer_data"]
        binds = {name: f"send.{name}" for name in ("clk", "rst", "words", "left", *answer)}
        binds |= {f"m_{name}": f"m_axis_t{name}" for name in ("valid", "ready", "last", "data")}
        watches.append(
            Watch(
                "observe_send",
                "output stream (m_axis)",
                {"WIDTH": width, "BEATS": beats, "BITS": design.output_bits, "COUNT": beats.bit_length()},
                binds,
                ("rst", *answer, "m_valid", "m_ready", "m_last", "m_data"),
            )
        )
    return watches
