"""Adds what simulates a design to its emitted folder: C++ harness, cocotb bench, Makefile."""

from __future__ import annotations

import shutil
from pathlib import Path

from codesign.resources import resource_dir
from codesign.rtl import Design

__all__ = ["HARNESS_FILES", "STRESS_GAPS", "bench_header", "stress_stalls", "write_bench"]

HARNESS_FILES = ("harness.cpp", "pins.h", "vectors.h")
"""The C++ harness, generic over designs; `bench_header` makes it one design's."""

STRESS_GAPS = 30
"""Percentage of clocks in which the source of a stress run is silent."""

_BENCH_FILES = ("protocol_bench.py", "run_cocotb.py")
_PAPERS = {"Makefile": "Makefile.emitted", "sim/README.md": "README.emitted.md"}
_INTERFACES = {"bare": "BENCH_BARE", "ready_valid": "BENCH_READY_VALID", "axi_stream": "BENCH_AXI_STREAM"}


def write_bench(folder: Path) -> tuple[Path, ...]:
    """Write Makefile and sim/ into an emitted `folder`; return the files written.

    With them, `make lint`, `make sim`, `make stress` and `make cocotb` work there on a machine that has Verilator
    (and cocotb) but not this package. A folder without design.json is a DataError.
    """
    design = Design.load(folder)
    room = resource_dir("sim")
    (folder / "sim").mkdir(exist_ok=True)
    written: list[Path] = []
    copies = {f"sim/{name}": name for name in (*HARNESS_FILES, *_BENCH_FILES)} | _PAPERS
    for target, source in copies.items():
        shutil.copyfile(room / source, folder / target)
        written.append(folder / target)
    for target, text in (("sim/bench_config.h", bench_header(design)), ("sim/design.mk", _make_variables(design))):
        (folder / target).write_text(text, encoding="utf-8")
        written.append(folder / target)
    return tuple(written)


def bench_header(design: Design) -> str:
    """Return bench_config.h: what the harness must know of one design, from its design.json."""
    fields = ",\n".join(
        f"    {{{_c_string(f.name)}, {f.bits}, {str(f.signed).lower()}, {f.low}}}" for f in design.output_fields
    )
    return f"""// Written from design.json: what the harness must know of this design.
#pragma once

#define BENCH_BARE 0
#define BENCH_READY_VALID 1
#define BENCH_AXI_STREAM 2
#define BENCH_INTERFACE {_INTERFACES[design.interface]}
#define BENCH_TOP {_c_string(design.top)}

constexpr int kInputBits = {design.input_bits};
constexpr int kOutputBits = {design.output_bits};
constexpr int kStreamBits = {design.stream_bits or 8};  // of axi_stream only
constexpr int kLatency = {design.latency_cycles};
constexpr int kInterval = {design.initiation_interval};

struct Field {{
    const char* name;
    int bits;
    bool is_signed;
    int low;
}};
constexpr Field kOutputFields[] = {{
{fields}
}};
"""


def _make_variables(design: Design) -> str:
    """Return design.mk: the top module, the sources in compile order, and whether answers can be stalled."""
    percent = stress_stalls(design)
    stalls = f"--stalls {percent}" if percent else ""
    sources = " \\\n    ".join(design.sources)
    stress = f"GAPS := {STRESS_GAPS}\nSTALLS := {stalls}\n"
    return f"# Written from design.json.\nTOP := {design.top}\n{stress}SOURCES := {sources}\n"


def stress_stalls(design: Design) -> int:
    """Return the percentage of clocks in which the receiver of a stress run is away; 0 where nothing can be stalled.

    Source (with STRESS_GAPS) and receiver are then equally fast, so that the pipeline is now full, now empty.
    """
    if design.interface == "bare":
        return 0
    return 100 - (100 - STRESS_GAPS) * design.output_beats // design.initiation_interval


def _c_string(text: str) -> str:
    """Return a C string literal; bytes that are not plain ASCII are written in octal."""
    plain = "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}" for byte in text.encode()
    )
    return f'"{plain}"'
