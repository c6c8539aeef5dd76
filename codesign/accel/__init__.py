"""Devices and the cost of networks on them, before any tool has run."""

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

__all__ = [
    "Device",
    "Family",
    "LayerCost",
    "TopologyCost",
    "device",
    "devices",
    "network_cost",
    "read_device",
    "sum_cost",
    "topology_cost",
    "worst_case_depth",
    "worst_case_luts",
]
