"""The check catches what it is for: one wrong row, one wrong source, one wrong threshold, a layer it does not know."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from extract_models import model_for
from hypothesis import given
from hypothesis import strategies as st
from small_data import blobs

from codesign.errors import MismatchError, TableTooLarge, UnsupportedModel
from codesign.extract import check_samples, check_tables, extract
from codesign.extract.check import _groups
from codesign.ir import Encode, Feature, Layer, Tables, Topology

LAYERS = (Layer("l0", 7, 3, 2), Layer("l1", 6, 2, 1, "mlp", terms=3, term_bits=2), Layer("l2", 3, 3, 3))


@pytest.fixture(scope="module")
def pair():
    data = blobs(rows=200, features=8, classes=3)
    model = model_for(data, Topology("t", data.inputs, 2, LAYERS))
    return model, extract(model, name="net")


def with_stage(network, name, change):
    stages = tuple(change(s) if s.name == name else s for s in network.stages)
    return replace(network, stages=stages)


def with_neuron(network, name, index, change):
    def edit(stage):
        neurons = list(stage.neurons)
        neurons[index] = change(neurons[index])
        return Tables(stage.name, tuple(neurons))

    return with_stage(network, name, edit)


@pytest.mark.parametrize(("stage", "rows"), [("l0", 64), ("l1_terms", 16), ("l1", 16), ("l2", 8)])
def test_any_flipped_bit_of_any_table_is_found_and_named(pair, stage, rows):
    model, network = pair
    tables = next(s for s in network.stages if s.name == stage)
    draw = np.random.default_rng(len(stage))
    for _ in range(12):
        neuron, row = int(draw.integers(len(tables.neurons))), int(draw.integers(rows))
        assert len(tables.neurons[neuron].table) == rows

        def flip(old, row=row):
            table = old.table.copy()
            table[row] ^= 1
            return replace(old, table=table)

        wrong = tables.neurons[neuron].table[row] ^ 1
        with pytest.raises(MismatchError) as caught:
            check_tables(model, with_neuron(network, stage, neuron, flip))
        text = str(caught.value)
        assert text.startswith(f"layer '{stage}', neuron {neuron}: at ")
        assert f" {row} " in text and f"gives {wrong ^ 1}, the table has {wrong}" in text


def test_a_wrong_source_is_found(pair):
    model, network = pair
    swap = with_neuron(network, "l0", 2, lambda n: replace(n, sources=n.sources[::-1]))
    with pytest.raises(MismatchError, match="layer 'l0', neuron 2: its sources must be"):
        check_tables(model, swap)


def test_a_neuron_that_reads_more_than_it_says_is_found(pair, monkeypatch):
    """The layer's forward is taken as it is: were it to read an unstated signal, tables could not be its equal."""
    model, network = pair
    layer = model.lut_layers()[0]
    real = layer.codes

    def leaky(codes, levels):
        unstated = next(s for s in range(8) if s not in layer.sources[4].tolist())
        out = real(codes, levels)
        out[0][4] = (out[0][4] + codes[unstated]) % 4
        return out

    monkeypatch.setattr(layer, "codes", leaky)
    with pytest.raises(MismatchError, match="layer 'l0', neuron 4"):
        check_tables(model, network)


def test_a_moved_threshold_is_found(pair):
    model, network = pair

    def move(stage):
        features = list(stage.features)
        first = features[3].thresholds
        features[3] = Feature(features[3].name, (np.nextafter(first[0], np.inf), *first[1:]))
        return Encode(stage.name, tuple(features), stage.coding)

    with pytest.raises(MismatchError, match="stage 'encode', signal 3"):
        check_tables(model, with_stage(network, "encode", move))


def test_samples_name_stage_and_signal(pair):
    model, network = pair
    data = blobs(rows=200, features=8, classes=3)
    assert check_samples(model, network, data.x_test) == 30
    other = with_neuron(network, "l2", 1, lambda n: replace(n, table=(n.table + 1) % 8))
    with pytest.raises(MismatchError, match="stage 'l2', signal 1: on sample 0 the model gives"):
        check_samples(model, other, data.x_test)
    bare = replace(network, stages=network.stages[1:], inputs=network.stages[0].formats)
    with pytest.raises(MismatchError, match="no encoder"):
        check_samples(model, bare, data.x_test)
    with pytest.raises(MismatchError, match="must have an encoder of 8 features"):
        check_tables(model, bare)


def test_a_missing_stage_is_named(pair):
    model, network = pair
    renamed = with_stage(network, "l0", lambda s: replace(s, name="other"))
    with pytest.raises(MismatchError, match="layer 'l0' of the model has no stage of 7 tables"):
        check_tables(model, renamed)


def test_what_has_no_table_form_is_named(pair):
    model, network = pair
    with pytest.raises(UnsupportedModel, match="takes a codesign.nn.LutModel, not Linear"):
        extract(torch.nn.Linear(2, 2), name="net")
    data = blobs(rows=200, features=8, classes=3)
    strange = model_for(data, Topology("t", data.inputs, 2, LAYERS))
    strange.layers[1] = torch.nn.Softmax(dim=0)
    for call in (lambda: extract(strange, name="net"), lambda: check_tables(strange, network)):
        with pytest.raises(UnsupportedModel, match=r"layer 1 \(Softmax\) has no table form"):
            call()
    large = model_for(data, Topology("t", data.inputs, 2, LAYERS))
    large.spec = replace(large.spec, topology=replace(large.spec.topology, max_address_bits=5))
    with pytest.raises(TableTooLarge, match="layer 'l0': 6 address bits; the cap is 5"):
        extract(large, name="net")


@given(st.integers(1, 12), st.integers(1, 8), st.data())
def test_groups_drive_every_table_through_all_its_codes(signals, tables, data):
    fan_in = data.draw(st.integers(1, signals))
    draw = np.random.default_rng(data.draw(st.integers(0, 999)))
    sources = np.stack([draw.permutation(signals)[:fan_in] for _ in range(tables)])
    seen = []
    for members, place in _groups(sources, signals):
        for j in members:
            assert sorted(place[sources[j]]) == list(range(fan_in))
        seen += members
    assert sorted(seen) == list(range(tables))
