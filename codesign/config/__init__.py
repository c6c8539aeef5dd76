"""Configuration files: read with line numbers, checked by frozen models."""

from codesign.config.maps import ConvLayerConfig, ConvTopologyConfig
from codesign.config.models import (
    AugmentConfig,
    BuildConfig,
    DataConfig,
    Flag,
    InputsConfig,
    LayerConfig,
    Number,
    RegistersConfig,
    RtlConfig,
    Section,
    SimulateConfig,
    SparsityConfig,
    SynthConfig,
    TopologyConfig,
    TrainConfig,
    Whole,
)
from codesign.config.yamlfile import dump_yaml, parse_model, read_yaml

__all__ = [
    "AugmentConfig",
    "BuildConfig",
    "ConvLayerConfig",
    "ConvTopologyConfig",
    "DataConfig",
    "Flag",
    "InputsConfig",
    "LayerConfig",
    "Number",
    "RegistersConfig",
    "RtlConfig",
    "Section",
    "SimulateConfig",
    "SparsityConfig",
    "SynthConfig",
    "TopologyConfig",
    "TrainConfig",
    "Whole",
    "dump_yaml",
    "parse_model",
    "read_yaml",
]
