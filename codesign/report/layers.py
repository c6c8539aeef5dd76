"""What each stage of tables costs before and after the passes, in worst-case LUTs and table bits."""

from __future__ import annotations

from typing import Any

from codesign.accel import worst_case_luts
from codesign.ir import LutNetwork, Tables, address_bits

__all__ = ["layer_rows"]


def layer_rows(extracted: LutNetwork, optimized: LutNetwork) -> list[dict[str, Any]]:
    """Return a row a stage of tables: neurons, table bits, address-bit histogram and worst-case 6-input LUTs.

    Keys with `_optimized` are after the passes. A stage that the passes removed has zeros there.
    """
    after = _stages(optimized)
    none = {"neurons": 0, "table_bits": 0, "luts_worst_case": 0, "address_bits": {}}
    rows: list[dict[str, Any]] = []
    for name, before in _stages(extracted).items():
        later = after.get(name, none)
        rows.append({"stage": name, **before, **{f"{key}_optimized": value for key, value in later.items()}})
    return rows


def _stages(network: LutNetwork) -> dict[str, dict[str, Any]]:
    out: dict[str, dict[str, Any]] = {}
    for index, stage in enumerate(network.stages):
        if not isinstance(stage, Tables):
            continue
        inputs = network.stage_inputs(index)
        histogram: dict[str, int] = {}
        bits = luts = 0
        for neuron in stage.neurons:
            width = address_bits(neuron.sources, inputs)
            histogram[str(width)] = histogram.get(str(width), 0) + 1
            bits += len(neuron.table) * neuron.format.bits
            luts += worst_case_luts(width, neuron.format.bits)
        out[stage.name] = {
            "neurons": len(stage.neurons),
            "table_bits": bits,
            "luts_worst_case": luts,
            "address_bits": dict(sorted(histogram.items(), key=lambda item: int(item[0]))),
        }
    return out
