"""Keeps a network in one .npz file (nothing pickled), guarded by a digest of its contents."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.errors import CodesignError, DataError
from codesign.ir.archive import read_archive, write_archive
from codesign.ir.check import check
from codesign.ir.formats import Fixed, Format
from codesign.ir.network import Decide, Encode, Feature, LutNetwork, Neuron, Stage, Sum, Sums, Tables

__all__ = ["load", "save"]

_VERSION = 1


def save(network: LutNetwork, path: Path) -> None:
    """Write a legal network to `path` (.npz). Equal networks give equal bytes."""
    check(network)
    header = {"version": _VERSION, "name": network.name, "inputs": [asdict(f) for f in network.inputs]}
    header["stages"] = [_stage_header(s) for s in network.stages]
    neurons = [n for s in network.stages if isinstance(s, Tables) for n in s.neurons]
    tables = np.concatenate([n.table for n in neurons]) if neurons else np.zeros(0, np.int32)
    cares = [n.care for n in neurons if n.care is not None]
    care = np.packbits(np.concatenate(cares)) if cares else np.zeros(0, np.uint8)
    small = tables.astype(np.min_scalar_type(int(tables.max(initial=0))))
    write_archive(path, header, {"tables": small, "care": care})


def load(path: Path) -> LutNetwork:
    """Read a network; a damaged, hand-edited or foreign file is a DataError that names it."""
    header, arrays = read_archive(path, ("tables", "care"), version=_VERSION)
    try:
        return check(_network(header, arrays["tables"].astype(np.int32), arrays["care"]))
    except (KeyError, TypeError, IndexError, ValueError) as problem:
        raise DataError(f"{path} does not describe a network ({problem}); extract it again") from None
    except CodesignError as problem:
        raise DataError(f"{path}: {problem}") from None


def _stage_header(stage: Stage) -> dict[str, Any]:
    kind = type(stage).__name__
    if not isinstance(stage, Tables):
        return {**asdict(stage), "stage": kind}
    neurons = [
        {"sources": n.sources, "format": asdict(n.format), "rows": len(n.table), "care": n.care is not None}
        for n in stage.neurons
    ]
    return {"stage": kind, "name": stage.name, "neurons": neurons}


def _network(header: dict[str, Any], tables: NDArray[Any], care: NDArray[Any]) -> LutNetwork:
    rows = sum(n["rows"] for s in header["stages"] if s["stage"] == "Tables" for n in s["neurons"] if n["care"])
    cares = np.unpackbits(care, count=rows).astype(bool)
    at = care_at = 0
    stages: list[Stage] = []
    for item in header["stages"]:
        kind, name = item["stage"], item["name"]
        if kind == "Encode":
            features = tuple(
                Feature(f["name"], tuple(f["thresholds"]), Fixed(**f["word"]) if f["word"] else None)
                for f in item["features"]
            )
            stages.append(Encode(name, features, item["coding"]))
        elif kind == "Tables":
            neurons: list[Neuron] = []
            for n in item["neurons"]:
                mask = cares[care_at : care_at + n["rows"]] if n["care"] else None
                care_at += n["rows"] if n["care"] else 0
                table = tables[at : at + n["rows"]]
                neurons.append(Neuron(tuple(n["sources"]), table, Format(**n["format"]), mask))
                at += n["rows"]
            stages.append(Tables(name, tuple(neurons)))
        elif kind == "Sums":
            sums = tuple(
                Sum(tuple(s["sources"]), tuple(s["signs"]), Format(**s["format"]), s["bias"]) for s in item["sums"]
            )
            stages.append(Sums(name, sums))
        elif kind == "Decide":
            inputs = tuple(Format(**f) for f in item["inputs"])
            stages.append(Decide(name, item["kind"], inputs, item["threshold"], item["scale"], item["offset"]))
        else:
            raise ValueError(f"unknown stage kind {kind!r}")
    return LutNetwork(header["name"], tuple(stages), tuple(Format(**f) for f in header["inputs"]))
