"""Real images: dense MNIST and a small CIFAR-10 network learn, and their integers equal the model and Brevitas."""

import os
from pathlib import Path

import numpy as np
import pytest

from codesign.config import ConvTopologyConfig, DataConfig, TrainConfig
from codesign.data import load
from codesign.extract import check_brevitas, check_integer_samples, check_requantize, extract_integer
from codesign.nn import build_conv_model, train_model

pytestmark = pytest.mark.slow


def data_folder(name):
    """The set's folder in CODESIGN_DATA, else in a folder shared/data beside the checkout; skipped where absent."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    for root in (os.environ.get("CODESIGN_DATA"), beside):
        if root is not None and (Path(root) / name).is_dir():
            return Path(root) / name
    pytest.skip(f"needs the folder {name} in CODESIGN_DATA (or ../shared/data)")


@pytest.mark.parametrize(
    ("source", "options", "epochs", "least"),
    [
        ("mnist", {"preset": "mnist-dense"}, 3, 0.96),
        ("cifar10", {"preset": "cifar10-small", "options": {"channels": 8}}, 3, 0.42),
    ],
)
def test_learned_and_exact(tmp_path, source, options, epochs, least):
    data = load(DataConfig(source=source, path=data_folder(source), validation=0.1))
    topology = ConvTopologyConfig(**options).topology(source, inputs=data.inputs, answers=data.answers)
    config = TrainConfig(epochs=epochs, batch_size=128, learning_rate=0.004, tensorboard=False)
    model = build_conv_model(topology, train=config, data=data, seed=0)
    train_model(model, data, config=config, folder=tmp_path, seed=0)
    assert np.mean(model.predict(data.x_test) == data.y_test) > least
    network = extract_integer(model, name=source)
    check_requantize(model, network)
    assert check_integer_samples(model, network, data.x_test[:200]) == 200
    agreement = check_brevitas(model, data.x_test[:200])
    assert agreement.moved == 0 and agreement.at_edges < agreement.values / 10_000
