"""What docs/engine_networks.md says is so: its code runs, its YAML is legal, every key and preset stands in it."""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from codesign.config import ConvLayerConfig, ConvTopologyConfig
from codesign.ir import CONV_PRESETS
from codesign.ir.conv_topology import ConvKind
from codesign.nn.conv_layers import _SIGMAS

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "engine_networks.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("block", blocks("yaml"))
def test_yaml_is_legal(block):
    config = ConvTopologyConfig.model_validate(yaml.safe_load(block))
    assert len(config.topology("t", inputs=3072, answers=10).layers) == 8


@pytest.mark.parametrize("block", blocks("python"))
def test_python_runs(block):
    exec(compile(block, "docs/engine_networks.md", "exec"), {})


def test_every_key_kind_and_preset_is_described():
    for model in (ConvLayerConfig, ConvTopologyConfig):
        for key in model.model_fields:
            assert f"`{key}`" in TEXT, f"{model.__name__}.{key}"
    for kind in get_args(ConvKind):
        assert f"`{kind}`" in TEXT
    for name in CONV_PRESETS:
        assert f"| `{name}` |" in TEXT
    assert _SIGMAS == {2: 1.0, 3: 3.0} and "mean plus 1\n(3) deviations" in TEXT
