from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_data import bits, blobs

from codesign.config import InputsConfig
from codesign.errors import ConfigError, DataError
from codesign.ir import Fixed, Layer, Topology
from codesign.nn.inputs import choose_words, fit_encoder, quantile_thresholds


def topology(data, *, bits=2, coding="binary"):
    return Topology("t", data.inputs, bits, (Layer("l0", 5, 2, 2),), coding)


def fit(data, config=None, **shape):
    config = config or InputsConfig()
    return fit_encoder(config, data, topology=topology(data, **shape), quantizer="brevitas", quantizer_options={})


def column(values, *, word=None):
    """A data set of one feature."""
    x = np.asarray(values, dtype=np.float32)[:, None]
    return replace(blobs(rows=20, features=1, classes=2), x_train=x, word=word)


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=8),
    st.integers(2, 20),
)
def test_words_have_the_finest_grid_that_holds_the_range(values, width):
    (word,) = choose_words(InputsConfig(word_bits=width), column(values))
    low, high = float(np.float32(min(values))), float(np.float32(max(values)))
    assert word.signed == (low < 0)

    def fits(w):
        scaled = np.floor(np.ldexp([low, high], w.fraction_bits))
        return w.format.low <= scaled[0] and scaled[1] <= w.format.high

    assert fits(word)
    if low or high:
        assert not fits(replace(word, fraction_bits=word.fraction_bits + 1))


def test_words_as_stated_or_of_the_data():
    data = column([-3.0, 5.0])
    assert choose_words(InputsConfig(), data) == ()
    assert choose_words(InputsConfig(), replace(data, word=Fixed(8, 0, True))) == (Fixed(8, 0, True),)
    assert choose_words(InputsConfig(word_bits=6, fraction_bits=2), data) == (Fixed(6, 2, True),)
    with pytest.raises(ConfigError, match="signed is false, but feature 'f0' goes down to -3"):
        choose_words(InputsConfig(word_bits=6, signed=False), data)
    with pytest.raises(ConfigError, match="without word_bits"):
        choose_words(InputsConfig(fraction_bits=2), data)


def test_uniform_quantile_and_listed_thresholds():
    data = column(np.arange(9))
    assert fit(data, InputsConfig(thresholds="uniform")).fixed_thresholds.tolist() == [[2.0, 4.0, 6.0]]
    listed = fit(data, InputsConfig(thresholds=[1.0, 2.5, 7.0]))
    assert listed.fixed_thresholds.tolist() == [[1.0, 2.5, 7.0]]
    assert listed.codes(np.array([[0.9], [1.0], [2.5], [8.0]])).tolist() == [[0, 1, 2, 3]]
    on_grid = fit(data, InputsConfig(thresholds=[1.0, 2.5, 7.1], word_bits=3, fraction_bits=0))
    assert on_grid.fixed_thresholds.tolist() == [[1.0, 3.0, 8.0]]
    with pytest.raises(ConfigError, match="must list 3 values"):
        fit(data, InputsConfig(thresholds=[1.0]))
    with pytest.raises(ConfigError, match="must ascend"):
        fit(data, InputsConfig(thresholds=[1.0, 3.0, 2.0]))


@given(st.lists(st.integers(0, 6), min_size=2, max_size=60), st.integers(1, 5))
def test_quantiles_tell_values_apart(values, count):
    x = np.asarray(values, dtype=np.float64)
    (found,) = quantile_thresholds(x[:, None], count)
    distinct = np.unique(x)
    assert (np.diff(found) >= 0).all() and not np.isin(found, distinct[1:]).any()
    codes = np.searchsorted(found, distinct, side="right")
    assert len(set(codes)) >= min(2, len(distinct))
    if len(distinct) <= count + 1:
        assert len(set(codes)) == len(distinct)


def test_quantiles_split_what_stands_above_a_frequent_value():
    x = np.array([0.0] * 90 + [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0])
    assert quantile_thresholds(x[:, None], 1).tolist() == [[5.5]]
    assert quantile_thresholds(x[:, None], 4).tolist() == [[2.5, 4.5, 6.5, 8.5]]


def test_quantiles_of_a_smooth_column_are_even():
    x = np.random.default_rng(0).normal(size=(4000, 1))
    codes = np.searchsorted(quantile_thresholds(x, 7)[0], x[:, 0], side="right")
    assert np.bincount(codes).min() > 450


def test_binary_features_become_their_own_code():
    data = bits()
    for coding in ("binary", "thermometer"):
        encoder = fit(data, bits=1, coding=coding)
        assert encoder.shape.kind == "fixed"
        assert torch.equal(encoder.codes(data.x_test), torch.from_numpy(data.x_test.T.astype(np.int64)))
    pixels = column([0, 3, 7], word=Fixed(3))
    assert fit(pixels, bits=3).codes(np.arange(8.0)[:, None]).tolist() == [list(range(8))]
    assert fit(pixels, bits=4).codes(np.arange(8.0)[:, None]).tolist() == [list(range(8))]


@pytest.mark.parametrize("word_bits", [None, 10])
@pytest.mark.parametrize(
    ("coding", "thresholds"),
    [("binary", "learned"), ("thermometer", "learned"), ("thermometer", "quantile"), ("binary", "uniform")],
)
def test_training_and_evaluation_encode_alike(coding, thresholds, word_bits):
    data = blobs(features=3, scale=40.0, shift=-300.0)
    encoder = fit(data, InputsConfig(thresholds=thresholds, word_bits=word_bits), coding=coding, bits=3)
    codes = encoder.codes(data.x_train)
    assert codes.shape == (encoder.shape.signals, len(data.x_train))
    exact = encoder.levels().expand(encoder.shape.signals, -1).gather(1, codes)
    trained = encoder(encoder.prepare(data.x_train)).detach()
    assert (trained.double() - exact).abs().gt(1e-5).double().mean() < 1e-3  # float32 may differ on a boundary
    for signal in codes:
        assert len(signal.unique()) == 2 ** (1 if coding == "thermometer" else 3)


def test_learned_encoders_get_gradients():
    data = blobs(features=3)
    for coding in ("binary", "thermometer"):
        encoder = fit(data, coding=coding)
        values = encoder(encoder.prepare(data.x_train))
        (values * torch.arange(values.shape[0])[:, None]).sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


def test_words_saturate_and_floor_before_the_thresholds():
    data = column([0.0, 1.0, 2.0, 3.9])
    encoder = fit(data, InputsConfig(thresholds=[1.0, 2.0, 3.0], word_bits=2))
    assert encoder.shape.words == (Fixed(2),)
    assert encoder.codes(np.array([[-5.0], [0.99], [1.99], [3.2], [100.0]])).tolist() == [[0, 0, 1, 3, 3]]


def test_constant_features_and_bad_rows():
    data = column([2.0, 2.0, 2.0])
    for thresholds in ("learned", "uniform", "quantile"):
        assert len(fit(data, InputsConfig(thresholds=thresholds)).codes(data.x_train).unique()) == 1
    encoder = fit(data)
    with pytest.raises(DataError, match="takes \\(rows, 1\\) features"):
        encoder.codes(np.zeros((2, 3)))
    with pytest.raises(DataError, match="feature 'f0' is NaN in row 1"):
        encoder.codes(np.array([[0.0], [np.nan]]))


def test_statistics_come_from_the_training_rows_alone():
    data = blobs()
    moved = replace(data, x_validation=data.x_validation * 100, x_test=data.x_test * 100)
    for thresholds in ("learned", "uniform", "quantile"):
        a, b = (fit(d, InputsConfig(thresholds=thresholds, word_bits=9)) for d in (data, moved))
        assert a.shape == b.shape
        assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))
