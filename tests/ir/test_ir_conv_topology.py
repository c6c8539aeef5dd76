"""Shapes of networks over feature maps: presets, NAS-Bench-201 cells, and every rule broken one at a time."""

from dataclasses import replace

import numpy as np
import pytest

from codesign.errors import ConfigError
from codesign.ir.conv_presets import NASBENCH_OPERATIONS, cifar10_small, conv_preset, mnist_dense, nasbench201, resnet8
from codesign.ir.conv_topology import ConvLayer, ConvTopology, check_conv_topology
from codesign.ir.integer import INPUT, Add, Conv, MapShape, Pool, trace_integer
from codesign.ir.integer_random import random_network
from codesign.ir.integer_text import integer_text


def test_presets_have_the_published_sizes():
    assert (mnist_dense().macs(), mnist_dense().parameters()) == (784 * 64 + 64 * 64 + 64 * 10,) * 2
    # MLPerf Tiny's ResNet-8: 12.5 million multiplications; 78,666 parameters, 1,306 of them biases and batch norms.
    assert (resnet8().macs(), resnet8().parameters()) == (12_501_632, 77_360)
    assert cifar10_small().parameters() == 3 * 144 + 9 * (16 * 32 + 32 * 32 + 32 * 64 + 64 * 64) + 640
    shapes = random_network(resnet8(), seed=0).shapes()
    assert [str(shapes[n]) for n in ("stem", "b1_add", "b2_add", "pool", "answer")] == [
        "16x32x32", "32x16x16", "64x8x8", "64x1x1", "10x1x1"
    ]  # fmt: skip


@pytest.mark.parametrize("bits", [1, 4])
def test_random_networks_use_their_levels(bits):
    network = random_network(mnist_dense(bits=bits, input_bits=4, weight_bits=bits), seed=3)
    x = np.random.default_rng(0).integers(0, 16, (200, 784, 1, 1))
    found = trace_integer(network, x)
    for name in ("dense0", "dense1"):
        used, counts = np.unique(found[name], return_counts=True)
        assert len(used) >= min(2**bits, 12) and counts.max() < 0.9 * counts.sum()
    assert integer_text(random_network(mnist_dense(), seed=3)) == integer_text(random_network(mnist_dense(), seed=3))
    assert integer_text(random_network(mnist_dense(), seed=3)) != integer_text(random_network(mnist_dense(), seed=4))


def cell(arch):
    """Layers of the one cell of the first stage, by what they are and read, without the prefix."""
    network = random_network(nasbench201(arch, channels=4, cells=1), seed=0)
    return {
        layer.name.removeprefix("s0c0_"): (
            "add" if isinstance(layer, Add) else "pool" if isinstance(layer, Pool) else f"conv{layer.kernel[0]}",
            tuple(s.removeprefix("s0c0_") for s in layer.sources),
        )
        for layer in network.layers
        if layer.name.startswith("s0c0_")
    }, network


def test_a_cell_is_built_as_its_string_says():
    found, _ = cell("|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|skip_connect~0|none~1|avg_pool_3x3~2|")
    assert found == {
        "n0to1": ("conv3", ("stem",)),
        "n0to2": ("conv1", ("stem",)),
        "n2_add0": ("add", ("n0to2", "n0to1")),
        "n2to3": ("pool", ("n2_add0",)),
        "n3_add0": ("add", ("stem", "n2to3")),
    }


def test_what_cannot_reach_the_output_is_left_out_and_nothing_is_zero():
    found, _ = cell("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_1x1~0|none~1|none~2|")
    assert found == {"n0to3": ("conv1", ("stem",))}
    found, _ = cell("|skip_connect~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|")
    assert found == {}
    found, network = cell("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|none~0|none~1|none~2|")
    assert found == {"zero": ("add", ("stem", "stem"))}
    x = np.random.default_rng(0).integers(0, 16, (2, 3, 32, 32))
    traced = trace_integer(network, x)
    assert not traced["s0c0_zero"].any() and traced["stem"].any()


def test_any_cell_is_built():
    rng = np.random.default_rng(5)
    kinds = set()
    for _ in range(40):
        o = [NASBENCH_OPERATIONS[i] for i in rng.integers(0, 5, 6)]
        arch = f"|{o[0]}~0|+|{o[1]}~0|{o[2]}~1|+|{o[3]}~0|{o[4]}~1|{o[5]}~2|"
        network = random_network(nasbench201(arch, channels=2, cells=2, shape=MapShape(3, 8, 8)), seed=0)
        sums = trace_integer(network, rng.integers(0, 16, (1, 3, 8, 8)))["answer"]
        assert sums.shape == (1, 10, 1, 1)
        kinds |= {type(layer) for layer in network.layers if layer.name.startswith("s1c1")}
    assert kinds == {Add, Conv, Pool}


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("|nor_conv_5x5~0|+|none~0|none~1|+|none~0|none~1|none~2|", "no operation 'nor_conv_5x5'. Did you mean"),
        ("|none~0|+|none~0|none~1|", "must describe 3 nodes, joined by '.', not 2"),
        ("|none~0|+|none~1|none~0|+|none~0|none~1|none~2|", r"node 2: .* from nodes 0 to 1, in order, not \[1, 0\]"),
        ("|none~0|+|none~0|+|none~0|none~1|none~2|", r"node 2: its 2 edge\(s\) must come from"),
        ("none~0+|none~0|none~1|+|none~0|none~1|none~2|", "an edge must be operation~node, not 'none~0'"),
        ("|none|+|none~0|none~1|+|none~0|none~1|none~2|", "an edge must be operation~node, not 'none'"),
        ("", "node 1: an edge must be"),
    ],
)
def test_a_wrong_cell_is_named(arch, message):
    with pytest.raises(ConfigError, match=message):
        nasbench201(arch)


A = ConvLayer("a", "conv", (INPUT,), channels=4, kernel=3, padding=1)
P = ConvLayer("p", "average_pool", ("a",), kernel=2, stride=2)
S = ConvLayer("s", "add", ("p", "p"))
Z = ConvLayer("z", "dense", ("s",), channels=3, bits=None)
GOOD = ConvTopology("t", MapShape(2, 4, 4), 4, (A, P, S, Z))


def with_layer(index, **changes):
    layers = list(GOOD.layers)
    layers[index] = replace(layers[index], **changes)
    return replace(GOOD, layers=tuple(layers))


@pytest.mark.parametrize(
    ("topology", "message"),
    [
        (replace(GOOD, layers=()), "at least one layer"),
        (replace(GOOD, input_bits=9), "input: levels must have 1 to 8 bits"),
        (with_layer(0, name="a-b"), "its name must be letters"),
        (with_layer(1, name="a"), "the name 'a' is taken"),
        (with_layer(0, channels=0), "layer 'a': conv needs channels, at least 1, not 0"),
        (with_layer(0, kernel=0), "layer 'a': the kernel must be at least 1, not 0"),
        (with_layer(0, kernel=7), "layer 'a': its kernel of 7x7 must fit 'input', which is 2x4x4, with padding 1"),
        (with_layer(0, groups=3), "layer 'a': groups must divide its 4 channels, not 3"),
        (with_layer(0, groups=4), "layer 'a': 4 group.s. of 0 input channels|layer 'a': weights must be"),
        (with_layer(0, stride=0), "layer 'a': the stride must be at least 1, not 0"),
        (with_layer(0, weight_bits=9), "layer 'a': weight_bits must be 1 to 8, not 9"),
        (with_layer(0, bits=None), "layer 'a': every layer but the last needs bits"),
        (with_layer(0, padding=3), "layer 'a': padding must be less than the kernel"),
        (with_layer(0, sources=(INPUT, INPUT)), r"layer 'a': conv reads 1 source\(s\), not 2"),
        (with_layer(0, sources=("s",)), "layer 'a': there is no 's' before it; it may read 'input'"),
        (with_layer(1, bits=3), "layer 'p': a pooling keeps its source's 4 bits, not 3"),
        (with_layer(1, channels=4), "layer 'p': average_pool keeps its source's channels"),
        (with_layer(1, kernel=0, padding=1), "layer 'p': a window over the whole map has no padding"),
        (with_layer(1, groups=2), "layer 'p': groups are for a conv"),
        (with_layer(2, kernel=3), "layer 's': add has no kernel"),
        (with_layer(2, sources=("p",)), r"layer 's': add reads 2 source\(s\), not 1"),
        (with_layer(2, weights=(0, 1)), "layer 's': the weights of an addition must be"),
        (with_layer(2, sources=("p", "a")), "layer 's': an addition needs equal shapes"),
        (with_layer(3, bits=4), "layer 'z': the last layer must be conv or dense with bits None"),
        (replace(GOOD, layers=(A, P)), "layer 'p': the last layer must be conv or dense"),
        (
            replace(GOOD, layers=(replace(P, sources=(INPUT,)), replace(S, sources=("p", "p")), Z)),
            "layer 's': an addition may not read the input or a pooling of it",
        ),
        (
            replace(GOOD, layers=(A, replace(A, name="b", bits=5), replace(S, sources=("a", "b")), Z)),
            "layers 'a' and 'b' share one step .* equal, not 4 and 5",
        ),
    ],
)
def test_each_broken_rule_is_named(topology, message):
    assert check_conv_topology(GOOD) is GOOD
    with pytest.raises(ConfigError, match=message):
        check_conv_topology(topology)


def test_operands_of_additions_and_poolings_share_one_step():
    topology = resnet8(channels=4)
    groups = {layer.name: topology.scale_group(layer.name) for layer in topology.layers}
    assert groups["b0_conv1"] == groups["stem"] == "stem" and groups["b0_conv0"] == "b0_conv0"
    assert groups["b1_short"] == groups["b1_conv1"] == "b1_conv1"
    assert groups["pool"] == groups["b2_add"] == "b2_add" and topology.scale_group(INPUT) == INPUT


def test_unknown_presets_are_named():
    assert conv_preset("resnet-8") is resnet8
    with pytest.raises(ConfigError, match="no network preset 'resnet8'. Did you mean"):
        conv_preset("resnet8")
