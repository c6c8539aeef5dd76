"""Merges signals that carry the same information: equal, or one a relabelling of the other's codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.ir import Codes, Encode, Format, LutNetwork, Neuron, Stage, Sum, Sums, Tables
from codesign.passes.base import Details, lossless
from codesign.passes.codes import Reached, cared_rows, input_codes, stage_codes
from codesign.passes.rewrite import Carried, affine, keep, rebuild, rewire

__all__ = ["merge_duplicates"]


@lossless("lets one signal stand for others that are equal to it or a relabelling of its codes")
def merge_duplicates(network: LutNetwork) -> tuple[LutNetwork, Details]:
    """Point the readers of duplicate signals to one of them; the others lose their readers.

    Two neurons are duplicates where they read the same signals and split the addresses that can occur in the same
    way, whatever codes they give the parts: tables that read them absorb the relabelling. Sums that read them need
    values equal up to sign and a constant, which goes into their bias. Two sums are duplicates where they add the same
    signals up to sign and bias, two thermometer bits where their thresholds are equal. Signals that the decision or
    the answer reads stay apart. Of equal signals the one with the fewest bits stands for the others. Idempotent.

    Details: signals_merged.
    """
    details: Details = {"signals_merged": 0}
    reached, formats = input_codes(network), network.code_inputs
    carried = _equal_bits(network.encode) or keep(len(formats))
    core: list[Stage] = []
    for index, stage in enumerate(network.core):
        used = {s for unit in _units(stage) for s in unit.sources}
        details["signals_merged"] += sum(carried[s].signal != s for s in used)
        stage = rewire(stage, carried, formats, formats)
        core.append(stage)
        if not isinstance(stage, Tables | Sums):
            continue
        after = stage_codes(stage, formats, reached)
        reader = network.core[index + 1] if index + 1 < len(network.core) else None
        carried = keep(len(stage.formats))
        if isinstance(reader, Tables | Sums):
            if isinstance(stage, Tables):
                _merge_neurons(stage, formats, reached, reader, carried)
            else:
                _merge_sums(stage, reader, carried)
        reached, formats = after, stage.formats
    return rebuild(network, core), details


def _units(stage: Stage) -> Sequence[Neuron | Sum]:
    return stage.neurons if isinstance(stage, Tables) else stage.sums if isinstance(stage, Sums) else ()


def _equal_bits(stage: Encode | None) -> list[Carried]:
    if stage is None or stage.coding == "binary":
        return []
    carried: list[Carried] = []
    for feature in stage.features:
        start = len(carried)
        carried += [Carried(start + feature.thresholds.index(t)) for t in feature.thresholds]
    return carried


def _merge_neurons(
    stage: Tables, formats: tuple[Format, ...], reached: Reached, reader: Tables | Sums, carried: list[Carried]
) -> None:
    """Write into `carried` which neuron stands for which."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for j, neuron in enumerate(stage.neurons):
        groups.setdefault(tuple(sorted(neuron.sources)), []).append(j)
    for sources, members in groups.items():
        if len(members) == 1:
            continue
        aligned = [_aligned(stage.neurons[j], sources, formats, reached) for j in members]
        # All of them meet the same addresses, so each care set holds for every member.
        rows = np.logical_and.reduce([care for _, care in aligned])
        parts: dict[bytes, list[tuple[int, Codes]]] = {}
        for j, (table, _) in zip(members, aligned, strict=True):
            labels, codes = _partition(table[rows])
            parts.setdefault(labels.tobytes(), []).append((j, codes))
        for equal in parts.values():
            _choose(equal, stage, reader, carried)


def _aligned(
    neuron: Neuron, sources: tuple[int, ...], formats: tuple[Format, ...], reached: Reached
) -> tuple[Codes, NDArray[np.bool_]]:
    """Return the table and its cared-for rows as if the sources were in ascending order."""
    care = cared_rows(neuron, formats, reached)
    if sources == neuron.sources:
        return neuron.table, care
    last = len(sources) - 1
    shape = tuple(formats[s].count for s in reversed(neuron.sources))
    # Axis k of the result holds the source sources[last - k], which lies on axis last - position of the original.
    order = [last - neuron.sources.index(s) for s in reversed(sources)]
    return neuron.table.reshape(shape).transpose(order).ravel(), care.reshape(shape).transpose(order).ravel()


def _partition(codes: Codes) -> tuple[NDArray[np.int32], Codes]:
    """Return each row's part, numbered by first appearance, and the code of each part."""
    if not codes.size:
        return np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32)
    values, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty(order.size, dtype=np.int32)
    number[order] = np.arange(order.size, dtype=np.int32)
    return number[inverse.ravel()], values[order].astype(np.int32)


def _choose(equal: Sequence[tuple[int, Codes]], stage: Tables, reader: Tables | Sums, carried: list[Carried]) -> None:
    """Let the narrowest of equal neurons stand for the others, as far as their readers can follow."""
    ordered = sorted(equal, key=lambda item: (stage.neurons[item[0]].format.bits, item[0]))
    standing: list[tuple[int, Codes]] = []
    for j, codes in ordered:
        for other, other_codes in standing:
            fmt = stage.neurons[other].format
            map_codes = np.full(fmt.count, -1, dtype=np.int32)
            map_codes[other_codes] = codes
            if isinstance(reader, Tables) or _fits(map_codes, stage.neurons[j].format, fmt):
                same = fmt == stage.neurons[j].format and np.array_equal(codes, other_codes)
                carried[j] = Carried(other, None if same else map_codes)
                break
        else:
            standing.append((j, codes))


def _fits(codes: Codes, old: Format, new: Format) -> bool:
    """Return whether sums that read a signal in format `old` stay within their formats when they read it from `new`."""
    found = affine(codes, old, new)
    if found is None:
        return False
    ends = sorted(found[0] * v + found[1] for v in (new.low, new.high))
    return old.low <= ends[0] and ends[1] <= old.high


def _merge_sums(stage: Sums, reader: Tables | Sums, carried: list[Carried]) -> None:
    seen: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for j, total in enumerate(stage.sums):
        weights: dict[int, int] = {}
        for s, sign in zip(total.sources, total.signs, strict=True):
            weights[s] = weights.get(s, 0) + sign
        key = tuple(sorted((s, w) for s, w in weights.items() if w))
        if key and key[0][1] < 0:
            key = tuple((s, -w) for s, w in key)
        seen.setdefault(key, []).append(j)
    for members in seen.values():
        members.sort(key=lambda j: (stage.sums[j].format.bits, j))
        first, *others = members
        for j in others:
            codes = _from_sum(stage.sums[first], stage.sums[j])
            old, new = stage.sums[j].format, stage.sums[first].format
            if codes is not None and (isinstance(reader, Tables) or _fits(codes, old, new)):
                carried[j] = Carried(first, codes)


def _from_sum(first: Sum, other: Sum) -> Codes | None:
    """Return the code of `other` for each code of `first`, -1 where it cannot occur; None for very wide sums."""
    if first.format.bits > 20:
        return None
    weights = [
        next((g for s, g in zip(t.sources, t.signs, strict=True) if s == min(t.sources)), 1) if t.sources else 1
        for t in (first, other)
    ]
    sign = weights[0] * weights[1]
    values = first.format.values(np.arange(first.format.count))
    turned = sign * (values - first.bias) + other.bias
    within = (turned >= other.format.low) & (turned <= other.format.high)
    codes = np.full(first.format.count, -1, dtype=np.int32)
    codes[within] = other.format.codes(turned[within])
    return codes
