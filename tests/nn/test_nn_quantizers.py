import numpy as np
import pytest
import torch

from codesign.errors import ConfigError, UnsupportedModel
from codesign.nn.quantizers import BrevitasQuantizer, Quantizer, make_quantizer

ROLES = ("input", "hidden", "term", "output")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("bits", [1, 2, 3, 7])
def test_the_fused_step_equals_brevitas_in_value_and_gradient(bits, role):
    quantizer = BrevitasQuantizer(bits, role=role)
    x = torch.randn(8, 200, generator=torch.Generator().manual_seed(bits)) * 1.5
    weights = torch.arange(200.0)
    found = []
    for forward in (quantizer.forward, quantizer.reference):
        quantizer.zero_grad()
        leaf = x.clone().requires_grad_()
        y = forward(leaf)
        (y * weights).sum().backward()
        found.append((y.detach(), leaf.grad, [p.grad for p in quantizer.parameters()]))
    ours, theirs = found
    assert torch.equal(ours[0], theirs[0])
    assert torch.allclose(ours[1], theirs[1], rtol=1e-5, atol=1e-5)
    assert len(ours[2]) == len(theirs[2]) == (0 if bits == 1 and role in ("input", "hidden") else 1)
    for a, b in zip(ours[2], theirs[2], strict=True):
        assert torch.allclose(a, b, rtol=1e-3)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("bits", [1, 2, 5])
def test_codes_and_levels_agree_with_training(bits, role):
    quantizer = BrevitasQuantizer(bits, role=role)
    x = torch.linspace(-3.01, 3.02, 1000)  # no point on a boundary, where float32 may differ
    codes, levels = quantizer.codes(x.double()), quantizer.levels()
    assert levels.shape == (2**bits,) and (levels.diff() > 0).all()
    assert set(codes.tolist()) == set(range(2**bits))
    assert (codes.diff() >= 0).all()
    assert torch.allclose(levels[codes].float(), quantizer(x).detach(), atol=1e-6)


def test_outputs_are_symmetric_about_zero():
    levels = BrevitasQuantizer(3, role="output").levels()
    assert torch.equal(levels, -levels.flip(0))


def test_learned_scale_moves_the_levels():
    quantizer = BrevitasQuantizer(3, role="hidden")
    before = quantizer.levels()
    with torch.no_grad():
        next(quantizer.parameters()).mul_(0.5)
    assert np.allclose(quantizer.levels(), before / 2)


class Uneven(Quantizer):
    roles = ("hidden", "output")

    def forward(self, x):
        return x

    def codes(self, x):
        return (x > 0).long()

    def levels(self):
        return torch.arange(2**self.bits, dtype=torch.float64) ** 2


class Falling(Uneven):
    roles = ("input", "hidden")

    def codes(self, x):
        return (x < 0).long()


class Float(Uneven):
    def codes(self, x):
        return x


class Short(Uneven):
    def levels(self):
        return torch.zeros(3)


def test_a_users_quantizer_serves_only_its_roles_and_must_be_legal():
    name = f"{__name__}:Uneven"
    assert isinstance(make_quantizer(name, 2, role="hidden"), Uneven)
    assert isinstance(make_quantizer(name, 2, role="input"), BrevitasQuantizer)
    with pytest.raises(UnsupportedModel, match="equal steps"):
        make_quantizer(name, 2, role="output")
    assert isinstance(make_quantizer(f"{__name__}:Falling", 2, role="hidden"), Falling)
    with pytest.raises(UnsupportedModel, match="must not fall"):
        make_quantizer(f"{__name__}:Falling", 2, role="input")
    with pytest.raises(UnsupportedModel, match="int64"):
        make_quantizer(f"{__name__}:Float", 2, role="hidden")
    with pytest.raises(UnsupportedModel, match="4 finite float64"):
        make_quantizer(f"{__name__}:Short", 2, role="hidden")
    with pytest.raises(ConfigError, match="does not take the option 'colour'"):
        make_quantizer(name, 2, role="hidden", options={"colour": 1})
    with pytest.raises(ConfigError, match="Did you mean"):
        make_quantizer("brevita", 2, role="hidden")


def test_loading_parameters_keeps_the_parameter_objects():
    """An optimizer made before a checkpoint is loaded must go on training the same tensors."""
    quantizer = BrevitasQuantizer(3, role="hidden")
    before = list(quantizer.parameters())
    quantizer.load_state_dict({k: v * 0.5 for k, v in quantizer.state_dict().items()})
    after = list(quantizer.parameters())
    assert len(before) == 1 and before[0] is after[0]
    assert np.isclose(float(quantizer.levels()[-1]), 1.61 / 2)
