"""`cods doctor`: which optional tools are there, what each adds, and the line that installs it."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import typer
from rich.table import Table

from codesign.cli.tables import terminal
from codesign.errors import ToolNotFound, ToolTooOld
from codesign.tools import Tool, find
from codesign.tools.abc import ABC
from codesign.tools.nextpnr import NEXTPNR_ECP5, NEXTPNR_ICE40
from codesign.tools.verilator import VERILATOR, find_verilator
from codesign.tools.vivado import VIVADO
from codesign.tools.yosys import YOSYS, find_yosys

__all__ = ["register"]

_PACKAGES = (
    ("torch", "train", "trains networks"),
    ("brevitas", "train", "quantizers of the trained networks"),
    ("scikit-learn", "data", "the embedded digits"),
    ("pyarrow", "data", "parquet files"),
    ("h5py", "data", "the CERNBox jets"),
    ("pooch", "data", "fetches known data sets"),
    ("pyverilog", "rtl", "builds and parses back the emitted Verilog"),
    ("cocotb", "sim", "the protocol bench"),
    ("plotly", "report", "report.html"),
    ("tensorboard", "train", "training curves, live"),
)
_PROGRAMS = (
    ("g++", "compiles Verilated designs", "apt install g++"),
    ("make", "compiles Verilated designs", "apt install make"),
    ("perl", "Verilator's driver", "apt install perl"),
)


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command("doctor")(doctor)


def _tools() -> tuple[tuple[Tool, Callable[[], str]], ...]:
    """External programs, each with a function that returns its version or raises."""
    return (
        (VERILATOR, lambda: find_verilator().version),
        (ABC, lambda: find(ABC).version_text),
        (YOSYS, lambda: f"{(yosys := find_yosys()).version} ({yosys.name})"),
        (NEXTPNR_ECP5, lambda: find(NEXTPNR_ECP5).version_text),
        (NEXTPNR_ICE40, lambda: find(NEXTPNR_ICE40).version_text),
        (VIVADO, lambda: find(VIVADO).version_text),
    )


def doctor() -> None:
    """Say which tools are there, what each one adds, and how to install what is missing."""
    table = Table(title="codesign doctor")
    for heading in ("what", "state", "adds", "to install"):
        table.add_column(heading, overflow="fold")
    table.add_row("python", ".".join(map(str, sys.version_info[:3])), "everything", "")
    for name, extra, adds in _PACKAGES:
        try:
            table.add_row(name, importlib.metadata.version(name), adds, "")
        except importlib.metadata.PackageNotFoundError:
            table.add_row(name, "[yellow]absent", adds, f'pip install "codesign\\[{extra}]"')
    for name, adds, line in _PROGRAMS:
        path = shutil.which(name)
        table.add_row(name, path or "[yellow]absent", adds, "" if path else line)
    for tool, probe in _tools():
        try:
            table.add_row(tool.name, probe(), tool.adds, "")
        except (ToolNotFound, ToolTooOld) as problem:
            state = "absent" if isinstance(problem, ToolNotFound) else "too old"
            line = f'pip install "{tool.pip}"'.replace("[", "\\[") if tool.pip else f"set {tool.variable} to its path"
            table.add_row(tool.name, f"[yellow]{state}", tool.adds, line)
    folder = os.environ.get("CODESIGN_DATA")
    state = folder if folder and Path(folder).is_dir() else "[yellow]not set" if not folder else "[red]no such folder"
    table.add_row("CODESIGN_DATA", state, "a folder of data sets", "export CODESIGN_DATA=FOLDER")
    terminal().print(table)
