"""Random topologies: every table row and every sample equals the trained network, whatever its parts."""

import numpy as np
import pytest
from extract_models import model_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_data import bits, blobs, waves

from codesign.config import InputsConfig
from codesign.extract import check_samples, check_tables, extract
from codesign.ir import Layer, Topology, evaluate, load, save

DATA = {"classes": blobs(rows=150, features=6, classes=3), "bits": bits(rows=150, features=8), "wave": waves(rows=150)}
OUTPUTS = {"classes": (3, "argmax"), "bits": (1, "threshold"), "wave": (2, "none")}


@st.composite
def topologies(draw, kind):
    """Any topology for a data set with tables of at most 10 address bits."""
    data = DATA[kind]
    outputs, decide = OUTPUTS[kind]
    coding = draw(st.sampled_from(["binary", "thermometer"]))
    input_bits = draw(st.integers(1, 3))
    entering, layers = 1 if coding == "thermometer" else input_bits, []
    signals = Topology("t", data.inputs, input_bits, (), coding).input_signals
    depth = draw(st.integers(1, 3))
    for index in range(depth):
        bits_ = draw(st.integers(1, 3))
        width = outputs if index == depth - 1 else draw(st.integers(1, 6))
        layers.append(
            Layer(
                f"l{index}",
                width,
                draw(st.integers(1, min(5, 10 // entering, signals))),
                bits_,
                draw(st.sampled_from(["linear", "polynomial", "mlp", "lut"])),
                draw(st.integers(1, 3)),
                draw(st.one_of(st.none(), st.integers(1, 3))),
            )
        )
        entering, signals = bits_, width
    return Topology("t", data.inputs, input_bits, tuple(layers), coding, decide)


@pytest.mark.parametrize("kind", list(DATA))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_topology_extracts_exactly(kind, data):
    rows = DATA[kind]
    topology = data.draw(topologies(kind))
    words = data.draw(st.sampled_from([None, 4, 9])) if kind != "bits" else None
    inputs = InputsConfig(
        thresholds=data.draw(st.sampled_from(["learned", "uniform", "quantile"])),
        standardize=data.draw(st.booleans()),
        word_bits=words,
    )
    methods = ["random", "regrow", "learned", "magnitude"]
    if any(layer.neuron == "lut" for layer in topology.layers):
        methods.remove("magnitude")  # it ranks linear weights, and free tables have none
    method = data.draw(st.sampled_from(methods))
    model = model_for(rows, topology, seed=data.draw(st.integers(0, 99)), inputs=inputs, method=method)
    network = extract(model, name="net")
    wanted = sum(
        topology.layers[i].width * topology.layers[i].terms << topology.address_bits(i)
        for i in range(len(topology.layers))
    )
    assert check_tables(model, network) >= wanted
    assert check_samples(model, network, rows.x_test) == len(rows.x_test)
    answer = evaluate(network, rows.x_test)
    if kind == "wave":
        decide = network.decide
        assert np.array_equal(decide.offset + decide.scale * answer, model.predict(rows.x_test))
    else:
        assert np.array_equal(answer[:, 0], model.predict(rows.x_test))


@pytest.mark.parametrize("coding", ["binary", "thermometer"])
def test_the_network_survives_the_disk(tmp_path, coding):
    data = DATA["classes"]
    layers = (Layer("l0", 5, 2, 2, terms=2, term_bits=3), Layer("l1", 3, 2, 2, terms=2))
    model = model_for(data, Topology("t", data.inputs, 2, layers, coding), inputs=InputsConfig(word_bits=7))
    network = extract(model, name="net")
    save(network, tmp_path / "network.npz")
    again = load(tmp_path / "network.npz")
    assert again == network
    assert [s.name for s in network.stages] == ["encode", "l0_terms", "l0_sums", "l0", "l1_terms", "l1", "decide"]
    assert check_tables(model, again) == check_tables(model, network)


def test_extraction_does_not_depend_on_chunks(monkeypatch):
    data = DATA["classes"]
    layers = (Layer("l0", 9, 3, 2, "mlp", terms=2), Layer("l1", 3, 4, 2, "polynomial"))
    model = model_for(data, Topology("t", data.inputs, 2, layers))
    whole = extract(model, name="net")
    for entries in (7, 64, 500):
        monkeypatch.setattr("codesign.extract.tables._CHUNK_ENTRIES", entries)
        assert extract(model, name="net") == whole
    monkeypatch.setattr("codesign.extract.check._BATCH_VALUES", 40)
    assert check_tables(model, whole) > 0
