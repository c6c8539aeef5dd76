import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_data import blobs

from codesign.config import InputsConfig, SparsityConfig, TrainConfig
from codesign.errors import ConfigError
from codesign.ir import Layer, Topology
from codesign.nn import Mask, MaskView, build_model, train_model
from codesign.nn.learned_masks import MagnitudeMask, RegrowMask, exchange
from codesign.nn.mask_registry import make_mask
from codesign.nn.masks import balanced_sources


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def assert_exact(sources, rows, signals, fan_in):
    assert sources.shape == (rows, fan_in)
    assert int(sources.min()) >= 0 and int(sources.max()) < signals
    assert all(len(set(row)) == fan_in for row in sources.tolist())


@given(st.integers(1, 40), st.integers(1, 30), st.data())
def test_random_sources_are_exact_and_waste_no_signal(rows, signals, data):
    fan_in = data.draw(st.integers(1, signals))
    usable = torch.tensor(data.draw(st.lists(st.booleans(), min_size=signals, max_size=signals)))
    sources = balanced_sources(rows, signals, fan_in=fan_in, generator=generator(rows), usable=usable)
    assert_exact(sources, rows, signals, fan_in)
    used = torch.zeros(signals, dtype=torch.bool)
    used[sources.reshape(-1)] = True
    if int(usable.sum()) >= fan_in:
        assert not (used & ~usable).any()
        if rows * fan_in >= int(usable.sum()):
            assert used[usable].all()


@given(st.integers(1, 6), st.integers(1, 12), st.data())
def test_exchange_keeps_places(rows, signals, data):
    fan_in = data.draw(st.integers(1, signals))
    old, new = (
        torch.stack([torch.randperm(signals, generator=generator(seed * 99 + r))[:fan_in] for r in range(rows)])
        for seed in data.draw(st.tuples(st.integers(0, 99), st.integers(0, 99)))
    )
    out = exchange(old, new)
    assert torch.equal(out.sort(dim=1).values, new.sort(dim=1).values)
    for before, after in zip(old.tolist(), out.tolist(), strict=True):
        assert all(before[k] == after[k] for k in range(fan_in) if before[k] in after)


@pytest.mark.parametrize("terms", [1, 2, 6])
@pytest.mark.parametrize("method", ["random", "magnitude", "regrow", "learned"])
def test_fan_in_is_exact_after_every_step(tmp_path, monkeypatch, method, terms):
    data = blobs()
    layers = (Layer("l0", 12, 3, 2, terms=terms, term_bits=2), Layer("l1", 5, 4, 3))
    topology = Topology("t", data.inputs, 2, layers)
    options = {"random": {}, "learned": {"freeze_at": 1.0}}.get(method, {"interval": 1, "until": 1.0})
    config = TrainConfig(
        epochs=3, batch_size=64, tensorboard=False, sparsity=SparsityConfig(method=method, options=options)
    )
    model = build_model(topology, inputs=InputsConfig(), train=config, data=data, seed=0)
    seen = []
    for layer in model.lut_layers():
        layer.register_forward_pre_hook(lambda module, _: seen.append((module, module.sources.clone())))
    train_model(model, data, config=config, folder=tmp_path, seed=0)
    assert len(seen) == 2 * 3 * 5
    for module, sources in seen:
        shape = module.shape
        assert_exact(sources, shape.tables, shape.signals, shape.fan_in)
        if (
            shape.terms * shape.fan_in <= shape.signals and not module.mask.per_table
        ):  # the terms of a neuron read different signals
            assert_exact(sources.view(shape.width, -1), shape.width, shape.signals, shape.terms * shape.fan_in)
    moved = len({tuple(s.reshape(-1).tolist()) for m, s in seen if m is model.layers[0]})
    assert (moved == 1) == (method == "random")


def view(mask, *, step, total, magnitude=None, gradient=None, weights=None):
    magnitude = torch.ones(mask.rows, mask.fan_in) if magnitude is None else magnitude
    return MaskView(step, total, magnitude, gradient, weights)


def test_magnitude_reads_the_largest_weights_and_prunes_its_pool():
    mask = make_mask("magnitude", 4, signals=10, fan_in=3, generator=generator(), options={"until": 0.5})
    weights = torch.randn(4, 10, generator=generator(1))
    assert isinstance(mask, MagnitudeMask) and mask.active_weights().all()
    mask.sources = mask.next(view(mask, step=1, total=100, weights=weights))
    assert torch.equal(mask.sources.sort(dim=1).values, weights.abs().topk(3, dim=1).indices.sort(dim=1).values)
    sizes = []
    for step in (10, 25, 40, 50):
        mask.next(view(mask, step=step, total=100, weights=weights))
        sizes.append(int(mask.active_weights().sum()) // 4)
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 3 and sizes[-1] == 3
    assert mask.due(50, 100) and not mask.due(51, 100)


def test_a_pruned_weight_never_returns():
    mask = make_mask("magnitude", 1, signals=4, fan_in=1, generator=generator(), options={"until": 1.0})
    mask.sources = mask.next(view(mask, step=100, total=100, weights=torch.tensor([[4.0, 3.0, 2.0, 1.0]])))
    mask.sources = mask.next(view(mask, step=100, total=100, weights=torch.tensor([[0.0, 9.0, 9.0, 9.0]])))
    assert mask.sources.tolist() == [[0]]


def test_regrow_drops_the_weakest_for_the_largest_gradient():
    mask = make_mask("regrow", 2, signals=6, fan_in=2, generator=generator(), options={"fraction": 0.5})
    assert isinstance(mask, RegrowMask)
    mask.sources = torch.tensor([[0, 1], [2, 3]])
    magnitude = torch.tensor([[0.1, 0.9], [0.8, 0.2]])
    gradient = torch.tensor([[9.0, 9.0, 0.1, 0.2, 5.0, 0.3], [1.0, 2.0, 9.0, 9.0, 3.0, 0.0]])
    new = mask.next(view(mask, step=0, total=100, magnitude=magnitude, gradient=gradient))
    assert new.tolist() == [[4, 1], [2, 4]]
    late = mask.next(view(mask, step=75, total=100, magnitude=magnitude, gradient=gradient))
    assert torch.equal(late, mask.sources)


def test_constant_signals_are_left_alone():
    usable = torch.tensor([True] * 4 + [False] * 4)
    for method in ("random", "magnitude", "regrow"):
        mask = make_mask(method, 5, signals=8, fan_in=2, generator=generator(), usable=usable)
        large = torch.ones(5, 8)
        large[:, 4:] = 100.0
        assert int(mask.sources.max()) < 4
        assert int(mask.next(view(mask, step=1, total=10, gradient=large, weights=large)).max()) < 4


class Twice(Mask):
    def first(self):
        return torch.zeros(self.rows, self.fan_in, dtype=torch.int64)


class Narrow(Mask):
    def first(self):
        return super().first()[:, 1:]


class Beyond(Mask):
    def first(self):
        return super().first() + self.signals


@pytest.mark.parametrize(("name", "rule"), [("Twice", "twice"), ("Narrow", "of shape"), ("Beyond", "must be 0 to 7")])
def test_a_mask_that_breaks_the_fan_in_is_refused_by_name(name, rule):
    with pytest.raises(ConfigError, match=f"mask {name} of layer 'l3'.*{rule}"):
        make_mask(f"{__name__}:{name}", 4, signals=8, fan_in=3, generator=generator(), layer="l3")


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("magnitude", {"interval": 0}),
        ("magnitude", {"until": 0.0}),
        ("regrow", {"fraction": 2.0}),
        ("regrow", {"speed": 1}),
        ("random", {"interval": 3}),
        ("randon", {}),
    ],
)
def test_wrong_options_are_named(method, options):
    with pytest.raises(ConfigError, match="|".join([*options, "randon"])):
        make_mask(method, 4, signals=8, fan_in=3, generator=generator(), options=options)
