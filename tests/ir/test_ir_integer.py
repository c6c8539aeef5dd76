"""Integer networks compute what PyTorch computes in float64; their sums keep to the stated range; levels and codes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.ir.integer import (
    INPUT,
    Add,
    Conv,
    IntegerNetwork,
    Levels,
    MapShape,
    Pool,
    Requantize,
    dense,
    evaluate_layer,
    output_shape,
    trace_integer,
)
from codesign.ir.integer_check import check_integer, sum_range
from codesign.testing import IntegerLimits, integer_networks, random_inputs

many = settings(max_examples=80, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def torch_layer(layer, sources):
    """The layer by torch in float64, and floor division in place of the shift."""
    maps = [torch.from_numpy(s).double() for s in sources]
    if isinstance(layer, Add):
        total = maps[0] * layer.weights[0] + maps[1] * layer.weights[1]
    elif isinstance(layer, Pool):
        padded = F.pad(maps[0], (layer.padding,) * 4)
        if layer.kind == "max":
            return F.max_pool2d(padded, layer.kernel, layer.stride).long().numpy()
        total = F.avg_pool2d(padded, layer.kernel, layer.stride, divisor_override=1)
    else:
        weights = torch.from_numpy(layer.weights).double()
        total = F.conv2d(maps[0], weights, stride=layer.stride, padding=layer.padding, groups=layer.groups)
    if layer.requantize is None:
        return total.long().numpy()
    step = layer.requantize
    exact = total.long().numpy().astype(object)  # Python's own integers: of any width
    scaled = exact * step.multipliers.astype(object)[:, None, None] + step.biases.astype(object)[:, None, None]
    if layer.levels.bits == 1:
        return np.where(scaled >= 0, 1, -1).astype(np.int64)
    return np.clip(scaled // 2**step.shift, layer.levels.low, layer.levels.high).astype(np.int64)


@many
@given(integer_networks(), seeds)
def test_every_layer_equals_torch(network, seed):
    x = random_inputs(network, np.random.default_rng(seed), 8)
    found = trace_integer(network, x)
    shapes = network.shapes()
    assert np.array_equal(found[INPUT], x)
    for layer in network.layers:
        wanted = torch_layer(layer, [found[s] for s in layer.sources])
        got = found[layer.name]
        assert got.dtype == np.int64 and got.shape == (8, *vars(shapes[layer.name]).values())
        np.testing.assert_array_equal(got, wanted, layer.name)
        if layer.levels is not None:
            assert layer.levels.legal(got)


@many
@given(integer_networks(), seeds)
def test_sums_keep_to_their_range_and_reach_it(network, seed):
    x = random_inputs(network, np.random.default_rng(seed), 8)
    found = trace_integer(network, x)
    last = network.layers[-1]
    low, high = sum_range(last, [network.levels(last.source)])
    sums = found[last.name]
    assert (sums >= low[:, None, None]).all() and (sums <= high[:, None, None]).all()
    # A whole window of the values that pull each channel's sum to an end gives that end.
    if last.padding == 0 and last.groups == 1:
        levels = network.levels(last.source)
        for values, ends in (((levels.low, levels.high), high), ((levels.high, levels.low), low)):
            window = np.where(last.weights[0] < 0, *values)[None]
            assert evaluate_layer(last, [window])[0, 0, 0, 0] == ends[0]


@settings(max_examples=60, deadline=None)
@given(
    integer_networks(limits=IntegerLimits(channels=(4, 8), bits=(4,), signed=False, same_bits=True, weight_bits=(3,)))
)
def test_limits_are_kept(network):
    assert network.input_levels == Levels(4)
    for layer in network.layers[:-1]:
        assert layer.levels == Levels(4)
    for layer in network.layers:
        if isinstance(layer, Conv):
            assert layer.weight_levels == Levels(3, signed=True) and np.abs(layer.weights).max() <= 4


def test_the_strategy_draws_every_kind_and_border_case():
    seen = set()

    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @given(integer_networks())
    def look(network):
        for layer in network.layers:
            kind = type(layer).__name__ if not isinstance(layer, Pool) else layer.kind
            seen.add(kind)
            if isinstance(layer, Conv):
                seen.update({f"groups {min(layer.groups, 2)}", f"weights {layer.weight_levels.bits}"})
            if not isinstance(layer, Add):
                seen.update({f"stride {layer.stride}", f"padding {layer.padding}"})
            if layer.levels is not None:
                seen.add(str(layer.levels))

    look()
    wanted = {"Conv", "Add", "max", "average", "groups 1", "groups 2", "weights 1", "weights 8", "stride 3"}
    assert wanted | {"padding 0", "padding 2", "bipolar", "u4", "s8", "s2"} <= seen


def test_levels():
    assert [(Levels(b).low, Levels(b).high) for b in (1, 2, 8)] == [(-1, 1), (0, 3), (0, 255)]
    assert [(Levels(b, True).low, Levels(b, True).high) for b in (2, 8)] == [(-2, 1), (-128, 127)]
    for levels in (Levels(1), Levels(3), Levels(3, True)):
        codes = np.arange(1 << levels.bits)
        assert np.array_equal(levels.codes(levels.values(codes)), codes)
        assert len(set(levels.values(codes).tolist())) == len(codes)
    assert Levels(1).values([0, 1]).tolist() == [-1, 1]
    assert Levels(3, True).values([3, 4, 7]).tolist() == [3, -4, -1]
    assert not Levels(1).legal([0]) and not Levels(2).legal([4]) and not Levels(2, True).legal([-3])
    with pytest.raises(ValueError, match="must be levels of u2, not 1 to 4"):
        Levels(2).codes([1, 4])


def test_requantize_floors_saturates_and_signs():
    step = Requantize(np.array([1, -3]), np.array([2, 0]), 2)
    sums = np.array([-100, -3, -2, 1, 2, 60, 100]).reshape(-1, 1, 1, 1).repeat(2, axis=1)
    found = step.apply(sums, Levels(4))[:, :, 0, 0]
    assert found[:, 0].tolist() == [0, 0, 0, 0, 1, 15, 15]  # (s + 2) / 4, downwards
    assert found[:, 1].tolist() == [15, 2, 1, 0, 0, 0, 0]
    signs = Requantize(np.array([2, 2]), np.array([-4, -5]), 7).apply(np.full((1, 2, 1, 1), 2), Levels(1))
    assert signs[0, :, 0, 0].tolist() == [1, -1]  # 0 counts as positive


def test_a_dense_layer_takes_the_map_in_channel_row_column_order():
    shape = MapShape(2, 2, 3)
    weights = np.arange(-6, 6).reshape(1, 12)
    layer = dense("d", INPUT, weights, weight_levels=Levels(5, True), shape=shape)
    network = check_integer(IntegerNetwork("n", shape, Levels(4), (layer,)))
    x = np.arange(12).reshape(1, 2, 2, 3)
    assert trace_integer(network, x)["d"].tolist() == [[[[int((weights[0] * np.arange(12)).sum())]]]]
    assert output_shape(layer, [shape]) == MapShape(1, 1, 1) and network.layer("d") is layer
    with pytest.raises(KeyError):
        network.layer("e")
