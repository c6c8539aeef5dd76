"""The cache of mapped tables: hits, what is not a hit, damaged entries, folders that cannot be written."""

from __future__ import annotations

import json

import numpy as np
import pytest
from map_cases import assert_equal_on_cared_rows, network_of, random_table

from codesign.rtl.map_cache import load, store
from codesign.rtl.mapped import Netlist, Node
from codesign.rtl.mapping import map_network


@pytest.fixture
def network():
    rng = np.random.default_rng(1)
    return network_of([random_table(rng, 8, 2, "random") for _ in range(2)], 2, address_bits=8)


def test_a_second_run_asks_nobody(network, asked, own_cache):
    first = map_network(network, workers=1)
    assert (first.reused, len(asked)) == (0, 1)
    assert len(list(own_cache.rglob("*.json"))) == 2 and not list(own_cache.rglob("*.tmp"))
    second = map_network(network, workers=1)
    assert (second.reused, len(asked)) == (2, 1)
    assert second.stages == first.stages


def test_other_options_and_other_tables_are_no_hits(network, asked):
    map_network(network, workers=1)
    assert map_network(network, workers=1, effort="low").reused == 0
    assert map_network(network, workers=1, lut_inputs=4).reused == 0
    rng = np.random.default_rng(2)
    assert map_network(network_of([random_table(rng, 8, 2, "random")], 2, address_bits=8), workers=1).reused == 0
    assert len(asked) == 4


def test_no_cache_is_read_or_written(network, asked, own_cache):
    map_network(network, workers=1, cache=False)
    assert not own_cache.exists()
    map_network(network, workers=1)
    map_network(network, workers=1, cache=False)
    assert len(asked) == 3


def _other_function(value):
    value["nodes"][-1][-1] = f"{int(value['nodes'][-1][-1], 16) ^ 1:x}"


def _forward(value):
    value["nodes"][0][0] = 8 + len(value["nodes"])


DAMAGE = {
    "empty": lambda text: "",
    "cut": lambda text: text[: len(text) // 2],
    "another function": _other_function,
    "reads itself": _forward,
    "mask too wide": lambda v: v["nodes"].__setitem__(0, [0, "fff"]),
    "mask of a number": lambda v: v["nodes"].__setitem__(0, [0, 1]),
    "no mask": lambda v: v["nodes"].__setitem__(0, []),
    "infinite": lambda v: v["outputs"].__setitem__(0, float("inf")),
    "no outputs": lambda v: v.pop("outputs"),
    "too few outputs": lambda v: v["outputs"].pop(),
    "other width": lambda v: v.update(input_bits=7),
    "a list": lambda text: "[1, 2]",
    "deep": lambda text: "[" * 100_000,
    "not text": lambda text: "é" + text,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_entry_is_made_anew(network, asked, own_cache, damage):
    first = map_network(network, workers=1)
    entry = sorted(own_cache.rglob("*.json"))[0]
    good = entry.read_text()
    change = DAMAGE[damage]
    if damage in ("empty", "cut", "a list", "deep", "not text"):
        entry.write_text(change(good), encoding="utf-8")
    else:
        value = json.loads(good)
        change(value)
        entry.write_text(json.dumps(value))
    again = map_network(network, workers=1)
    assert (again.reused, len(asked[1])) == (1, 1)
    assert again.stages == first.stages and entry.read_text() == good
    assert_equal_on_cared_rows(again)


def test_a_folder_that_cannot_be_written_costs_time_only(network, asked, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "file"))
    first = map_network(network, workers=1)
    assert map_network(network, workers=1).stages == first.stages
    assert len(asked) == 2


def test_a_full_disk_leaves_no_part_of_an_entry(monkeypatch, tmp_path):
    from pathlib import Path

    def full(self, text, **options):
        with self.open("w") as file:
            file.write(text[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    store(tmp_path, "ab" * 32, Netlist(2, (Node((0, 1), 0b0110),), (2,)))
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_an_entry_comes_back_as_it_was(tmp_path):
    netlist = Netlist(7, (Node((0, 1, 2, 3, 4, 6), (1 << 64) - 2), Node((7,), 0b01)), (-1, 8, 3, -2))
    store(tmp_path, "ab" * 32, netlist)
    assert load(tmp_path, "ab" * 32) == netlist
    assert load(tmp_path, "cd" * 32) is None
