"""The nouns: formats, networks of tables, topologies; numpy only, frozen, bit-exact, one canonical text."""

from codesign.ir.check import MAX_ADDRESS_BITS, check
from codesign.ir.conv_presets import CONV_PRESETS, conv_preset
from codesign.ir.conv_topology import ConvLayer, ConvTopology, check_conv_topology
from codesign.ir.evaluate import addresses, encode, evaluate, evaluate_codes, run_stage, trace
from codesign.ir.formats import MAX_SIGNAL_BITS, Codes, Fixed, Format, bits_for_range
from codesign.ir.integer import IntegerNetwork, Levels, MapShape, trace_integer
from codesign.ir.integer_check import check_integer, sum_range
from codesign.ir.integer_random import random_network
from codesign.ir.integer_store import load_integer, save_integer
from codesign.ir.integer_text import integer_digest, integer_text
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
from codesign.ir.topology import PRESETS, Layer, Topology, check_topology, preset

__all__ = [
    "CONV_PRESETS",
    "MAX_ADDRESS_BITS",
    "MAX_SIGNAL_BITS",
    "PRESETS",
    "Codes",
    "ConvLayer",
    "ConvTopology",
    "Decide",
    "Encode",
    "Feature",
    "Fixed",
    "Format",
    "IntegerNetwork",
    "Layer",
    "Levels",
    "LutNetwork",
    "MapShape",
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
    "check_conv_topology",
    "check_topology",
    "check_integer",
    "conv_preset",
    "encode",
    "evaluate",
    "evaluate_codes",
    "integer_digest",
    "integer_text",
    "load",
    "load_integer",
    "preset",
    "random_network",
    "run_stage",
    "save",
    "save_integer",
    "sum_range",
    "text",
    "trace",
    "trace_integer",
]
