"""The six presets of the LogicNets paper, from one epoch of training to Verilog that matches bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from codesign.config import InputsConfig, RtlConfig, SimulateConfig, TrainConfig
from codesign.data import DataSet
from codesign.extract import check_samples, check_tables, extract
from codesign.ir import PRESETS, Fixed, Tables, Topology, evaluate, preset
from codesign.nn import build_model, load_model, train_model
from codesign.passes import run_passes
from codesign.rtl import emit
from codesign.simulate import lint, require_exact, simulate, write_bench

pytestmark = pytest.mark.sim

MAPPED = ("jsc-s", "nid-s")
"""Presets emitted in the mapped form; the larger ones in the plain table form, which is written in a second."""


def rows_for(topology: Topology, *, rows: int = 2000, seed: int = 0) -> DataSet:
    """Rows of the preset's shape: real features, or bits where a feature is one bit; the label is a linear vote."""
    random = np.random.default_rng(seed)
    classes = max(2, topology.layers[-1].width)
    x = random.normal(size=(rows, topology.inputs)).astype(np.float32)
    if topology.input_bits == 1:
        x = (x > 0).astype(np.float32)
    scores = (x - x.mean(axis=0)) @ random.normal(size=(topology.inputs, classes))
    y = scores.argmax(axis=1).astype(np.int64)
    a, b = rows // 2, rows * 3 // 4
    return DataSet(
        name="rows",
        task="classification",
        x_train=x[:a],
        y_train=y[:a],
        x_validation=x[a:b],
        y_validation=y[a:b],
        x_test=x[b:],
        y_test=y[b:],
        feature_names=tuple(f"f{i}" for i in range(topology.inputs)),
        class_names=tuple(f"c{i}" for i in range(classes)),
        word=Fixed(1) if topology.input_bits == 1 else None,
    )


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_becomes_exact_verilog(name, tmp_path):
    topology = preset(name)
    data = rows_for(topology)
    config = TrainConfig(epochs=1, batch_size=64, tensorboard=False, threads=1)
    inputs = InputsConfig() if topology.input_bits == 1 else InputsConfig(word_bits=8)  # the encoder is in the Verilog
    model = build_model(topology, inputs=inputs, train=config, data=data, seed=0)
    train_model(model, data, config=config, folder=tmp_path / "train", seed=0)
    model = load_model(tmp_path / "train")

    extracted = extract(model, name=name.replace("-", "_"))
    assert extracted.encode is not None
    encoder = sum(2 * len(feature.thresholds) for feature in extracted.encode.features)
    tables = sum(len(n.table) for stage in extracted.stages if isinstance(stage, Tables) for n in stage.neurons)
    assert check_tables(model, extracted) == tables + encoder
    assert check_samples(model, extracted, data.x_test) == len(data.x_test)

    network, _ = run_passes(extracted)
    answers = evaluate(network, data.x_test)
    assert np.array_equal(answers[:, 0], model.predict(data.x_test))
    assert len(np.unique(answers)) > 1, "a network that always answers alike proves nothing"

    folder = tmp_path / "design"
    design = emit(network, RtlConfig(form="mapped" if name in MAPPED else "table"), folder, features=data.x_test)
    assert design.encoder_in_hardware
    write_bench(folder)
    lint(folder, work=tmp_path / "lint")
    result = simulate(folder, config=SimulateConfig(cocotb=False), work=tmp_path / "work")
    require_exact(result)
    assert (result.vectors_checked, result.vectors_mismatched) == (len(data.x_test), 0)
    assert (result.latency_cycles, result.initiation_interval) == (design.latency_cycles, 1)
