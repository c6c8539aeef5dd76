"""Draws engine points to calibrate on, synthesises them with yosys, and keeps what was counted in a table."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from codesign.accel.engine import EnginePoint
from codesign.errors import MALFORMED, ConfigError, DataError, SpaceError, ToolFailed
from codesign.rtl.engine import EngineDesign, generate
from codesign.tools.yosys import Yosys, run_yosys

__all__ = [
    "COMMANDS",
    "Sampled",
    "csv_rows",
    "draw_point",
    "engine_cells",
    "read_table",
    "sample_points",
    "synthesize_engine",
]

COMMANDS = {
    "xc7": "synth_xilinx -family xc7 -flatten -abc9 -noiopad -noclkbuf",
    "xcup": "synth_xilinx -family xcup -flatten -abc9 -noiopad -noclkbuf",
    "ecp5": "synth_ecp5",
}
"""yosys' synthesis command of each family that can be calibrated: block RAM, LUT RAM and DSP blocks allowed."""

_LUTS = {
    **{f"LUT{inputs}": 1 for inputs in range(1, 7)},
    "INV": 1,
    "CCU2C": 2,
    "SRL16E": 1,
    "SRLC32E": 1,
    "TRELLIS_DPR16X4": 6,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32M16": 8,
    "RAM64M8": 8,
    "RAM32X1S": 1,
    "RAM64X1S": 1,
    "RAM128X1S": 2,
    "RAM256X1S": 4,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
}
"""LUTs that a cell takes. A DPR16X4 takes four, and the two of the slice that addresses it."""

_HALVES = ("RAMB18E1", "RAMB18E2")
_BLOCKS = ("RAMB36E1", "RAMB36E2", "DP16KD", "PDPW16KD")
_DSPS = ("DSP48E1", "DSP48E2", "MULT18X18D")
_FREE = ("CARRY4", "CARRY8", "MUXF7", "MUXF8", "MUXF9", "PFUMX", "L6MUX21", "GND", "VCC", "BUFG", "$scopeinfo")
_FFS = ("FD", "TRELLIS_FF")

_LARGE_FROM = 60
_SEVERAL_FROM = 1000
_LARGE = 64
_MOST_PRODUCTS = 256
_MOST_BIT_PRODUCTS = 4096
_MOST_LUT_RAM_BITS = 1 << 14


@dataclass(frozen=True)
class Sampled:
    """One synthesised point: its number in the draw, and the cells that yosys made of it."""

    index: int
    point: EnginePoint
    luts: int
    ffs: int
    half_brams: int
    full_brams: int
    dsps: int
    tool: str


def draw_point(seed: int, index: int) -> EnginePoint:
    """Draw point number `index`; equal numbers give equal points.

    Every setting is drawn by itself over the values of the engine's space, the number of products evenly over its
    powers of two. Arrays of more than 256 products, or of more LUTs than a minute's synthesis, are drawn again: the
    terms that grow with them are proportional to them. From point 60 on arrays have 64 products or more, as what runs
    a network has, and every second point has operands of 2 to 4 bits and DSP blocks, of which there are few else. From
    point 1000 on there are several requantizers.
    """
    rng = np.random.default_rng([seed, index])
    while True:
        point = _draw(rng)
        if index >= _LARGE_FROM:
            if point.pe * point.simd < _LARGE:
                continue
            if index % 2:
                bits = {name: 2 + getattr(point, name) % 3 for name in ("weight_bits", "activation_bits")}
                point = replace(point, multiplier="dsp", **bits)
        if index >= _SEVERAL_FROM:
            point = replace(point, requantizers=(2, 4, 8)[index % 3])
        if not point.violations() and _quick(point):
            return point


def _draw(rng: np.random.Generator) -> EnginePoint:
    def pick(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    products = int(rng.integers(0, 10))
    rows = int(rng.integers(max(0, products - 6), min(6, products) + 1))
    stationary = bool(rng.random() < 0.35)
    return EnginePoint(
        pe=1 << rows,
        simd=1 << (products - rows),
        weight_bits=int(rng.integers(1, 9)),
        activation_bits=int(rng.integers(1, 9)),
        dataflow="weight_stationary" if stationary else "output_stationary",
        weights=pick("resident", "streamed"),
        weight_memory=pick("lutram", "bram", "bram"),
        weight_depth=pick(64, 256, 1024, 4096, 16384),
        bank_depth=pick(64, 256, 1024, 4096),
        banks=pick(2, 3, 4),
        psum_depth=pick(64, 256, 1024) if stationary else 0,
        accumulator_bits=pick(8, 12, 16, 20, 24, 32),
        multiplier=pick("lut", "dsp"),
        pipeline=pick(0, 1, 2, 3, 4),
        double_buffer=pick(False, True),
        stream_in_bits=pick(8, 16, 32, 64, 128, 256, 512),
        stream_out_bits=pick(32, 64, 128),
        param_depth=pick(64, 256, 1024, 4096),
        answer_depth=pick(16, 64, 256, 1024),
    )


def _quick(point: EnginePoint) -> bool:
    products = point.pe * point.simd
    if products > _MOST_PRODUCTS:
        return False
    if point.multiplier == "lut" and products * point.weight_bits * point.activation_bits > _MOST_BIT_PRODUCTS:
        return False
    return point.weight_memory == "bram" or point.weight_depth * point.weight_word_bits <= _MOST_LUT_RAM_BITS


def synthesize_engine(
    design: EngineDesign, folder: Path, family: str, *, yosys: Yosys, timeout_s: float = 900, netlist: str = ""
) -> Mapping[str, int]:
    """Synthesise the generated engine of `folder` and return its cells by type; scripts and logs stay in `folder`.

    netlist: name of a JSON file that is to hold the netlist. ConfigError for a family without a command.
    """
    if family not in COMMANDS:
        raise ConfigError(f"engines are synthesised for {', '.join(COMMANDS)}, not for family {family!r}")
    lines = [f"read_verilog {source}" for source in design.sources]
    lines += [f"{COMMANDS[family]} -top {design.top}", f"tee -q -o {family}.json stat -json"]
    if netlist:
        lines += [f"select {design.top}", f"write_json -selected {netlist}"]
    (folder / f"{family}.ys").write_text("\n".join(lines) + "\n", encoding="ascii")
    done = run_yosys(yosys, f"{family}.ys", folder, log=f"{family}.log", timeout_s=timeout_s, memory_gb=None)
    try:
        found: dict[str, int] = json.loads((folder / f"{family}.json").read_text())["design"]["num_cells_by_type"]
    except MALFORMED as problem:
        raise ToolFailed(f"yosys wrote no cell counts ({problem!r}); log: {done.log}", log=done.log) from None
    return found


def engine_cells(cells: Mapping[str, int]) -> tuple[int, int, int, int, int]:
    """Return LUTs, flip-flops, block RAMs of half and of full size, DSP blocks; an unknown cell is a DataError."""
    unknown = [
        kind for kind in cells if kind not in (*_LUTS, *_HALVES, *_BLOCKS, *_DSPS, *_FREE) and not kind.startswith(_FFS)
    ]
    if unknown:
        raise DataError(f"yosys left cells that have no count here: {', '.join(sorted(unknown))}")
    return (
        sum(number * _LUTS.get(kind, 0) for kind, number in cells.items()),
        sum(number for kind, number in cells.items() if kind.startswith(_FFS)),
        sum(cells.get(kind, 0) for kind in _HALVES),
        sum(cells.get(kind, 0) for kind in _BLOCKS),
        sum(cells.get(kind, 0) for kind in _DSPS),
    )


_POINT = [field.name for field in fields(EnginePoint)]
_COUNTS = ("luts", "ffs", "half_brams", "full_brams", "dsps")


def read_table(path: Path) -> tuple[Sampled, ...]:
    """Read a table of synthesised points; a malformed line is a DataError naming it."""
    found: list[Sampled] = []
    with path.open(encoding="ascii", errors="replace", newline="") as stream:
        for number, row in enumerate(csv_rows(path, stream), start=2):
            try:
                point = EnginePoint.from_dict({name: _value(name, row[name]) for name in _POINT})
                counts = {name: int(row[name]) for name in _COUNTS}
                found.append(Sampled(index=int(row["index"]), point=point, tool=row["tool"], **counts))
            except (KeyError, ValueError, TypeError, SpaceError) as problem:
                raise DataError(f"{path}:{number}: is not a synthesised point ({problem!r})") from None
    return tuple(found)


def csv_rows(path: Path, stream: TextIO) -> Iterator[dict[str, str]]:
    """Rows of a table with headings; a malformed one is a DataError."""
    try:
        yield from csv.DictReader(stream)
    except csv.Error as problem:
        raise DataError(f"{path}: is not a table that can be read ({problem})") from None


def _value(name: str, text: str) -> Any:
    kind = type(getattr(_EXAMPLE, name))
    return text == "True" if kind is bool else kind(text)


_EXAMPLE = EnginePoint(1, 1, 1, 1)


def write_table(path: Path, samples: Sequence[Sampled]) -> None:
    """Write the table, in the order of the points' numbers."""
    with path.open("w", encoding="ascii", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["index", *_POINT, *_COUNTS, "tool"])
        for one in sorted(samples, key=lambda sample: sample.index):
            settings = [getattr(one.point, name) for name in _POINT]
            writer.writerow([one.index, *settings, *(getattr(one, name) for name in _COUNTS), one.tool])


def sample_points(
    family: str,
    *,
    points: int,
    seed: int,
    table: Path,
    work: Path,
    yosys: Yosys,
    first: int = 0,
    progress: Callable[[str], None] | None = None,
) -> tuple[Sampled, ...]:
    """Synthesise `points` points of the draw from `first` on; the table is written after each, what is in it is kept.

    A table whose points are not those of the draw is a ConfigError.
    """
    known = {one.index: one for one in read_table(table)} if table.is_file() else {}
    table.parent.mkdir(parents=True, exist_ok=True)
    tool = f"{yosys.name} {yosys.version}"
    wanted = range(first, first + points)
    for index in wanted:
        point = draw_point(seed, index)
        if index in known:
            if known[index].point != point:
                raise ConfigError(
                    f"{table}: point {index} is not that of seed {seed}; choose another --out, or remove it"
                )
            continue
        folder = work / f"{family}_{index}"
        design = generate(point, folder)
        counts = engine_cells(synthesize_engine(design, folder, family, yosys=yosys))
        known[index] = Sampled(index, point, *counts, tool)
        write_table(table, list(known.values()))
        shutil.rmtree(folder)
        if progress is not None:
            progress(f"{family} point {index - first + 1} of {points}: {counts[0]} LUTs, {counts[1]} flip-flops")
    return tuple(known[index] for index in wanted)
