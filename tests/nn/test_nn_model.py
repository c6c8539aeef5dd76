from dataclasses import replace

import numpy as np
import pytest
import torch
from small_data import bits, blobs, waves

from codesign.config import InputsConfig, SparsityConfig, TrainConfig
from codesign.errors import ConfigError, TableTooLarge
from codesign.ir import Layer, Topology
from codesign.nn import build_model
from codesign.nn.losses import training_loss

LAYERS = (
    Layer("l0", 9, 3, 2, "polynomial"),
    Layer("l1", 8, 2, 1, "mlp", terms=3, term_bits=2),
    Layer("l2", 5, 3, 3),
)


def build(data, topology, *, seed=0, inputs=None, **train):
    return build_model(topology, inputs=inputs or InputsConfig(), train=TrainConfig(**train), data=data, seed=seed)


def run_some_batches(model, data):
    """Give the batch norms statistics of their own."""
    model.train()
    with torch.no_grad():
        for rows in model.prepare(data.x_train).split(50):
            model(rows)
    return model.eval()


@pytest.fixture(scope="module")
def trained():
    data = blobs()
    return run_some_batches(build(data, Topology("t", data.inputs, 2, LAYERS)), data), data


def test_every_code_is_the_same_in_any_batch(trained):
    model, data = trained
    whole = model.stages(data.x_train)
    assert [s.shape[1] for s in whole] == [16, 9, 24, 8, 8, 5]
    order = np.random.default_rng(0).permutation(len(data.x_train))
    for rows in ([0], order[:7], order):
        for part, all_ in zip(model.stages(data.x_train[rows]), whole, strict=True):
            assert np.array_equal(part, all_[rows])


def test_chunks_change_no_code(trained, monkeypatch):
    model, data = trained
    whole = model.stages(data.x_train)
    monkeypatch.setattr("codesign.nn.model._CHUNK_VALUES", 24 * 11)
    for part, all_ in zip(model.stages(data.x_train), whole, strict=True):
        assert np.array_equal(part, all_)


def test_no_rows_give_no_codes(trained):
    model, data = trained
    assert model.output_codes(data.x_train[:0]).shape == (0, 5)


def test_evaluation_follows_training(trained):
    model, data = trained
    exact = model.output_values(data.x_train)
    with torch.no_grad():
        values = model.eval()(model.prepare(data.x_train)).numpy()
    assert (np.abs(values - exact) < 1e-5).mean() > 0.98  # float32 against float64 at rounding boundaries
    assert np.array_equal(model.predict(data.x_test), model.output_values(data.x_test).argmax(axis=1))


def test_the_loss_and_the_hardware_agree_on_ties():
    values = torch.tensor([[0.5, 0.5, -0.5], [-0.5, 0.5, 0.5], [0.5, 0.5, 0.5]])
    first = values.argmax(dim=1)
    wrong = torch.tensor([1, 2, 2])
    gain = torch.tensor(30.0)
    assert training_loss("classification", values, first, gain=gain, step=1.0) < 1e-3
    assert training_loss("classification", values, wrong, gain=gain, step=1.0) > 5


def test_all_terms_and_outputs_share_one_scale(trained):
    model, _ = trained
    assert len(model.output_levels()) == 8
    several = build(blobs(), Topology("t", 16, 2, (Layer("l0", 8, 2, 2), Layer("l1", 5, 2, 2, terms=3, term_bits=4))))
    levels = several.output_levels()
    assert len(levels) == 3 * 15 + 1
    assert torch.allclose(levels, -levels.flip(0)) and torch.allclose(levels.diff(), levels.diff()[0])


def test_a_binary_answer_starts_at_its_threshold():
    data = bits()
    model = run_some_batches(build(data, Topology("t", 24, 1, (Layer("l0", 1, 6, 3),), decide="threshold")), data)
    assert model.threshold() == 4
    codes = model.output_codes(data.x_test)[:, 0]
    assert np.array_equal(model.predict(data.x_test), codes >= 4)
    assert np.array_equal(model.output_values(data.x_test)[:, 0] >= 0, codes >= 4)


def test_regression_answers_are_in_the_targets_unit():
    data = waves()
    model = run_some_batches(build(data, Topology("t", 4, 4, (Layer("l0", 2, 3, 8),), decide="none")), data)
    scale, offset = model.answer_scale()
    assert np.array_equal(model.predict(data.x_test), model.output_codes(data.x_test) * scale + offset)
    assert np.isclose(offset, data.y_train.min(), atol=0.1)
    assert np.isclose(offset + 255 * scale, data.y_train.max(), atol=0.1)


def test_constant_inputs_are_not_read():
    data = blobs()
    x = data.x_train.copy()
    x[:, :8] = 1.0
    model = build(replace(data, x_train=x), Topology("t", 16, 2, (Layer("l0", 20, 3, 2), Layer("l1", 5, 3, 2))))
    assert int(model.lut_layers()[0].sources.min()) >= 8


def test_same_seed_same_model():
    data = blobs()
    topology = Topology("t", data.inputs, 2, LAYERS)
    for method in ("random", "magnitude"):
        a, b, c = (
            build(data, topology, seed=s, sparsity=SparsityConfig(method=method)).state_dict() for s in (3, 3, 4)
        )
        assert all(torch.equal(a[k], b[k]) for k in a)
        assert not torch.equal(a["layers.0.mask.sources"], c["layers.0.mask.sources"])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"inputs": 5}, ConfigError, "topology.inputs must be 16"),
        ({"decide": "threshold"}, ConfigError, "'threshold' needs a last layer of width 1"),
        ({"layers": (Layer("l0", 4, 2, 2),)}, ConfigError, "width 5"),
        ({"layers": (Layer("l0", 1, 2, 2),)}, ConfigError, "'argmax' needs a last layer of at least 2"),
        ({"layers": (Layer("l0", 5, 8, 2),)}, TableTooLarge, "layer 'l0': fan-in 8 x 2 bits = 16 .* 65536 rows"),
        (
            {"layers": (Layer("a", 4, 2, 2, terms=4096, term_bits=4), Layer("b", 5, 2, 2))},
            TableTooLarge,
            "layer 'a': the sum of 4096 terms of 4 bits has 16 bits, a table of 65536 rows",
        ),
        ({"layers": (Layer("a_terms", 4, 2, 2), Layer("a", 5, 2, 2, terms=2))}, ConfigError, "'a_terms' is taken"),
        ({"layers": (Layer("2a", 5, 2, 2),)}, ConfigError, "not '2a'"),
        ({"layers": (Layer("a", 5, 2, 2, neuron="liner"),)}, ConfigError, "Did you mean"),
    ],
)
def test_what_cannot_be_built_is_refused_before_training(change, error, message):
    data = blobs()
    with pytest.raises(error, match=message):
        build(data, replace(Topology("t", 16, 2, (Layer("l0", 5, 2, 2),)), **change))


def test_regression_needs_no_decision():
    with pytest.raises(ConfigError, match="must be 'none' for regression"):
        build(waves(), Topology("t", 4, 2, (Layer("l0", 2, 2, 2),)))
