"""Integer networks equal the trained model: every layer, every sum, Brevitas' own modules; and faults are named."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conv_nets import TRAIN, data_for, everything, random_topology, settled, trained
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.config import TrainConfig
from codesign.errors import MismatchError, UnsupportedModel
from codesign.extract import check_brevitas, check_integer_samples, check_requantize, extract_integer
from codesign.ir import ConvLayer, ConvTopology, MapShape, check_integer, integer_text, trace_integer
from codesign.ir.conv_presets import nasbench201, resnet8
from codesign.ir.integer import INPUT, Add, Conv, Requantize
from codesign.nn import build_conv_model

SHORT = TRAIN.model_copy(update={"epochs": 2})


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A trained network with every kind of layer, its data, and what is extracted from it."""
    model, data, _ = trained(everything(), tmp_path_factory.mktemp("ready"), config=SHORT)
    return model, data, extract_integer(model, name="net")


def edited(network, name, **changes):
    layers = tuple(replace(layer, **changes) if layer.name == name else layer for layer in network.layers)
    return replace(network, layers=layers)


@pytest.mark.parametrize(
    ("bits", "weight_bits", "input_bits"), [(1, 1, 1), (1, 4, 8), (2, 1, 3), (3, 2, 4), (4, 4, 4), (5, 3, 8), (8, 8, 8)]
)
def test_the_integer_network_is_the_model(tmp_path, bits, weight_bits, input_bits):
    model, data, _ = trained(
        everything(bits=bits, weight_bits=weight_bits, input_bits=input_bits), tmp_path, config=SHORT
    )
    network = extract_integer(model, name="net")
    assert check_requantize(model, network) > 0
    assert check_integer_samples(model, network, data.x_test) == len(data.x_test)
    sums = trace_integer(network, model.stages(data.x_test)[INPUT])["answer"][:, :, 0, 0]
    np.testing.assert_array_equal(sums.argmax(axis=1), model.predict(data.x_test))
    agreement = check_brevitas(model, data.x_test)
    shapes = model.spec.topology.shapes()
    hidden = [layer for layer in model.spec.topology.layers if layer.bits is not None and layer.kind != "max_pool"]
    assert agreement.values == len(data.x_test) * sum(shapes[layer.name].size for layer in hidden)
    assert agreement.at_edges + agreement.moved < agreement.values / 500


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_any_topology_is_extracted_exactly(seed):
    topology = random_topology(np.random.default_rng(seed))
    model, data = settled(topology, seed=seed % 1000)
    try:
        network = extract_integer(model, name="drawn")
    except UnsupportedModel as problem:  # a random batch norm may have next to no variance in some channel
        name = str(problem).split("'")[1]
        scales = np.abs(model.integer_steps()[name].scale)
        assert scales.max() > 100 * scales.min()
        return
    check_requantize(model, network)
    assert check_integer_samples(model, network, data.x_train) == len(data.x_train)
    agreement = check_brevitas(model, data.x_train)
    assert agreement.at_edges + agreement.moved <= agreement.values / 10  # a share that random batch norms allow


@torch.no_grad()
def test_every_sum_of_an_exact_channel_is_batch_norm_and_quantizer(ready):
    """Said once more without our own functions: float64 batch norm, Brevitas' step, halves up, for all sums."""
    model, _, network = ready
    step = model.integer_steps()["c1"]
    norm, unit = model.norms["c1"], float(model.quantizers[model.groups["c1"]].scale())
    weight = model.weighted["c1"].quant_weight()
    source = float(model.quantizers[model.groups["c0"]].scale()) * float(weight.scale)
    layer = network.layer("c1")
    found = layer.requantize
    assert step.fit.exact.all()
    assert np.array_equal(layer.weights, torch.round(weight.value / weight.scale).long().numpy())
    for channel in range(4):
        sums = np.arange(step.low[channel], step.high[channel] + 1)
        deviation = np.sqrt(float(norm.running_var[channel]) + norm.eps)
        value = (sums * source - float(norm.running_mean[channel])) / deviation
        value = value * float(norm.weight[channel]) + float(norm.bias[channel])
        wanted = np.clip(np.floor(value / unit + 0.5), 0, 15)
        got = np.clip((sums * found.multipliers[channel] + found.biases[channel]) >> found.shift, 0, 15)
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("name", ["resnet", "cell"])
def test_residual_networks_share_steps_and_stay_exact(tmp_path, name):
    shape = MapShape(2, 8, 8)
    if name == "resnet":
        topology = resnet8(channels=4, classes=3, shape=shape)
    else:
        arch = "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
        topology = nasbench201(arch, channels=2, cells=1, classes=3, shape=shape)
    model, data, _ = trained(topology, tmp_path, config=SHORT)
    network = extract_integer(model, name="net")
    assert sum(isinstance(layer, Add) for layer in network.layers) >= 3
    check_requantize(model, network)
    check_integer_samples(model, network, data.x_test)
    assert check_brevitas(model, data.x_test).values > 0


def test_wide_sums_move_edges_by_little_and_the_model_knows_it(tmp_path):
    """784 inputs of 8 bits and 8-bit weights: beyond what 16-bit multipliers can follow on every sum."""
    layers = (
        ConvLayer("d0", "dense", (INPUT,), channels=16, weight_bits=8, bits=8),
        ConvLayer("answer", "dense", ("d0",), channels=3, weight_bits=8, bits=None),
    )
    topology = ConvTopology("wide", MapShape(1, 28, 28), 8, layers)
    model, data, _ = trained(topology, tmp_path, data=data_for(topology, rows=120), config=SHORT)
    fit = model.integer_steps()["d0"].fit
    assert not fit.exact.all() and fit.error.max() == 1
    network = extract_integer(model, name="wide")
    check_requantize(model, network)
    check_integer_samples(model, network, data.x_test)
    check_brevitas(model, data.x_test)


def test_extraction_is_deterministic_and_legal(ready):
    model, _, network = ready
    assert check_integer(network) is network
    assert integer_text(extract_integer(model, name="net")) == integer_text(network)


def test_a_changed_requantization_is_found_by_its_sum(ready):
    model, data, network = ready
    step = network.layer("c3").requantize
    biases = step.biases.copy()
    biases[4] += 1 << step.shift
    wrong = edited(network, "c3", requantize=Requantize(step.multipliers, biases, step.shift))
    with pytest.raises(
        MismatchError, match=r"layer 'c3', channel 4: at the sum -?\d+ the trained layer gives \d+, the"
    ):
        check_requantize(model, wrong)
    multipliers = step.multipliers.copy()
    multipliers[1] += 1 + abs(multipliers[1]) // 50
    wrong = edited(network, "c3", requantize=Requantize(multipliers, step.biases, step.shift))
    with pytest.raises(MismatchError, match="layer 'c3', channel 1: at the sum"):
        check_requantize(model, wrong)


def test_changed_weights_and_layers_are_found(ready):
    model, data, network = ready
    weights = network.layer("c1").weights.copy()
    weights[2, 1, 0, 2] = 7 if weights[2, 1, 0, 2] != 7 else 6
    wrong = edited(network, "c1", weights=weights)
    message = r"layer 'c1', channel 2: the trained weight at \(2, 1, 0, 2\) is .*, the network has"
    with pytest.raises(MismatchError, match=message):
        check_requantize(model, wrong)
    with pytest.raises(MismatchError, match=r"layer 'c1', channel 2, row \d, column \d: on sample \d+ the model gives"):
        check_integer_samples(model, wrong, data.x_test)
    with pytest.raises(MismatchError, match=r"layer 'sum': the trained weight at \(1,\) is 2, the network has 1"):
        check_requantize(model, edited(network, "sum", weights=(1, 1)))
    with pytest.raises(MismatchError, match="layer 'c2' of the model has no like in network 'net'"):
        check_requantize(model, edited(network, "c2", source="c1"))
    short = replace(network, layers=network.layers[:-1])
    with pytest.raises(MismatchError, match="layer 'answer'"):
        check_requantize(model, short)
    with pytest.raises(MismatchError, match="layer 'answer': the network must give maps of"):
        check_integer_samples(model, short, data.x_test)
    with pytest.raises(MismatchError, match="layer 'c0': only one of model and network requantizes"):
        check_requantize(model, edited(network, "c0", requantize=None, levels=None))


def test_a_model_that_is_not_what_brevitas_trained_is_found(ready, monkeypatch):
    """The check against Brevitas' modules sees a wrong real function, which model and network share."""
    model, data, _ = ready
    real = type(model)._real_function

    def shifted(self, layer, channels):
        scale, offset = real(self, layer, channels)
        return scale, offset + (0.05 if layer.name == "c3" else 0.0)

    monkeypatch.setattr(type(model), "_real_function", shifted)
    with pytest.raises(MismatchError, match=r"layer 'c3', channel \d, row \d, column \d: on sample \d+ Brevitas gives"):
        check_brevitas(model, data.x_train)


def test_what_has_no_integer_form_is_refused_by_name(tmp_path):
    topology = everything(bits=8)
    model = build_conv_model(topology, train=TrainConfig(), data=data_for(topology), seed=0)
    norm = model.norms["c3"]
    with torch.no_grad():
        norm.weight[2] *= 1e6  # so steep that the others have few bits left, and 1.5 is no multiplier
        norm.weight[7] *= float(1.5 / 128 / model.integer_steps()["c3"].scale[7])
    with pytest.raises(UnsupportedModel, match=r"layer 'c3', channel 7: at the sum -?\d+ .* off by \d+ codes"):
        extract_integer(model, name="net")
    with torch.no_grad():
        model.norms["c1"].running_var[0] = float("nan")
    with pytest.raises(UnsupportedModel, match="model's norms.c1.running_var must be finite"):
        extract_integer(model, name="net")
    with pytest.raises(UnsupportedModel, match="takes a codesign.nn.ConvModel, not Linear"):
        extract_integer(torch.nn.Linear(1, 1), name="net")


def test_weights_are_levels_of_their_bits(ready):
    model, _, network = ready
    for layer in network.layers:
        if isinstance(layer, Conv):
            assert layer.weight_levels.legal(layer.weights) and np.abs(layer.weights).max() == 7  # symmetric, top used
