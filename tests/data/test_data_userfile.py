"""The user's own file, in every format: read right, split right, the same in all forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.config import DataConfig
from codesign.data import load
from codesign.ir import Fixed

ROWS = 60
X = np.round(np.random.default_rng(0).normal(size=(ROWS, 3)), 4)
Y = np.arange(ROWS) % 3
WORDS = np.array(["ash", "birch", "cedar"])[Y]
TARGETS = np.round(np.random.default_rng(1).normal(size=(ROWS, 2)), 4)
NAMES = ("height", "width", "depth")


def csv_text(columns: dict[str, np.ndarray], delimiter: str = ",") -> str:
    lines = [delimiter.join(columns)]
    lines += [delimiter.join(str(v) for v in row) for row in zip(*columns.values(), strict=True)]
    return "\n".join(lines) + "\n"


def columns(**more: np.ndarray) -> dict[str, np.ndarray]:
    return {**{name: X[:, i] for i, name in enumerate(NAMES)}, **more}


def arff_text(table: dict[str, np.ndarray]) -> str:
    kinds = ["numeric" if v.dtype.kind in "if" else "{ash, birch, 'cedar'}" for v in table.values()]
    head = ["% made for a test", "@RELATION toy", ""]
    head += [f"@attribute '{name}' {kind}" for name, kind in zip(table, kinds, strict=True)]
    return "\n".join([*head, "@DATA", "% rows", *csv_text(table).splitlines()[1:], ""])


def write(folder: Path, kind: str) -> Path:
    """The same table, words as labels where the format has words."""
    path = folder / f"trees.{kind}"
    if kind == "csv":
        path.write_text(csv_text(columns(kind=WORDS)), encoding="utf-8-sig")
    elif kind == "tsv":
        path.write_text(csv_text(columns(kind=WORDS), "\t").replace("\n", "\r\n"))
    elif kind == "arff":
        path.write_text(arff_text(columns(kind=WORDS)))
    elif kind == "parquet":
        pq.write_table(pa.table(columns(kind=WORDS)), path)
    elif kind == "npy":
        table = np.zeros(ROWS, [*((name, "f8") for name in NAMES), ("kind", "U5")])
        for name, column in columns(kind=WORDS).items():
            table[name] = column
        np.save(path, table)
    elif kind == "npz":
        np.savez(path, x=X, y=WORDS, feature_names=np.array(NAMES))
    return path


def open_file(path: Path, **changes):
    return load(DataConfig(source="file", path=path, **changes))


def everything(data) -> tuple[np.ndarray, np.ndarray]:
    """All rows, sorted, so that splits do not matter."""
    x = np.concatenate([data.part(p)[0] for p in ("train", "validation", "test")])
    y = np.concatenate([data.part(p)[1] for p in ("train", "validation", "test")])
    order = np.lexsort(x.T)
    return x[order], y[order]


@pytest.mark.parametrize("kind", ["csv", "tsv", "arff", "parquet", "npy", "npz"])
def test_every_format_gives_the_same_data(kind, tmp_path):
    data = open_file(write(tmp_path, kind))
    assert data.feature_names == NAMES and data.class_names == ("ash", "birch", "cedar")
    assert (data.name, data.task, data.word) == ("trees", "classification", None)
    assert data.x_train.dtype == np.float32 and data.y_train.dtype == np.int64
    x, y = everything(data)
    order = np.lexsort(X.astype(np.float32).T)
    assert np.array_equal(x, X.astype(np.float32)[order]) and np.array_equal(y, Y[order])
    reference = open_file(write(tmp_path, "csv"))
    for part in ("train", "validation", "test"):
        assert all(np.array_equal(a, b) for a, b in zip(data.part(part), reference.part(part), strict=True))


def test_paths_are_relative_to_the_folder(tmp_path):
    write(tmp_path, "csv")
    data = load(DataConfig(source="file", path=Path("trees.csv")), folder=tmp_path)
    assert len(data.x_train) + len(data.x_validation) + len(data.x_test) == ROWS


def test_target_and_features_are_chosen_by_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(csv_text({"kind": WORDS, **columns(note=WORDS)}))
    data = open_file(path, target="kind", features=["depth", "height"])
    assert data.feature_names == ("depth", "height")
    x, _ = everything(data)
    assert np.array_equal(np.sort(x[:, 0]), np.sort(X[:, 2].astype(np.float32)))


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz columns", "npz table"])
def test_regression_with_several_targets(kind, tmp_path):
    table = columns(left=TARGETS[:, 0], right=TARGETS[:, 1])
    path = tmp_path / f"r.{kind.split()[0]}"
    target: str | list[str] = ["right", "left"]
    if kind == "csv":
        path.write_text(csv_text(table))
    elif kind == "parquet":
        pq.write_table(pa.table(table), path)
    elif kind == "npz columns":
        np.savez(path, **table)
    else:
        np.savez(path, x=X, both=TARGETS[:, ::-1], feature_names=np.array(NAMES))
        target = "both"
    data = open_file(path, task="regression", target=target)
    assert (data.answers, data.class_names, data.feature_names) == (2, (), NAMES)
    assert data.y_train.dtype == np.float32
    x, y = everything(data)
    assert np.array_equal(y, TARGETS[:, ::-1].astype(np.float32)[np.lexsort(X.astype(np.float32).T)])


def test_regression_takes_the_last_column_by_default(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(csv_text(columns(goal=TARGETS[:, 0])))
    data = open_file(path, task="regression")
    assert data.answers == 1 and data.y_test.shape == (len(data.x_test), 1)


def test_csv_without_a_header_and_with_another_delimiter(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("\n".join(csv_text(columns(kind=Y), ";").splitlines()[1:]) + "\n\n")
    data = open_file(path, options={"header": False, "delimiter": ";"})
    assert data.feature_names == ("c0", "c1", "c2") and data.class_names == ("0", "1", "2")


def test_quoted_cells_and_spaces(tmp_path):
    path = tmp_path / "t.csv"
    rows = [f' {x[0]} ,"{x[1]}", {x[2]}," {w} "' for x, w in zip(X, WORDS, strict=True)]
    path.write_text('height, "width, outer",depth,kind\n' + "\n".join(rows))
    data = open_file(path)
    assert data.feature_names == ("height", "width, outer", "depth")
    assert data.class_names == ("ash", "birch", "cedar")


def test_npy_last_column_or_a_file_of_targets(tmp_path):
    np.save(tmp_path / "t.npy", np.column_stack([X, Y]))
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", WORDS)
    np.save(tmp_path / "r.npy", TARGETS)
    one = open_file(tmp_path / "t.npy")
    assert one.feature_names == ("c0", "c1", "c2") and one.answers == 3
    two = load(DataConfig(source="file", path="x.npy", options={"target_path": "y.npy"}), folder=tmp_path)
    assert two.class_names == ("ash", "birch", "cedar")
    assert np.array_equal(one.x_test, two.x_test) and np.array_equal(one.y_test, two.y_test)
    real = load(
        DataConfig(source="file", path="x.npy", task="regression", options={"target_path": "r.npy"}), folder=tmp_path
    )
    assert real.answers == 2
    first = open_file(tmp_path / "t.npy", target="c3", features=["c1"])
    assert np.array_equal(first.x_test[:, 0], one.x_test[:, 1])


@pytest.mark.parametrize("labels", [Y, Y.astype(float), Y.astype(np.uint8), Y.astype(str), Y.astype("S")])
def test_integer_labels_in_any_dress(labels, tmp_path):
    np.savez(tmp_path / "t.npz", x=X, y=labels)
    data = open_file(tmp_path / "t.npz")
    assert data.class_names == ("0", "1", "2")
    assert np.array_equal(everything(data)[1], Y[np.lexsort(X.astype(np.float32).T)])


def test_listed_classes_set_the_order(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(csv_text(columns(kind=WORDS)))
    data = open_file(path, options={"classes": ["cedar", "ash", "birch"]})
    assert data.class_names == ("cedar", "ash", "birch")
    assert np.array_equal(everything(data)[1], np.array([1, 2, 0])[Y][np.lexsort(X.astype(np.float32).T)])
    path.write_text(csv_text(columns(kind=Y + 1)))
    data = open_file(path, options={"classes": [1, 2, 3]})
    assert data.class_names == ("1", "2", "3") and set(data.y_train) == {0, 1, 2}


def test_npz_with_parts_of_its_own(tmp_path):
    parts = {"train": slice(0, 30), "validation": slice(30, 45), "test": slice(45, 60)}
    arrays = {f"{a}_{p}": v[s] for p, s in parts.items() for a, v in (("x", X), ("y", Y))}
    np.savez(tmp_path / "t.npz", **arrays, class_names=np.array(["a", "b", "c"]))
    data = open_file(tmp_path / "t.npz", features=["x2", "x0"])
    assert data.class_names == ("a", "b", "c") and data.feature_names == ("x2", "x0")
    for part, rows in parts.items():
        x, y = data.part(part)
        assert np.array_equal(x, X[rows][:, [2, 0]].astype(np.float32)) and np.array_equal(y, Y[rows])
    np.savez(tmp_path / "u.npz", **{k: v for k, v in arrays.items() if "validation" not in k})
    data = open_file(tmp_path / "u.npz", validation=0.2)
    assert np.array_equal(data.x_test, X[45:].astype(np.float32)) and len(data.x_validation) == 6


def test_npz_images_are_flattened(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (ROWS, 4, 5), dtype=np.uint8)
    np.savez(tmp_path / "t.npz", x=images, y=Y)
    data = open_file(tmp_path / "t.npz")
    assert data.inputs == 20 and data.word == Fixed(8)


def test_the_home_folder_may_be_named_by_a_tilde(tmp_path):
    write(Path.home(), "csv")
    assert open_file(Path("~/trees.csv")).feature_names == NAMES


def test_files_of_their_own_for_other_parts(tmp_path):
    for name, rows in (("a", slice(0, 30)), ("b", slice(30, 45)), ("c", slice(45, 60))):
        (tmp_path / f"{name}.csv").write_text(csv_text({k: v[rows] for k, v in columns(kind=WORDS).items()}))
    options = {"test_path": "c.csv", "validation_path": "b.csv"}
    data = load(DataConfig(source="file", path="a.csv", options=options), folder=tmp_path)
    assert np.array_equal(data.x_train, X[:30].astype(np.float32))
    assert np.array_equal(data.x_validation, X[30:45].astype(np.float32))
    assert np.array_equal(data.x_test, X[45:].astype(np.float32)) and np.array_equal(data.y_test, Y[45:])
    assert [note.split(",")[0] for note in data.notes if "SHA-256" in note] == [
        "file a.csv",
        "file b.csv",
        "file c.csv",
    ]


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_a_column_may_say_the_part(kind, tmp_path):
    part = np.array(["train", "Test", "validation"])[np.arange(ROWS) // 3 % 3]
    path = tmp_path / f"t.{kind}"
    if kind == "csv":
        path.write_text(csv_text(columns(part=part, kind=WORDS)))
    else:
        np.savez(path, x=X, y=WORDS, part=part, feature_names=np.array(NAMES))
    data = open_file(path, options={"split": "part"})
    assert data.feature_names == NAMES
    for name, word in (("train", "train"), ("test", "Test"), ("validation", "validation")):
        assert np.array_equal(data.part(name)[0], X[part == word].astype(np.float32))


def test_duplicates_are_told_of_and_can_be_kept_together(tmp_path):
    x = np.repeat(np.arange(40.0)[:, None] + 0.5, 3, axis=0)
    np.savez(tmp_path / "t.npz", x=x, y=np.repeat(np.arange(40) % 2, 3))
    data = open_file(tmp_path / "t.npz")
    assert any("test rows equal a training row in every feature" in note for note in data.notes)
    data = open_file(tmp_path / "t.npz", options={"group_duplicates": True})
    assert not any("equal a training row" in note for note in data.notes)
    parts = [set(data.part(p)[0].ravel()) for p in ("train", "validation", "test")]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])


@pytest.mark.parametrize(
    ("x", "word"),
    [
        (np.arange(ROWS)[:, None] % 16, Fixed(4)),
        (np.arange(ROWS)[:, None] % 16 - 8.0, Fixed(4, 0, True)),
        (np.arange(ROWS)[:, None] % 16 - 9, Fixed(5, 0, True)),
        (np.arange(ROWS)[:, None] % 2 == 1, Fixed(1)),
        (np.arange(ROWS)[:, None] * 2000, None),
        (np.arange(ROWS)[:, None] / 2, None),
        (-(np.arange(ROWS)[:, None] % 2), Fixed(1, 0, True)),
        (np.zeros((ROWS, 1)), Fixed(1)),
    ],
)
def test_the_natural_word_of_integral_data(x, word, tmp_path):
    np.savez(tmp_path / "t.npz", x=x, y=Y % 2)
    assert open_file(tmp_path / "t.npz", test=0.1, validation=0.1).word == word


def test_the_word_is_of_training_rows_alone(tmp_path):
    x = np.r_[np.arange(30) % 4, np.arange(30) % 4 + 1000][:, None]
    np.savez(tmp_path / "t.npz", x_train=x[:30], y_train=Y[:30], x_test=x[30:], y_test=Y[30:])
    assert open_file(tmp_path / "t.npz").word == Fixed(2)


def test_the_same_file_gives_the_same_data_twice(tmp_path):
    path = write(tmp_path, "csv")
    one, two = open_file(path, split_seed=5), open_file(path, split_seed=5)
    assert np.array_equal(one.x_train, two.x_train) and one.notes == two.notes
    assert not np.array_equal(one.x_train, open_file(path, split_seed=6).x_train)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(st.floats(-(2.0**99), 2.0**99, width=32), st.floats(-(2.0**99), 2.0**99, width=32)),
        min_size=12,
        max_size=40,
    )
)
def test_csv_numbers_come_back_exactly(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("h") / "t.csv"
    path.write_text("a,b,kind\n" + "".join(f"{a!r},{b!r},{i % 2}\n" for i, (a, b) in enumerate(values)))
    x, _ = everything(open_file(path))
    wanted = np.array(values, dtype=np.float32)
    assert np.array_equal(x[np.lexsort(x.T)], wanted[np.lexsort(wanted.T)])
