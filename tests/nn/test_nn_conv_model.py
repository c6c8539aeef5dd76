"""Networks over feature maps: they learn, they are exact in evaluation, kept and resumed to equal bytes."""

import numpy as np
import pytest
import torch
from conv_nets import TRAIN, data_for, everything, images, trained
from small_data import blobs, waves

from codesign.config import AugmentConfig, SparsityConfig
from codesign.errors import ConfigError, DataError
from codesign.ir import ConvLayer, ConvTopology, Fixed, Levels, MapShape
from codesign.ir.integer import INPUT
from codesign.nn import build_conv_model, load_conv_model, load_model, train_model
from codesign.nn.augment import Augmenter
from codesign.nn.conv_integers import integer_sums
from codesign.nn.conv_layers import average
from codesign.nn.level_encoder import fit_levels

DENSE = ConvTopology(
    "dense",
    MapShape(2, 6, 6),
    4,
    (
        ConvLayer("d0", "dense", (INPUT,), channels=8, weight_bits=3, bits=3),
        ConvLayer("answer", "dense", ("d0",), channels=3, weight_bits=3, bits=None),
    ),
)


@pytest.mark.parametrize(("bits", "weight_bits", "input_bits"), [(4, 4, 4), (2, 2, 8), (1, 1, 8), (8, 3, 2)])
def test_every_kind_of_layer_learns(tmp_path, bits, weight_bits, input_bits):
    topology = everything(bits=bits, weight_bits=weight_bits, input_bits=input_bits)
    model, data, result = trained(topology, tmp_path, config=TRAIN.model_copy(update={"epochs": 6}))
    assert result.figure > 0.9
    accuracy = np.mean(model.predict(data.x_validation) == data.y_validation)
    assert accuracy == pytest.approx(result.figure)


def test_evaluation_does_not_depend_on_the_batch(tmp_path, monkeypatch):
    model, data, _ = trained(everything(), tmp_path)
    whole = model.stages(data.x_test)
    monkeypatch.setattr("codesign.nn.conv_model._CHUNK_VALUES", 1)  # row by row
    for name, values in model.stages(data.x_test).items():
        np.testing.assert_array_equal(values, whole[name], name)
    for name, values in whole.items():
        assert values.dtype == np.int64
        levels = model.spec.topology.levels(name)
        assert levels is None or levels.legal(values)


def test_training_and_evaluation_give_the_same_codes(tmp_path):
    """The training path, in float32 with batch norm's running figures, gives the integers' codes but for rare ties."""
    model, data, _ = trained(DENSE, tmp_path)
    wanted = model.output_codes(data.x_test)
    with torch.no_grad():
        values = model(model.prepare(data.x_test)) / model.output_step()
    assert np.abs(values.numpy() - np.rint(values.numpy())).max() < 0.01
    assert np.mean(np.rint(values.numpy()) == wanted) > 0.99


def test_same_seed_same_bytes_and_a_kept_model_answers_alike(tmp_path):
    for name in ("a", "b"):
        model, data, _ = trained(everything(bits=3), tmp_path / name)
    for file in ("model.safetensors", "model.json", "history.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    back = load_conv_model(tmp_path / "a")
    assert back.spec == model.spec and not back.training
    np.testing.assert_array_equal(back.output_codes(data.x_test), model.output_codes(data.x_test))
    other, _, _ = trained(everything(bits=3), tmp_path / "c", seed=1)
    assert (other.output_codes(data.x_test) != model.output_codes(data.x_test)).any()


def test_a_killed_run_ends_with_equal_bytes(tmp_path):
    topology = everything(bits=2, weight_bits=2)
    data = data_for(topology)
    config = TRAIN.model_copy(update={"augment": AugmentConfig(shift_pixels=1, flip=True, image=(6, 6))})
    trained(topology, tmp_path / "whole", data=data, config=config)

    class KilledError(Exception):
        pass

    def stop(text, share):
        if share >= 0.5:
            raise KilledError

    model = build_conv_model(topology, train=config, data=data, seed=0)
    with pytest.raises(KilledError):
        train_model(model, data, config=config, folder=tmp_path / "cut", seed=0, progress=stop)
    assert (tmp_path / "cut" / "checkpoint.safetensors").exists()
    trained(topology, tmp_path / "cut", data=data, config=config)
    for file in ("model.safetensors", "history.json"):
        assert (tmp_path / "cut" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_models_of_another_kind_and_damaged_ones_are_named(tmp_path):
    trained(DENSE, tmp_path, config=TRAIN.model_copy(update={"epochs": 1}))
    with pytest.raises(DataError, match="model.safetensors holds a model of maps, not of tables"):
        load_model(tmp_path)
    path = tmp_path / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    with pytest.raises(DataError, match="model.safetensors is not a trained model, or is truncated"):
        load_conv_model(tmp_path)
    path.write_bytes(whole[:-3] + b"abc")
    with pytest.raises(DataError, match="was changed after it was written"):
        load_conv_model(tmp_path)


def test_what_cannot_be_trained_is_refused():
    data = data_for(DENSE)

    def refused(message, *, topology=DENSE, data=data, **changes):
        with pytest.raises(ConfigError, match=message):
            build_conv_model(topology, train=TRAIN.model_copy(update=changes), data=data, seed=0)

    refused("input 2x6x6 has 72 values, but data 'blobs' has 16 features", data=blobs())
    refused("data 'waves' is a regression", data=waves())
    refused("must give 4x1x1, one sum a class of 'images', not 3x1x1", data=data_for(DENSE, classes=4))
    refused("train.sparsity is for networks of tables", sparsity=SparsityConfig(method="regrow"))
    refused("train.neuron_options is for networks of tables", neuron_options={"degree": 2})


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_levels_of_the_input(bits):
    data = images(rows=60)
    encoder = fit_levels(data, bits=bits)
    codes = data.x_test.astype(np.int64) >> (8 - bits)
    wanted = 2 * codes - 1 if bits == 1 else codes
    np.testing.assert_array_equal(encoder.values(data.x_test), wanted)
    assert encoder.alike and Levels(bits).legal(encoder.values(data.x_test))
    values = encoder(encoder.prepare(data.x_test)).numpy()
    np.testing.assert_allclose(values, wanted / Levels(bits).high, rtol=1e-6)


def test_levels_of_real_and_of_narrow_features():
    real = images(rows=60, word=None)
    encoder = fit_levels(real, bits=3)
    assert not encoder.alike
    codes = encoder.values(real.x_train)
    assert (codes.min(axis=0) == 0).all() and (codes.max(axis=0) == 7).all()
    edge = real.x_train.max(axis=0) + 10
    assert (encoder.values(edge[None]) == 7).all() and (encoder.values(-edge[None] - 20) == 0).all()
    bits = images(rows=60, word=Fixed(8))
    narrow = fit_levels(type(bits)(**{**vars(bits), "word": Fixed(3, 1, True)}), bits=8)
    assert narrow.values(np.array([[-2.0, -1.5, 0.0, 1.5] * 18])).tolist()[0][:4] == [0, 1, 4, 7]


def test_integer_sums_are_exact_beyond_float32():
    draw = torch.Generator().manual_seed(0)
    maps = torch.randint(0, 256, (2, 6, 9, 9), generator=draw)
    weights = torch.randint(-128, 128, (4, 3, 3, 3), generator=draw)
    for largest in (1 << 23, 1 << 40):
        found = integer_sums(maps, weights, stride=2, padding=1, groups=2, largest=largest)
        wanted = torch.nn.functional.conv2d(maps.double(), weights.double(), stride=2, padding=1, groups=2)
        assert torch.equal(found, wanted.to(torch.int64))
    one = torch.tensor([[[[1]], [[1 << 25]]]])
    total = integer_sums(one, torch.ones(1, 2, 1, 1).long(), stride=1, padding=0, groups=1, largest=1 << 27)
    assert int(total) == (1 << 25) + 1  # float32 has no such number


def test_averages_round_halves_up_and_pass_the_gradient():
    x = torch.tensor([[[[0.0, 0.5], [0.5, 0.0]], [[1.5, 1.5], [0.5, 0.5]]]], requires_grad=True)
    out = average(x, (2, 2), stride=1, padding=0, step=0.5, high=15)
    assert out.flatten().tolist() == [0.5, 1.0]  # a quarter is half a step of 0.5
    out.sum().backward()
    assert torch.equal(x.grad, torch.full_like(x, 0.25))
    assert average(torch.tensor([[[[-1.0, 1.0]]]]), (1, 2), stride=1, padding=0, step=1.0, high=0).item() == 1.0


def test_flips_mirror_whole_images():
    data = images(rows=200, shape=(2, 3, 4))
    encoder = fit_levels(data, bits=8)
    config = AugmentConfig(flip=True, image=(3, 4))
    prepared = encoder.prepare(data.x_train)
    augmenter = Augmenter(config, data, encoder=encoder, prepared=prepared, seed=0)
    found = augmenter.epoch(1).view(-1, 2, 3, 4)
    plain = prepared.view(-1, 2, 3, 4)
    same = (found == plain).flatten(1).all(dim=1)
    mirrored = (found == plain.flip(3)).flatten(1).all(dim=1)
    assert bool((same | mirrored).all()) and 0.3 < float(mirrored.float().mean()) < 0.7
    assert torch.equal(augmenter.epoch(1), augmenter.epoch(1)) and not torch.equal(
        augmenter.epoch(1), augmenter.epoch(2)
    )
    with pytest.raises(ValueError, match="flip needs `image`"):
        AugmentConfig(flip=True)
