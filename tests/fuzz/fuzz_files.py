"""Real files of every kind that codesign reads, each written by what writes it in earnest; fuzzing damages them."""

from __future__ import annotations

import io
import json
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from codesign.accel.engine import EnginePoint
from codesign.config import TrainConfig
from codesign.ir import Layer, Topology
from codesign.ir.conv_topology import ConvLayer, ConvTopology
from codesign.ir.integer import INPUT, MapShape
from codesign.ir.integer_random import random_network
from codesign.ir.integer_store import save_integer
from codesign.ir.store import save
from codesign.resources import resource_dir
from codesign.testing import structured_network, with_sound_care

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests" / "mock_tools" / "reference"

TOPOLOGY = Topology("small", 4, 2, (Layer("l0", 6, 2, 2, terms=2), Layer("l1", 3, 3, 3)))
CONV = ConvTopology(
    "small",
    MapShape(2, 4, 4),
    4,
    (
        ConvLayer("c0", "conv", (INPUT,), channels=4, kernel=3, padding=1),
        ConvLayer("c1", "depthwise", ("c0",), kernel=3, padding=1),
        ConvLayer("sum", "add", ("c0", "c1")),
        ConvLayer("most", "max_pool", ("sum",), kernel=2),
        ConvLayer("mean", "average_pool", ("most",)),
        ConvLayer("answer", "dense", ("mean",), channels=3, bits=None),
    ),
)

POINT = EnginePoint(4, 2, 4, 4)

SAIF = """(SAIFILE (SAIFVERSION "2.0") (DURATION 1000)
(INSTANCE TOP (INSTANCE engine_top (INSTANCE core
  (INSTANCE array (INSTANCE tree\\[0\\] (NET (sum\\[0\\] (T0 10) (T1 20) (TX 0) (TC 30)))))
  (INSTANCE banks\\[1\\] (NET (read (T0 900) (T1 100) (TX 0) (TC 60)) (words\\[0\\] (T0 1) (T1 2) (TX 0) (TC 3))))
  (INSTANCE sequencer (NET (state\\[0\\] (T0 500) (T1 500) (TX 0) (TC 3))))
))))
"""

RESULTS = """<?xml version="1.0"?><testsuites><testsuite><testcase name="a"/><testcase name="b"><skipped/></testcase>
<testcase name="c"><failure message="first&#10;last"/></testcase><testcase name="d"><error>x</error></testcase>
</testsuite></testsuites>
"""

BLIF = """# from ABC
.model t
.inputs a b c
.outputs y z
.names a b n1
11 1
.names n1 c y
1- 1
-1 1
.names \\
 a z
0 1
.end
"""

SWEEP = """name: many
base: digits.yaml
grid:
  topology.input_bits: [1, 2]
  train.epochs: [2, 3]
"""

TOPOLOGY_FILE = """name: shape
inputs: 16
answers: 5
topology:
  input_bits: 2
  layers:
    - {width: 8, fan_in: 2, bits: 2, terms: 2, term_bits: 2}
    - {width: 5, fan_in: 3, bits: 3}
"""

GATES = {
    "modules": {
        "m": {
            "ports": {
                "clk": {"direction": "input", "bits": [2]},
                "a": {"direction": "input", "bits": [3, 4]},
                "y": {"direction": "output", "bits": [8, 9, "1"]},
            },
            "netnames": {"a": {"bits": [3, 4]}, "y": {"bits": [8, 9, "1"]}, "q": {"bits": [7]}},
            "cells": {
                "and": {"type": "$_AND_", "parameters": {}, "connections": {"A": [3], "B": [4], "Y": [6]}},
                "lut": {
                    "type": "$lut",
                    "parameters": {"LUT": "0110", "WIDTH": "00000000000000000000000000000010"},
                    "connections": {"A": [3, 7], "Y": [8]},
                },
                "dff": {"type": "$_DFF_P_", "parameters": {}, "connections": {"C": [2], "D": [6], "Q": [7]}},
                "rom": {
                    "type": "$mem_v2",
                    "parameters": {
                        "WR_PORTS": "0",
                        "RD_PORTS": "1",
                        "ABITS": "10",
                        "WIDTH": "1",
                        "SIZE": "100",
                        "OFFSET": "0",
                        "INIT": "0110",
                        "RD_CLK_ENABLE": "0",
                    },
                    "connections": {"RD_DATA": [9], "RD_ADDR": [3, 4], "RD_EN": ["1"], "RD_CLK": ["x"]},
                },
            },
        }
    }
}

CELLS = """a,b,label
1,2.5,x
-3,1e3,y
0.25,7,x
4,4,y
5,1,x
6,2,y
7,3,x
8,4,y
9,5,"x"
10,6,y
11,7,x
12,8,y
"""

ARFF = """% beans
@relation 'beans'
@attribute a numeric
@attribute 'b c' real
@attribute class {x,y}
@data
""" + "\n".join(CELLS.replace('"', "'").splitlines()[1:])


def files(folder: str, pattern: str) -> list[bytes]:
    """Contents of files that the repository holds, in the order of their names; at most 40 KiB each."""
    found = [path for path in sorted((ROOT / folder).glob(pattern)) if path.stat().st_size < 40960]
    assert found, (folder, pattern)
    return [path.read_bytes() for path in found]


def resource(folder: str, pattern: str) -> list[bytes]:
    """Contents of files that ship with codesign; at most 40 KiB each."""
    found = [path for path in sorted(resource_dir(folder).glob(pattern)) if path.stat().st_size < 40960]
    assert found, (folder, pattern)
    return [path.read_bytes() for path in found]


def of_family(family: str) -> list[bytes]:
    """The build files among the examples."""
    wanted = f"family: {family}".encode()
    found = [text for text in files("examples", "*.yaml") if b"\ntopology:" in text]
    return [text for text in found if (wanted in text) == (family == "engine")]


@lru_cache
def network_files() -> list[bytes]:
    """Networks of tables, with and without care sets, as `save` writes them."""
    rng = np.random.default_rng(1)
    plain = structured_network(TOPOLOGY, rng, words=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.npz"
        out: list[bytes] = []
        for network in (plain, with_sound_care(structured_network(_TINY, rng), rng)):
            save(network, path)
            out.append(path.read_bytes())
    return out


_TINY = Topology("tiny", 2, 1, (Layer("l0", 2, 2, 1), Layer("l1", 2, 2, 2)))


@lru_cache
def integer_files() -> list[bytes]:
    """A network over feature maps, as `save_integer` writes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.npz"
        save_integer(random_network(CONV, seed=0), path)
        return [path.read_bytes()]


@lru_cache
def trained_files() -> dict[str, bytes]:
    """A model of each family and a checkpoint, as training writes them after one epoch."""
    from codesign.config import InputsConfig
    from codesign.nn import build_conv_model, build_model, train_model
    from codesign.nn.store import MODEL_TENSORS, save_model

    out: dict[str, bytes] = {}
    config = TrainConfig(epochs=2, batch_size=16, tensorboard=False, threads=1)
    data, images = table_data(), image_data()
    models = {
        "tables": lambda: build_model(
            TOPOLOGY, inputs=InputsConfig(thresholds="uniform"), train=config, data=data, seed=0
        ),
        "maps": lambda: build_conv_model(CONV, train=config, data=images, seed=0),
    }
    for kind, made in models.items():
        with tempfile.TemporaryDirectory() as folder:
            save_model(made(), Path(folder))
            out[kind] = (Path(folder) / MODEL_TENSORS).read_bytes()
    with tempfile.TemporaryDirectory() as folder:

        def stop(_message: str, share: float) -> None:
            if share >= 0.5:
                raise KeyboardInterrupt

        try:
            train_model(models["tables"](), data, config=config, folder=Path(folder), seed=0, progress=stop)
        except KeyboardInterrupt:
            out["checkpoint"] = (Path(folder) / "checkpoint.safetensors").read_bytes()
    return out


def train_config() -> TrainConfig:
    """The configuration of the checkpoint in `trained_files`."""
    return TrainConfig(epochs=2, batch_size=16, tensorboard=False, threads=1)


@lru_cache
def table_data():
    """64 rows of 4 features, 3 classes."""
    from codesign.data import DataSet

    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 4)).astype(np.float32)
    y = (np.arange(64) % 3).astype(np.int64)
    parts = (x[:40], y[:40], x[40:52], y[40:52], x[52:], y[52:])
    return DataSet("rows", "classification", *parts, ("a", "b", "c", "d"), ("u", "v", "w"))


@lru_cache
def image_data():
    """64 images of 2 x 4 x 4 bytes, 3 classes."""
    from codesign.data import DataSet
    from codesign.ir import Fixed

    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, size=(64, 32)).astype(np.float32)
    y = (np.arange(64) % 3).astype(np.int64)
    parts = (x[:40], y[:40], x[40:52], y[40:52], x[52:], y[52:])
    names = tuple(f"p{i}" for i in range(32)), ("u", "v", "w")
    return DataSet("images", "classification", *parts, *names, Fixed(8))


@lru_cache
def design_files() -> dict[str, bytes]:
    """design.json of both families."""
    from codesign.config import RtlConfig
    from codesign.rtl import emit
    from codesign.rtl.engine import generate

    rng = np.random.default_rng(2)
    with tempfile.TemporaryDirectory() as folder:
        emit(structured_network(_TINY, rng), RtlConfig(form="table"), Path(folder) / "p", features=None)
        generate(POINT, Path(folder) / "e")
        return {name: (Path(folder) / name / "design.json").read_bytes() for name in ("p", "e")}


@lru_cache
def npz_files() -> list[bytes]:
    """A user's own arrays: one table, ready parts, columns."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(30, 3)), np.arange(30) % 3
    layouts = (
        {"x": x, "y": y, "feature_names": np.array(["a", "b", "c"]), "class_names": np.array(["u", "v", "w"])},
        {"x_train": x[:20], "y_train": y[:20], "x_test": x[20:], "y_test": y[20:]},
        {"a": x[:, 0], "b": x[:, 1], "y": y},
    )
    out: list[bytes] = []
    for arrays in layouts:
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, **arrays)
        out.append(stream.getvalue())
    return out


@lru_cache
def npy_files() -> list[bytes]:
    """One table, the label in its last column."""
    stream = io.BytesIO()
    x = np.random.default_rng(4).normal(size=(30, 3)).round(2)
    np.save(stream, np.column_stack([x, np.arange(30) % 3]), allow_pickle=False)
    return [stream.getvalue()]


@lru_cache
def parquet_files() -> list[bytes]:
    """A table of two numbers and a label."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = {"a": np.arange(20) / 2, "b": np.arange(20) % 7, "label": [("x", "y")[i % 2] for i in range(20)]}
    stream = io.BytesIO()
    parquet.write_table(pa.table(columns), stream)
    return [stream.getvalue()]


def idx_files() -> list[bytes]:
    """Three images of 2 x 2 bytes."""
    return [b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (3, 2, 2)) + bytes(range(12))]


def json_files(*values: object) -> list[bytes]:
    """Each value as a JSON file."""
    return [json.dumps(value, indent=1).encode() for value in values]
