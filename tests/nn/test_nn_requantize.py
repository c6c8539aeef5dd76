"""Multiplier, bias and shift against the real function, on every integer sum; and where 16 bits cannot follow it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.ir.integer import Levels, Requantize
from codesign.nn.requantize import fit_requantize, real_codes


def apply(fit, sums, levels):
    """Codes (channels, sums) of all channels on the same sums."""
    channels = len(fit.requantize.multipliers)
    return fit.requantize.apply(np.tile(sums, (channels, 1))[None, :, :, None], levels)[0, :, :, 0]


def compare(scale, offset, low, high, levels):
    """Fit, then compare all sums of each channel's own range one by one; check every stated figure."""
    fit = fit_requantize(scale, offset, low, high, levels)
    sums = np.arange(low.min(), high.max() + 1)
    got = apply(fit, sums, levels)
    wanted = real_codes(sums, scale[:, None], offset[:, None], levels)
    inside = (sums >= low[:, None]) & (sums <= high[:, None])
    differs = np.where(inside, np.abs(got - wanted), 0)
    assert np.array_equal(differs.max(axis=1), fit.error)
    assert np.array_equal(fit.exact, fit.error == 0)
    steps = levels.high - levels.low if not levels.bipolar else 1
    assert (differs.astype(bool).sum(axis=1) <= fit.moved * steps).all()
    for channel in np.flatnonzero(fit.error):
        assert differs[channel, fit.worst[channel] - sums[0]] == fit.error[channel]
    step = fit.requantize
    assert np.abs(step.multipliers).max() < 1 << 15 and np.abs(step.biases).max() < 1 << 39 and 0 <= step.shift <= 39
    return fit


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3, 4, 8]), st.booleans(), st.integers(2, 4000))
def test_figures_are_true_for_any_function(seed, bits, signed, reach):
    rng = np.random.default_rng(seed)
    levels = Levels(bits, signed and bits > 1)
    scale = rng.normal(size=6) * levels.high / reach * 10.0 ** rng.uniform(-1.5, 1.5)
    offset = rng.normal(size=6) * levels.high
    low, high = -rng.integers(1, reach, 6), rng.integers(1, reach, 6)
    compare(scale, offset, low, high, levels)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_trained_like_functions_are_exact(bits):
    """Steps of a channel spread over its range, slopes within a factor of four: what batch norm gives."""
    rng = np.random.default_rng(bits)
    levels, reach = Levels(bits), 4000
    scale = rng.uniform(0.5, 2, 64) * rng.choice([-1, 1], 64) * levels.high / reach
    offset = rng.normal(size=64) * levels.high / 3
    ends = np.full(64, reach)
    fit = compare(scale, offset, -ends, ends, levels)
    assert fit.exact.all() and not fit.moved.any()


def test_beyond_sixteen_bits_edges_move_by_few_sums_and_codes_by_one():
    rng = np.random.default_rng(0)
    reach = 300_000
    scale, offset = rng.uniform(0.5, 2, 8) * 15 / reach, rng.normal(size=8) * 4
    ends = np.full(8, reach)
    fit = compare(scale, offset, -ends, ends, Levels(4))
    assert not fit.exact.all() and fit.error.max() == 1 and 1 < fit.moved.max() < 100


def test_slopes_too_far_apart_are_reported():
    levels = Levels(8)
    scale, offset = np.array([1.0, 3e-5]), np.array([0.0, 0.0])
    ends = np.array([1_000, 8_000_000])
    fit = fit_requantize(scale, offset, -ends, ends, levels)
    assert fit.exact[0] and fit.error[1] > 1
    worst = fit.worst[1:2]
    got = apply(fit, worst, levels)[1]
    assert abs(int(got[0]) - int(real_codes(worst, scale[1:], offset[1:], levels)[0])) == fit.error[1]


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_channel_without_variance_is_exact_and_leaves_the_others_their_bits(bits):
    levels = Levels(bits)
    rng = np.random.default_rng(bits)
    scale = np.array([0.4, 5e4, -3e6, 2.0 * levels.high, 0.7])
    offset = -scale * np.array([3.2, 17.0 - 1e-5, 40.4, -7.5, 0.1])
    ends = np.full(5, 200)
    fit = compare(scale, offset + rng.normal(size=5), -ends, ends, levels)
    assert fit.exact[1:4].all() and fit.requantize.shift == 15 - bits and fit.error.max() <= (bits == 8)


def test_ties_and_signs():
    quarter = np.array([0.25])
    none, ends = np.zeros(1), np.array([20])
    fit = fit_requantize(quarter, none, -ends, ends, Levels(3))
    assert fit.exact.all()
    assert apply(fit, np.arange(11), Levels(3))[0].tolist() == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3]  # halves go up
    assert real_codes(np.array([-1, 0, 1]), np.ones(1), none, Levels(1)).tolist() == [-1, 1, 1]
    for scale in (0.3, -0.3):
        fit = fit_requantize(np.array([scale]), np.array([0.6]), -ends, ends, Levels(1))
        sums = np.arange(-20, 21)
        assert np.array_equal(apply(fit, sums, Levels(1))[0] == 1, scale * sums + 0.6 >= 0)


def test_constant_channels():
    """A batch norm that has died: the slope is 0, or all sums are cut off at one end."""
    scale, offset = np.array([0.0, 0.0, 0.01, 0.01, 0.0]), np.array([3.2, -5.0, 900.0, -900.0, 1e9])
    ends = np.full(5, 300)
    for levels in (Levels(4), Levels(1), Levels(4, signed=True)):
        compare(scale, offset, -ends, ends, levels)
    fit = fit_requantize(scale, offset, -ends, ends, Levels(4))
    assert fit.exact.all() and apply(fit, np.array([-300, 300]), Levels(4)).tolist() == [
        [3, 3], [0, 0], [15, 15], [0, 0], [15, 15],
    ]  # fmt: skip


def test_limits_of_the_hardware_are_those_of_the_ir():
    assert (Requantize.MULTIPLIER_BITS, Requantize.BIAS_BITS, Requantize.MAX_SHIFT) == (16, 40, 39)
