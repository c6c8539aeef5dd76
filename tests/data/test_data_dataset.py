"""What a legal DataSet is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from codesign.data import DataSet, check_dataset
from codesign.errors import DataError
from codesign.ir import Fixed


def make(**changes) -> DataSet:
    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    y = np.array([0, 1, 0, 1, 0, 1])
    parts = {f"x_{p}": x.copy() for p in ("train", "validation", "test")}
    answers = {f"y_{p}": y.copy() for p in ("train", "validation", "test")}
    return replace(
        DataSet("toy", "classification", **parts, **answers, feature_names=("a", "b"), class_names=("n", "p")),
        **changes,
    )


def regression(**changes) -> DataSet:
    y = {f"y_{p}": np.ones((6, 3), np.float32) for p in ("train", "validation", "test")}
    return replace(make(), **{"task": "regression", "class_names": (), **y, **changes})


def with_value(name: str, row: int, column: int, value: float) -> np.ndarray:
    x = getattr(make(), name)
    x[row, column] = value
    return x


def test_a_legal_set_passes_and_says_its_sizes():
    data = make(word=Fixed(4))
    assert check_dataset(data) is data
    assert (data.inputs, data.answers) == (2, 2)
    assert check_dataset(regression()).answers == 3
    x, y = data.part("validation")
    assert x is data.x_validation and y is data.y_validation
    with pytest.raises(ValueError, match="part must be one of"):
        data.part("valid")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_not_finite_names_row_and_column(part: str, value: float):
    data = make(**{f"x_{part}": with_value(f"x_{part}", 4, 1, value)})
    with pytest.raises(DataError, match=rf"x_{part}, row 4, column 'b' is -?(nan|inf).*finite"):
        check_dataset(data)
    with pytest.raises(DataError, match=rf"flows\.csv:{4 + 2}, column 'b'"):
        check_dataset(data, where=lambda part, row: f"flows.csv:{row + 2}")


def test_large_but_finite_values_are_legal():
    # Their sum overflows float32, each of them does not.
    check_dataset(make(x_train=np.full((6, 2), 3e38, np.float32)))


def test_a_bad_value_is_found_in_a_later_block():
    x = np.zeros((300_000, 2), np.float32)
    x[299_999, 0] = np.nan
    y = np.arange(300_000) % 2
    with pytest.raises(DataError, match="row 299999, column 'a' is nan"):
        check_dataset(make(x_train=x, y_train=y))


BAD = {
    "no features": ({"feature_names": ()}, "at least one feature"),
    "twice": ({"feature_names": ("a", "a")}, "feature name 'a' stands twice"),
    "class twice": ({"class_names": ("n", "n")}, "class name 'n' stands twice"),
    "one class": ({"class_names": ("n",)}, "at least two classes, not 1"),
    "task": ({"task": "ranking"}, "task must be classification or regression, not 'ranking'"),
    "float64": ({"x_test": np.zeros((6, 2))}, "x_test must be float32"),
    "ragged": ({"x_test": np.zeros((6, 3), np.float32)}, r"x_test must be float32 \(rows, 2\), not float32 \(6, 3\)"),
    "flat": ({"x_train": np.zeros(6, np.float32)}, "x_train must be float32"),
    "list": ({"x_train": [[0.0, 1.0]]}, "not list"),
    "labels not integers": ({"y_train": np.array([0.5] * 6)}, r"y_train must be int64 \(rows,\), not float64"),
    "lengths": ({"y_train": np.array([0, 1])}, "x_train has 6 rows and y_train 2"),
    "label above": ({"y_test": np.array([0, 1, 2, 0, 1, 1])}, "x_test, row 2 has the label 2; labels must be 0 to 1"),
    "label below": ({"y_test": np.array([0, 1, 0, -1, 1, 1])}, "x_test, row 3 has the label -1"),
    "empty class": ({"y_validation": np.zeros(6, np.int64)}, "class 'p' has no validation rows"),
    "no rows": ({"x_test": np.zeros((0, 2), np.float32), "y_test": np.zeros(0, np.int64)}, r"1 test row\(s\), not 0"),
    "one row": ({"x_train": np.zeros((1, 2), np.float32), "y_train": np.zeros(1, np.int64)}, "at least 2 train"),
    "not in word": ({"word": Fixed(3)}, "row 4, column 'a' is 8.0, which the word u3.0 does not hold"),
    "off the grid": (
        {"word": Fixed(4), "x_test": with_value("x_test", 1, 0, 2.5)},
        "x_test, row 1, column 'a' is 2.5, which the word",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_sets_are_refused(name: str):
    changes, message = BAD[name]
    with pytest.raises(DataError, match=message):
        check_dataset(make(**changes))


def test_rows_outside_training_may_exceed_the_word():
    check_dataset(make(word=Fixed(4), x_test=with_value("x_test", 0, 0, 99)))
    check_dataset(make(word=Fixed(5, 1), x_train=with_value("x_train", 0, 0, 0.5)))


def test_bad_regressions_are_refused():
    targets = np.ones((6, 3), np.float32)
    targets[2, 1] = np.inf
    for changes, message in (
        ({"y_test": targets}, "x_test, row 2, target 1 is inf"),
        ({"y_test": np.ones((6, 2), np.float32)}, "same targets"),
        ({"y_train": np.ones(6, np.float32)}, r"y_train must be float32 \(rows, targets\)"),
        ({"class_names": ("a", "b")}, "no class names"),
    ):
        with pytest.raises(DataError, match=message):
            check_dataset(regression(**changes))
