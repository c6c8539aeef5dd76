"""The super-network: paths are networks, gates carry gradients, and a search on digits learns and keeps its limits."""

import numpy as np
import pytest
import torch

from codesign.accel.engine import EnginePoint
from codesign.config import DataConfig
from codesign.data import load
from codesign.errors import ConfigError
from codesign.search.gradient import GradientConfig, search_maps
from codesign.search.gradient.supernet import SuperNet, SuperScore
from codesign.search.networks import MapSpace
from codesign.search.networks.maps import MapSpaceFile
from codesign.search.networks.shape_cost import shape_cycles

BLOCKS = [
    {"channels": [4, 8], "bits": [2, 4]},
    {"stride": 2, "channels": [8, 16], "kernel": [1, 3], "expansion": [0, 1], "weight_bits": [1, 4]},
    {"channels": [8, 16], "repeats": [0, 1]},
]


@pytest.fixture(scope="module")
def space():
    return MapSpace(MapSpaceFile(name="digits", kind="maps", input=(1, 8, 8), classes=10, blocks=BLOCKS))


def _hot(space, point):
    return [torch.eye(len(knob.values))[knob.index(point[knob.name])].requires_grad_() for knob in space.choices.knobs]


def test_every_path_runs_and_gates_carry_gradients(space):
    net = SuperNet(space, seed=0)
    images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    rng = np.random.default_rng(0)
    for _ in range(10):
        point = space.draw(rng=rng)
        weights = _hot(space, point)
        logits = net(images, weights)
        assert logits.shape == (6, 10) and torch.isfinite(logits).all()
        net.zero_grad()
        logits.square().sum().backward()
        for knob, weight in zip(space.choices.knobs, weights, strict=True):
            used = not (knob.name.startswith("b2_") and point["b2_repeats"] == 0) or knob.name == "b2_repeats"
            others = weight.grad is None or float(weight.grad.abs().sum()) == float(
                weight.grad.abs()[knob.index(point[knob.name])]
            )
            assert others and (not used or float(weight.grad.abs().sum()) > 0)


def test_weights_take_as_many_levels_as_their_bits(space):
    net = SuperNet(space, seed=0)
    seen = []
    original = torch.nn.functional.conv2d

    def spy(x, weight, **options):
        seen.append((len(torch.unique(x.detach())), len(torch.unique(weight.detach()))))
        return original(x, weight, **options)

    point = {**space.choices.point(0), "b0_bits": 2, "b1_weight_bits": 1, "b1_channels": 16}
    torch.nn.functional.conv2d, keep = spy, original
    try:
        net(torch.rand(4, 1, 8, 8), [w.detach() for w in _hot(space, point)])
    finally:
        torch.nn.functional.conv2d = keep
    assert seen[0][0] <= 16 and seen[1][0] <= 4 and seen[1][1] == 2


def test_a_path_learns(space):
    data = load(DataConfig(source="digits", limit=400))
    train, validation = (
        ((x / 16).reshape(-1, 1, 8, 8).astype(np.float32), y.astype(np.int64))
        for x, y in ((data.x_train, data.y_train), (data.x_validation, data.y_validation))
    )
    score = SuperScore(SuperNet(space, seed=0), train=train, validation=validation, batch_size=48, seed=0)
    point = {
        **space.choices.point(0),
        "b0_channels": 8,
        "b0_bits": 4,
        "b1_channels": 16,
        "b1_weight_bits": 4,
        "b1_kernel": 3,
    }
    at = tuple(knob.index(point[knob.name]) for knob in space.choices.knobs)
    before = score.at(at)
    hot = [weight.detach() for weight in _hot(space, point)]
    for _ in range(40):
        assert torch.isfinite(score(hot).detach())
    assert score.at(at) > before + 0.2 and score.at(at) == score.at(at)
    assert score.trained == 40 * 48


def test_a_search_on_digits_keeps_its_limits(space):
    data, point = load(DataConfig(source="digits", limit=400)), EnginePoint(4, 1, 4, 4)
    small = shape_cycles(space.topology(space.choices.point(0)), point)
    config = GradientConfig(mode="one_path", steps=15, log_every=1, cost_weight=0.05)
    limits = {"most_cycles": 2.5 * small, "most_parameters": 1500}
    found = search_maps(space, data, point, **limits, config=config, batch_size=32, seed=0)
    assert found.found.violations == 0 and found.cycles <= 2.5 * small and found.parameters <= 1500
    assert found.cycles == shape_cycles(space.topology(found.point), point)
    assert found.parameters == space.topology(found.point).parameters() and found.rows_trained == 15 * 32
    with pytest.raises(ConfigError, match="mode must be one_path"):
        search_maps(space, data, point, most_cycles=small, config=GradientConfig())
    with pytest.raises(ConfigError, match="64 features and 3 classes"):
        other = MapSpace(MapSpaceFile(name="a", kind="maps", input=(1, 8, 8), classes=3, blocks=BLOCKS))
        search_maps(other, data, point, most_cycles=small)
