"""NAS-Bench-201 cells as networks for the engine: an operation on each of six edges, at a channel scale and bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from codesign.accel.engine import MAX_LAYERS
from codesign.accel.space import Knob
from codesign.config import ConvTopologyConfig, Whole
from codesign.errors import ConfigError, did_you_mean
from codesign.ir import ConvTopology, MapShape
from codesign.ir.conv_presets import NASBENCH_OPERATIONS, nasbench201
from codesign.search.networks.space import Location, NetworkSpace, NetworkSpaceFile, Point

__all__ = ["CELLS", "EDGES", "CellLayer", "CellSpace", "CellSpaceFile", "arch_of", "cell_layers", "operations_of"]

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""From and to which node the edges lead, in the order in which an architecture string names them."""

CELLS = len(NASBENCH_OPERATIONS) ** len(EDGES)
"""Cells there are: 15,625."""

_Bits = Annotated[Whole, Field(ge=1, le=8)]
_Size = Annotated[Whole, Field(gt=0)]
_NAMES = tuple(f"edge{start}{end}" for start, end in EDGES)


def arch_of(operations: Sequence[str]) -> str:
    """Write six operations, in the order of `EDGES`, as the benchmark does."""
    nodes = (
        "|".join(f"{operations[i]}~{start}" for i, (start, end) in enumerate(EDGES) if end == n) for n in (1, 2, 3)
    )
    return "+".join(f"|{node}|" for node in nodes)


def operations_of(arch: str) -> tuple[str, ...]:
    """Read an architecture string; a ConfigError says what is wrong with it."""
    found = tuple(edge.split("~")[0] for node in arch.split("+") for edge in node.strip("|").split("|"))
    for name in found if "~" in arch else ():
        if name and name not in NASBENCH_OPERATIONS:
            hint = did_you_mean(name, NASBENCH_OPERATIONS)
            raise ConfigError(
                f"architecture {arch!r}: no operation {name!r}.{hint} Known: {', '.join(NASBENCH_OPERATIONS)}."
            )
    if len(found) != len(EDGES) or arch_of(found) != arch:
        raise ConfigError(f"an architecture must look like {arch_of(NASBENCH_OPERATIONS[:1] * 6)}, not {arch!r}")
    return found


@dataclass(frozen=True)
class CellLayer:
    """A layer that a cell becomes: "conv1", "conv3", "pool" or "add"; sources: of the cell's layers, -1 its input.

    An addition's two factors are 1, but where `zero` is set it takes its input from itself.
    """

    kind: str
    sources: tuple[int, ...]
    zero: bool = False


_KINDS = {"nor_conv_1x1": "conv1", "nor_conv_3x3": "conv3", "avg_pool_3x3": "pool"}


@lru_cache(maxsize=CELLS)
def cell_layers(operations: tuple[str, ...]) -> tuple[tuple[CellLayer, ...], int]:
    """Return a cell's layers, in the order of the preset `nasbench201`, and which of them is its output (-1: input).

    Edges that do not reach the output are left out; what reaches nothing is the constant 0.
    """
    layers: list[CellLayer] = []
    values: dict[int, int | None] = {0: -1}

    def put(kind: str, *sources: int, zero: bool = False) -> int:
        layers.append(CellLayer(kind, sources, zero))
        return len(layers) - 1

    def value(node: int) -> int | None:
        if node not in values:
            terms: list[int] = []
            for operation, (start, end) in zip(operations, EDGES, strict=True):
                if end != node or operation == "none" or (given := value(start)) is None:
                    continue
                terms.append(given if operation == "skip_connect" else put(_KINDS[operation], given))
            total = terms[0] if terms else None
            for term in terms[1:]:
                assert total is not None
                total = put("add", total, term)
            values[node] = total
        return values[node]

    out = value(3)
    return (tuple(layers), out) if out is not None else ((CellLayer("add", (-1, -1), zero=True),), 0)


class CellSpaceFile(NetworkSpaceFile):
    """A space of NAS-Bench-201 cells."""

    operations: Annotated[list[str], Field(min_length=1)] = list(NASBENCH_OPERATIONS)
    """Candidates of every edge."""
    input: tuple[_Size, _Size, _Size] = (3, 32, 32)
    classes: _Size = 10
    channels: _Size = 16
    """Of the first stage; the others have two and four times as many."""
    cells: _Size = 1
    """In each of the three stages; the benchmark trained 5."""
    input_bits: _Bits = 4
    weight_bits: _Bits = 4
    bits: _Bits = 4
    multiple: _Size = 1
    """What `channels` must be a multiple of, as an engine's pe and simd ask."""


class CellSpace(NetworkSpace):
    """The 15,625 cells, or those with some of the operations; points have the choices edge01, edge02, ..., edge23."""

    File: ClassVar[type[NetworkSpaceFile]] = CellSpaceFile
    file: CellSpaceFile

    @classmethod
    def problems(cls, file: NetworkSpaceFile) -> Iterator[tuple[Location, str]]:
        """Yield unknown operations, and channels that are not the multiple asked for."""
        assert isinstance(file, CellSpaceFile)
        for index, name in enumerate(file.operations):
            if name not in NASBENCH_OPERATIONS:
                hint = did_you_mean(name, NASBENCH_OPERATIONS)
                yield ("operations", index), f"no operation {name!r}.{hint} Known: {', '.join(NASBENCH_OPERATIONS)}."
        if file.channels % file.multiple:
            yield ("channels",), f"must be a multiple of {file.multiple} (see `multiple`), not {file.channels}"
        if file.input[1] % 4 or file.input[2] % 4:
            yield ("input",), f"height and width are halved twice, so they must be multiples of 4, not {file.input[1:]}"

    def _knobs(self) -> list[Knob]:
        known = tuple(name for name in NASBENCH_OPERATIONS if name in self.file.operations)
        return [Knob(name, known, "", f"operation from node {name[4]} to node {name[5]}") for name in _NAMES]

    def operations(self, point: Point) -> tuple[str, ...]:
        """The operations of a point's edges, in the order of `EDGES`."""
        return tuple(str(value) for value in self.choices.check(point).values())

    def arch(self, point: Point) -> str:
        """The point's architecture string."""
        return arch_of(self.operations(point))

    def point(self, arch: str) -> dict[str, int | bool | str]:
        """The point of an architecture string."""
        return self.choices.check(dict(zip(_NAMES, operations_of(arch), strict=True)))

    def layer_count(self, operations: tuple[str, ...]) -> int:
        """Layers of the whole network."""
        return 13 + 3 * self.file.cells * len(cell_layers(operations)[0])

    def config(self, point: Point) -> ConvTopologyConfig:
        """Return the preset `nasbench201` with the point's cell."""
        file = self.file
        options = {"arch": self.arch(point), "channels": file.channels, "cells": file.cells}
        return ConvTopologyConfig(
            preset="nasbench201",
            options=options,
            input=file.input,
            input_bits=file.input_bits,
            weight_bits=file.weight_bits,
            bits=file.bits,
        )

    def topology(self, point: Point) -> ConvTopology:
        """Return the stack of cells; a ConfigError where it has more layers than an engine's program."""
        file, operations = self.file, self.operations(point)
        count = self.layer_count(operations)
        if count > MAX_LAYERS:
            raise ConfigError(
                f"cell {arch_of(operations)}: {file.cells} cells a stage make {count} layers; an engine's program "
                f"has at most {MAX_LAYERS}. Lower `cells`"
            )
        return nasbench201(
            arch_of(operations),
            channels=file.channels,
            cells=file.cells,
            classes=file.classes,
            shape=MapShape(*file.input),
            weight_bits=file.weight_bits,
            bits=file.bits,
            input_bits=file.input_bits,
        )

    def all_operations(self) -> NDArray[np.int64]:
        """Operation numbers (points, 6) of every point, by its number, as indices into `NASBENCH_OPERATIONS`."""
        indices = self.choices.indices(np.arange(self.choices.size))
        known = [NASBENCH_OPERATIONS.index(str(name)) for name in self.choices.knobs[0].values]
        return np.array(known)[indices]
