"""The nouns: formats, networks of tables, topologies; numpy only, frozen, bit-exact, one canonical text."""

from codesign.ir.check import MAX_ADDRESS_BITS, check
from codesign.ir.evaluate import addresses, encode, evaluate, evaluate_codes, run_stage, trace
from codesign.ir.formats import MAX_SIGNAL_BITS, Codes, Fixed, Format, bits_for_range
from codesign.ir.network import (
    Decide,
    Encode,
    Feature,
    LutNetwork,
    Neuron,
    Stage,
    Sum,
    Sums,
    Tables,
    address_bits,
)
from codesign.ir.store import load, save
from codesign.ir.text import text
from codesign.ir.topology import PRESETS, Layer, Topology, preset

__all__ = [
    "MAX_ADDRESS_BITS",
    "MAX_SIGNAL_BITS",
    "PRESETS",
    "Codes",
    "Decide",
    "Encode",
    "Feature",
    "Fixed",
    "Format",
    "Layer",
    "LutNetwork",
    "Neuron",
    "Stage",
    "Sum",
    "Sums",
    "Tables",
    "Topology",
    "address_bits",
    "addresses",
    "bits_for_range",
    "check",
    "encode",
    "evaluate",
    "evaluate_codes",
    "load",
    "preset",
    "run_stage",
    "save",
    "text",
    "trace",
]
