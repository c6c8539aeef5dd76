"""Splits: seeded, stratified, complete, and nothing moved that the data brings itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.config import DataConfig
from codesign.data.splits import draw_parts, duplicate_groups, overlap_notes, quotas
from codesign.data.table import TEST, TRAIN, UNUSED, VALIDATION, Table, row_of
from codesign.errors import ConfigError, DataError

fast = settings(deadline=None, max_examples=60)


def table(y, *, task="classification", **changes) -> Table:
    y = np.asarray(y)
    classes = tuple(f"k{i}" for i in range(int(y.max()) + 1)) if task == "classification" else ()
    x = np.arange(len(y), dtype=float)[:, None]
    return Table("toy", task, x, y, ("a",), classes, row_of("toy.csv"), **changes)


labels = st.lists(st.integers(0, 3), min_size=40, max_size=200).map(lambda more: np.array([0, 1, 2, 3] * 3 + more))


@fast
@given(labels, st.floats(0.05, 0.6), st.floats(0.05, 0.6), st.integers(0, 5))
def test_every_row_is_in_one_part_and_every_class_in_every_part(y, test, validation, seed):
    config = DataConfig(test=test, validation=validation, split_seed=seed)
    part = draw_parts(table(y), config).part
    assert part is not None and np.isin(part, (TRAIN, VALIDATION, TEST)).all()
    for code in (TRAIN, VALIDATION, TEST):
        assert set(y[part == code]) == {0, 1, 2, 3}
    again = draw_parts(table(y), config).part
    assert np.array_equal(part, again)
    assert abs((part == TEST).sum() - test * len(y)) <= 4
    assert abs((part == VALIDATION).sum() - validation * (part != TEST).sum()) <= 4


def test_shares_and_class_shares_are_kept():
    y = np.repeat([0, 1, 2], [700, 200, 100])
    part = draw_parts(table(y), DataConfig(test=0.2, validation=0.25)).part
    assert [int((part == code).sum()) for code in (TRAIN, VALIDATION, TEST)] == [600, 200, 200]
    for code, counts in ((TEST, [140, 40, 20]), (VALIDATION, [140, 40, 20])):
        assert np.bincount(y[part == code]).tolist() == counts


def test_another_seed_gives_another_split():
    y = np.arange(100) % 2
    parts = [draw_parts(table(y), DataConfig(split_seed=seed)).part for seed in (0, 1)]
    assert not np.array_equal(*parts)


def test_own_parts_are_kept():
    own = np.full(60, TRAIN, np.int8)
    own[40:] = TEST
    drawn = draw_parts(table(np.arange(60) % 3, part=own), DataConfig(test=0.5, validation=0.2))
    assert np.array_equal(drawn.part == TEST, own == TEST)
    assert (drawn.part == VALIDATION).sum() == 8
    own[30:40] = VALIDATION
    drawn = draw_parts(table(np.arange(60) % 3, part=own), DataConfig())
    assert np.array_equal(drawn.part, own)
    assert "validation and test rows are the data set's own" in drawn.notes[0]


@fast
@given(st.lists(st.integers(0, 25), min_size=80, max_size=200), st.integers(0, 3))
def test_groups_are_never_divided(ids, seed):
    groups = np.array([*range(26), *ids])
    y = groups % 2
    part = draw_parts(table(y, groups=groups), DataConfig(split_seed=seed)).part
    for group in range(26):
        assert len(set(part[groups == group])) == 1
    for code in (TRAIN, VALIDATION, TEST):
        assert set(y[part == code]) == {0, 1}


@fast
@given(st.integers(8, 90), st.integers(0, 3))
def test_a_limit_keeps_classes_and_shares(limit, seed):
    y = np.repeat([0, 1, 2, 3], [100, 60, 30, 10])
    whole = draw_parts(table(y), DataConfig(split_seed=seed)).part
    part = draw_parts(table(y), DataConfig(split_seed=seed, limit=limit)).part
    assert (part == TRAIN).sum() == limit
    assert np.array_equal(part[part != UNUSED], whole[part != UNUSED])
    for code in (TRAIN, VALIDATION, TEST):
        assert set(y[part == code]) == {0, 1, 2, 3}
    share = limit / (whole == TRAIN).sum()
    assert abs((part == TEST).sum() - share * (whole == TEST).sum()) <= 4


def test_a_limit_above_the_rows_changes_nothing():
    y = np.arange(50) % 2
    assert np.array_equal(draw_parts(table(y), DataConfig(limit=10**6)).part, draw_parts(table(y), DataConfig()).part)


def test_a_limit_below_the_classes_is_refused():
    with pytest.raises(ConfigError, match=r"limit must be at least 4 \(a row for every class\), not 3"):
        draw_parts(table(np.arange(400) % 4), DataConfig(limit=3))


def test_a_class_too_small_to_split_is_named():
    y = np.array([0] * 50 + [1] * 2)
    with pytest.raises(DataError, match="class 'k1' has 2 row.s. to draw from; it needs at least 3"):
        draw_parts(table(y), DataConfig())
    own = np.full(52, TRAIN, np.int8)
    own[[0, 50]] = TEST
    with pytest.raises(DataError, match="class 'k1' has 1 row.s. to draw from; it needs at least 2"):
        draw_parts(table(y, part=own), DataConfig())
    groups = np.array([*range(50), 50, 50])
    with pytest.raises(DataError, match="class 'k1' has 1 distinct row.s. to"):
        draw_parts(table(y, groups=groups), DataConfig())


def test_an_empty_table_and_a_tiny_regression_are_refused():
    with pytest.raises(DataError, match="has no rows"):
        draw_parts(
            Table("toy", "regression", np.zeros((0, 1)), np.zeros((0, 1)), ("a",), (), row_of("f")), DataConfig()
        )
    with pytest.raises(DataError, match="has 2 row.s.; it needs at least 3"):
        draw_parts(table(np.zeros((2, 1)), task="regression"), DataConfig())


def test_a_regression_is_split_too():
    part = draw_parts(table(np.zeros((100, 2)), task="regression"), DataConfig(test=0.2, validation=0.25)).part
    assert np.bincount(part).tolist() == [60, 20, 20]


@fast
@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.floats(0, 1), st.integers(0, 2))
def test_quotas_sum_up_and_stay_in_range(counts, share, leave):
    sizes = np.array(counts)
    out = quotas(sizes, share * sizes.sum(), leave=leave)
    high = np.maximum(sizes - leave, 1)
    assert (out >= 1).all() and (out <= high).all()
    assert out.sum() == min(max(round(share * sizes.sum()), len(sizes)), high.sum())


def test_duplicates_are_numbered_and_counted():
    x = np.array([[1, 2], [3, 4], [1, 2], [5, 6], [3, 4]])
    assert duplicate_groups(x).tolist() == [0, 1, 0, 2, 1]
    part = np.array([TRAIN, TRAIN, TEST, TEST, VALIDATION], np.int8)
    assert overlap_notes(x, part) == ("1 of 2 test rows equal a training row in every feature",)
    assert overlap_notes(x, np.array([0, 0, 1, 2, 1], np.int8)) == ()
