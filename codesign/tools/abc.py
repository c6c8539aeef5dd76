"""ABC, the logic minimiser: found as it ships in the pyosys wheel, run on scripts within limits."""

from __future__ import annotations

from codesign.tools.find import Tool

__all__ = ["ABC"]

ABC = Tool(
    name="ABC",
    programs=("yosys-abc", "berkeley-abc", "abc"),
    variable="CODESIGN_ABC",
    pip="codesign[rtl]",
    adds="maps truth tables to few LUTs",
    wheel="pyosys",
    wheel_paths=("pyosys/yosys-abc",),
    minimum=(1, 1),
    arguments=("-c", "version"),
    pattern=r"ABC (\d+(?:\.\d+)+)",
)
"""ABC 1.01 tells no finer version; an old build without `&ttopt` is met when the first script fails."""
