import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_data import bits, blobs, waves

from codesign.config import InputsConfig, SparsityConfig, TrainConfig
from codesign.errors import CodesignError, ConfigError, DataError
from codesign.ir import Layer, Topology
from codesign.nn import build_model, load_model, train_model

LAYERS = (Layer("l0", 24, 3, 2), Layer("l1", 5, 4, 4))


def config(**changes):
    return TrainConfig(**{"epochs": 4, "batch_size": 64, "tensorboard": False, **changes})


def train(folder, data=None, *, layers=LAYERS, decide="argmax", seed=0, progress=None, input_bits=2, **changes):
    data = data or blobs()
    topology = Topology("t", data.inputs, input_bits, layers, decide=decide)
    settings = config(**changes)
    model = build_model(topology, inputs=InputsConfig(), train=settings, data=data, seed=seed)
    return train_model(model, data, config=settings, folder=folder, seed=seed, progress=progress)


@pytest.mark.parametrize("neuron", ["linear", "polynomial", "mlp", "lut"])
def test_each_neuron_kind_learns(tmp_path, neuron):
    layers = tuple(replace(layer, neuron=neuron) for layer in LAYERS)
    more = {"epochs": 30, "table_learning_rate": 0.1} if neuron == "lut" else {"epochs": 12}  # many free entries
    result = train(tmp_path, layers=layers, **more)
    assert result.figure > 0.6
    assert result.history[-1].train_loss < 0.8 * result.history[0].train_loss
    assert not result.model.training and result.samples_per_s > 0


@pytest.mark.parametrize("method", ["random", "magnitude", "regrow", "learned"])
def test_one_bit_networks_learn(tmp_path, method):
    layers = (Layer("l0", 64, 6, 1), Layer("l1", 1, 6, 4, terms=8, term_bits=1))
    result = train(
        tmp_path, bits(), layers=layers, decide="threshold", epochs=15, sparsity=SparsityConfig(method=method)
    )
    assert result.figure > 0.75


def test_regression_learns_in_the_targets_unit(tmp_path):
    data = waves(rows=1500)
    layers = (Layer("l0", 12, 2, 4), Layer("l1", 2, 3, 8, terms=4, term_bits=7))
    result = train(tmp_path, data, layers=layers, decide="none", epochs=8, input_bits=4, learning_rate=0.03)
    spread = float(data.y_validation.std())
    assert result.figure < 0.3 * spread
    error = result.model.predict(data.x_validation) - data.y_validation
    assert math.isclose(result.figure, float(np.sqrt((error**2).mean())), rel_tol=1e-6)


def files(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_same_seed_same_bytes(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(tmp_path / name, seed=seed, epochs=2)
    a, b, c = (files(tmp_path / name) for name in "abc")
    assert sorted(a) == ["history.json", "model.json", "model.safetensors"]
    assert a == b
    assert a["model.safetensors"] != c["model.safetensors"]


def test_global_randomness_changes_nothing_and_is_left_alone(tmp_path):
    train(tmp_path / "a", epochs=1)
    torch.manual_seed(123)
    before = torch.get_rng_state()
    train(tmp_path / "b", epochs=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_the_best_epoch_on_validation_is_kept_and_test_rows_are_never_read(tmp_path):
    data = blobs()
    spoiled = replace(data, x_test=np.full_like(data.x_test, np.nan), y_test=np.full_like(data.y_test, -1))
    result = train(tmp_path, spoiled, epochs=6)
    best = max(result.history, key=lambda r: (r.validation_figure, -r.validation_loss))
    assert result.best_epoch == best.epoch and result.figure == best.validation_figure
    predicted = result.model.predict(data.x_validation)
    assert float((predicted == data.y_validation).mean()) == best.validation_figure
    assert [r.epoch for r in result.history if r.best][-1] == best.epoch


def test_early_stop(tmp_path):
    result = train(tmp_path, epochs=60, patience=2, learning_rate=0.05)
    assert result.stopped_early and len(result.history) == result.best_epoch + 2 < 60
    assert json.loads((tmp_path / "history.json").read_text())["stopped_early"]


def test_schedule_and_history(tmp_path):
    train(tmp_path / "a", epochs=4, schedule="cosine")
    rates = [e["learning_rate"] for e in json.loads((tmp_path / "a" / "history.json").read_text())["epochs"]]
    assert rates == sorted(rates, reverse=True) and rates[-1] < 0.05 * 0.01
    train(tmp_path / "b", epochs=2, schedule="constant", optimizer="adamw", weight_decay=0.1)
    rates = [e["learning_rate"] for e in json.loads((tmp_path / "b" / "history.json").read_text())["epochs"]]
    assert rates == [0.01, 0.01]


def test_weight_decay_acts_on_weights(tmp_path):
    plain, decayed = (
        train(tmp_path / str(decay), optimizer="adamw", weight_decay=decay, learning_rate=0.05).model
        for decay in (0.0, 5.0)
    )
    assert decayed.lut_layers()[0].weight.abs().mean() < 0.7 * plain.lut_layers()[0].weight.abs().mean()


def test_progress_and_tensorboard(tmp_path):
    notes = []
    train(tmp_path, tensorboard=True, epochs=2, progress=lambda text, share: notes.append((text, share)))
    assert [share for _, share in notes] == [0.5, 1.0]
    assert notes[0][0].startswith("epoch 1/2: loss ") and "validation accuracy" in notes[0][0]
    events = list((tmp_path / "tensorboard").iterdir())
    assert len(events) == 1 and b"validation_figure" in events[0].read_bytes()


def test_threads_are_set_and_restored(tmp_path, monkeypatch):
    seen = []
    before = torch.get_num_threads()
    monkeypatch.setattr("codesign.nn.train._rate", lambda *_: seen.append(torch.get_num_threads()) or 0.01)
    train(tmp_path, epochs=1, batch_size=1000, threads=before + 1)
    assert set(seen) == {before + 1} and torch.get_num_threads() == before


def test_a_loss_that_is_not_finite_stops_with_what_to_do(tmp_path):
    data = blobs()
    x = data.x_train.copy()
    x[3, 2] = 3e38  # its square overflows float32
    with pytest.raises(CodesignError, match=r"finite.*epoch 1.*lower train.learning_rate"):
        train(tmp_path, replace(data, x_train=x), learning_rate=1e30, epochs=3)
    assert not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize("labels", [(-1, 4), (0, 5)])
def test_labels_out_of_range(tmp_path, labels):
    data = blobs()
    y = data.y_train.copy()
    y[0], y[1] = labels
    with pytest.raises(DataError, match="classes must be 0 to 4"):
        train(tmp_path, replace(data, y_train=y))


def test_too_few_rows(tmp_path):
    data = blobs()
    with pytest.raises(DataError, match="at least 2 training rows"):
        train(tmp_path, replace(data, x_train=data.x_train[:1], y_train=data.y_train[:1]))


def test_cuda_is_refused_where_there_is_none(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(ConfigError, match="no CUDA device"):
        train(tmp_path, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("method", ["random", "magnitude", "regrow"])
def test_cuda_trains_and_evaluates_to_the_same_codes(tmp_path, method):
    layers = (Layer("l0", 24, 3, 2, "mlp", terms=2), Layer("l1", 16, 3, 1, "polynomial"), Layer("l2", 5, 4, 4))
    result = train(tmp_path, layers=layers, device="cuda", epochs=6, sparsity=SparsityConfig(method=method))
    x = blobs().x_test
    here = result.model.stages(x)
    there = result.model.cuda().stages(x)
    assert all(np.array_equal(a, b) for a, b in zip(here, there, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(here, load_model(tmp_path).stages(x), strict=True))
