"""Devices and the cost of networks on them, before any tool has run."""

from codesign.accel.cost import worst_case_depth, worst_case_luts

__all__ = ["worst_case_depth", "worst_case_luts"]
