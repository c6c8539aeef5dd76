"""The sparsity methods by name, and how one is built for a layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from codesign.nn.learned_masks import MagnitudeMask, RegrowMask
from codesign.nn.learned_sources import LearnedMask
from codesign.nn.masks import Mask, RandomMask
from codesign.plugins import build, find_class

__all__ = ["MASKS", "find_mask", "make_mask"]

MASKS: dict[str, type[Mask]] = {
    "random": RandomMask,
    "magnitude": MagnitudeMask,
    "regrow": RegrowMask,
    "learned": LearnedMask,
}
"""Masks by name."""


def find_mask(name: str) -> type[Mask]:
    """Return the class of a sparsity method; an unknown one is a ConfigError."""
    return find_class(name, Mask, known=MASKS, what="sparsity method")


def make_mask(
    name: str,
    rows: int,
    *,
    signals: int,
    fan_in: int,
    generator: torch.Generator,
    usable: Tensor | None = None,
    layer: str = "",
    options: dict[str, Any] | None = None,
) -> Mask:
    """Build the mask `name` and draw its first sources; wrong options are a ConfigError."""
    settings = {"fan_in": fan_in, "generator": generator, "usable": usable, "layer": layer}
    made = build(find_mask(name), rows, signals, what="sparsity method", name=name, options=options, **settings)
    made.start()
    return made
