"""The super-network: paths are networks, gates carry gradients, and a search on digits learns and keeps its limits."""

import numpy as np
import pytest
import torch

from codesign.accel import device
from codesign.accel.engine import EnginePoint
from codesign.config import DataConfig
from codesign.data import load
from codesign.errors import ConfigError
from codesign.search.gradient import GradientConfig, search_maps
from codesign.search.gradient.supernet import SuperNet, SuperScore
from codesign.search.networks import MapSpace
from codesign.search.networks.maps import MapSpaceFile
from codesign.search.networks.shape_figures import shape_figures

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


@pytest.mark.parametrize("figure", ["cycles", "edp"])
def test_a_search_on_digits_keeps_its_limits(space, figure):
    data, point, part = load(DataConfig(source="digits", limit=400)), EnginePoint(4, 1, 4, 4), device("ecp5-25f")
    small = shape_figures(space.topology(space.choices.point(0)), point, part)
    config = GradientConfig(mode="one_path", steps=12, log_every=1, cost_weight=0.05)
    limits = {figure: 2.5 * small[figure], "energy_nj": 2.4 * small["energy_nj"], "parameters": 1500}
    found = search_maps(space, data, point, part, figure=figure, limits=limits, config=config, batch_size=32, seed=0)
    own = shape_figures(space.topology(found.point), point, part)
    assert found.found.violations == 0 and all(found.figures[name] <= most for name, most in limits.items())
    assert found.figures == pytest.approx({**own, "parameters": space.topology(found.point).parameters()})
    assert found.found.cost == pytest.approx(own[figure]) and found.rows_trained == 12 * 32
    assert 0 <= found.discrete <= 100 and 0 <= found.relaxed <= 100  # the drop, in the super-network
    assert found.found.drop.relative == pytest.approx(own[figure] / found.found.steps[-1].cost - 1)


def test_doubly_buffered_weights_are_held_by_their_own_cycles(space):
    data, part = load(DataConfig(source="digits", limit=400)), device("ecp5-25f")
    point = EnginePoint(4, 1, 4, 4, weights="streamed", double_buffer=True, stream_in_bits=8)
    topologies = [space.topology(space.choices.point(n)) for n in range(0, space.choices.size, 3)]
    most = 1.1 * min(shape_figures(one, point, part)["cycles"] for one in topologies)
    config = GradientConfig(mode="one_path", steps=4, log_every=1, cost_weight=0.05)
    found = search_maps(space, data, point, part, limits={"cycles": most}, config=config, batch_size=32, seed=0)
    assert found.found.violations == 0 and found.cycles <= most
    assert found.cycles == shape_figures(space.topology(found.point), point, part)["cycles"]


def test_what_a_search_cannot_do_is_refused(space):
    data, point, part = load(DataConfig(source="digits", limit=400)), EnginePoint(4, 1, 4, 4), device("ecp5-25f")
    with pytest.raises(ConfigError, match="mode must be one_path"):
        search_maps(space, data, point, part, limits={}, config=GradientConfig())
    with pytest.raises(ConfigError, match="no figure 'energy' of a network. Did you mean \"energy_nj\""):
        search_maps(space, data, point, part, limits={"energy": 5.0})
    with pytest.raises(ConfigError, match="64 features and 3 classes"):
        other = MapSpace(MapSpaceFile(name="a", kind="maps", input=(1, 8, 8), classes=3, blocks=BLOCKS))
        search_maps(other, data, point, part, limits={})
