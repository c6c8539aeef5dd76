"""Care sets: exact where the inputs can be listed, never too small, and each source of don't-cares by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.ir import (
    Encode,
    Feature,
    Fixed,
    Format,
    LutNetwork,
    Neuron,
    Sum,
    Sums,
    Tables,
    addresses,
    encode,
    preset,
    trace,
)
from codesign.passes import care_sets, every_input
from codesign.passes.codes import product_rows, reachable_codes, reachable_levels
from codesign.passes.cones import Cones
from codesign.testing import Limits, networks, structured_network

ONE, TWO = Format(1), Format(2)


def table(sources: tuple[int, ...], bits: int, *codes: int, out: int = 1) -> Neuron:
    """A neuron; without codes, one that gives each address a code of its own, as far as they last."""
    rows = np.array(codes) if codes else np.arange(1 << bits) % (1 << out)
    return Neuron(sources, rows, Format(out))


def net(*stages, inputs=()) -> LutNetwork:
    return LutNetwork("net", stages, inputs)


def care_of(network: LutNetwork, stage: int, neuron: int = 0) -> list[int]:
    found = care_sets(network).stages[stage]
    assert isinstance(found, Tables)
    care = found.neurons[neuron].care
    return list(range(found.neurons[neuron].table.size)) if care is None else np.flatnonzero(care).tolist()


def reached_rows(network: LutNetwork) -> list[list[np.ndarray]]:
    """The truth: which addresses each neuron meets over every input."""
    samples = every_input(network)
    codes = encode(network.encode, samples) if network.encode else samples.astype(np.int32)
    rows: list[list[np.ndarray]] = []
    formats = network.code_inputs
    for stage, arriving in zip(network.core, [codes, *trace(network, codes)], strict=False):
        if isinstance(stage, Tables):
            rows.append(
                [np.isin(np.arange(n.table.size), addresses(arriving, n.sources, formats)) for n in stage.neurons]
            )
        formats = stage.formats
    return rows


# Against the truth.


@settings(max_examples=80, deadline=None)
@given(networks(limits=Limits(stages=4)))
def test_small_networks_get_exact_care_sets(network):
    after, details = care_sets.apply(network)
    found = [s for s in after.core if isinstance(s, Tables)]
    for stage, truth in zip(found, reached_rows(network), strict=True):
        for neuron, rows in zip(stage.neurons, truth, strict=True):
            assert (rows if neuron.care is None else neuron.care).tolist() == rows.tolist()
            assert neuron.care is None or not neuron.care.all()
    total = sum(len(s.neurons) for s in found)
    assert details["neurons_exact"] == total
    assert details["rows"] == sum(n.table.size for s in found for n in s.neurons)


@settings(max_examples=80, deadline=None)
@given(networks(limits=Limits(inputs=5, input_bits=2, stages=5, width=6, fan_in=4)), st.sampled_from((1, 8, 64, 512)))
def test_within_any_limit_nothing_that_occurs_is_excluded(network, limit):
    """With joins cut short the sets grow, and what calls itself exact is."""
    cones = Cones(network, limit=limit)
    truth = iter(reached_rows(network))
    for stage in network.core:
        if isinstance(stage, Tables):
            neurons: list[Neuron] = []
            for neuron, rows in zip(stage.neurons, next(truth), strict=True):
                found, method = cones.rows(neuron.sources)
                assert (found | ~rows).all(), method
                if method == "exact":
                    assert found.tolist() == rows.tolist()
                neurons.append(Neuron(neuron.sources, neuron.table, neuron.format, found))
            stage = Tables(stage.name, tuple(neurons))
        if isinstance(stage, Tables | Sums):
            cones.append(stage)


@settings(max_examples=60, deadline=None)
@given(networks())
def test_codes_signal_by_signal_hold_what_occurs(network):
    samples = every_input(network)
    codes = encode(network.encode, samples) if network.encode else samples.astype(np.int32)
    for reached, met in zip(reachable_codes(network), [codes, *trace(network, codes)], strict=False):
        for signal, column in zip(reached, met.T, strict=True):
            assert set(column.tolist()) <= set(signal.tolist())
    if network.encode:
        # Features vary independently, so that here each set is exact.
        assert [set(c) for c in codes.T.tolist()] == [set(r.tolist()) for r in reachable_codes(network)[0]]


# Each reason by hand.


def test_a_binary_code_that_is_not_full_leaves_codes_unreached():
    encoder = Encode("encode", (Feature("a", (0.0, 1.0)), Feature("b", (0.0,))))
    # Codes of a: 0, 1, 2 of four.
    assert care_of(net(encoder, Tables("l", (table((0, 1), 3),))), 1) == [0, 1, 2, 4, 5, 6]


def test_thermometer_bits_are_monotone():
    encoder = Encode("encode", (Feature("a", (0.0, 1.0, 2.0)), Feature("b", (0.0,))), "thermometer")
    assert care_of(net(encoder, Tables("l", (table((0, 1, 2), 3),))), 1) == [0, 1, 3, 7]
    # In another order, and with a bit left out between: bit 2 implies bit 0.
    assert care_of(net(encoder, Tables("l", (table((2, 0), 2),))), 1) == [0, 2, 3]
    assert care_of(net(encoder, Tables("l", (table((0, 3, 2), 3),))), 1) == [0, 1, 2, 3, 5, 7]


def test_fifteen_thermometer_bits_of_one_feature_have_sixteen_addresses():
    encoder = Encode("encode", (Feature("a", tuple(float(t) for t in range(15))),), "thermometer")
    network = net(encoder, Tables("l", (table(tuple(range(15)), 15),)))
    assert care_of(network, 1) == [(1 << k) - 1 for k in range(16)]
    assert care_sets.apply(network)[1]["neurons_exact"] == 1


def test_thermometer_bits_bind_the_neurons_behind_them():
    encoder = Encode("encode", (Feature("a", tuple(float(t) for t in range(4))),), "thermometer")
    first = Tables("l0", (table((0, 2), 2, 0, 1, 1, 1), table((1, 3), 2, 0, 1, 1, 1)))
    # The first is a >= t0, the second a >= t1, which implies it.
    assert care_of(net(encoder, first, Tables("l1", (table((0, 1), 2),))), 2) == [0, 1, 3]


def test_equal_thresholds_and_narrow_words_leave_levels_unreached():
    assert reachable_levels(Feature("a", (0.0, 0.0, 1.0))).tolist() == [0, 2, 3]
    # Words 0 to 3: -1 is always passed, 5 never.
    assert reachable_levels(Feature("a", (-1.0, 2.0, 5.0), Fixed(2))).tolist() == [1, 2]
    assert reachable_levels(Feature("a", (-1.0, 0.0), Fixed(2))).tolist() == [2]
    assert reachable_levels(Feature("a", ())).tolist() == [0]
    encoder = Encode("encode", (Feature("a", (-1.0, 2.0, 5.0), Fixed(2)),))
    assert care_of(net(encoder, Tables("l", (table((0,), 2),))), 1) == [1, 2]


def test_neurons_with_a_common_source_are_bound():
    first = Tables("l0", (table((0, 1), 2, 0, 0, 0, 1), table((0, 1), 2, 0, 1, 1, 1)))
    # The first is AND, the second OR of the same bits: AND without OR cannot be.
    assert care_of(net(first, Tables("l1", (table((0, 1), 2),)), inputs=(ONE, ONE)), 1) == [0, 2, 3]


def test_neurons_are_bound_across_two_stages():
    first = Tables("l0", (table((0, 1), 2, 0, 1, 1, 0), table((0, 2), 2, 0, 1, 1, 0), table((1, 2), 2, 0, 1, 1, 0)))
    second = Tables("l1", tuple(table((i,), 1, 0, 1) for i in range(3)))
    # a^b, a^c, b^c: an even number of them is 1, which pairs of neurons do not show.
    network = net(first, second, Tables("l2", (table((0, 1, 2), 3),)), inputs=(ONE,) * 3)
    assert care_of(network, 2) == [0, 3, 5, 6]


def test_independent_neurons_leave_every_address():
    first = Tables("l0", (table((0,), 1, 0, 1), table((1,), 1, 0, 1)))
    network = net(first, Tables("l1", (table((0, 1), 2),)), inputs=(ONE, ONE))
    assert care_of(network, 1) == [0, 1, 2, 3]
    assert care_sets(network) is network


def test_codes_that_a_table_never_gives_are_unreached():
    first = Tables("l0", (table((0,), 2, 3, 1, 3, 3, out=2),))
    assert care_of(net(first, Tables("l1", (table((0,), 2),)), inputs=(TWO,)), 1) == [1, 3]


def test_sums_reach_the_values_of_their_terms():
    # Terms 0 or 3, and 0 or 2: sums 0, 2, 3, 5 of eight codes.
    first = Tables("l0", (table((0,), 1, 0, 3, out=2), table((1,), 1, 0, 2, out=2)))
    total = Sums("s", (Sum((0, 1), (1, 1), Format(3)),))
    assert care_of(net(first, total, Tables("l1", (table((0,), 3),)), inputs=(ONE, ONE)), 2) == [0, 2, 3, 5]
    # Of the same bit: 0 or 5 only.
    first = Tables("l0", (table((0,), 1, 0, 3, out=2), table((0,), 1, 0, 2, out=2)))
    assert care_of(net(first, total, Tables("l1", (table((0,), 3),)), inputs=(ONE, ONE)), 2) == [0, 5]


def test_a_negative_sum_reaches_its_codes():
    first = Tables("l0", (table((0,), 1, 0, 1), table((1,), 1, 0, 1)))
    total = Sums("s", (Sum((0, 1), (-1, -1), Format(3, signed=True), -1),))
    # Values -3, -2, -1 are codes 5, 6, 7.
    assert care_of(net(first, total, Tables("l1", (table((0,), 3),)), inputs=(ONE, ONE)), 2) == [5, 6, 7]


def test_sums_bind_the_tables_behind_them():
    total = Sums("s", (Sum((0, 1), (1, 1), TWO), Sum((0, 1), (1, -1), Format(2, signed=True))))
    # a + b and a - b are odd together or even together.
    network = net(total, Tables("l1", (table((0, 1), 4),)), inputs=(ONE, ONE))
    assert care_of(network, 1) == sorted((a + b) | ((a - b) & 3) << 2 for a in (0, 1) for b in (0, 1))


def test_the_care_set_that_a_neuron_brings_is_kept_and_used_downstream():
    brought = Neuron((0,), np.array([0, 1, 2, 3]), TWO, np.array([True, True, True, False]))
    network = net(Tables("l0", (brought,)), Tables("l1", (table((0,), 2),)), inputs=(TWO,))
    assert care_of(network, 0) == [0, 1, 2] and care_of(network, 1) == [0, 1, 2]


def test_the_method_is_counted():
    network = structured_network(preset("jsc-m"), np.random.default_rng(1))
    details = care_sets.apply(network)[1]
    counts = [details[f"neurons_{method}"] for method in ("exact", "joint", "bounded", "product")]
    # The first two layers see the inputs whole, the later ones are cut at inner signals.
    assert sum(counts) == 165 and counts[0] >= 64 and counts[1] > 20
    stored = [n for s in care_sets(network).core if isinstance(s, Tables) for n in s.neurons]
    assert details["rows_reached"] == sum(n.table.size if n.care is None else int(n.care.sum()) for n in stored)
    assert details["rows_reached"] < details["rows"] == 165 << 12


@pytest.mark.parametrize("limit", [1, 1 << 22])
def test_the_product_is_always_a_bound(limit):
    rng = np.random.default_rng(3)
    inputs = (Format(2),) * 6
    stages = []
    for index in range(4):
        neurons = tuple(
            Neuron(tuple(rng.choice(6, 3, replace=False).tolist()), rng.choice((0, 1, 3), 64), TWO) for _ in range(6)
        )
        stages.append(Tables(f"l{index}", neurons))
    network = net(*stages, inputs=inputs)
    cones = Cones(network, limit=limit)
    for stage in stages:
        for neuron in stage.neurons:
            rows, _ = cones.rows(neuron.sources)
            assert not (rows & ~product_rows(neuron.sources, cones.formats[-1], cones.reached[-1])).any()
        cones.append(stage)
