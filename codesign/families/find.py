"""Finds the family of a configuration space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codesign.accel import AcceleratorFamily, space
from codesign.families.engine import EngineFamily
from codesign.families.pipeline import PipelineFamily
from codesign.plugins import find_class

__all__ = ["FAMILIES", "find_family"]

FAMILIES: dict[str, type[AcceleratorFamily]] = {"engine": EngineFamily, "pipeline": PipelineFamily}
"""The families that ship with codesign, by the name that a space file gives."""


def find_family(name: str) -> AcceleratorFamily:
    """Return the family of a space: one that ships with codesign, or a YAML file (a path that ends in .yaml).

    The file's `family` is a name in `FAMILIES`, or `module:Class` of a user's own, a subclass of
    `codesign.accel.AcceleratorFamily`; `file.py:Class` is looked for beside the space file.
    """
    found = space(name)
    wanted = found.family
    module, colon, _ = wanted.rpartition(":")
    if colon and module.endswith(".py") and name.endswith((".yaml", ".yml")):
        wanted = str(Path(name).resolve().parent / wanted)
    kind: Any = find_class(wanted, AcceleratorFamily, known=FAMILIES, what="accelerator family")
    made: AcceleratorFamily = kind(found)
    return made
