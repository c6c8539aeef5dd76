"""The differentiable search: gradients are those of finite differences, limits hold at every step, toys are solved."""

import numpy as np
import pytest
import torch

from codesign.accel import device
from codesign.accel.engine.defaults import default_point
from codesign.errors import ConfigError, DataError, SpaceError
from codesign.search.gradient import (
    GradientConfig,
    Predictor,
    RelaxedChoices,
    Table,
    TableSum,
    annealed,
    cell_features,
    gradient_search,
    nearest_legal,
    search_cells,
    whole_table,
)
from codesign.search.networks import Accuracies, network_space
from codesign.search.networks.cell_cost import CellCosts

SIZES = (3, 2, 4)


def _toy(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=24), rng.uniform(1, 3, size=24)


def _cube(values):
    return np.ascontiguousarray(np.asarray(values).reshape(SIZES[::-1]).transpose())


def test_the_cost_is_the_expectation_and_its_gradient_that_of_finite_differences():
    values, costs = _toy()
    table = whole_table(costs, SIZES)
    torch.manual_seed(0)
    choices = RelaxedChoices(SIZES)
    with torch.no_grad():
        for logits in choices.logits:
            logits.copy_(torch.randn(len(logits), dtype=torch.float64))
    probabilities = [p.detach().numpy() for p in choices.probabilities()]
    cube = _cube(costs)
    wanted = sum(
        cube[i, j, k] * probabilities[0][i] * probabilities[1][j] * probabilities[2][k]
        for i in range(3)
        for j in range(2)
        for k in range(4)
    )
    expected = table(choices.probabilities())
    assert float(expected.detach()) == pytest.approx(wanted, rel=1e-12)
    parts = TableSum(
        (Table((0, 2), torch.randn(3, 4, dtype=torch.float64)), Table((1,), torch.randn(2, dtype=torch.float64))), 5.0
    )
    for figure in (table, parts):
        choices.zero_grad()
        figure(choices.probabilities()).backward()
        for logits in choices.logits:
            for i in range(len(logits)):
                ends = []
                for sign in (1, -1):
                    with torch.no_grad():
                        logits[i] += sign * 1e-5
                        ends.append(float(figure(choices.probabilities())))
                        logits[i] -= sign * 1e-5
                assert float(logits.grad[i]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-8)
    hot = [torch.eye(n, dtype=torch.float64)[i] for n, i in zip(SIZES, (2, 0, 3), strict=True)]
    assert float(parts(hot)) == pytest.approx(parts.at((2, 0, 3))) and table.at((2, 0, 3)) == cube[2, 0, 3]


def test_the_gradient_through_the_engines_cycles():
    space = network_space("nasbench201")
    found = CellCosts(space).cycles(default_point(device("ecp5-85f")).point)
    table = whole_table(found.astype(float), (5,) * 6)
    assert table.at((3, 1, 0, 2, 4, 3)) == found[3 + 5 * (1 + 5 * (0 + 5 * (2 + 5 * (4 + 5 * 3))))]
    choices = RelaxedChoices((5,) * 6)
    table(choices.probabilities()).backward()
    means = [np.moveaxis(table.values.numpy(), axis, 0).reshape(5, -1).mean(axis=1) for axis in range(6)]
    for logits, mean in zip(choices.logits, means, strict=True):
        assert logits.grad.numpy() == pytest.approx((mean - mean.mean()) / 5, rel=1e-9, abs=1e-6)


def test_draws_follow_the_logits_and_one_path_is_one_hot():
    choices = RelaxedChoices((3, 2))
    with torch.no_grad():
        choices.logits[0].copy_(torch.tensor([1.0, 0.0, -1.0]))
    generator = torch.Generator().manual_seed(0)
    counts = np.zeros(3)
    for _ in range(3000):
        weights = choices.draw(temperature=0.5, mode="one_path", generator=generator)
        hot = weights[0].detach().numpy()
        assert np.isclose(hot.max(), 1) and np.isclose(hot.sum(), 1) and weights[0].requires_grad
        counts += np.round(hot)
    assert counts / 3000 == pytest.approx(torch.softmax(torch.tensor([1.0, 0.0, -1.0]), 0).numpy(), abs=0.03)
    soft = choices.draw(temperature=5.0, mode="relaxed", generator=generator)[0].detach()
    assert float(soft.min()) > 0 and float(soft.sum()) == pytest.approx(1)
    assert annealed(0, 10, first=2, last=0.1) == 2 and annealed(9, 10, first=2, last=0.1) == pytest.approx(0.1)


def test_projection_is_the_smallest_change():
    choices = RelaxedChoices((4,))
    with torch.no_grad():
        choices.logits[0].copy_(torch.tensor([3.0, 0.0, 2.0, -5.0]))
    assert choices.project([1])
    assert choices.logits[0].detach().numpy() == pytest.approx([5 / 3, 5 / 3, 5 / 3, -5], abs=1e-5)
    assert int(choices.logits[0].argmax()) == 1
    assert not choices.project([1])


@pytest.mark.parametrize("mode", ["exact", "relaxed", "one_path"])
def test_toys_are_solved(mode):
    solved = 0
    for seed in range(3):
        values, costs = _toy(seed)
        legal = _cube(costs <= 2.5)
        config = GradientConfig(mode=mode, steps=100, log_every=5, cost_weight=0.3)
        found = gradient_search(
            whole_table(values, SIZES), whole_table(costs, SIZES), legal=legal, config=config, seed=seed
        )
        worth = np.where(legal, _cube(values) - 0.3 * np.log(_cube(costs)), -np.inf)
        assert found.legal and found.violations == 0 and all(legal[step.found] for step in found.steps)
        assert found.score == _cube(values)[found.found] and found.cost == _cube(costs)[found.found]
        solved += worth[found.found] >= np.sort(worth.ravel())[-2]
        if mode == "exact":
            assert abs(found.drop.score) < 0.5 and found.steps[-1].entropy_bits < found.steps[0].entropy_bits
    assert solved >= 2


def test_limits_hold_where_a_penalty_breaks_them():
    values, costs = np.arange(24.0), np.linspace(1, 3, 24)  # what scores most costs most
    legal = _cube(costs <= 1.5)
    run = {}
    for hold in ("projection", "penalty"):
        config = GradientConfig(steps=100, log_every=1, hold=hold, penalty=0.1)
        run[hold] = gradient_search(
            whole_table(values, SIZES), whole_table(costs, SIZES), legal=legal, config=config, seed=0
        )
    assert run["projection"].violations == 0 and run["projection"].cost <= 1.5
    assert run["penalty"].violations > 50 and not run["penalty"].legal
    logs = [np.log(np.full(n, 1 / n)) for n in SIZES]
    logs[0] = np.log(np.array([0.2, 0.7, 0.1]))
    assert nearest_legal(logs, np.ones(SIZES, dtype=bool))[0] == 1
    with pytest.raises(SpaceError, match="no network of the space keeps the limits"):
        gradient_search(whole_table(values, SIZES), whole_table(costs, SIZES), legal=_cube(costs > 9), seed=0)
    with pytest.raises(ConfigError, match="steps must be more than 0"):
        GradientConfig(steps=0)


@pytest.fixture(scope="module")
def cells():
    """The cells of the default accelerator, with accuracies made of their features: no table is needed."""
    space = network_space("nasbench201")
    figures = CellCosts(space).figures(default_point(device("ecp5-85f")).point, device("ecp5-85f"))
    features = cell_features(space.all_operations())
    rng = np.random.default_rng(0)
    rough = 70 + 3 * features[:, 31] + 2 * features[:, 30] - features[:, 32] + 2 * features[:, 34]
    truth = np.where(features[:, 30:34].sum(axis=1) == 0, 10.0, np.minimum(rough, 95)) + rng.normal(0, 0.2, 15625)
    archs = tuple(space.arch(space.choices.point(i)) for i in range(15625))
    return space, figures, Accuracies("made", archs, truth, truth + 5, ()), features


def test_a_predictor_from_few_networks(cells):
    _, _, accuracies, features = cells
    rows = np.random.default_rng(1).choice(15625, 60, replace=False)
    predictor = Predictor.fit(features[rows], accuracies.validation[rows], seed=0)
    assert predictor.queries == 60
    mean, deviation = predictor.predict(features[:2000])
    order = np.argsort(np.argsort(mean)), np.argsort(np.argsort(accuracies.validation[:2000]))
    assert np.corrcoef(*order)[0, 1] > 0.9 and (deviation > 0).all()
    known = predictor.predict(features[rows])[1]
    assert known.mean() < deviation.mean()
    assert (
        accuracies.validation[rows].min() <= predictor.accuracy(np.array([0.0]))[0] <= accuracies.validation[rows].max()
    )
    with pytest.raises(DataError, match="5 trained accuracies or more"):
        Predictor.fit(features[:3], accuracies.validation[:3], seed=0)


def test_cells_are_searched_within_limits(cells):
    space, figures, accuracies, _ = cells
    limit = float(np.quantile(figures.edp[figures.valid], 0.3))
    config = GradientConfig(steps=60, log_every=10)
    found = search_cells(space, figures, accuracies, limits={"edp": limit}, queries=40, rounds=2, config=config, seed=0)
    assert found.cost <= limit and found.explored.violations == 0 and len(found.explored.known) <= 40
    assert found.test == pytest.approx(found.validation + 5)
    legal = figures.valid & (figures.edp <= limit)
    assert found.validation > np.quantile(accuracies.validation[legal], 0.9)
    floor = found.validation - 1
    cheap = search_cells(
        space,
        figures,
        accuracies,
        limits={"edp": limit},
        queries=40,
        rounds=2,
        config=config,
        seed=0,
        least_accuracy=floor,
    )
    assert cheap.cost <= found.cost and cheap.validation >= floor
    with pytest.raises(SpaceError, match="edp at most 1, the least met is"):
        search_cells(space, figures, accuracies, limits={"edp": 1})
    with pytest.raises(ConfigError, match='Did you mean "edp"'):
        search_cells(space, figures, accuracies, limits={"edpp": 1})
    with pytest.raises(SpaceError, match="none of the 40 cells looked up reaches a validation accuracy of 99"):
        search_cells(space, figures, accuracies, queries=40, rounds=2, config=config, least_accuracy=99)
