"""Coverage of table addresses: against a count made row by row, for encoders inside and outside, for damage."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from codesign.config import RegistersConfig, RtlConfig
from codesign.errors import DataError
from codesign.ir import Encode, Feature, Fixed, Format, Layer, LutNetwork, Neuron, Tables, Topology, encode, load, save
from codesign.passes import run_passes
from codesign.report.coverage import address_plot
from codesign.rtl import emit
from codesign.simulate.addresses import TableCoverage, table_coverage
from codesign.testing import structured_network

CONFIG = RtlConfig(form="table", registers=RegistersConfig(every=1))


def by_hand(network: LutNetwork, rows: list[list[int]]) -> dict[str, list[set[int]]]:
    """Follow each row of codes through the tables in plain Python; return the addresses of every neuron."""
    seen: dict[str, list[set[int]]] = {}
    for codes in rows:
        formats = network.code_inputs
        for stage in network.core:
            if not isinstance(stage, Tables):
                break
            places = seen.setdefault(stage.name, [set() for _ in stage.neurons])
            out: list[int] = []
            for place, neuron in zip(places, stage.neurons, strict=True):
                address = shift = 0
                for source in neuron.sources:
                    address += codes[source] << shift
                    shift += formats[source].bits
                place.add(address)
                out.append(int(neuron.table[address]))
            codes, formats = out, stage.formats
    return seen


def covered(folder: Path, vectors: int | None = None) -> TableCoverage:
    found = table_coverage(folder, vectors=vectors)
    assert found is not None
    return found


@pytest.mark.parametrize("words", [True, False], ids=["encoder inside", "encoder outside"])
def test_addresses_are_those_that_a_walk_through_the_tables_meets(words, tmp_path):
    topology = Topology("net", inputs=5, input_bits=2, layers=(Layer("l0", 6, 3, 2), Layer("l1", 4, 3, 3)))
    network, _ = run_passes(structured_network(topology, np.random.default_rng(8), words=words))
    assert network.encode is not None
    x = np.random.default_rng(1).normal(size=(40, 5))
    design = emit(network, CONFIG, tmp_path, features=x)
    assert design.encoder_in_hardware == words
    for count in (40, 7):
        wanted = by_hand(network, encode(network.encode, x[:count]).tolist())
        found = covered(tmp_path, count if count < 40 else None)
        assert found.vectors == count
        assert {stage.name: list(stage.reached) for stage in found.stages} == {
            name: [len(addresses) for addresses in places] for name, places in wanted.items()
        }
        for stage in found.stages:
            tables = next(one for one in network.stages if one.name == stage.name)
            assert isinstance(tables, Tables)
            assert list(stage.rows) == [len(neuron.table) for neuron in tables.neurons]
            cares = [n.care.sum() if n.care is not None else len(n.table) for n in tables.neurons]
            assert list(stage.possible) == cares and not any(stage.forbidden)
    assert found.reached < found.possible and not found.problems
    listed = found.as_dict()
    assert listed["reached"] == sum(sum(row["reached_by_neuron"]) for row in listed["stages"])
    worst = listed["stages"][0]["worst"]
    shares = [row["reached"] / row["possible"] for row in worst]
    plot = address_plot({"tables": listed})
    assert [box.name for box in plot.data] == ["l0", "l1"] and min(plot.data[0].y) == pytest.approx(100 * shares[0])
    assert address_plot(None) is None and address_plot({"tables": None}) is None
    assert shares == sorted(shares) and f"neuron {worst[0]['neuron']}: " in found.lines()[0][1]


def test_an_address_outside_its_care_set_is_named(tmp_path):
    table = np.array([0, 1, 1, 0], np.int32)
    neuron = Neuron((0, 1), table, Format(1), np.array([True, True, True, False]))
    encoder = Encode("codes", (Feature("a", (1.0,), Fixed(1)), Feature("b", (1.0,), Fixed(1))))
    network = LutNetwork("pair", (encoder, Tables("l0", (neuron,))), ())
    emit(network, CONFIG, tmp_path, features=np.array([[0, 0], [1, 1], [1, 0]]))
    found = covered(tmp_path)
    assert (found.stages[0].reached, found.stages[0].possible, found.stages[0].rows) == ((3,), (3,), (4,))
    assert found.problems == ("stage 'l0', neuron 0: 1 addresses outside its care set occur",)


def test_a_folder_without_network_says_nothing_and_a_damaged_one_is_refused(tmp_path):
    topology = Topology("net", inputs=4, input_bits=1, layers=(Layer("l0", 3, 2, 1),))
    network = structured_network(topology, np.random.default_rng(2), words=True)
    emit(network, CONFIG, tmp_path)
    path = tmp_path / "vectors" / "network.npz"
    assert load(path).stages == network.stages
    (tmp_path / "vectors" / "inputs.hex").write_text("xyz\n")
    with pytest.raises(DataError, match="inputs.hex does not hold the vectors"):
        table_coverage(tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="network.npz"):
        table_coverage(tmp_path)
    save(dataclasses.replace(network, name="other"), path)
    path.unlink()
    assert table_coverage(tmp_path) is None
