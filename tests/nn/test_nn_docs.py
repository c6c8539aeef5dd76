"""What docs/training.md says is so: its code runs, its YAML is legal, every key and option stands in it."""

import inspect
import re
from pathlib import Path

import pytest
import yaml

from codesign.config import AugmentConfig, BuildConfig, InputsConfig, LayerConfig, TopologyConfig, TrainConfig
from codesign.nn import MASKS, NEURONS

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("block", blocks("yaml"))
def test_yaml_is_legal(block):
    config = BuildConfig.model_validate(yaml.safe_load(block))
    config.topology.topology("t", inputs=64, answers=10, task="classification")


@pytest.mark.parametrize("block", blocks("python"))
def test_python_runs(block):
    exec(compile(block, "docs/training.md", "exec"), {})


def test_the_mask_and_the_neuron_of_the_text_are_built_and_extracted(monkeypatch):
    from small_data import blobs

    from codesign.config import SparsityConfig
    from codesign.extract import check_tables, extract
    from codesign.ir import Layer, Topology
    from codesign.nn import build_model
    from codesign.nn.mask_registry import MASKS as REGISTRY

    parts = {}
    for block in blocks("python"):
        if "(Mask)" in block or "(NeuronFunction)" in block:
            exec(compile(block, "docs/training.md", "exec"), parts)
    monkeypatch.setitem(REGISTRY, "neighbours", parts["NeighbourMask"])
    monkeypatch.setitem(NEURONS, "largest", parts["MaxNeurons"])
    data = blobs()
    layers = (Layer("l0", 12, 3, 2, "largest"), Layer("l1", 5, 3, 3))
    train = TrainConfig(sparsity=SparsityConfig(method="neighbours"))
    topology = Topology("t", data.inputs, 2, layers)
    model = build_model(topology, inputs=InputsConfig(), train=train, data=data, seed=0).eval()
    assert ((model.lut_layers()[0].sources.diff(dim=1) % data.inputs) == 1).all()
    assert check_tables(model, extract(model, name="net")) > 0


def options(kind, base):
    common = set(inspect.signature(base.__init__).parameters)
    return set(inspect.signature(kind.__init__).parameters) - common - {"options"}


def test_every_key_kind_method_and_option_is_described():
    for model in (InputsConfig, LayerConfig, TopologyConfig, TrainConfig, AugmentConfig):
        for key in model.model_fields:
            assert re.search(rf"`{key}[`:]|\b{key}:", TEXT), f"{model.__name__}.{key}"
    from codesign.nn import Mask, NeuronFunction

    for known, base in ((NEURONS, NeuronFunction), (MASKS, Mask)):
        for name, kind in known.items():
            rows = [line for line in TEXT.splitlines() if line.startswith(f"| `{name}` |")]
            assert rows, name
            for option in options(kind, base):
                assert any(f"`{option}`" in row for row in rows), (name, option)
