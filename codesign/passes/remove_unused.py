"""Removes neurons and sums that nobody reads, stages that nobody needs, and unused encoder thresholds."""

from __future__ import annotations

from dataclasses import replace

from codesign.ir import Encode, LutNetwork, Stage, Sums, Tables
from codesign.passes.base import Details, lossless
from codesign.passes.rewrite import Carried, rebuild, rewire

__all__ = ["remove_unused"]


@lossless("removes neurons, sums, stages and thermometer thresholds that nothing reads")
def remove_unused(network: LutNetwork) -> tuple[LutNetwork, Details]:
    """Remove every neuron and sum without a reader, from the last stage to the first; idempotent.

    Stages before one that reads nothing (all of its signals are constant) go whole. Thermometer bits without a
    reader go too where the encoder is part of the hardware; where it is not, its codes are the hardware's interface
    and stay, as the inputs of a network without an encoder do. One threshold stays in any case.

    Details: neurons, sums, stages, thresholds (each: how many were removed).
    """
    total: Details = {"neurons": 0, "sums": 0, "stages": 0, "thresholds": 0}
    while True:  # a sum whose readings cancel once it is rewired reads nothing, so that more may go
        network, removed = _removed_once(network)
        if not any(removed.values()):
            return network, total
        total = {name: total[name] + count for name, count in removed.items()}


def _removed_once(network: LutNetwork) -> tuple[LutNetwork, Details]:
    details: Details = {"neurons": 0, "sums": 0, "stages": 0, "thresholds": 0}
    core = list(network.core)
    for index in range(len(core) - 1, 0, -1):
        producer, reader = core[index - 1], core[index]
        used = _used(reader, len(producer.formats))
        if not used:
            # The reader is constant: whatever comes before it may go.
            details["stages"] += index
            for stage in core[:index]:
                details["neurons"] += len(stage.neurons) if isinstance(stage, Tables) else 0
                details["sums"] += len(stage.sums) if isinstance(stage, Sums) else 0
            core = core[index:]
            break
        if len(used) == len(producer.formats):
            continue
        kept = sorted(used)
        if isinstance(producer, Tables):
            core[index - 1] = replace(producer, neurons=tuple(producer.neurons[i] for i in kept))
            details["neurons"] += len(producer.neurons) - len(kept)
        else:
            assert isinstance(producer, Sums)
            core[index - 1] = replace(producer, sums=tuple(producer.sums[i] for i in kept))
            details["sums"] += len(producer.sums) - len(kept)
        core[index] = _renumbered(reader, kept, producer, core[index - 1])
    encode = network.encode
    if encode is not None and encode.in_hardware and encode.coding == "thermometer":
        kept = sorted(_used(core[0], len(encode.formats)) if core else range(len(encode.formats))) or [0]
        details["thresholds"] = len(encode.formats) - len(kept)
        if details["thresholds"]:
            small = _without_thresholds(encode, set(kept))
            core[0] = _renumbered(core[0], kept, encode, small)
            encode = small
    return rebuild(network, core, encode=encode), details


def _used(stage: Stage, count: int) -> set[int]:
    if isinstance(stage, Tables):
        return {s for n in stage.neurons for s in n.sources}
    if isinstance(stage, Sums):
        return {s for total in stage.sums for s in total.sources}
    return set(range(count))


def _renumbered(reader: Stage, kept: list[int], old: Stage, new: Stage) -> Stage:
    place = {s: i for i, s in enumerate(kept)}
    carried = [Carried(place.get(i)) for i in range(len(old.formats))]
    return rewire(reader, carried, old.formats, new.formats)


def _without_thresholds(stage: Encode, kept: set[int]) -> Encode:
    features = list(stage.features)
    start = 0
    for i, feature in enumerate(features):
        thresholds = tuple(t for j, t in enumerate(feature.thresholds, start) if j in kept)
        start += len(feature.thresholds)
        features[i] = replace(feature, thresholds=thresholds)
    return replace(stage, features=tuple(features))
