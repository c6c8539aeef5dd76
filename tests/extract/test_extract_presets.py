"""The six presets of the LogicNets paper train a few steps and extract exactly."""

from dataclasses import replace

import numpy as np
import pytest
from small_data import bits, blobs

from codesign.config import InputsConfig, TrainConfig
from codesign.extract import check_samples, check_tables, extract
from codesign.ir import PRESETS, evaluate, preset
from codesign.nn import build_model, load_model, train_model

ROWS = {  # table rows of every preset, encoder apart
    "jsc-s": (64 + 32 + 32 + 32 + 5) * 2**6,
    "jsc-m": (64 + 32 + 32 + 32 + 5) * 2**12,
    "jsc-l": (32 + 64 + 192 + 192 + 16) * 2**12 + 5 * 2**15,
    "nid-s": 593 * 2**7 + 101 * 2**14,
    "nid-m": 593 * 2**7 + (256 + 128 + 128 + 1) * 2**14,
    "nid-l": 593 * 2**7 + 301 * 2**15,
}


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_preset(name, tmp_path):
    data = blobs(rows=200) if name.startswith("jsc") else bits(rows=200, features=593)
    topology = replace(preset(name), inputs=data.inputs)
    config = TrainConfig(epochs=1, batch_size=64, tensorboard=False)
    model = build_model(topology, inputs=InputsConfig(), train=config, data=data, seed=0)
    train_model(model, data, config=config, folder=tmp_path, seed=0)
    model = load_model(tmp_path)
    network = extract(model, name=name.replace("-", "_"))
    encoder = sum(2 * len(f.thresholds) for f in network.encode.features)
    assert check_tables(model, network) == ROWS[name] + encoder
    assert check_samples(model, network, data.x_test) == len(data.x_test)
    assert np.array_equal(evaluate(network, data.x_test)[:, 0], model.predict(data.x_test))
