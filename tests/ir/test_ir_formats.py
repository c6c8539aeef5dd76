"""Formats and fixed-point words: reading, writing, ranges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.ir import Fixed, Format, bits_for_range

formats = st.builds(Format, st.integers(1, 16), st.booleans())


@given(formats)
def test_values_and_codes_are_inverse(fmt):
    codes = np.arange(fmt.count)
    values = fmt.values(codes)
    assert values.min() == fmt.low and values.max() == fmt.high and np.unique(values).size == fmt.count
    assert (fmt.codes(values) == codes).all() and fmt.codes(values).dtype == np.int32


def test_twos_complement_by_hand():
    assert Format(3, signed=True).values([0, 3, 4, 7]).tolist() == [0, 3, -4, -1]
    assert Format(1, signed=True).values([0, 1]).tolist() == [0, -1]
    assert Format(3).values([0, 3, 4, 7]).tolist() == [0, 3, 4, 7]
    assert (Format(3, signed=True).low, Format(3, signed=True).high, str(Format(3, signed=True))) == (-4, 3, "s3")
    assert (Format(30).high, str(Format(30))) == ((1 << 30) - 1, "u30")


@given(formats, st.integers(1, 1000))
def test_a_value_outside_the_format_is_refused(fmt, more):
    for value in (fmt.low - more, fmt.high + more):
        with pytest.raises(ValueError, match="values must be in"):
            fmt.codes([value])


def test_shapes_are_kept_and_empty_arrays_pass():
    fmt = Format(4, signed=True)
    assert fmt.values(np.zeros((2, 3, 4), int)).shape == (2, 3, 4)
    assert fmt.codes(np.zeros((0, 5), int)).shape == (0, 5)


@given(st.integers(-(1 << 28), 1 << 28), st.integers(0, 1 << 28))
def test_bits_for_range_is_the_narrowest(low, span):
    fmt = bits_for_range(low, low + span)
    assert fmt.low <= low and low + span <= fmt.high and fmt.signed == (low < 0)
    if fmt.bits > 1:
        smaller = Format(fmt.bits - 1, fmt.signed)
        assert low < smaller.low or low + span > smaller.high


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0, 0, "u1"),
        (0, 1, "u1"),
        (0, 2, "u2"),
        (5, 7, "u3"),
        (-1, 0, "s1"),
        (-1, 1, "s2"),
        (-2, -2, "s2"),
        (-3, 3, "s3"),
    ],
)
def test_bits_for_range_by_hand(low, high, text):
    assert str(bits_for_range(low, high)) == text


@given(
    st.builds(Fixed, st.integers(1, 12), st.integers(-3, 8), st.booleans()),
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5),
)
def test_words_floor_and_saturate(word, values):
    step = 2.0**-word.fraction_bits
    for value, got in zip(values, word.words(values).tolist(), strict=True):
        low, high = word.format.low, word.format.high
        assert low <= got <= high
        if low * step <= value < (high + 1) * step:
            assert got * step <= value < (got + 1) * step
        else:
            assert got == (low if value < low * step else high)


def test_words_take_infinity():
    assert Fixed(8, 2).words([-np.inf, np.inf]).tolist() == [0, 255]
    assert str(Fixed(8, 2)) == "u8.2"
