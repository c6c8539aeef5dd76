"""Storage: what is written is read back, equal networks give equal bytes, and damage of any kind is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from codesign.errors import DataError
from codesign.ir import Decide, Encode, Feature, Format, LutNetwork, Neuron, Tables, load, preset, save
from codesign.ir.text import digest
from codesign.testing import networks, structured_network

in_a_folder = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@in_a_folder
@given(networks(care="any"))
def test_round_trip(tmp_path, network):
    save(network, tmp_path / "a.npz")
    back = load(tmp_path / "a.npz")
    assert back == network and digest(back) == digest(network)
    save(back, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.fixture
def stored(tmp_path) -> Path:
    save(structured_network(preset("jsc-s"), np.random.default_rng(0)), tmp_path / "network.npz")
    return tmp_path / "network.npz"


def test_any_flipped_byte_is_noticed(stored):
    whole, network = stored.read_bytes(), load(stored)
    rng = np.random.default_rng(1)
    noticed = 0
    for at in rng.choice(len(whole), 150, replace=False):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(8))
        stored.write_bytes(damaged)
        try:
            # A flipped time stamp or name in the archive's directory changes nothing that is read.
            assert load(stored) == network
        except DataError as problem:
            assert str(stored) in str(problem)
            noticed += 1
    assert noticed > 75


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_named(stored, share):
    whole = stored.read_bytes()
    stored.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match="is not a codesign network, or is truncated") as raised:
        load(stored)
    assert str(stored) in str(raised.value)


def rewritten(path: Path, **changes: np.ndarray) -> None:
    with np.load(path) as archive:
        arrays = {key: archive[key] for key in archive.files}
    np.savez_compressed(path, **(arrays | changes))


def test_a_hand_edited_table_is_noticed(stored):
    with np.load(stored) as archive:
        tables = archive["tables"].copy()
    tables[100] ^= 1
    rewritten(stored, tables=tables)
    with pytest.raises(DataError, match="was changed after it was written"):
        load(stored)


def test_a_hand_edited_header_is_noticed(stored):
    with np.load(stored) as archive:
        header = archive["header"].tobytes().replace(b'"threshold": 0', b'"threshold": 1')
    rewritten(stored, header=np.frombuffer(header, np.uint8))
    with pytest.raises(DataError, match="was changed after it was written"):
        load(stored)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="no network file at"):
        load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("network of tables")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    np.savez(tmp_path / "pickle.npz", header=np.array([{}], dtype=object))
    for name in ("text.npz", "other.npz", "pickle.npz"):
        with pytest.raises(DataError, match="is not a codesign network"):
            load(tmp_path / name)


def test_an_illegal_network_is_not_written(tmp_path):
    network = LutNetwork("net", (Tables("l0", (Neuron((3,), np.zeros(2, int), Format(1)),)),), (Format(1),))
    with pytest.raises(DataError, match="source must be 0 to 0, not 3"):
        save(network, tmp_path / "network.npz")
    assert not (tmp_path / "network.npz").exists()


def test_numpy_numbers_in_a_network_are_stored_as_numbers(tmp_path):
    encoder = Encode("encode", (Feature("a", tuple(np.array([0.1, 0.2]))),))
    neuron = Neuron(tuple(np.array([0])), np.zeros(4, int), Format(1))  # type: ignore[arg-type]
    decide = Decide("decide", "threshold", (Format(1),), threshold=np.int64(1))  # type: ignore[arg-type]
    network = LutNetwork("net", (encoder, Tables("l0", (neuron,)), decide))
    save(network, tmp_path / "network.npz")
    assert load(tmp_path / "network.npz") == network


def test_exact_reals_survive(tmp_path):
    thresholds = (-1e300, -0.1, 5e-324, 1 / 3, 1e300)
    decide = Decide("decide", "none", (Format(3),), scale=0.1, offset=-1 / 3)
    network = LutNetwork("net", (Encode("encode", (Feature("a", thresholds),)), decide))
    save(network, tmp_path / "network.npz")
    back = load(tmp_path / "network.npz")
    assert back.encode is not None and back.encode.features[0].thresholds == thresholds
    assert back.decide == replace(decide)
