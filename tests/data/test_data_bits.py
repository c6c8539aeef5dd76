"""The binarisation: scales, widths, rounding, categories, and that only training rows are looked at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.data import BitEncoder, BitField, fit_bits
from codesign.errors import ConfigError, DataError

ALL = slice(None)


def rows(n: int, train: int | None = None) -> np.ndarray:
    return np.arange(n) < (n if train is None else train)


def decode(bits: np.ndarray) -> np.ndarray:
    """Read bits, most significant first, as numbers."""
    return bits.astype(object) @ np.array([1 << i for i in reversed(range(bits.shape[1]))], dtype=object)


def test_a_worked_example():
    columns = {
        "size": np.array([0.0, 5.0, 300.0]),
        "gap": np.array([0.0, 0.004, 0.011]),
        "kind": np.array(["b", "a", "b"]),
    }
    encoder = fit_bits(columns, rows=rows(3))
    # 300 needs 9 bits; 0.011 / 0.004 = 2.75 needs ceil(log2(3.75)) = 2; two kinds and the code of others need 2.
    assert [(f.name, f.bits, f.scale) for f in encoder.fields] == [
        ("size", 9, 1.0),
        ("gap", 2, 250.0),
        ("kind", 2, 1.0),
    ]
    assert encoder.bit_names[:2] == ("size[8]", "size[7]") and encoder.bit_names[8:] == (
        "size[0]",
        "gap[1]",
        "gap[0]",
        "kind[1]",
        "kind[0]",
    )
    out = encoder.encode(columns)
    assert out.dtype == np.uint8 and out.shape == (3, 13) == (3, encoder.bits)
    assert decode(out[:, :9]).tolist() == [0, 5, 300]
    assert decode(out[:, 9:11]).tolist() == [0, 1, 3]
    assert decode(out[:, 11:]).tolist() == [1, 0, 1]


def test_halves_are_rounded_up():
    field = BitField("v", 4)
    assert field.codes(np.array([0.49999999999999994, 0.5, 1.5, 2.5, 2.4999])).tolist() == [0, 1, 2, 3, 2]


def test_values_outside_the_fitted_range_saturate():
    field = BitField("v", 3)
    assert field.codes(np.array([-4.0, 7.0, 8.0, 1e30])).tolist() == [0, 7, 7, 7]
    assert BitField("v", 33).codes(np.array([2.0**32, 1e30])).tolist() == [2**32 - 1] * 2


def test_unknown_categories_are_all_ones():
    field = BitField("k", 3, 1.0, ("a", "c", "x"))
    assert field.codes(np.array(["a", "b", "c", "x", "zz", "A"])).tolist() == [0, 7, 1, 2, 7, 7]


def test_only_training_rows_are_fitted_on():
    column = np.array([1.0, 3.0, 1000.0])
    words = np.array(["a", "b", "c"])
    narrow = fit_bits({"v": column, "w": words}, rows=rows(3, 2))
    assert [f.bits for f in narrow.fields] == [2, 2]
    assert narrow.fields[1].categories == ("a", "b")
    assert narrow.encode({"v": column, "w": words}).tolist() == [[0, 1, 0, 0], [1, 1, 0, 1], [1, 1, 1, 1]]
    assert fit_bits({"v": column}, rows=rows(3)).bits == 10


def test_listed_categories_fix_the_codes():
    field = fit_bits({"w": np.array(["tcp"])}, rows=rows(1), categories={"w": ("udp", "arp", "tcp")}).fields[0]
    assert field.categories == ("arp", "tcp", "udp") and field.bits == 2


def test_constant_and_tiny_columns():
    zero = fit_bits({"v": np.zeros(4)}, rows=rows(4))
    assert (zero.fields[0].bits, zero.fields[0].scale) == (1, 1.0)
    tiny = fit_bits({"v": np.array([5e-324, 1e300])}, rows=rows(2)).fields[0]
    assert tiny.bits == 64 and np.isfinite(tiny.scale)


def test_widths_and_scales_are_taken_as_given():
    columns = {"v": np.array([0.25, 8.0])}
    given_ = fit_bits(columns, rows=rows(2), widths={"v": 3}, scales={"v": 0.5}).fields[0]
    assert (given_.bits, given_.scale) == (3, 0.5)
    for changes, message in (
        ({"widths": {"w": 3}}, "widths: there is no column 'w'"),
        ({"widths": {"v": 0}}, "v must be above 0"),
        ({"widths": {"v": 65}}, "at most 64"),
        ({"scales": {"v": -1.0}}, "must be above 0"),
    ):
        with pytest.raises(ConfigError, match=message):
            fit_bits(columns, rows=rows(2), **changes)
    words = {"k": np.array(["a", "b", "c", "d"])}
    with pytest.raises(ConfigError, match="k needs 3 bits for 4 categories"):
        fit_bits(words, rows=rows(4), widths={"k": 2})
    with pytest.raises(ConfigError, match="'k' holds words"):
        fit_bits(words, rows=rows(4), scales={"k": 2.0})
    with pytest.raises(DataError, match="one training row"):
        fit_bits(columns, rows=rows(2, 0))


@settings(deadline=None, max_examples=80)
@given(st.lists(st.integers(0, 2**31), min_size=1, max_size=30))
def test_integers_come_back(values):
    column = np.array(values, dtype=float)
    encoder = fit_bits({"v": column}, rows=rows(len(values)))
    assert decode(encoder.encode({"v": column})).tolist() == values
    assert encoder.bits == max(1, max(values).bit_length())


@settings(deadline=None, max_examples=80)
@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=30))
def test_training_values_are_within_half_a_step(values):
    column = np.array(values)
    field = fit_bits({"v": column}, rows=rows(len(values))).fields[0]
    error = field.codes(column).astype(float) / field.scale - column
    assert (np.abs(error) <= (0.5 + 1e-6) / field.scale).all() or field.codes(column).max() == 2**field.bits - 1


def test_the_bits_of_a_row_do_not_depend_on_other_rows():
    column = np.arange(20.0)
    encoder = BitEncoder((BitField("v", 5, 1.0), BitField("u", 3, 0.5)))
    whole = encoder.encode({"v": column, "u": column})
    for row in (0, 7, 19):
        one = slice(row, row + 1)
        assert np.array_equal(encoder.encode({"v": column[one], "u": column[one]}), whole[one])
