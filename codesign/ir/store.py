"""Keeps a network in one .npz file (nothing pickled), guarded by a digest of its contents."""

from __future__ import annotations

import hashlib
import json
import struct
import tokenize
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.errors import CodesignError, DataError
from codesign.ir.check import check
from codesign.ir.formats import Fixed, Format
from codesign.ir.network import Decide, Encode, Feature, LutNetwork, Neuron, Stage, Sum, Sums, Tables

__all__ = ["load", "save"]

_VERSION = 1

# What numpy and zipfile raise on a damaged archive: beside the obvious ones, a flipped bit may ask for a password
# (RuntimeError), for another compression method (NotImplementedError) or break a header's text.
_UNREADABLE = (
    OSError,
    KeyError,
    ValueError,
    EOFError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


def save(network: LutNetwork, path: Path) -> None:
    """Write a legal network to `path` (.npz). Equal networks give equal bytes."""
    check(network)
    header = {"version": _VERSION, "name": network.name, "inputs": [asdict(f) for f in network.inputs]}
    header["stages"] = [_stage_header(s) for s in network.stages]
    neurons = [n for s in network.stages if isinstance(s, Tables) for n in s.neurons]
    tables = np.concatenate([n.table for n in neurons]) if neurons else np.zeros(0, np.int32)
    cares = [n.care for n in neurons if n.care is not None]
    care = np.packbits(np.concatenate(cares)) if cares else np.zeros(0, np.uint8)
    head = json.dumps(header, sort_keys=True, default=_plain).encode()
    small = tables.astype(np.min_scalar_type(int(tables.max(initial=0))))
    arrays = {"header": np.frombuffer(head, np.uint8), "tables": small, "care": care}
    with path.open("wb") as out:
        np.savez_compressed(out, allow_pickle=False, **arrays, digest=np.frombuffer(_digest(arrays), np.uint8))


def _plain(value: object) -> int | float:
    """Turn a numpy number, as a caller may have put into a stage, into a plain one."""
    if isinstance(value, np.integer):
        return int(value)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, np.floating):
        return float(value)  # pyright: ignore[reportUnknownArgumentType]
    raise TypeError(f"a network must be made of numbers, text and tables, not {value!r}")


def load(path: Path) -> LutNetwork:
    """Read a network; a damaged, hand-edited or foreign file is a DataError that names it."""
    try:
        # Opened here, since numpy leaves a file that it cannot read open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in ("header", "tables", "care")}
            stated = archive["digest"].tobytes()
    except FileNotFoundError:
        raise DataError(f"no network file at {path}; run the extract stage first") from None
    except _UNREADABLE as problem:
        raise DataError(f"{path} is not a codesign network, or is truncated ({problem}); extract it again") from None
    if stated != _digest(arrays):
        raise DataError(f"{path} was changed after it was written (its digest does not match); extract it again")
    header = json.loads(arrays["header"].tobytes())
    if header.get("version") != _VERSION:
        raise DataError(f"{path} has format version {header.get('version')}; this codesign reads {_VERSION}")
    try:
        return check(_network(header, arrays["tables"].astype(np.int32), arrays["care"]))
    except (KeyError, TypeError, IndexError, ValueError) as problem:
        raise DataError(f"{path} does not describe a network ({problem}); extract it again") from None
    except CodesignError as problem:
        raise DataError(f"{path}: {problem}") from None


def _digest(arrays: dict[str, NDArray[Any]]) -> bytes:
    state = hashlib.sha256()
    for key in sorted(arrays):
        state.update(f"{key} {arrays[key].dtype} {arrays[key].shape};".encode())
        state.update(arrays[key].tobytes())
    return state.digest()


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
