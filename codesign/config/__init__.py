"""Configuration files: read with line numbers, checked by frozen models."""

from codesign.config.engine import EngineBuildConfig, EngineConfig, EngineSimulateConfig
from codesign.config.families import FAMILIES, build_model_of, parse_build
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
    RunConfig,
    Section,
    SimulateConfig,
    SparsityConfig,
    SynthConfig,
    TopologyConfig,
    TrainConfig,
    Whole,
)
from codesign.config.yamlfile import check_mapping, dump_yaml, parse_model, read_yaml

__all__ = [
    "FAMILIES",
    "AugmentConfig",
    "BuildConfig",
    "ConvLayerConfig",
    "ConvTopologyConfig",
    "DataConfig",
    "EngineBuildConfig",
    "EngineConfig",
    "EngineSimulateConfig",
    "Flag",
    "InputsConfig",
    "LayerConfig",
    "Number",
    "RegistersConfig",
    "RtlConfig",
    "RunConfig",
    "Section",
    "SimulateConfig",
    "SparsityConfig",
    "SynthConfig",
    "TopologyConfig",
    "TrainConfig",
    "Whole",
    "build_model_of",
    "check_mapping",
    "dump_yaml",
    "parse_build",
    "parse_model",
    "read_yaml",
]
