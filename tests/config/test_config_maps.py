"""Networks over feature maps in YAML: defaults, presets, and what is refused."""

import pytest
import yaml

from codesign.config import ConvTopologyConfig, parse_model
from codesign.errors import ConfigError
from codesign.ir import ConvLayer, MapShape
from codesign.ir.conv_presets import nasbench201, resnet8
from codesign.ir.integer import INPUT


def read(text):
    return ConvTopologyConfig.model_validate(yaml.safe_load(text))


def layers(text, *, inputs=3 * 8 * 8, answers=5):
    return read("input: [3, 8, 8]\nlayers:\n" + text).topology("t", inputs=inputs, answers=answers).layers


def test_defaults():
    found = layers(
        """
        - {kind: conv, channels: 4}
        - {kind: depthwise, kernel: 5, bits: 3}
        - {kind: max_pool, kernel: 2}
        - {kind: add, source: [l2, l2], weights: [1, 2], bits: 6}
        - {kind: average_pool}
        - {kind: dense}
        """
    )
    assert found == (
        ConvLayer("l0", "conv", (INPUT,), channels=4, kernel=3, padding=1),
        ConvLayer("l1", "depthwise", ("l0",), kernel=5, padding=2, bits=3),
        ConvLayer("l2", "max_pool", ("l1",), kernel=2, stride=2, bits=3),
        ConvLayer("l3", "add", ("l2", "l2"), weights=(1, 2), bits=6),
        ConvLayer("l4", "average_pool", ("l3",), bits=6),
        ConvLayer("l5", "dense", ("l4",), channels=5, bits=None),
    )


def test_what_is_said_holds():
    found = layers(
        """
        - {kind: conv, name: a, channels: 6, kernel: 1, stride: 2, padding: 0, weight_bits: 1, bits: 8}
        - {kind: conv, name: b, source: input, channels: 6, kernel: 3, stride: 2, groups: 3, padding: 1, bits: 8}
        - {kind: add, name: c, source: [a, b]}
        - {kind: average_pool, kernel: 3, stride: 1, padding: 1}
        - {kind: conv, channels: 5, kernel: 4, padding: 0}
        """
    )
    assert found[0] == ConvLayer("a", "conv", (INPUT,), channels=6, kernel=1, stride=2, weight_bits=1, bits=8)
    assert (found[1].sources, found[1].groups) == ((INPUT,), 3)
    assert found[3] == ConvLayer("l3", "average_pool", ("c",), kernel=3, stride=1, padding=1)
    assert found[4].bits is None


def test_without_an_input_shape_features_are_channels_of_one_pixel():
    topology = read("{layers: [{kind: dense, channels: 7}, {kind: dense}], input_bits: 2, weight_bits: 3, bits: 2}")
    made = topology.topology("t", inputs=16, answers=4)
    assert made.input_shape == MapShape(16, 1, 1) and made.input_bits == 2
    assert [(layer.weight_bits, layer.bits) for layer in made.layers] == [(3, 2), (3, None)]


def test_presets():
    made = read("{preset: resnet-8, options: {channels: 4}, bits: 3, weight_bits: 2, input_bits: 8}")
    wanted = resnet8(channels=4, bits=3, weight_bits=2, input_bits=8)
    found = made.topology("t", inputs=3072, answers=10)
    assert (found.layers, found.name) == (wanted.layers, "t")
    arch = "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
    text = f"{{preset: nasbench201, options: {{arch: '{arch}', cells: 1, channels: 2}}, input: [1, 8, 8]}}"
    found = read(text).topology("t", inputs=64, answers=3)
    assert found.layers == nasbench201(arch, cells=1, channels=2, classes=3, shape=MapShape(1, 8, 8)).layers
    text = "{preset: mnist-dense, options: {hidden: [5, 6, 7]}}"
    dense = read(text).topology("t", inputs=784, answers=10)
    assert [layer.channels for layer in dense.layers] == [5, 6, 7, 10]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "give either a preset or layers"),
        ("{preset: resnet-8, layers: [{kind: dense}]}", "give either a preset or layers"),
        ("{preset: resnet8}", 'no network preset .resnet8.. Did you mean "resnet-8"'),
        ("{layers: [{kind: dense}], options: {channels: 3}}", "options are those of a preset"),
        ("{layers: [{kind: dense, bits: true}]}", "valid integer"),
        ("{layers: [{kind: dense, channels: 4.0}]}", "valid integer"),
        ("{layers: [{kind: dense}], input: [1, 2.0, 3]}", "valid integer"),
        ("{layers: [{kind: dense, bits: 9}]}", "less than or equal to 8"),
        ("{layers: [{kind: conv2d}]}", "Input should be 'conv'"),
        ("{layers: [{kind: conv, kernal: 3}]}", "kernal"),
    ],
)
def test_a_wrong_declaration_is_named(text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{preset: resnet-8, options: {chanels: 4}}", "preset 'resnet-8' does not take 'chanels'. Did you mean"),
        ("{preset: resnet-8, options: {classes: 4}}", "does not take 'classes'"),
        ("{preset: mnist-dense}", "map 784x1x1 has 784 values, but the data has 192 features"),
        ("{preset: resnet-8, options: {channels: many}}", "topology.options of the preset 'resnet-8'"),
        ("{input: [3, 8, 9], layers: [{kind: dense}]}", "map 3x8x9 has 216 values, but the data has 192 features"),
        ("{input: [3, 8, 8], layers: [{kind: conv, channels: 5}]}", r"'l0'\) must give 5x1x1, .* not 5x8x8"),
        ("{input: [3, 8, 8], layers: [{kind: dense, channels: 4}]}", "must give 5x1x1, .* not 4x1x1"),
        ("{input: [3, 8, 8], layers: [{kind: dense, bits: 4}]}", "last layer must be conv or dense with bits None"),
        ("{input: [3, 8, 8], layers: [{kind: conv}, {kind: dense}]}", "layer 'l0': conv needs channels"),
        ("{layers: [{kind: dense, source: []}]}", r"layer 'l0': dense reads 1 source\(s\), not 0"),
    ],
)
def test_what_does_not_fit_is_named(text, message):
    with pytest.raises(ConfigError, match=message):
        read(text).topology("t", inputs=192, answers=5)


def test_line_numbers_are_given(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text("layers:\n  - {kind: dense, channels: 4}\n  - {kind: dense, bits: 12}\n")
    with pytest.raises(ConfigError, match=r"net.yaml:3"):
        parse_model(ConvTopologyConfig, path)
