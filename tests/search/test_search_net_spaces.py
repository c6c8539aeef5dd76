"""Network spaces: YAML and back is the identity, points become networks, and what is illegal is refused."""

import os
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.accel.engine import compile_program
from codesign.accel.engine.point import EnginePoint
from codesign.config import read_yaml
from codesign.errors import ConfigError, DataError, TableTooLarge
from codesign.ir import random_network
from codesign.ir.conv_presets import NASBENCH_OPERATIONS
from codesign.search.networks import (
    CellSpace,
    MapSpace,
    TableSpace,
    arch_of,
    load_accuracies,
    network_space,
    network_spaces,
    operations_of,
    read_network_space,
)
from codesign.search.networks.cells import cell_layers


@pytest.mark.parametrize("name", network_spaces())
def test_shipped_spaces_come_back_as_they_were(name, tmp_path):
    space = network_space(name)
    path = tmp_path / "again.yaml"
    path.write_text(space.text())
    again = read_network_space(path)
    assert again == space and again.text() == space.text()
    rng = np.random.default_rng(0)
    for _ in range(5):
        point = space.draw(rng=rng)
        assert space.canonical(point) == point
        assert again.topology(point) == space.topology(point)
        assert space.choices.point(space.choices.number(point)) == point


def _subset(values):
    return st.lists(st.sampled_from(values), min_size=1, max_size=len(values), unique=True)


_bits = _subset([2, 3, 4, 8])
_name = st.from_regex(r"[a-z][a-z0-9-]{0,8}\Z", fullmatch=True)
_block = st.fixed_dictionaries(
    {"channels": _subset([8, 16, 24])},
    optional={
        "kernel": _subset([1, 3, 5]),
        "expansion": _subset([0, 1, 2]),
        "repeats": _subset([1, 2]),
        "weight_bits": _subset([1, 2, 4]),
        "bits": _bits,
    },
)
_maps = st.fixed_dictionaries(
    {
        "name": _name,
        "kind": st.just("maps"),
        "input": st.just([3, 16, 16]),
        "classes": st.integers(2, 20),
        "blocks": st.lists(_block, min_size=1, max_size=4),
    },
    optional={"notes": st.text(max_size=20), "input_bits": _bits, "multiple": st.sampled_from([1, 2, 4, 8])},
)
_cells = st.fixed_dictionaries(
    {"name": _name, "kind": st.just("cells")},
    optional={
        "operations": _subset(list(NASBENCH_OPERATIONS)),
        "channels": st.integers(1, 64),
        "cells": st.integers(1, 3),
        "weight_bits": st.integers(1, 8),
    },
)
_layer = {"fan_in": _subset([1, 2, 3]), "bits": _subset([1, 2])}
_tables = st.fixed_dictionaries(
    {
        "name": _name,
        "kind": st.just("tables"),
        "inputs": st.integers(3, 50),
        "answers": st.integers(2, 5),
        "input_bits": _subset([1, 2, 3]),
        "depth": st.just([1, 2]),
        "layers": st.lists(st.fixed_dictionaries({"width": _subset([4, 8]), **_layer}), min_size=2, max_size=2),
        "last": st.fixed_dictionaries(_layer),
    },
    optional={"sparsity": _subset(["random", "learned"]), "coding": st.sampled_from(["binary", "thermometer"])},
)


@settings(max_examples=60, deadline=None)
@given(value=st.one_of(_maps, _cells, _tables), number=st.integers(0, 10**9))
def test_yaml_to_object_to_yaml_is_the_identity(tmp_path_factory, value, number):
    path = tmp_path_factory.mktemp("space") / "space.yaml"
    path.write_text(yaml.safe_dump(value, allow_unicode=True))
    space = read_network_space(path)
    text = space.text()
    path.write_text(text)
    assert read_yaml(path)[0] == value
    again = read_network_space(path)
    assert again == space and again.text() == text
    point = space.choices.point(number % space.choices.size)
    if not space.refusal(point):
        assert space.refusal(space.canonical(point)) == ""
        assert space.topology(space.canonical(point)) == space.topology(point)


_MAPS = "name: a\nkind: maps\ninput: [3, 16, 16]\nclasses: 10\n"
_TABLES = "name: a\nkind: tables\ninputs: 16\nanswers: 5\ninput_bits: [2, 3]\n"
_REFUSED = {
    _MAPS + "multiple: 8\nblocks:\n  - {channels: [8, 12]}\n": (7, "multiple of 8"),
    _MAPS + "blocks:\n  - {channels: [8], kernel: [2]}\n": (6, "odd"),
    _MAPS + "blocks:\n  - {channels: [8], repeats: [0, 1]}\n": (6, "repeats may not be 0"),
    _MAPS + "blocks:\n  - {channels: [8], bits: [1, 2], kernel: [3]}\n": (6, "zeros of padding"),
    _MAPS + "blocks:\n  - {channels: [8, 8]}\n": (6, "differ"),
    _MAPS + "blocks:\n  - {channels: [8], weight_bits: [9]}\n": (6, "less than or equal to 8"),
    _MAPS + "blocks:\n  - {chanels: [8]}\n": (6, "channels"),
    _TABLES + "depth: [1]\nlayers:\n  - {width: [8], fan_in: [4, 9], bits: [2]}\nlast: {fan_in: [3]}\n": (
        8,
        "18 address bits; the cap is 15",
    ),
    _TABLES + "depth: [1]\nlayers:\n  - {width: [4], fan_in: [3], bits: [2]}\nlast: {fan_in: [5]}\n": (
        9,
        "4 signals before it, not 5",
    ),
    _TABLES + "depth: [2]\nlayers:\n  - {width: [4], fan_in: [3], bits: [2]}\nlast: {fan_in: [3]}\n": (
        6,
        "at most the 1 hidden layers",
    ),
    "name: a\nkind: cells\nmultiple: 8\nchannels: 12\n": (4, "multiple of 8"),
    "name: a\nkind: cells\noperations: [none, nor_conv_5x5]\n": (3, "no operation 'nor_conv_5x5'. Did you mean"),
    "name: a\nkind: cellular\n": (2, 'Did you mean "cells"'),
}


@pytest.mark.parametrize("text", list(_REFUSED))
def test_illegal_files_are_refused_with_file_and_line(text, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    line, reason = _REFUSED[text]
    with pytest.raises(ConfigError) as caught:
        read_network_space(path)
    assert f"{path}:{line}: " in str(caught.value) and reason in str(caught.value)


def test_an_illegal_combination_is_refused_by_layer():
    space = network_space("mnist-tables")
    assert isinstance(space, TableSpace)
    point = space.draw(rng=np.random.default_rng(0)) | {
        "depth": 2,
        "l0_bits": 2,
        "l1_fan_in": 6,
        "l1_bits": 3,
        "last_fan_in": 6,
    }
    with pytest.raises(TableTooLarge, match="layer 'last': fan-in 6 x 3 bits = 18 address bits"):
        space.topology(point)
    assert "the cap is 12" in space.refusal(point)


def test_blocks_become_layers(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(
        _MAPS + "blocks:\n  - {channels: [8]}\n"
        "  - {stride: 2, channels: [16], kernel: [5], expansion: [2], repeats: [2], bits: [2]}\n"
    )
    space = read_network_space(path)
    assert isinstance(space, MapSpace)
    topology = space.topology(space.choices.point(0))
    kinds = [(layer.kind, layer.channels, layer.kernel, layer.stride) for layer in topology.layers]
    assert kinds == [
        ("conv", 8, 3, 1),
        ("conv", 16, 1, 1),
        ("depthwise", 0, 5, 2),
        ("conv", 16, 1, 1),
        ("conv", 32, 1, 1),
        ("depthwise", 0, 5, 1),
        ("conv", 16, 1, 1),
        ("average_pool", 0, 0, 1),
        ("dense", 10, 0, 1),
    ]
    assert [layer.bits for layer in topology.layers] == [4, 2, 2, 2, 2, 2, 2, 2, None]
    assert str(topology.shapes()["b1r0_project"]) == "16x8x8"


def test_cells_are_the_presets_layers():
    space = network_space("nasbench201")
    assert isinstance(space, CellSpace) and space.choices.size == 15625
    kinds = {"conv1": ("conv", 1), "conv3": ("conv", 3), "pool": ("average_pool", 3), "add": ("add", 0)}
    for number in (0, 1, 624, 7777, 15624):
        point = space.choices.point(number)
        operations = space.operations(point)
        assert space.point(space.arch(point)) == point and operations_of(arch_of(operations)) == operations
        layers, out = cell_layers(operations)
        topology = space.topology(point)
        inner = [layer for layer in topology.layers if layer.name.startswith("s0c0_")]
        names = {-1: "stem", **dict(enumerate(layer.name for layer in inner))}
        assert [(layer.kind, layer.kernel) for layer in inner] == [kinds[one.kind] for one in layers]
        assert [layer.sources for layer in inner] == [tuple(names[i] for i in one.sources) for one in layers]
        assert topology.layer("r1_conv0").sources == (names[out],)
        assert len(topology.layers) == space.layer_count(operations)
        assert space.config(point).topology("x", inputs=3072, answers=10).layers == topology.layers
    arch = "|nor_conv_1x1~0|+|skip_connect~0|none~1|+|none~0|none~1|avg_pool_3x3~2|"
    program = compile_program(random_network(space.topology(space.point(arch)), seed=0), EnginePoint(8, 8, 4, 4))
    assert len(program.layers) == 13 + 3
    with pytest.raises(ConfigError, match="must look like"):
        operations_of(arch[1:])


def test_a_stack_longer_than_a_program_is_refused(tmp_path):
    path = tmp_path / "deep.yaml"
    path.write_text("name: deep\nkind: cells\ncells: 5\n")
    space = read_network_space(path)
    assert isinstance(space, CellSpace)
    everything = {name: "nor_conv_3x3" for name in space.choices.names}
    assert "148 layers" in space.refusal(everything)
    assert (
        space.refusal(
            {name: "skip_connect" for name in space.choices.names}.copy()
            | {"edge01": "none", "edge02": "none", "edge13": "none", "edge23": "none", "edge12": "none"}
        )
        == ""
    )


def test_a_space_of_ones_own(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from codesign.accel.space import Knob\n"
        "from codesign.search.networks import NetworkSpace\n"
        "from codesign.config import TopologyConfig\n"
        "class Mine(NetworkSpace):\n"
        "    def _knobs(self):\n"
        "        return [Knob('width', (4, 8))]\n"
        "    def config(self, point):\n"
        "        layers = [dict(width=int(point['width']), fan_in=2, bits=1), dict(width=2, fan_in=2, bits=2)]\n"
        "        return TopologyConfig(layers=layers)\n"
        "    def topology(self, point):\n"
        "        return self.config(point).topology('mine', inputs=4, answers=2, task='classification')\n"
    )
    (tmp_path / "space.yaml").write_text("name: mine\nkind: mine.py:Mine\n")
    space = read_network_space(tmp_path / "space.yaml")
    assert space.topology({"width": 8}).layers[0].width == 8
    assert space.text() == "name: mine\nkind: mine.py:Mine\n"


def test_a_missing_table_names_the_file(monkeypatch, tmp_path):
    monkeypatch.setenv("CODESIGN_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DataError, match="nasbench201_acc_latency.npz into the folder that the variable CODESIGN_DATA"):
        load_accuracies("cifar10")
    np.savez(tmp_path / "nasbench201_acc_latency.npz", arch_str=np.array(["x"]), cifar10_val=[1.0], cifar10_test=[1.0])
    with pytest.raises(DataError, match="arch_str must have 15625 rows"):
        load_accuracies("cifar10")
    with pytest.raises(ConfigError, match='Did you mean "cifar10"'):
        load_accuracies("cifar-10")


def test_the_table(request):
    if not os.environ.get("CODESIGN_DATA") or not list(
        Path(os.environ["CODESIGN_DATA"]).rglob("nasbench201_acc_latency.npz")
    ):
        pytest.skip("the table of NAS-Bench-201 is not in CODESIGN_DATA")
    table = load_accuracies("cifar10")
    best = table.archs[int(table.test.argmax())]
    assert round(float(table.test.max()), 2) == 94.37
    assert best == "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
    assert table.row(best) == table.test.argmax()
