"""Zero-cost proxies against formulas that can be written down, and rank correlations against scipy's."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from codesign.config import ConvTopologyConfig
from codesign.errors import ConfigError, DataError
from codesign.search.networks import network_space
from codesign.search.proxies import PROXIES, FloatNet, partial_spearman, proxy, rank_table, spearman


def _topology(layers, shape):
    config = ConvTopologyConfig(input=shape, layers=layers)
    return config.topology("net", inputs=int(np.prod(shape)), answers=3)


@pytest.fixture
def batch():
    draws = torch.Generator().manual_seed(1)
    return torch.randn(6, 5, 1, 1, generator=draws), torch.tensor([0, 1, 2, 0, 1, 2])


def test_proxies_of_one_dense_layer_are_their_formulas(batch):
    topology = _topology([{"kind": "dense"}], (5, 1, 1))
    images, labels = batch
    weight = FloatNet(topology, seed=3).weights["l0"].detach().numpy()[:, :, 0, 0].astype(float)
    x, y = images.numpy()[:, :, 0, 0].astype(float), np.eye(3)[labels.numpy()]
    scores = np.exp(x @ weight.T)
    error = scores / scores.sum(axis=1, keepdims=True) - y
    gradient = error.T @ x / len(x)
    signs = np.sign(error[:, :, None] * x[:, None, :]).sum(axis=0)
    wanted = {
        "grad_norm": np.sqrt((gradient**2).sum()),
        "snip": np.abs(weight * gradient).sum(),
        "synflow": np.log(np.abs(weight).sum()),
        "grad_sign": np.abs(signs).sum(),
    }
    for name, value in wanted.items():
        assert proxy(name, topology, images=images, labels=labels, seed=3) == pytest.approx(value, rel=1e-4)


def test_synflow_of_a_chain_counts_the_flow_once_a_layer(batch):
    layers = [
        {"kind": "conv", "channels": 4},
        {"kind": "conv", "channels": 6, "groups": 2},
        {"kind": "average_pool"},
        {"kind": "dense"},
    ]
    topology = _topology(layers, (5, 4, 4))
    net = FloatNet(topology, seed=0, norm=False, dtype=torch.float64)
    with torch.no_grad():
        for weight in net.parameters():
            weight.abs_()
        flow = float(net(torch.ones(1, 5, 4, 4, dtype=torch.float64)).sum())
    images = torch.randn(2, 5, 4, 4, generator=torch.Generator().manual_seed(0))
    found = proxy("synflow", topology, images=images, labels=torch.tensor([0, 1]), seed=0)
    assert found == pytest.approx(np.log(3 * flow), rel=1e-9)


def test_naswot_is_the_kernel_of_relu_patterns(batch):
    topology = _topology([{"kind": "dense", "channels": 40}, {"kind": "dense"}], (5, 1, 1))
    images, labels = batch
    signs = []
    FloatNet(topology, seed=0)(images, signs=signs)
    codes = signs[0].numpy()
    kernel = np.array([[(a == b).sum() for b in codes] for a in codes], dtype=float)
    found = proxy("naswot", topology, images=images, labels=labels, seed=0)
    assert found == pytest.approx(np.linalg.slogdet(kernel)[1], rel=1e-6)
    same = images[:1].repeat(6, 1, 1, 1)
    assert proxy("naswot", topology, images=same, labels=labels, seed=0) < found


def test_all_proxies_on_cells_and_their_complaints():
    space = network_space("nasbench201")
    draws = torch.Generator().manual_seed(0)
    images, labels = torch.randn(2, 3, 32, 32, generator=draws), torch.tensor([1, 2])
    zero = space.topology(dict.fromkeys(space.choices.names, "none"))
    convs = space.topology(dict.fromkeys(space.choices.names, "nor_conv_1x1"))
    for name in PROXIES:
        one, other = (proxy(name, net, images=images, labels=labels, seed=0) for net in (zero, convs))
        assert np.isfinite(one) and one < other
        assert proxy(name, zero, images=images, labels=labels, seed=0) == one
    with pytest.raises(ConfigError, match="no proxy \"?'?synflo"):
        proxy("synflo", zero, images=images, labels=labels, seed=0)
    with pytest.raises(ConfigError, match="3x32x32"):
        proxy("snip", zero, images=images[:, :1], labels=labels, seed=0)


def test_ranks_alone_and_given_cost():
    rng = np.random.default_rng(0)
    cost, skill = rng.normal(size=400), rng.normal(size=400)
    accuracy = cost + skill
    figures = {"cost again": 3 * cost + 1, "skill": skill, "both": cost + skill / 3}
    table = {row.name: row for row in rank_table(figures, accuracy, given={"cost": cost})}
    assert list(table) == ["cost again", "skill", "both", "cost"]
    for name, values in figures.items():
        assert table[name].spearman == pytest.approx(spearmanr(values, accuracy).statistic)
        assert table[name].low < table[name].spearman < table[name].high
    assert np.isnan(table["cost again"].given["cost"]) and table["cost"].given == {}
    assert table["skill"].given["cost"] > 0.9 > 0.75 > table["skill"].spearman
    assert table["both"].given["cost"] > 0.8
    assert abs(partial_spearman(rng.normal(size=400), accuracy, cost)) < 0.15
    assert np.isnan(spearman(np.ones(9), np.arange(9)))
    with pytest.raises(DataError, match="5 networks"):
        rank_table({}, [1, 2], given={"cost": [1, 2]})
    with pytest.raises(DataError, match="one a network"):
        rank_table({"a": [np.nan] * 6}, range(6), given={})
