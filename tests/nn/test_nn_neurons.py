import itertools

import pytest
import torch
from torch import nn

from codesign.errors import ConfigError
from codesign.ir import Layer, Topology
from codesign.nn.model import _split_options
from codesign.nn.neurons import NeuronFunction, make_neurons

KINDS = [("linear", {}), ("polynomial", {"degree": 3}), ("mlp", {"hidden": 5, "depth": 3}), (f"{__name__}:Product", {})]


class Product(NeuronFunction):
    """A user's own: the scaled product of all sources, and no linear part."""

    linear_part = False

    def __init__(self, neurons, fan_in, *, generator, power=1.0):
        super().__init__(neurons, fan_in, generator=generator)
        self.scale = nn.Parameter(torch.randn(neurons, 1, generator=generator) * power)

    def forward(self, x):
        out = x[:, 0]
        for k in range(1, self.fan_in):
            out = out * x[:, k]
        return out * self.scale


def build(kind, options, *, neurons=7, fan_in=3):
    return make_neurons(kind, neurons, fan_in=fan_in, generator=torch.Generator().manual_seed(1), options=options)


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_exact_evaluation_equals_training_but_for_rounding(kind, options):
    function = build(kind, options)
    x = torch.randn(7, 3, 50, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    exact = function.evaluate(list(x.unbind(1)), slice(0, 7))
    assert exact.dtype == torch.float64 and exact.shape == (7, 50)
    assert torch.allclose(exact.float(), function(x.float()), rtol=1e-4, atol=1e-4)
    assert torch.allclose(exact, function.double()(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_exact_evaluation_depends_on_neither_batch_nor_neighbours(kind, options):
    function = build(kind, options)
    x = torch.randn(7, 3, 33, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    whole = function.evaluate(list(x.unbind(1)), slice(0, 7))
    for rows, at in itertools.product((slice(0, 1), slice(2, 6)), (slice(0, 1), slice(5, 32))):
        part = function.evaluate([v[rows, at] for v in x.unbind(1)], rows)
        assert torch.equal(part, whole[rows, at])


def test_a_polynomial_has_every_monomial():
    function = build("polynomial", {"degree": 3}, neurons=1, fan_in=2)
    with torch.no_grad():
        function.coefficients.copy_(torch.arange(1.0, 8.0)[None])
    a, b = 2.0, 3.0
    wanted = 1 * a * a + 2 * a * b + 3 * b * b + 4 * a**3 + 5 * a * a * b + 6 * a * b * b + 7 * b**3
    assert function(torch.tensor([[[a], [b]]])).item() == wanted


def test_an_mlp_has_a_skip_around_each_later_layer():
    function = build("mlp", {"hidden": 2, "depth": 2}, neurons=1, fan_in=1)
    with torch.no_grad():
        function.weights[0].copy_(torch.tensor([[[1.0], [2.0]]]))
        function.weights[1].copy_(torch.tensor([[[1.0, 0.0], [0.0, -1.0]]]))
        for bias in function.biases:
            bias.zero_()
        function.head.copy_(torch.tensor([[1.0, 10.0]]))
    assert function(torch.tensor([[[3.0]]])).item() == 1 * (3 + 3) + 10 * (0 + 6)


@pytest.mark.parametrize(("kind", "options"), KINDS[1:3])
def test_what_an_exchanged_source_resets(kind, options):
    function = build(kind, options)
    changed = torch.zeros(7, 3, dtype=torch.bool)
    changed[4, 1] = True
    for parameter, entries in function.reset(changed):
        assert parameter.shape == entries.shape
        assert entries[4].any() and not entries[:4].any() and not entries[5:].any()
        with torch.no_grad():
            parameter[entries] = 0.0
    x = torch.randn(7, 3, 20, generator=torch.Generator().manual_seed(5))
    other = x.clone()
    other[4, 1] += 1.0
    assert torch.equal(function(x)[4], function(other)[4])


def test_options_go_to_the_kinds_that_take_them():
    layers = (Layer("a", 4, 2, 1, "polynomial"), Layer("b", 4, 2, 1, "mlp"), Layer("c", 4, 2, 1, f"{__name__}:Product"))
    topology = Topology("t", 4, 1, layers)
    found = _split_options(topology, {"degree": 2, "hidden": 4, "power": 0.5})
    assert found == {"polynomial": {"degree": 2}, "mlp": {"hidden": 4}, f"{__name__}:Product": {"power": 0.5}}
    with pytest.raises(ConfigError, match="'degre'. Did you mean \"degree\""):
        _split_options(topology, {"degre": 2})


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("polynomial", {"degree": 1}, "degree must be 2 to 6"),
        ("polynomial", {"degree": 6}, "more than 4096"),
        ("mlp", {"hidden": 0}, "hidden 1 to 256"),
        ("lineer", {}, "Did you mean"),
        ("mlp", {"degree": 1}, "does not take the option 'degree'"),
    ],
)
def test_wrong_options_are_named(kind, options, message):
    with pytest.raises(ConfigError, match=message):
        build(kind, options, fan_in=12)
