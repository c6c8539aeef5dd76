"""Thresholds found by bisection are the exact first inputs of their codes."""

import numpy as np
import pytest
from extract_models import model_for
from hypothesis import given
from hypothesis import strategies as st
from small_data import blobs

from codesign.config import InputsConfig
from codesign.extract import check_tables, extract
from codesign.extract.thresholds import _float, _order, encode_stage
from codesign.ir import Fixed, Layer, Topology, encode


def build(*, coding="binary", bits=3, scale=1.0, shift=0.0, seed=0, **inputs):
    data = blobs(rows=200, features=3, classes=3, scale=scale, shift=shift)
    topology = Topology("t", 3, bits, (Layer("l0", 3, 2, 2),), coding)
    return model_for(data, topology, seed=seed, inputs=InputsConfig(**inputs)), data


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_the_order_of_floats_as_integers(a, b):
    x = np.array([a, b])
    order = _order(x)
    assert np.array_equal(_float(order), x)
    if a != b:
        assert (order[0] < order[1]) == (a < b)


@pytest.mark.parametrize("coding", ["binary", "thermometer"])
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1e-6, 1e3), (1e7, -1e9)])
def test_bisection_finds_the_first_float_of_every_code(coding, scale, shift):
    model, _ = build(coding=coding, scale=scale, shift=shift)
    stage = encode_stage(model.encoder, name="encode")
    points = np.array([f.thresholds for f in stage.features])
    assert points.shape == (3, 7 if coding == "binary" else 3)
    wanted = np.tile(np.arange(1, points.shape[1] + 1), (3, 1))
    counted = model.encoder.feature_codes(points)
    below = model.encoder.feature_codes(np.nextafter(points, -np.inf))
    assert (counted >= wanted).all() and (below < wanted).all()


@pytest.mark.parametrize("word", [Fixed(5, 2, True), Fixed(6, 0, False), Fixed(4, 1, True)])
@pytest.mark.parametrize("coding", ["binary", "thermometer"])
def test_every_word_gets_the_models_code(word, coding):
    model, _ = build(
        coding=coding, scale=2.0, word_bits=word.bits, fraction_bits=word.fraction_bits, signed=word.signed
    )
    stage = encode_stage(model.encoder, name="encode")
    assert all(f.word == word for f in stage.features)
    every = np.arange(word.format.low - 2, word.format.high + 3) * 2.0**-word.fraction_bits  # beyond both ends too
    x = np.stack([every + 0.3 * 2.0**-word.fraction_bits] * 3, axis=1)
    assert np.array_equal(encode(stage, x), model.encoder.codes(x).t().numpy())


def test_codes_that_no_word_reaches_lie_just_beyond_it():
    """Unsigned words of a feature whose mean is high: low codes are always passed, none is lost."""
    model, data = build(scale=0.01, shift=3.0, word_bits=3, fraction_bits=0)
    network = extract(model, name="net")
    inside = [t for f in network.encode.features for t in f.word_thresholds()]
    assert min(inside) >= 0 and max(inside) <= 8
    assert check_tables(model, network) > 0


def test_fixed_thresholds_are_taken_as_they_are():
    model, _ = build(thresholds=[-1.0, 0.0, 1.5, 2.0, 3.0, 4.0, 5.0])
    stage = encode_stage(model.encoder, name="encode")
    assert all(f.thresholds == (-1.0, 0.0, 1.5, 2.0, 3.0, 4.0, 5.0) for f in stage.features)
