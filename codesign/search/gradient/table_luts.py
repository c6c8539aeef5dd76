"""The worst-case LUTs of every LUT network of a space, as a function of relaxed choices: a sum of exact tables."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import torch

from codesign.accel import worst_case_luts
from codesign.search.gradient.tables import Table, TableSum
from codesign.search.networks.tables import TableSpace

__all__ = ["table_luts"]

_Names = tuple[str, ...]


def table_luts(space: TableSpace, *, lut_inputs: int = 6) -> TableSum:
    """Return the LUTs that `topology_cost` gives, at every network of the space, for layers that are no sums of tables.

    A layer's tables depend on the depth (beyond it there are none), its own choices and the bits of what it reads. At
    networks that are illegal, because a table has too many address bits, the figure goes on by the same formula.
    """
    file, names = space.file, space.choices.names
    first = None if file.coding == "thermometer" else "input_bits"
    tables: list[Table] = []
    for index in range(len(file.layers)):
        before = first if index == 0 else f"l{index - 1}_bits"
        own = [f"l{index}_width", f"l{index}_fan_in", f"l{index}_bits"]

        def hidden(at: dict[str, int], index: int = index, before: str | None = before) -> int:
            if at["depth"] <= index:
                return 0
            address = at[f"l{index}_fan_in"] * (at[before] if before else 1)
            return at[f"l{index}_width"] * worst_case_luts(address, at[f"l{index}_bits"], lut_inputs=lut_inputs)

        tables.append(_table(space, ["depth", *([before] if before else []), *own], hidden, names))
    ends = [name for depth in file.depth if (name := f"l{depth - 1}_bits" if depth else first)]

    def last(at: dict[str, int]) -> int:
        before = f"l{at['depth'] - 1}_bits" if at["depth"] else first
        address = at["last_fan_in"] * (at[before] if before else 1)
        return file.answers * worst_case_luts(address, at["last_bits"], lut_inputs=lut_inputs)

    tables.append(_table(space, ["depth", *ends, "last_fan_in", "last_bits"], last, names))
    return TableSum(tuple(tables))


def _table(space: TableSpace, choices: list[str], value: Callable[[dict[str, int]], int], names: _Names) -> Table:
    candidates = [space.choices.knob(name).values for name in choices]
    found = [value({n: int(v) for n, v in zip(choices, chosen, strict=True)}) for chosen in product(*candidates)]
    values = np.array(found, dtype=np.float64).reshape([len(one) for one in candidates])
    return Table(tuple(names.index(name) for name in choices), torch.from_numpy(values))
