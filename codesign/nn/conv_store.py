"""Reads trained networks over feature maps; `save_model` writes them as it does all models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codesign.ir.conv_topology import ConvLayer, ConvTopology, check_conv_topology
from codesign.ir.integer import MapShape
from codesign.nn.conv_model import ConvModel, ConvSpec
from codesign.nn.level_encoder import LevelEncoder
from codesign.nn.store import read_model

__all__ = ["load_conv_model"]


def load_conv_model(folder: Path) -> ConvModel:
    """Read a trained network over feature maps, in evaluation mode on the CPU; damage is a DataError naming it."""
    return read_model(folder, kind=ConvModel.kind, build=_build)


def _build(spec: dict[str, Any]) -> ConvModel:
    given = spec["topology"]
    layers = tuple(
        ConvLayer(**{**layer, "sources": tuple(layer["sources"]), "weights": tuple(layer["weights"])})
        for layer in given["layers"]
    )
    topology = ConvTopology(given["name"], MapShape(**given["input_shape"]), given["input_bits"], layers)
    check_conv_topology(topology)
    encoder = LevelEncoder(topology.input_shape.size, bits=topology.input_bits)
    return ConvModel(ConvSpec(topology, spec["seed"], spec["task"]), encoder=encoder)
