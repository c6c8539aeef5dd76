"""Every rule of a legal integer network, broken one at a time: the error names the layer and the numbers."""

from dataclasses import replace

import numpy as np
import pytest

from codesign.errors import DataError
from codesign.ir.integer import INPUT, Add, Conv, IntegerNetwork, Levels, MapShape, Pool, Requantize
from codesign.ir.integer_check import check_integer


def step(channels, shift=4):
    return Requantize(np.ones(channels, np.int64), np.zeros(channels, np.int64), shift)


def ones(*shape):
    return np.ones(shape, np.int64)


S4 = Levels(4, signed=True)
CONV = Conv("a", INPUT, ones(4, 2, 3, 3), S4, padding=1, requantize=step(4), levels=Levels(4))
POOL = Pool("p", "a", "average", (2, 2), Levels(4), 2, requantize=step(4))
MAX = Pool("m", "p", "max", (2, 2), Levels(4))
SUM = Add("s", ("p", "p"), step(4), Levels(4))
LAST = Conv("z", "s", ones(3, 4, 2, 2), S4)
GOOD = IntegerNetwork("net", MapShape(2, 4, 4), Levels(4), (CONV, POOL, SUM, LAST))


def with_layer(index, **changes):
    layers = list(GOOD.layers)
    layers[index] = replace(layers[index], **changes)
    return replace(GOOD, layers=tuple(layers))


def test_the_good_network_is_legal():
    assert check_integer(GOOD) is GOOD
    assert check_integer(replace(GOOD, layers=(CONV, POOL, MAX, replace(LAST, source="m", weights=ones(3, 4, 1, 1)))))


def test_bipolar_weights_may_be_padded_where_activations_are_not_bipolar():
    bipolar = replace(CONV, weight_levels=Levels(1))
    assert check_integer(replace(GOOD, layers=(bipolar, *GOOD.layers[1:])))


FAULTS = [
    (replace(GOOD, name="4x"), r"network's name .* not '4x'"),
    (replace(GOOD, input_shape=MapShape(0, 4, 4)), "at least one value, not 0x4x4"),
    (replace(GOOD, input_levels=Levels(9)), "input: levels must have 1 to 8 bits, not 9"),
    (replace(GOOD, layers=()), "at least one layer"),
    (with_layer(0, name="a b"), "layer 0: its name .* 'a b'"),
    (with_layer(0, name=INPUT), "the name 'input' is taken"),
    (with_layer(1, name="a"), "layer 1: the name 'a' is taken"),
    (with_layer(0, source="p"), r"layer 'a' must read 'input' or a layer before it, not 'p' \(before it: input\)"),
    (with_layer(0, weight_levels=Levels(9, True)), "layer 'a', weights: levels must have 1 to 8 bits, not 9"),
    (with_layer(0, weight_levels=Levels(4)), "layer 'a': weights must be signed, or bipolar, not u4"),
    (with_layer(0, weights=ones(4, 2)), r"layer 'a': weights must be int64 .* not int64 \(4, 2\)"),
    (with_layer(0, weights=ones(4, 2, 3, 3).astype(np.int32)), "layer 'a': weights must be int64 .* not int32"),
    (with_layer(0, weights=ones(0, 2, 3, 3)), "layer 'a': weights must be int64"),
    (with_layer(0, weights=8 * ones(4, 2, 3, 3)), r"'a': the weight at \(0, 0, 0, 0\) is 8; .* s4 must be -8 to 7"),
    (with_layer(0, weights=0 * CONV.weights, weight_levels=Levels(1)), "is 0; weights of bipolar must be -1 or"),
    (with_layer(0, groups=3), "layer 'a': groups must divide its 4 outputs, not 3"),
    (with_layer(0, groups=0), "layer 'a': groups must divide its 4 outputs, not 0"),
    (with_layer(0, groups=2), r"'a': 2 group\(s\) of 2 input channels make 4, but 'input' has 2 channels"),
    (with_layer(0, stride=0), "layer 'a': kernel and stride must be at least 1 .* 3x3, 0 and 1"),
    (with_layer(0, padding=-1), "layer 'a': .* padding at least 0, not 3x3, 1 and -1"),
    (with_layer(0, padding=3), "layer 'a': padding must be less than the kernel 3x3, not 3"),
    (with_layer(1, kernel=(5, 2)), "layer 'p': the kernel 5x2 must fit its input of 4x4 with padding 0"),
    (replace(GOOD, input_levels=Levels(1)), "layer 'a': padding is the value 0, which the bipolar values of 'input'"),
    (with_layer(0, requantize=None), "layer 'a': every layer but the last must have a requantization"),
    (with_layer(0, levels=None), "layer 'a': every layer but the last must have a requantization"),
    (with_layer(0, levels=Levels(0)), "layer 'a': levels must have 1 to 8 bits, not 0"),
    (with_layer(0, requantize=step(3)), r"'a': there must be one int64 multiplier for each of 4 channels, .* \(3,\)"),
    (with_layer(0, requantize=step(4, 40)), "layer 'a': the shift must be 0 to 39, not 40"),
    (with_layer(0, requantize=step(4, -1)), "layer 'a': the shift must be 0 to 39, not -1"),
    (
        with_layer(0, requantize=Requantize(np.array([0, 0, 1 << 15, 0]), ones(4), 0)),
        "layer 'a', channel 2: the multiplier must fit 16 bits, two's complement, not 32768",
    ),
    (
        with_layer(0, requantize=Requantize(ones(4), np.array([0, -(1 << 39) - 1, 0, 0]), 0)),
        "layer 'a', channel 1: the bias must fit 40 bits, two's complement, not -549755813889",
    ),
    (
        with_layer(0, requantize=Requantize(ones(4).astype(np.int16), ones(4), 0)),
        "layer 'a': there must be one int64 multiplier .* not int16",
    ),
    (with_layer(1, requantize=None), "layer 'p': every layer but the last must have a requantization"),
    (with_layer(2, sources=("p", "a")), "layer 's': an addition needs equal shapes; 'p' has 4x2x2, 'a' has 4x4x4"),
    (with_layer(2, weights=(1, 0)), r"'s': the weights of an addition must be -128 to 127 and not 0, not \(1, 0\)"),
    (with_layer(2, weights=(128, 1)), r"'s': the weights of an addition must be -128 to 127"),
    (with_layer(3, levels=Levels(4)), "layer 'z': the last layer must be a convolution or dense layer without"),
    (with_layer(3, requantize=step(3), levels=Levels(4)), "layer 'z': the last layer must be a convolution"),
    (replace(GOOD, layers=GOOD.layers[:3]), "layer 's': the last layer must be a convolution"),
    (replace(GOOD, layers=(CONV, POOL, MAX)), "layer 'm': the last layer must be a convolution"),
    (
        replace(GOOD, layers=(CONV, POOL, replace(MAX, levels=Levels(3)), replace(LAST, source="m"))),
        "layer 'm': a maximum keeps the levels of its source, u4, .* it states u3",
    ),
    (
        replace(GOOD, layers=(CONV, POOL, replace(MAX, requantize=step(4)), replace(LAST, source="m"))),
        "layer 'm': a maximum keeps the levels of its source",
    ),
]


@pytest.mark.parametrize(("network", "message"), FAULTS)
def test_each_broken_rule_is_named(network, message):
    with pytest.raises(DataError, match=message):
        check_integer(network)


def test_sums_beyond_32_bits_are_refused():
    shape = MapShape(600, 16, 16)
    weights = np.full((1, 600, 16, 16), -128, np.int64)
    last = Conv("z", INPUT, weights, Levels(8, True))
    low = -128 * 255 * 600 * 256
    with pytest.raises(DataError, match=f"layer 'z': sums must fit 32 bits, but they reach {low} to 0"):
        check_integer(IntegerNetwork("n", shape, Levels(8), (last,)))
    assert check_integer(IntegerNetwork("n", shape, Levels(7), (replace(last, weights=weights // 2),)))
