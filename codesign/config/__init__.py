"""Configuration files: read with line numbers, checked by frozen models."""

from codesign.config.maps import ConvLayerConfig, ConvTopologyConfig
from codesign.config.models import (
    AugmentConfig,
    BuildConfig,
    DataConfig,
    InputsConfig,
    LayerConfig,
    RegistersConfig,
    RtlConfig,
    Section,
    SimulateConfig,
    SparsityConfig,
    SynthConfig,
    TopologyConfig,
    TrainConfig,
)
from codesign.config.yamlfile import dump_yaml, parse_model, read_yaml

__all__ = [
    "AugmentConfig",
    "BuildConfig",
    "ConvLayerConfig",
    "ConvTopologyConfig",
    "DataConfig",
    "InputsConfig",
    "LayerConfig",
    "RegistersConfig",
    "RtlConfig",
    "Section",
    "SimulateConfig",
    "SparsityConfig",
    "SynthConfig",
    "TopologyConfig",
    "TrainConfig",
    "dump_yaml",
    "parse_model",
    "read_yaml",
]
