"""Devices, configuration spaces, and the cost of designs on devices before any tool has run."""

from codesign.accel.cost import (
    LayerCost,
    TopologyCost,
    network_cost,
    sum_cost,
    topology_cost,
    worst_case_depth,
    worst_case_luts,
)
from codesign.accel.devices import Device, Family, device, devices, read_device
from codesign.accel.family import AcceleratorFamily, Cost, Figure, Point, Refusal, Simulated, Violation
from codesign.accel.space import Columns, Knob, Space, Value, read_space, space

__all__ = [
    "AcceleratorFamily",
    "Cost",
    "Figure",
    "Point",
    "Refusal",
    "Simulated",
    "Violation",
    "Columns",
    "Device",
    "Family",
    "Knob",
    "LayerCost",
    "Space",
    "TopologyCost",
    "Value",
    "device",
    "devices",
    "network_cost",
    "read_device",
    "read_space",
    "space",
    "sum_cost",
    "topology_cost",
    "worst_case_depth",
    "worst_case_luts",
]
