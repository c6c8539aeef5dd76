"""Data sets: found, read, split and checked; arrays in, arrays out, in raw units."""

from codesign.data.amplifier import (
    DING_2004,
    Excitation,
    complex_gain,
    evm_percent,
    excitation,
    memory_polynomial,
    nmse_db,
    papr_db,
    peak_gain,
    tap_features,
)
from codesign.data.bits import BitEncoder, BitField, fit_bits
from codesign.data.dataset import PARTS, DataSet, check_dataset
from codesign.data.load import SOURCES, load
from codesign.data.loaders.amplifier import AmplifierSignals, amplifier_signals
from codesign.data.lookup import locate

__all__ = [
    "DING_2004",
    "PARTS",
    "SOURCES",
    "AmplifierSignals",
    "BitEncoder",
    "BitField",
    "DataSet",
    "Excitation",
    "amplifier_signals",
    "check_dataset",
    "complex_gain",
    "evm_percent",
    "excitation",
    "fit_bits",
    "load",
    "locate",
    "memory_polynomial",
    "nmse_db",
    "papr_db",
    "peak_gain",
    "tap_features",
]
