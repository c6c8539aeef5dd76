"""The loaders of known sets, on small files written in each published format."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from codesign.config import DataConfig
from codesign.data import load
from codesign.data.loaders.common import JET_CLASSES, JET_FEATURES
from codesign.data.loaders.unsw_nb15 import COLUMNS, WORD_COLUMNS
from codesign.errors import ConfigError, DataError
from codesign.ir import Fixed

RNG = np.random.default_rng(0)


def open_set(source: str, path: Path | None = None, **changes):
    return load(DataConfig(source=source, path=path, **changes))


def rows_of(data) -> np.ndarray:
    return np.concatenate([data.part(p)[0] for p in ("train", "validation", "test")])


# digits


def test_digits_ship_with_scikit_learn():
    data = open_set("digits")
    assert (data.inputs, data.answers, data.word) == (64, 10, Fixed(5))
    assert [len(data.part(p)[0]) for p in ("train", "validation", "test")] == [1222, 216, 359]
    assert rows_of(data).min() == 0 and rows_of(data).max() == 16
    assert data.feature_names[:2] == ("r0c0", "r0c1") and data.feature_names[63] == "r7c7"
    again = open_set("digits")
    assert np.array_equal(again.x_train, data.x_train) and np.array_equal(again.y_test, data.y_test)
    assert open_set("digits", features=["r3c3", "r0c1"]).x_train.shape == (1222, 2)
    for changes in (
        {"path": "x.npz"},
        {"target": "y"},
        {"options": {"a": 1}},
        {"features": ["r9c9"]},
        {"features": []},
    ):
        with pytest.raises(ConfigError):
            open_set("digits", **changes)


# MNIST

IMAGES = RNG.integers(0, 256, (60, 28, 28), dtype=np.uint8)
LABELS = np.arange(60, dtype=np.uint8) % 10


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist(folder: Path, kind: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "npz":
        np.savez(folder / "mnist.npz", x_train=IMAGES[:40], y_train=LABELS[:40], x_test=IMAGES[40:], y_test=LABELS[40:])
        return
    dot = "." if kind == "idx with dots" else "-"
    for name, part in (("train", slice(0, 40)), ("t10k", slice(40, 60))):
        for what, array in (("images", IMAGES[part]), ("labels", LABELS[part])):
            content = idx(array)
            path = folder / f"{name}-{what}{dot}idx{array.ndim}-ubyte"
            if kind == "idx.gz":
                path, content = path.with_name(path.name + ".gz"), gzip.compress(content)
            path.write_bytes(content)


@pytest.mark.parametrize("kind", ["npz", "idx", "idx.gz", "idx with dots"])
def test_mnist_in_every_form(kind, tmp_path, monkeypatch):
    write_mnist(tmp_path / "sets" / "mnist", kind)
    monkeypatch.setenv("CODESIGN_DATA", str(tmp_path / "sets"))
    data = open_set("mnist", validation=0.3)
    assert (data.inputs, data.answers, data.word) == (784, 10, Fixed(8))
    assert np.array_equal(data.x_test, IMAGES[40:].reshape(20, 784).astype(np.float32))
    assert np.array_equal(data.y_test, LABELS[40:])
    assert [len(data.x_train), len(data.x_validation)] == [28, 12]
    assert {row.tobytes() for row in rows_of(data)} == {i.astype(np.float32).tobytes() for i in IMAGES}
    assert data.feature_names[29] == "r1c1"


def test_damaged_mnist_files_are_named(tmp_path):
    folder = tmp_path / "m"
    write_mnist(folder, "idx")
    images = folder / "train-images-idx3-ubyte"
    whole = images.read_bytes()
    for content, message in (
        (whole[:-5], r"train-images-idx3-ubyte must have 31376 bytes for its shape \(40, 28, 28\), not 31371"),
        (whole[:9], "truncated within its idx header"),
        (b"\x01\x02\x03\x04" + whole[4:], "is not an idx file"),
        (b"", "is not an idx file"),
        (idx(IMAGES[:39]), "x_train has 39 images, but there are labels of shape"),
        (idx(IMAGES[:40, :20]), r"x_train must be uint8 images \(rows, 28, 28\)"),
    ):
        images.write_bytes(content)
        with pytest.raises(DataError, match=message):
            open_set("mnist", folder)
    images.write_bytes(whole)
    labels = folder / "t10k-labels-idx1-ubyte"
    labels.write_bytes(idx(np.full(20, 10, np.uint8)))
    with pytest.raises(DataError, match=r"m, test row 0, column 'label': labels must be 0 to 9, not 10"):
        open_set("mnist", folder)
    (folder / "train-labels-idx1-ubyte").rename(folder / "train-labels-idx1-ubyte.gz")
    with pytest.raises(DataError, match="holds no mnist data"):
        open_set("mnist", folder)


def test_damaged_gzip_and_npz(tmp_path):
    write_mnist(tmp_path / "g", "idx.gz")
    path = tmp_path / "g" / "train-images-idx3-ubyte.gz"
    for content in (path.read_bytes()[:100], b"no gzip"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz is not a readable gzip file"):
            open_set("mnist", tmp_path / "g")
    np.savez(tmp_path / "mnist.npz", x_train=IMAGES, y_train=LABELS)
    with pytest.raises(DataError, match="no array 'x_test'"):
        open_set("mnist", tmp_path)
    with pytest.raises(DataError, match="give the npz file, or the folder"):
        open_set("mnist", path)


# CIFAR-10

PICTURES = np.random.default_rng(7).integers(0, 256, (120, 32, 32, 3), dtype=np.uint8)
SUBJECTS = np.arange(120, dtype=np.uint8) % 10


def write_cifar(folder: Path, kind: str) -> None:
    """The first 100 pictures to train, the others to test, in one of the published forms."""
    folder.mkdir(parents=True, exist_ok=True)
    planes = PICTURES.transpose(0, 3, 1, 2)
    if kind == "binary":
        records = np.concatenate([SUBJECTS[:, None], planes.reshape(120, -1)], axis=1)
        for i in range(5):
            (folder / f"data_batch_{i + 1}.bin").write_bytes(records[20 * i : 20 * i + 20].tobytes())
        (folder / "test_batch.bin").write_bytes(records[100:].tobytes())
    elif kind == "npz":
        parts = {
            "x_train": PICTURES[:100],
            "y_train": SUBJECTS[:100],
            "x_test": PICTURES[100:],
            "y_test": SUBJECTS[100:],
        }
        np.savez(folder / "cifar10.npz", **parts)
    else:
        red, green, blue = planes.transpose(1, 0, 2, 3)
        coded = np.stack([green, red - green, blue - green])
        coded[:, :, :, 1:] -= coded[:, :, :, :-1].copy()
        coded[:, :, 1:] -= coded[:, :, :-1].copy()
        parts = {
            "res_train": coded[:, :100],
            "y_train": SUBJECTS[:100],
            "res_test": coded[:, 100:],
            "y_test": SUBJECTS[100:],
        }
        np.savez(folder / "cifar10_train20k_test1k.npz", **parts)


@pytest.mark.parametrize("kind", ["binary", "npz", "residuals"])
def test_cifar10_in_every_form(kind, tmp_path, monkeypatch):
    write_cifar(tmp_path / "sets" / "cifar10", kind)
    monkeypatch.setenv("CODESIGN_DATA", str(tmp_path / "sets"))
    data = open_set("cifar10", validation=0.2)
    assert (data.inputs, data.answers, data.word) == (3072, 10, Fixed(8))
    planes = PICTURES.transpose(0, 3, 1, 2).reshape(120, -1).astype(np.float32)
    assert np.array_equal(data.x_test, planes[100:]) and np.array_equal(data.y_test, SUBJECTS[100:])
    assert {row.tobytes() for row in rows_of(data)} == {row.tobytes() for row in planes}
    assert [len(data.x_train), len(data.x_validation)] == [80, 20]
    assert data.feature_names[:2] == ("r_r0c0", "r_r0c1") and data.feature_names[1024 + 33] == "g_r1c1"
    assert data.class_names[3] == "cat" and "100 of its 50000 training" in data.notes[0]


def test_damaged_cifar10_files_are_named(tmp_path):
    write_cifar(tmp_path / "b", "binary")
    batch = tmp_path / "b" / "data_batch_3.bin"
    whole = batch.read_bytes()
    for content in (whole[:-1], b""):
        batch.write_bytes(content)
        with pytest.raises(DataError, match=r"data_batch_3.bin must hold whole records of 3073 bytes"):
            open_set("cifar10", tmp_path / "b")
    batch.write_bytes(b"\x0a" + whole[1:])
    with pytest.raises(DataError, match=r"b, train row 40, column 'label': labels must be 0 to 9, not 10"):
        open_set("cifar10", tmp_path / "b")
    parts = {"x_train": PICTURES, "y_train": SUBJECTS, "x_test": PICTURES[:, :31], "y_test": SUBJECTS}
    for changes, message in (
        ({}, r"x_test must be uint8 \(rows, 32, 32, 3\), not uint8 \(120, 31, 32, 3\)"),
        ({"x_test": PICTURES.astype(np.int16)}, "x_test must be uint8 .* not int16"),
        ({"x_test": PICTURES[:100]}, "x_test has 100 images, but there are labels of shape"),
        ({"res_train": PICTURES, "res_test": PICTURES}, r"res_train must be uint8 \(3, rows, 32, 32\)"),
    ):
        np.savez(tmp_path / "cifar10.npz", **(parts | changes))
        with pytest.raises(DataError, match=message):
            open_set("cifar10", tmp_path)
    with pytest.raises(DataError, match="give the npz file, or the folder of the six binary batches"):
        open_set("cifar10", batch)


# UNSW-NB15


def flows(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    out: dict[str, np.ndarray] = {}
    for name in COLUMNS:
        if name == "proto":
            out[name] = rng.choice(["tcp", "udp", "arp"], count)
        elif name == "service":
            out[name] = rng.choice(["-", "http", "dns"], count)
        elif name == "state":
            out[name] = rng.choice(["FIN", "INT", "no"], count)
        elif name in ("dur", "rate", "tcprtt"):
            out[name] = np.round(rng.exponential(1, count), 6)
        else:
            out[name] = rng.integers(0, 200, count)
    return out


def write_flows(path: Path, columns: dict[str, np.ndarray], label: np.ndarray, bom: bool = False) -> Path:
    attack = np.where(label == 1, "Generic", "Normal")
    table = {"id": np.arange(1, len(label) + 1), **columns, "attack_cat": attack, "label": label}
    lines = [",".join(table), *(",".join(map(str, row)) for row in zip(*table.values(), strict=True))]
    path.write_text("\n".join(lines), encoding="utf-8-sig" if bom else "utf-8")
    return path


def labels(count: int) -> np.ndarray:
    return np.arange(count) % 2


def test_unsw_csv_partitions(tmp_path, monkeypatch):
    train, test = flows(60, 1), flows(30, 2)
    write_flows(tmp_path / "UNSW_NB15_training-set.csv", train, labels(60), bom=True)
    write_flows(tmp_path / "UNSW_NB15_testing-set.csv", test, labels(30))
    monkeypatch.setenv("CODESIGN_DATA", str(tmp_path))
    data = open_set("unsw_nb15")
    assert data.word == Fixed(1) and data.class_names == ("normal", "attack")
    assert len(data.x_test) == 30 and len(data.x_train) + len(data.x_validation) == 60
    assert np.array_equal(data.y_test, labels(30))
    assert set(np.unique(rows_of(data))) <= {0, 1}
    # proto codes come from the full list of 133, so "tcp" has the same 8 bits whatever rows are at hand
    place = data.feature_names.index("proto[7]")
    names = tuple(f"proto[{bit}]" for bit in reversed(range(8)))
    assert data.feature_names[place : place + 8] == names
    codes = data.x_test[:, place : place + 8] @ (1 << np.arange(8)[::-1])
    assert len(set(codes[test["proto"] == "tcp"])) == 1 and codes[test["proto"] == "tcp"][0] == 113
    assert "UNSW_NB15_training-set.csv serves to train" in " ".join(data.notes)


def test_unsw_columns_and_options(tmp_path, monkeypatch):
    write_flows(tmp_path / "flows.csv", flows(90), labels(90))
    path = tmp_path / "flows.csv"
    data = open_set("unsw_nb15", path, options={"form": "columns"})
    assert data.feature_names == COLUMNS and data.word is None
    some = open_set(
        "unsw_nb15", path, features=["sttl", "state"], options={"widths": {"sttl": 3}, "scales": {"sttl": 0.5}}
    )
    assert some.feature_names == ("sttl[2]", "sttl[1]", "sttl[0]", "state[3]", "state[2]", "state[1]", "state[0]")
    both = open_set("unsw_nb15", path, target="attack_cat")
    assert both.class_names == ("Generic", "Normal")
    for changes, message in (
        ({"target": "lable"}, "target: .*it may be label or attack_cat"),
        ({"features": ["stll"]}, 'Did you mean "sttl"'),
        ({"features": []}, "at least one column"),
        ({"options": {"widths": {"stll": 3}}}, "widths: there is no column 'stll'"),
        ({"options": {"variant": "csvs"}}, "data.options.variant"),
    ):
        with pytest.raises(ConfigError, match=message):
            open_set("unsw_nb15", path, **changes)


def test_unsw_single_csv_keeps_equal_flows_together(tmp_path):
    base = flows(40)
    columns = {name: np.concatenate([column, column, column]) for name, column in base.items()}
    write_flows(tmp_path / "flows.csv", columns, np.tile(labels(40), 3))
    data = open_set("unsw_nb15", tmp_path / "flows.csv", options={"form": "columns"})
    parts = [{row.tobytes() for row in data.part(p)[0]} for p in ("train", "validation", "test")]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert len(rows_of(data)) == 120


def test_unsw_encoder_looks_at_training_rows_alone(tmp_path):
    def bits(test: dict[str, np.ndarray], folder: Path, **options):
        folder.mkdir()
        write_flows(folder / "UNSW_NB15_training-set.csv", flows(80, 1), labels(80))
        write_flows(folder / "UNSW_NB15_testing-set.csv", test, labels(30))
        return open_set("unsw_nb15", folder, options=options)

    huge = flows(30, 2)
    huge["sbytes"] = huge["sbytes"] + 10**6
    huge["proto"] = np.where(labels(30) == 1, "quic", huge["proto"])
    one, two = bits(flows(30, 2), tmp_path / "a"), bits(huge, tmp_path / "b")
    assert one.feature_names == two.feature_names
    assert np.array_equal(one.x_train, two.x_train) and np.array_equal(one.x_validation, two.x_validation)
    at = [i for i, name in enumerate(two.feature_names) if name.startswith("sbytes[")]
    assert (two.x_test[:, at] == 1).all()  # saturated
    at = [i for i, name in enumerate(two.feature_names) if name.startswith("proto[")]
    assert (two.x_test[labels(30) == 1][:, at] == 1).all()  # a protocol that is not listed
    assert bits(huge, tmp_path / "c", fit="all").inputs > two.inputs


def test_unsw_bad_csv_names_line_and_column(tmp_path):
    path = write_flows(tmp_path / "flows.csv", flows(30), labels(30))
    text = path.read_text().splitlines()
    row = text[7].split(",")
    row[text[0].split(",").index("sload")] = "Infinity"
    path.write_text("\n".join([*text[:7], ",".join(row), *text[8:]]))
    with pytest.raises(DataError, match=r"flows\.csv:8, column 'sload': must be a finite number, not 'Infinity'"):
        open_set("unsw_nb15", path)
    path.write_text("\n".join(line.replace("sload", "source_load") for line in text))
    with pytest.raises(DataError, match="has no column 'sload'"):
        open_set("unsw_nb15", path)
    path = write_flows(tmp_path / "flows.csv", flows(30), labels(30) * 2)
    with pytest.raises(DataError, match=r"flows\.csv:3, column 'label': labels must be 0 to 1, not 2"):
        open_set("unsw_nb15", path)


def columns_npz(path: Path, count: int = 60, **changes) -> Path:
    arrays: dict[str, np.ndarray] = {}
    for name, column in flows(count).items():
        if name in WORD_COLUMNS:
            words, codes = np.unique(column, return_inverse=True)
            arrays |= {name: codes.astype(np.uint8), f"{name}__names": words}
        else:
            arrays[name] = column
    arrays |= {
        "label": labels(count).astype(np.uint8),
        "split_dedup80_20": (np.arange(count) % 5 == 0).astype(np.uint8),
    }
    np.savez(path, **{**arrays, **changes})
    return path


def test_unsw_columns_npz_has_the_bits_of_the_csv(tmp_path):
    columns_npz(tmp_path / "unsw_nb15_82332.npz")
    folder = tmp_path / "csv"
    folder.mkdir()
    test = np.arange(60) % 5 == 0
    for name, rows in (("training", ~test), ("testing", test)):
        part = {key: column[rows] for key, column in flows(60).items()}
        write_flows(folder / f"UNSW_NB15_{name}-set.csv", part, labels(60)[rows])
    one, two = open_set("unsw_nb15", tmp_path), open_set("unsw_nb15", folder)
    assert np.array_equal(one.x_test, two.x_test) and one.feature_names == two.feature_names
    assert open_set("unsw_nb15", tmp_path / "unsw_nb15_82332.npz").inputs == one.inputs


def test_unsw_bad_npz(tmp_path):
    path = tmp_path / "f.npz"
    for changes, message in (
        ({"sttl": np.zeros(59)}, r"column 'sttl' must have 60 rows, not shape \(59,\)"),
        ({"proto": np.full(60, 9, np.uint8)}, "column 'proto' must hold codes of 0 to 2"),
        ({"sttl": np.full(60, "x")}, "column 'sttl' must hold numbers"),
        ({"dur": np.full(60, np.nan)}, "row 0, column 'dur': must be a finite number, not nan"),
        ({"split_dedup80_20": np.full(60, 2)}, "split_dedup80_20 must be 0"),
    ):
        with pytest.raises(DataError, match=message):
            open_set("unsw_nb15", columns_npz(path, **changes))
    np.savez(path, a=np.zeros(3))
    with pytest.raises(DataError, match="is no form of UNSW-NB15"):
        open_set("unsw_nb15", path)


BITS = RNG.integers(0, 2, (60, 11), dtype=np.uint8)


def test_unsw_ready_bits(tmp_path):
    published = tmp_path / "unsw_nb15_binarized.npz"
    table = np.column_stack([BITS, labels(60)])
    np.savez(published, train=table[:40], test=table[40:])
    data = open_set("unsw_nb15", published)
    assert (data.inputs, data.word) == (11, Fixed(1))
    assert np.array_equal(data.x_test, BITS[40:].astype(np.float32)) and np.array_equal(data.y_test, labels(60)[40:])
    names = np.array([f"v[{i}]" for i in range(11)])
    packed = tmp_path / "unsw_nb15_82332_bits576.npz"
    arrays = {"x_packed": np.packbits(BITS, axis=1), "bit_names": names, "y": labels(60)}
    np.savez(packed, **arrays, split_dedup80_20=np.arange(60) >= 40)
    data = open_set("unsw_nb15", packed)
    assert data.feature_names == tuple(names) and np.array_equal(data.x_test, BITS[40:].astype(np.float32))
    some = open_set("unsw_nb15", packed, features=[f"v[{i}]" for i in range(3, 10)])
    assert some.inputs == 7 and some.x_test.tolist() == BITS[40:, 3:10].tolist()
    with pytest.raises(ConfigError, match=r"has no column 'v\[33\]'.*Did you mean"):
        open_set("unsw_nb15", packed, features=["v[33]"])
    for changes in ({"options": {"form": "columns"}}, {"options": {"fit": "all"}}, {"target": "attack_cat"}):
        with pytest.raises(ConfigError, match="does not apply to unsw_nb15_82332_bits576.npz"):
            open_set("unsw_nb15", packed, **changes)
    np.savez(packed, **{**arrays, "x_packed": np.packbits(BITS, axis=1)[:, :1]})
    with pytest.raises(DataError, match=r"x_packed must be uint8 \(60, 2\)"):
        open_set("unsw_nb15", packed)
    table[3, 4] = 2
    np.savez(published, train=table[:40], test=table[40:])
    with pytest.raises(DataError, match="train row 3: every feature must be a bit"):
        open_set("unsw_nb15", published)


# jets

JETS = np.round(RNG.normal(size=(75, 16)), 4).astype(np.float32)
KINDS = np.arange(75) % 5


def jet_table(label: str) -> dict[str, np.ndarray]:
    return {**{name: JETS[:, i] for i, name in enumerate(JET_FEATURES)}, label: np.array(JET_CLASSES)[KINDS]}


def same_jets(data, jets: np.ndarray = JETS, kinds: np.ndarray = KINDS) -> bool:
    pairs = {(x.tobytes(), int(k)) for x, k in zip(jets, kinds, strict=True)}
    read = [(x.tobytes(), int(k)) for p in ("train", "validation", "test") for x, k in zip(*data.part(p), strict=True)]
    return data.class_names == JET_CLASSES and data.feature_names == JET_FEATURES and pairs == set(read)


@pytest.mark.parametrize("label", ["class", "jet_type"])
@pytest.mark.parametrize("kind", ["parquet", "arff"])
def test_jsc_openml_tables(kind, label, tmp_path, monkeypatch):
    path = tmp_path / f"hls4ml_lhc_jets_hlf.{kind}"
    table = jet_table(label)
    if kind == "parquet":
        pq.write_table(pa.table({**table, label: pa.array(table[label]).dictionary_encode()}), path)
    else:
        head = ["@RELATION hls4ml_lhc_jets_hlf"] + [f"@ATTRIBUTE {name} REAL" for name in JET_FEATURES]
        rows = [",".join(map(str, row)) for row in zip(*table.values(), strict=True)]
        path.write_text("\n".join([*head, f"@ATTRIBUTE {label} {{g, q, t, w, z}}", "@DATA", *rows]))
    monkeypatch.setenv("CODESIGN_DATA", str(tmp_path))
    assert same_jets(open_set("jsc_openml"))
    assert same_jets(open_set("jsc_openml", path))


@pytest.mark.parametrize("one_hot", [True, False])
def test_jsc_openml_tutorial_files(one_hot, tmp_path):
    alphabet = sorted(JET_CLASSES)  # g q t w z, as a label encoder numbers them
    numbers = np.array([alphabet.index(JET_CLASSES[k]) for k in KINDS])
    y = np.eye(5)[numbers] if one_hot else numbers
    for name, x, part in (("train_val", JETS[:50], y[:50]), ("test", JETS[50:], y[50:])):
        np.save(tmp_path / f"X_{name}.npy", x)
        np.save(tmp_path / f"y_{name}.npy", part)
    data = open_set("jsc_openml", tmp_path)
    assert same_jets(data) and np.array_equal(data.x_test, JETS[50:]) and np.array_equal(data.y_test, KINDS[50:])
    assert "standardised there, not raw units" in " ".join(data.notes)
    np.save(tmp_path / "y_test.npy", np.full((25, 5), 0.2))
    with pytest.raises(DataError, match="y_test.npy must hold class numbers, or one-hot rows of 5"):
        open_set("jsc_openml", tmp_path)
    np.save(tmp_path / "y_test.npy", y[:3])
    with pytest.raises(DataError, match="X_test.npy has 25 rows, its labels 3"):
        open_set("jsc_openml", tmp_path)
    np.save(tmp_path / "X_test.npy", JETS[50:, :15])
    with pytest.raises(DataError, match=r"X_test.npy must be numbers \(rows, 16\)"):
        open_set("jsc_openml", tmp_path)


def test_jsc_openml_bad_files(tmp_path):
    path = tmp_path / "jets.parquet"
    table = jet_table("class")
    pq.write_table(pa.table({**table, "class": np.where(KINDS == 4, "b", table["class"])}), path)
    with pytest.raises(DataError, match="row 4, column 'class': the label 'b' is not one of"):
        open_set("jsc_openml", path)
    pq.write_table(pa.table({name: column for name, column in table.items() if name != "zlogz"}), path)
    with pytest.raises(DataError, match="has no column 'zlogz'"):
        open_set("jsc_openml", path)
    pq.write_table(pa.table({name: column for name, column in table.items() if name != "class"}), path)
    with pytest.raises(DataError, match="has no column 'class'"):
        open_set("jsc_openml", path)
    with pytest.raises(DataError, match="give a parquet or arff file"):
        (tmp_path / "jets.csv").write_text("a")
        open_set("jsc_openml", tmp_path / "jets.csv")


def write_h5(path: Path, *, prefix: str = "j_", jets: np.ndarray = JETS, hot: np.ndarray | None = None) -> Path:
    hot = np.eye(5)[KINDS] if hot is None else hot
    names = ["j_ptfrac", *(f"{prefix}{name}" for name in JET_FEATURES), *(f"j_{name}" for name in JET_CLASSES)]
    table = np.zeros(len(jets), [(name, "f8") for name in names])
    for i, name in enumerate(JET_FEATURES):
        table[f"{prefix}{name}"] = jets[:, i]
    for i, name in enumerate(JET_CLASSES):
        table[f"j_{name}"] = hot[:, i]
    with h5py.File(path, "w") as file:
        file["t_allpar_new"] = table
    return path


@pytest.mark.parametrize("prefix", ["j_", ""])
def test_jsc_cernbox(prefix, tmp_path, monkeypatch):
    name = "processed-pythia82-lhc13-all-pt1-50k-r1_h022_e0175_t220_nonu_truth.z"
    write_h5(tmp_path / name, prefix=prefix)
    monkeypatch.setenv("CODESIGN_DATA", str(tmp_path))
    assert same_jets(open_set("jsc_cernbox"))


def test_jsc_cernbox_drops_and_counts_repeats_and_unlabelled_rows(tmp_path):
    jets = np.concatenate([JETS, JETS[:10], JETS[:3]])
    hot = np.concatenate([np.eye(5)[KINDS], np.eye(5)[KINDS[:10]], np.zeros((3, 5))])
    data = open_set("jsc_cernbox", write_h5(tmp_path / "jets.h5", jets=jets, hot=hot))
    assert same_jets(data) and len(rows_of(data)) == 75
    assert "3 rows without a label and 10 repeated rows dropped" in data.notes


def test_jsc_cernbox_bad_files(tmp_path):
    path = tmp_path / "jets.h5"
    hot = np.eye(5)[KINDS]
    hot[7, :2] = 1
    with pytest.raises(DataError, match=r"row 7: must have one of the labels g, q, w, z, t, not several"):
        open_set("jsc_cernbox", write_h5(path, hot=hot))
    jets = JETS.copy()
    jets[9, 2] = np.nan
    with pytest.raises(DataError, match=r"jets\.h5, row 9, column 'c1_b1_mmdt' is nan"):
        open_set("jsc_cernbox", write_h5(path, jets=jets))
    with h5py.File(path, "w") as file:
        file["other"] = np.zeros(3)
    with pytest.raises(DataError, match="has no table 't_allpar_new'; it has other"):
        open_set("jsc_cernbox", path)
    with h5py.File(path, "w") as file:
        file["t_allpar_new"] = np.zeros(3)
    with pytest.raises(DataError, match="must be a table with named columns"):
        open_set("jsc_cernbox", path)
    with h5py.File(path, "w") as file:
        file["t_allpar_new"] = np.zeros(3, [("j_zlogz", "f4"), ("j_g", "f4")])
    with pytest.raises(DataError, match="has no column 'j_c1_b0_mmdt'"):
        open_set("jsc_cernbox", path)
    whole = write_h5(path).read_bytes()
    for content in (whole[: len(whole) // 2], b"no hdf5"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="is not a readable HDF5 file, or is truncated"):
            open_set("jsc_cernbox", path)


def test_jet_npz_files(tmp_path, monkeypatch):
    monkeypatch.setenv("CODESIGN_DATA", str(tmp_path))
    named = {"feature_names": np.array(JET_FEATURES), "class_names": np.array(JET_CLASSES)}
    parts = {"x_train": JETS[:50], "y_train": KINDS[:50].astype(np.int8), "x_test": JETS[50:], "y_test": KINDS[50:]}
    (tmp_path / "jets_sim").mkdir()
    np.savez(tmp_path / "jets_sim" / "jets_sim16.npz", **parts, **named)
    data = open_set("jets_sim")
    assert same_jets(data) and np.array_equal(data.x_test, JETS[50:])
    assert "re-simulated JSC-like jets: not the hls4ml LHC jet data set" in data.notes[0]
    np.savez(tmp_path / "jets_3k_derived16.npz", x=JETS, y=KINDS, **named)
    data = open_set("jets_3k")
    assert same_jets(data) and "not the JSC high-level features" in data.notes[0]
    np.savez(tmp_path / "jets_3k_derived16.npz", x=JETS, y=KINDS[:-1], **named)
    with pytest.raises(DataError, match=r"must hold x \(rows, 16\) and y \(rows,\)"):
        open_set("jets_3k")
    np.savez(tmp_path / "jets_sim" / "jets_sim16.npz", **{**parts, "x_test": JETS[50:, :3]}, **named)
    with pytest.raises(DataError, match=r"must hold x \(rows, 16\) and y \(rows,\), not \(25, 3\)"):
        open_set("jets_sim")


# Dry Bean


def test_drybean_npz_and_arff(tmp_path):
    names, classes = ("Area", "Extent"), ("BOMBAY", "SEKER")
    x, y = np.round(RNG.normal(size=(40, 2)), 4), np.arange(40) % 2
    np.savez(tmp_path / "drybean.npz", x=x, y=y, feature_names=np.array(names), class_names=np.array(classes))
    rows = [f"{a},{b},{classes[k]}" for (a, b), k in zip(x, y, strict=True)]
    head = ["@RELATION beans", "@ATTRIBUTE Area REAL", "@ATTRIBUTE Extent REAL", "@ATTRIBUTE Class {SEKER, BOMBAY}"]
    (tmp_path / "Dry_Bean_Dataset.arff").write_text("\n".join([*head, "@DATA", *rows]))
    one = open_set("drybean", tmp_path)
    two = open_set("drybean", tmp_path / "Dry_Bean_Dataset.arff")
    assert one.class_names == two.class_names == classes and one.feature_names == two.feature_names == names
    assert np.array_equal(one.x_train, two.x_train) and np.array_equal(one.y_test, two.y_test)
