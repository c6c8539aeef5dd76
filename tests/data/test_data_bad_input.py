"""Bad files and bad configurations: every one ends in an error that says file, line and column, and what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from codesign.config import DataConfig
from codesign.data import load
from codesign.errors import ConfigError, DataError

HEAD = "a,b,kind\n"
GOOD = "".join(f"{i}.5,{i * 2}.25,{'xy'[i % 2]}\n" for i in range(20))


def refuse(path: Path, message: str, *, error=DataError, **changes) -> str:
    with pytest.raises(error, match=message) as caught:
        load(DataConfig(source="file", path=path, **changes))
    return str(caught.value)


def csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    return path


CSV = {
    "word": (HEAD + GOOD + "1,abc,x\n", r"rows\.csv:22, column 'b': must be a finite number, not 'abc'"),
    "empty cell": (HEAD + GOOD + "1,,x\n", r"rows\.csv:22, column 'b': .*but the cell is empty"),
    "nan": (HEAD + "nan,1,x\n" + GOOD, r"rows\.csv:2, column 'a': must be a finite number, not 'nan'"),
    "inf": (HEAD + GOOD + "1,-inf,x\n", r"rows\.csv:22, column 'b': .*not '-inf'"),
    "ragged short": (HEAD + GOOD + "1,x\n", r"rows\.csv:22: has 2 cells; every row must have 3"),
    "ragged long": (HEAD + "1,2,x,\n" + GOOD, r"rows\.csv:2: has 4 cells; every row must have 3"),
    "blank lines count": (HEAD + "\n\n1,2\n" + GOOD, r"rows\.csv:4: has 2 cells"),
    "lines in quotes count": ('a,b,"ki\nnd"\n' + GOOD + "1,?,x\n", r"rows\.csv:23, column 'b'"),
    "empty label": (HEAD + GOOD + "1,2, \n", r"rows\.csv:22, column 'kind': the cell must not be empty"),
    "other delimiter": (HEAD + GOOD.replace(",", ";"), r"rows\.csv:2: has 1 cells.*data.options.delimiter"),
    "no rows": (HEAD, r"rows\.csv has no data rows"),
    "nothing": ("", r"rows\.csv is empty"),
    "no header": ("1,2,0\n" + GOOD, r"rows\.csv:1: .*holds numbers only; .*options.header: false"),
    "column twice": ("a,a,kind\n" + GOOD, r"rows\.csv:1: the column name 'a' stands twice"),
    "nameless": ("a,,kind\n" + GOOD, r"rows\.csv:1: a column has no name"),
    "open quote": (HEAD + GOOD + '1,"2,x\n', r"rows\.csv:22: malformed row"),
    "one class": (HEAD + GOOD.replace("y", "x"), "at least two classes, not 1"),
    "class too small": (HEAD + GOOD + "1,2,z\n", r"class 'z' has 1 row\(s\) to draw from; it needs at least 3"),
    "mixed labels": (HEAD + GOOD + "1,2,7\n", r"rows\.csv:22, column 'kind': labels must be all words or all num.*'7'"),
    "no features": ("kind\n" + "x\ny\n" * 9, "no feature columns besides the target"),
    "too large": (HEAD + GOOD + "1e39,2,x\n", r"rows\.csv:22, column 'a' is inf; every value must be a finite float32"),
}


@pytest.mark.parametrize("name", CSV)
def test_bad_csv(name, tmp_path):
    text, message = CSV[name]
    refuse(csv(tmp_path, text), message)


def numeric(labels) -> str:
    return HEAD + "".join(f"{i}.5,{i * 2}.25,{label}\n" for i, label in enumerate(labels))


LABELS = {
    "fraction": ([0, 1] * 6 + [0.5], r"rows\.csv:14, column 'kind': a label must be an integer, not 0.5.*regression"),
    "nan": ([0, 1] * 6 + ["nan"], r"rows\.csv:14, column 'kind': a label must be an integer, not nan"),
    "inf": ([0, 1] * 6 + ["inf"], r"rows\.csv:14, column 'kind': a label must be an integer, not inf"),
    "negative": ([0, 1] * 6 + [-1], r"rows\.csv:14, column 'kind': labels must be 0 to 1, not -1.*options.classes"),
    "gap": ([0, 2] * 6, r"rows\.csv:3, column 'kind': the label is 2, but no row has the label 1"),
    "from one": ([1, 2] * 6, r"rows\.csv:2, column 'kind': the label is 1, but no row has the label 0"),
}


@pytest.mark.parametrize("name", LABELS)
def test_bad_labels(name, tmp_path):
    labels, message = LABELS[name]
    refuse(csv(tmp_path, numeric(labels)), message)


def test_labels_outside_the_listed_classes(tmp_path):
    path = csv(tmp_path, HEAD + GOOD + "1,2,yy\n")
    refuse(
        path, r"rows\.csv:22, column 'kind': the label 'yy' is not one of .*\(x, y\)", options={"classes": ["x", "y"]}
    )
    path = csv(tmp_path, numeric([1, 2] * 6 + [3]))
    refuse(path, r"rows\.csv:14, .*label '3' is not one of", options={"classes": [1, 2]})
    path = csv(tmp_path, HEAD + GOOD)
    refuse(path, "class 'z' has 0 row", options={"classes": ["x", "y", "z"]})


def test_wrong_columns_get_a_suggestion(tmp_path):
    path = csv(tmp_path, "height,width,kind\n" + GOOD)
    refuse(path, r"rows\.csv has no column 'widht'.*Did you mean \"width\"", features=["widht"])
    refuse(path, r"no column 'kinds'.*Did you mean \"kind\".*Known: height, width, kind", target="kinds")
    refuse(path, "'kind' must stand once, and not be the target", features=["height", "kind"], error=ConfigError)
    refuse(path, "'height' must stand once", features=["height", "height"], error=ConfigError)
    refuse(path, "a classification takes one column", target=["height", "kind"], error=ConfigError)
    refuse(path, "regression takes a column", target=[], task="regression", error=ConfigError)
    refuse(path, "'width' stands twice", target=["width", "width"], task="regression", error=ConfigError)
    refuse(path, "no feature columns", features=[])
    refuse(path, r"rows\.csv:2, column 'kind': must be a finite number, not 'x'", task="regression")
    refuse(path, r"no column 'part'", options={"split": "part"})


def test_wrong_options(tmp_path):
    path = csv(tmp_path, HEAD + GOOD)
    refuse(path, "unknown key 'delimeter'.*Did you mean \"delimiter\"", options={"delimeter": ";"}, error=ConfigError)
    refuse(path, "data.options.header: .*bool", options={"header": "perhaps"}, error=ConfigError)
    refuse(path, "data.options.delimiter: .*1 character", options={"delimiter": "::"}, error=ConfigError)
    refuse(path, "target_path is for npy files, not 'rows.csv'", options={"target_path": "y.npy"}, error=ConfigError)
    np.savez(tmp_path / "t.npz", x=np.ones((9, 1)), y=np.arange(9) % 2)
    refuse(tmp_path / "t.npz", "header is for csv files", options={"header": False}, error=ConfigError)
    refuse(
        tmp_path / "t.npz", "test_path is for csv and arff and parquet", options={"test_path": "a"}, error=ConfigError
    )
    two = {"split": "a", "test_path": path}
    refuse(path, "give either `split` or files", options=two, error=ConfigError)


def test_wrong_paths(tmp_path):
    refuse(tmp_path / "absent.csv", "there is no file .*absent.csv")
    refuse(tmp_path / "absent.npz", "cannot read .*absent.npz")
    refuse(tmp_path / "absent.npy", "cannot read .*absent.npy")
    refuse(tmp_path / "absent.parquet", "there is no file .*absent.parquet")
    refuse(tmp_path / "rows.xlsx", r"must end in one of \.csv, .*not 'rows.xlsx'", error=ConfigError)
    (tmp_path / "folder.csv").mkdir()
    refuse(tmp_path / "folder.csv", "cannot read .*folder.csv: Is a directory")
    with pytest.raises(ConfigError, match="needs the path of a csv"):
        load(DataConfig(source="file"))


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"a,b,kind\n1,2,\xff\xfe\n")
    refuse(path, "rows.csv must be UTF-8 text")


def test_the_split_column_holds_part_names(tmp_path):
    text = HEAD.replace("b", "part") + "".join(f"{i},train,{'xy'[i % 2]}\n" for i in range(9)) + "1,tset,x\n"
    refuse(csv(tmp_path, text), r"rows\.csv:11, column 'part': .*not 'tset'.*\"test\"", options={"split": "part"})


def test_a_second_file_is_named_too(tmp_path):
    path = csv(tmp_path, HEAD + GOOD)
    more = tmp_path / "more.csv"
    more.write_text(HEAD + "1,2,x\n3,oops,y\n")
    refuse(path, r"more\.csv:3, column 'b': must be a finite number, not 'oops'", options={"test_path": more})
    more.write_text("a,kind\n1,x\n")
    refuse(path, r"more\.csv has no column 'b'", options={"test_path": more})
    more.write_text(HEAD + "1,2,x\n3,1e39,y\n")
    refuse(path, r"more\.csv:3, column 'b' is inf", options={"test_path": more})
    more.write_text(HEAD + "1,2,x\n")
    refuse(path, "class 'y' has no test rows", options={"test_path": more})


X = np.arange(24.0).reshape(12, 2)
Y = np.arange(12) % 2


def with_nan(row: int, column: int) -> np.ndarray:
    x = X.copy()
    x[row, column] = np.nan
    return x


NPZ = {
    "nan": ({"x": with_nan(5, 1), "y": Y}, r"t\.npz, row 5, column 'x1' is nan"),
    "nan in a part": (
        {"x_train": X, "y_train": Y, "x_test": with_nan(3, 0), "y_test": Y},
        r"t\.npz, test row 3, column 'x0' is nan",
    ),
    "lengths": ({"x": X, "y": Y[:-1]}, "as many answers as rows of features: 12, not 11"),
    "part lengths": ({"x_train": X, "y_train": Y[:-1]}, "x_train and y_train must have equal rows"),
    "part columns": (
        {"x_train": X, "y_train": Y, "x_test": X[:, :1], "y_test": Y},
        "all parts must have equal columns",
    ),
    "half a part": ({"x_train": X, "y_train": Y, "x_test": X}, "no array 'y_test'"),
    "no answers": ({"x": X, "label": Y}, r"t\.npz has no array 'y'.*Known: x, label"),
    "labels": ({"x": X, "y": Y + 0.5}, r"t\.npz, row 0, column 'y': a label must be an integer, not 0.5"),
    "label above": ({"x": X, "y": Y * 2, "class_names": np.array(["a", "b"])}, "labels must be 0 to 1, not 2"),
    "empty class": ({"x": X, "y": Y, "class_names": np.array(["a", "b", "c"])}, "class 'c' has 0 row"),
    "two label columns": ({"x": X, "y": np.stack([Y, Y], 1)}, r"must be one value a row, not shape \(12, 2\)"),
    "complex": ({"x": X + 1j, "y": Y}, "features must be real numbers, not complex128"),
    "words": ({"x": X.astype(str), "y": Y}, "features must be real numbers"),
    "flat": ({"x": X[:, 0], "y": Y}, r"x must be \(rows, features\), not shape \(12,\)"),
    "names": ({"x": X, "y": Y, "feature_names": np.array(["a"])}, "feature_names must name 2 columns, not 1"),
    "no features": ({"y": Y, "z": X[:5, 0]}, "no features: neither an array x nor 1-D arrays of 12"),
}


@pytest.mark.parametrize("name", NPZ)
def test_bad_npz(name, tmp_path):
    arrays, message = NPZ[name]
    np.savez(tmp_path / "t.npz", **arrays)
    refuse(tmp_path / "t.npz", message)


def test_npz_columns_get_a_suggestion(tmp_path):
    np.savez(tmp_path / "t.npz", height=X[:, 0], width=X[:, 1], short=X[:5, 0], y=Y)
    refuse(tmp_path / "t.npz", r"no column 'widht'.*Did you mean \"width\"", features=["widht"], error=ConfigError)
    refuse(tmp_path / "t.npz", "column 'short' has 5 rows, the answers 12", features=["height", "short"])
    refuse(tmp_path / "t.npz", "no array 'yy'", target="yy")
    refuse(tmp_path / "t.npz", "no array 'part'", options={"split": "part"})
    refuse(tmp_path / "t.npz", r"must be 1-D arrays of equal length", target=["height", "short"], task="regression")


def test_damaged_files(tmp_path):
    np.savez(tmp_path / "t.npz", x=X, y=Y)
    np.save(tmp_path / "t.npy", np.column_stack([X, Y]))
    pq.write_table(pa.table({"a": X[:, 0], "kind": Y}), tmp_path / "t.parquet")
    for name in ("t.npz", "t.npy", "t.parquet"):
        whole = (tmp_path / name).read_bytes()
        for content in (whole[: len(whole) // 2], b"", b"not such a file at all", whole[:3]):
            (tmp_path / name).write_bytes(content)
            refuse(tmp_path / name, f"{name} is not a readable {name[2:]} file, or is truncated")


def test_pickled_objects_are_never_loaded(tmp_path):
    np.savez(tmp_path / "t.npz", x=X, y=np.array(["a", 1] * 6, dtype=object))
    refuse(tmp_path / "t.npz", "t.npz holds pickled Python objects, which are never loaded")
    np.save(tmp_path / "t.npy", np.array([{}, 1], dtype=object))
    refuse(tmp_path / "t.npy", "t.npy holds pickled Python objects")


def test_swapped_array_files(tmp_path):
    np.save(tmp_path / "t.npy", X)
    (tmp_path / "t.npy").rename(tmp_path / "u.npz")
    refuse(tmp_path / "u.npz", "it holds one array. Name it .npy")
    np.savez(tmp_path / "t.npz", x=X)
    (tmp_path / "t.npz").rename(tmp_path / "u.npy")
    refuse(tmp_path / "u.npy", "archive of several. Name it .npz")


def test_bad_npy(tmp_path):
    path = tmp_path / "t.npy"
    np.save(path, X[:, 0])
    refuse(path, r"must be a table of numbers \(rows, columns\), not float64 \(12,\)")
    np.save(path, np.column_stack([with_nan(7, 0), Y]))
    refuse(path, r"t\.npy, row 7, column 'c0' is nan")
    np.save(path, X)
    np.save(tmp_path / "y.npy", Y[:-1])
    refuse(path, r"y.npy must have 12 rows", options={"target_path": tmp_path / "y.npy"})
    refuse(path, "either a target column or", options={"target_path": "y.npy"}, target="c0", error=ConfigError)
    np.save(tmp_path / "y.npy", np.zeros((12, 2, 2)))
    refuse(path, "targets must be real numbers", options={"target_path": tmp_path / "y.npy"}, task="regression")
    np.save(path, np.column_stack([X.astype(str), Y.astype(str)]))
    refuse(path, "column 'c0': must hold numbers")


def test_bad_parquet(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1.0, None, 3.0], "kind": [0, 1, 0]}), path)
    refuse(path, r"t\.parquet, row 1, column 'a': the cell must not be empty")
    pq.write_table(pa.table({"a": ["p", "q"], "kind": [0, 1]}), path)
    refuse(path, "column 'a': must hold numbers, not string")
    pq.write_table(pa.table({"a": [1.0, float("nan")] + [0.0] * 8, "kind": [0, 1] * 5}), path)
    refuse(path, r"t\.parquet, row 1, column 'a' is nan")
    pq.write_table(pa.table({"a": pa.array([], pa.float64()), "kind": pa.array([], pa.int64())}), path)
    refuse(path, "has no rows")


def test_bad_arff(tmp_path):
    path = tmp_path / "t.arff"
    head = "@relation t\n@attribute a numeric\n@attribute kind {x,y}\n"
    for text, message in (
        (head, "has no line @data"),
        ("@data\n1,x\n", ":1: @data comes before any @attribute"),
        (head + "rubbish\n@data\n", ":4: not a line of an arff head: 'rubbish'"),
        ("@attribute a\n@data\n", ":1: must be `@attribute name type`"),
        (head + "@data\n1,x\n?,y\n", r":6, column 'a': must be a finite number, not '\?'"),
        (head + "@data\n% a comment\n1,x,3\n", ":6: has 3 cells; every row must have 2"),
    ):
        path.write_text(text)
        refuse(path, message)


def test_an_unknown_source_and_bad_shares():
    with pytest.raises(ConfigError, match=r"no source 'minst'. Did you mean \"mnist\""):
        load(DataConfig(source="minst"))
    with pytest.raises(ConfigError, match="limit must be at least 10"):
        load(DataConfig(source="digits", limit=5))
    for field in ("validation", "test"):
        with pytest.raises(ValueError, match="less than 1"):
            DataConfig(**{field: 1.0})
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        DataConfig(split_seed=-1)
