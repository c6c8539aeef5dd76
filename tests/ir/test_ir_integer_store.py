"""Storage and text of integer networks: what is written is read back, and damage of any kind is named."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from codesign.errors import DataError
from codesign.ir import load, preset, save
from codesign.ir.archive import read_archive, write_archive
from codesign.ir.conv_presets import resnet8
from codesign.ir.integer_random import random_network
from codesign.ir.integer_store import load_integer, save_integer
from codesign.ir.integer_text import integer_digest, integer_text
from codesign.testing import integer_networks, structured_network

in_a_folder = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KEYS = ("weights", "multipliers", "biases")


@in_a_folder
@given(integer_networks())
def test_round_trip(tmp_path, network):
    save_integer(network, tmp_path / "a.npz")
    back = load_integer(tmp_path / "a.npz")
    assert integer_text(back) == integer_text(network) and integer_digest(back) == integer_digest(network)
    save_integer(back, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.fixture
def stored(tmp_path):
    save_integer(random_network(resnet8(channels=4), seed=0), tmp_path / "network.npz")
    return tmp_path / "network.npz"


def test_any_flipped_byte_is_noticed(stored):
    whole, wanted = stored.read_bytes(), integer_text(load_integer(stored))
    rng = np.random.default_rng(1)
    noticed = 0
    for at in rng.choice(len(whole), 100, replace=False):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(8))
        stored.write_bytes(damaged)
        try:
            assert integer_text(load_integer(stored)) == wanted
        except DataError as problem:
            assert str(stored) in str(problem)
            noticed += 1
    assert noticed > 50


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_named(stored, share):
    whole = stored.read_bytes()
    stored.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match="is not a codesign network, or is truncated") as raised:
        load_integer(stored)
    assert str(stored) in str(raised.value)


def test_an_absent_file_and_files_of_the_other_kind(stored, tmp_path):
    with pytest.raises(DataError, match="no network file at"):
        load_integer(tmp_path / "none.npz")
    tables = tmp_path / "tables.npz"
    save(structured_network(preset("jsc-s"), np.random.default_rng(0)), tables)
    with pytest.raises(DataError, match="tables.npz is not a codesign network"):
        load_integer(tables)
    with pytest.raises(DataError, match="network.npz is not a codesign network"):
        load(stored)


def edited(path, change):
    header, arrays = read_archive(path, KEYS, version=1)
    change(header, arrays)
    write_archive(path, header, arrays)


def drop_weights(header, arrays):
    arrays["weights"] = arrays["weights"][:-1]


def more_biases(header, arrays):
    arrays["biases"] = np.append(arrays["biases"], 0)


def unknown_kind(header, arrays):
    header["layers"][0]["kind"] = "Lambda"


def no_source(header, arrays):
    header["layers"][0]["sources"] = []


def no_step(header, arrays):
    index = next(i for i, layer in enumerate(header["layers"]) if layer["kind"] == "Add")
    header["layers"][index]["levels"] = None


def wide_levels(header, arrays):
    header["layers"][0]["levels"]["bits"] = 11


def other_version(header, arrays):
    header["version"] = 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_weights, "does not describe an integer network .* values needed"),
        (more_biases, "does not describe an integer network .1 biases too many"),
        (unknown_kind, "unknown kind of layer 'Lambda'"),
        (no_source, "does not describe an integer network"),
        (no_step, "addition 'b0_add' has no requantization"),
        (wide_levels, "layer 'stem': levels must have 1 to 8 bits, not 11"),
        (other_version, "format version 7; this codesign reads 1"),
    ],
)
def test_a_well_formed_file_of_something_else_is_named(stored, change, message):
    edited(stored, change)
    with pytest.raises(DataError, match=message) as raised:
        load_integer(stored)
    assert str(stored) in str(raised.value)


def test_text_shows_every_number(stored):
    network = load_integer(stored)
    text = integer_text(network)
    lines = text.splitlines()
    assert lines[:2] == ["integer network resnet8", "input 3x32x32 u4"]
    assert lines[2] == "conv stem u4 from input weights 4x3x3x3 s4 stride 1 padding 1 groups 1"
    assert lines[3] == "  row " + " ".join(map(str, network.layers[0].weights[0].reshape(-1)))
    assert any(line.startswith("add b0_add u4 from stem b0_conv1 weights 1 1") for line in lines)
    assert any(line.startswith("pool pool average u4 from b2_add kernel 8x8 stride 1") for line in lines)
    assert "conv answer sums from pool" in text
    assert sum(line.startswith("  shift") for line in lines) == len(network.layers) - 1
    network.layers[0].weights[0, 0, 0, 0] += 1
    assert integer_text(network) != text


def test_an_illegal_network_is_not_written(stored):
    network = load_integer(stored)
    network.layers[0].weights[0, 0, 0, 0] = 100
    stored.unlink()
    with pytest.raises(DataError, match=r"layer 'stem': the weight at \(0, 0, 0, 0\) is 100"):
        save_integer(network, stored)
    assert not stored.exists()


def test_header_is_json(stored):
    header, _ = read_archive(stored, KEYS, version=1)
    assert json.dumps(header) and header["layers"][0]["shape"] == [4, 3, 3, 3]
