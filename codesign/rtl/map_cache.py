"""Keeps mapped tables between runs, named by the content of the table; safe to delete at any time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any, cast

from codesign.errors import MALFORMED
from codesign.rtl.map_direct import Problem
from codesign.rtl.mapped import Netlist, Node

__all__ = ["cache_folder", "key", "load", "store"]


def cache_folder() -> Path:
    """Return the folder of mapped tables: CODESIGN_CACHE (a folder) or ~/.cache/codesign, then map."""
    stated = os.environ.get("CODESIGN_CACHE")
    return (Path(stated) if stated else Path.home() / ".cache" / "codesign") / "map"


def key(problem: Problem, recipe: str) -> str:
    """Return the name of a table's result: a digest of the table, its care set and what decides the mapping."""
    state = hashlib.sha256(f"{recipe};{problem.columns.shape};{problem.care is not None};".encode())
    state.update(problem.columns.tobytes())
    if problem.care is not None:
        state.update(problem.care.tobytes())
    return state.hexdigest()


def load(folder: Path, name: str) -> Netlist | None:
    """Return a kept netlist, or None where there is none that can be read. The caller proves it on the table."""
    try:
        data = cast("dict[str, Any]", json.loads((folder / name[:2] / f"{name}.json").read_text(encoding="ascii")))
        nodes = tuple(Node(tuple(int(s) for s in inputs), int(mask, 16)) for *inputs, mask in data["nodes"])
        netlist = Netlist(int(data["input_bits"]), nodes, tuple(int(s) for s in data["outputs"]))
    except MALFORMED:
        return None
    return netlist if _legal(netlist) else None


def store(folder: Path, name: str, netlist: Netlist) -> None:
    """Keep a netlist; a folder that cannot be written is no error, since nothing is lost but time."""
    nodes = [[*node.inputs, f"{node.mask:x}"] for node in netlist.nodes]
    text = json.dumps({"input_bits": netlist.input_bits, "outputs": netlist.outputs, "nodes": nodes})
    path = folder / name[:2] / f"{name}.json"
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(text, encoding="ascii")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def _legal(netlist: Netlist) -> bool:
    for k, node in enumerate(netlist.nodes):
        if len(node.inputs) > 6 or not 0 <= node.mask < 1 << (1 << len(node.inputs)):
            return False
        if any(not 0 <= s < netlist.input_bits + k for s in node.inputs):
            return False
    return all(-2 <= s < netlist.input_bits + len(netlist.nodes) for s in netlist.outputs)
