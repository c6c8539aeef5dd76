"""Evaluates trained neurons over all their input codes, in chunks that bound the memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.nn.layers import LutLayer

__all__ = ["requantize_tables", "table_inputs", "term_tables"]

_CHUNK_ENTRIES = 1 << 18
"""Table entries evaluated at once: 2 MiB of float64 a tensor, so that a chunk's few tensors stay in cache."""


def table_inputs(layer: LutLayer, levels: Tensor, *, rows: slice, addresses: slice) -> list[Tensor]:
    """Return the sources' values, fan_in float64 tensors (rows, addresses), for tables `rows` of the layer.

    levels: float64 (signals or 1, codes). Source k's code is bits ``k * source_bits`` and up of the address.
    """
    bits = layer.shape.source_bits
    address = torch.arange(addresses.start, addresses.stop)
    sources = layer.sources[rows]
    out: list[Tensor] = []
    for k in range(layer.shape.fan_in):
        code = (address >> (k * bits)) & ((1 << bits) - 1)
        chosen = levels.expand(layer.shape.signals, -1)[sources[:, k]]
        out.append(chosen[:, code])
    return out


@torch.no_grad()
def term_tables(layer: LutLayer, levels: Tensor) -> NDArray[np.int32]:
    """Return the tables over the sources, int32 (tables, 2**address_bits)."""
    stored = layer.stored_codes()
    if stored is not None:
        return stored.cpu().numpy().astype(np.int32)
    size = 1 << (layer.shape.fan_in * layer.shape.source_bits)
    out = np.empty((layer.shape.tables, size), dtype=np.int32)
    for rows, addresses in _chunks(layer.shape.tables, size, _CHUNK_ENTRIES):
        x = table_inputs(layer, levels, rows=rows, addresses=addresses)
        out[rows, addresses] = layer.table_codes(x, rows).numpy()
    return out


@torch.no_grad()
def requantize_tables(layer: LutLayer) -> NDArray[np.int32]:
    """Return the one-input tables from a neuron's exact sum to its code, int32 (width, 2**sum_bits)."""
    size = 1 << layer.shape.sum_bits
    out = np.empty((layer.shape.width, size), dtype=np.int32)
    for rows, addresses in _chunks(layer.shape.width, size, _CHUNK_ENTRIES):
        totals = torch.arange(addresses.start, addresses.stop).expand(rows.stop - rows.start, -1)
        out[rows, addresses] = layer.sum_codes(totals, rows).numpy()
    return out


def _chunks(tables: int, size: int, entries: int) -> Iterator[tuple[slice, slice]]:
    """Cut (tables, size) into blocks of about `entries`: several whole tables, or a part of one."""
    rows = max(1, entries // size)
    columns = min(size, entries)
    for row in range(0, tables, rows):
        for column in range(0, size, columns):
            yield slice(row, min(row + rows, tables)), slice(column, min(column + columns, size))
