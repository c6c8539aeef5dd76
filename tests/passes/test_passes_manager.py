"""Passes by name: which, in what order, until when, and what is reported."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from codesign.accel import worst_case_luts
from codesign.errors import ConfigError
from codesign.ir import Decide, Format, LutNetwork, Neuron, Sum, Sums, Tables, preset
from codesign.passes import (
    DEFAULT_PASSES,
    PASSES,
    Size,
    fold_decision,
    lossless,
    measure,
    run_passes,
    same_function,
    total_saved,
)
from codesign.testing import random_features, structured_network

ONE = Format(1)


@pytest.fixture(scope="module")
def jsc() -> LutNetwork:
    return structured_network(preset("jsc-s"), np.random.default_rng(4))


def test_every_pass_has_its_name_and_one_line():
    for name, step in PASSES.items():
        assert step.name == name and step.__doc__ and step.description
        assert "\n" not in step.description and step.description[0].islower() and not step.description.endswith(".")
    assert set(DEFAULT_PASSES) == set(PASSES) - {"fold_decision"}, "what changes the scores is asked for by name"


def test_an_unknown_name_is_refused_with_a_hint(jsc):
    with pytest.raises(ConfigError, match=r"no pass 'fold_constant'. Did you mean \"fold_constants\"\? Known: "):
        run_passes(jsc, ["care_sets", "fold_constant"])
    with pytest.raises(ConfigError, match="passes must run at least one round, not 0"):
        run_passes(jsc, rounds=0)


def test_no_passes_change_nothing(jsc):
    assert run_passes(jsc, []) == (jsc, ())


def test_the_given_passes_run_in_the_given_order(jsc):
    _, reports = run_passes(jsc, ["reduce_support", "remove_unused"], rounds=1)
    assert [(r.name, r.round) for r in reports] == [("reduce_support", 1), ("remove_unused", 1)]
    _, reports = run_passes(jsc, ["remove_unused", "reduce_support"], rounds=1)
    assert [r.name for r in reports] == ["remove_unused", "reduce_support"]


def test_the_order_can_matter_and_rounds_make_up_for_it():
    # The constant is only seen to be unused once it is folded.
    first = Tables("l0", (Neuron((0,), np.array([1, 1]), ONE), Neuron((0,), np.array([0, 1]), ONE)))
    network = LutNetwork("net", (first, Tables("l1", (Neuron((0, 1), np.array([0, 1, 1, 0]), ONE),))), (ONE,))
    names = ["remove_unused", "fold_constants"]
    once, _ = run_passes(network, names, rounds=1)
    twice, _ = run_passes(network, names, rounds=2)
    other, _ = run_passes(network, names[::-1], rounds=1)
    assert [measure(n).neurons for n in (once, twice, other)] == [3, 2, 2]


def test_rounds_end_where_nothing_changes(jsc):
    after, reports = run_passes(jsc)
    last = max(r.round for r in reports)
    assert last < 10 and not any(r.changed for r in reports if r.round == last)
    more, _ = run_passes(jsc, rounds=50)
    assert more == after
    # A pass is not run again on the very network that it left.
    assert len(reports) < last * len(DEFAULT_PASSES)


def test_reports_account_for_every_figure(jsc):
    after, reports = run_passes(jsc)
    assert reports[0].before == measure(jsc) and reports[-1].after == measure(after)
    for one, two in zip(reports, reports[1:], strict=False):
        assert one.after == two.before
    totals = total_saved(reports)
    assert set(totals) == set(DEFAULT_PASSES)
    saved = sum(row["worst_case_luts"] for row in totals.values())
    assert saved == measure(jsc).worst_case_luts - measure(after).worst_case_luts > 0
    assert all(r.seconds >= 0 for r in reports)
    assert sum(row["runs"] for row in totals.values()) == len(reports)
    care = next(r for r in reports if r.name == "care_sets")
    assert sum(care.details[f"neurons_{m}"] for m in ("exact", "joint", "bounded", "product")) == care.before.neurons


def test_reports_are_plain_values(jsc):
    _, reports = run_passes(jsc, ["remove_unused"])
    plain = json.loads(json.dumps([r.as_dict() for r in reports]))
    assert plain[0]["name"] == "remove_unused" and plain[0]["round"] == 1
    assert plain[0]["saved"]["neurons"] == plain[0]["before"]["neurons"] - plain[0]["after"]["neurons"] > 0
    assert plain[0]["details"]["neurons"] == plain[0]["saved"]["neurons"]


def test_a_users_own_pass_runs_by_name(jsc, monkeypatch):
    @lossless("renames nothing, counts neurons")
    def count_neurons(network: LutNetwork) -> tuple[LutNetwork, dict[str, int]]:
        """Count."""
        return network, {"seen": measure(network).neurons}

    monkeypatch.setitem(PASSES, count_neurons.name, count_neurons)
    after, reports = run_passes(jsc, ["remove_unused", "count_neurons"])
    assert reports[1].details == {"seen": measure(after).neurons}


def test_sizes_by_hand():
    stages = (
        Tables("l0", (Neuron((0, 1), np.zeros(8, int), Format(2), np.arange(8) < 3), Neuron((), np.array([1]), ONE))),
        Sums("s", (Sum((0, 1, 1), (1, 1, -1), Format(4, True)),)),
        Tables("l1", (Neuron((0,), np.zeros(16, int), Format(3)),)),
        Decide("d", "argmax", (Format(3),)),
    )
    network = LutNetwork("net", stages, (Format(1), Format(2)))
    assert measure(network) == Size(
        neurons=3,
        sums=1,
        signals=2 + 2 + 1 + 1,
        signal_bits=3 + 3 + 4 + 3,
        edges=3 + 3,
        table_bits=16 + 1 + 48,
        cared_rows=3 + 1 + 16,
        worst_case_luts=2 + 0 + 3,
    )
    # Without a decision the last stage is the answer, not a signal between stages.
    assert measure(replace(network, stages=stages[:-1])).signals == 5


def test_worst_case_luts_are_those_of_the_formula():
    for name, luts in (("jsc-s", 330), ("jsc-m", 42075)):
        network = structured_network(preset(name), np.random.default_rng(0))
        assert measure(network).worst_case_luts == luts
    assert worst_case_luts(12, 3) == 255


# fold_decision


def decided(kind: str, fmt: Format, tables: list[list[int]], threshold: int = 0) -> LutNetwork:
    neurons = tuple(Neuron((0,), fmt.codes(values), fmt) for values in tables)
    decide = Decide("d", kind, (fmt,) * len(neurons), threshold)  # type: ignore[arg-type]
    return LutNetwork("net", (Tables("l0", neurons), decide), (Format(2),))


def scores(network: LutNetwork) -> list[list[int]]:
    stage = network.stages[-2]
    assert isinstance(stage, Tables)
    return [n.format.values(n.table).tolist() for n in stage.neurons]


def test_a_threshold_goes_into_the_tables():
    network = decided("threshold", Format(5, True), [[-9, 3, 4, 12], [4, 4, 4, 4]], threshold=4)
    after = fold_decision(network)
    assert scores(after) == [[0, 0, 1, 1], [1, 1, 1, 1]]
    assert after.stages[-1] == Decide("d", "threshold", (ONE, ONE), 1)
    assert same_function(network, after, [[0], [1], [2], [3]])


def test_argmax_needs_ranks_only():
    network = decided("argmax", Format(7, True), [[-60, 0, 20, 60], [-50, 10, 10, 50]])
    after = fold_decision(network)
    # Ascending: -60 | -50 | 0 | 10 | 20, 50 | 60 by class 0, 1, 0, 1, 0 1, 0. The earlier class wins ties, so that 10
    # and 20 may tie, -50 and 0 as well, 50 and 60 too; 20 and 50 may not.
    assert scores(after) == [[0, 1, 2, 3], [1, 2, 2, 3]]
    assert after.stages[-1] == Decide("d", "argmax", (Format(2), Format(2)))
    assert same_function(network, after, [[0], [1], [2], [3]])


def test_scores_without_gaps_stay():
    network = decided("argmax", Format(2), [[0, 1, 2, 3], [3, 2, 1, 0], [0, 2, 1, 3]])
    assert fold_decision(network) is network


def test_regression_and_sums_stay():
    network = decided("none", Format(5), [[0, 9, 18, 27]])
    assert fold_decision(network) is network
    sums = LutNetwork(
        "net", (Sums("s", (Sum((0,), (1,), Format(2)),)), Decide("d", "threshold", (Format(2),), 2)), (Format(2),)
    )
    assert fold_decision(sums) is sums


def test_a_folded_threshold_narrows_what_comes_before():
    network = structured_network(replace(preset("nid-s"), inputs=60), np.random.default_rng(2))
    plain, _ = run_passes(network)
    folded, _ = run_passes(network, ["fold_decision", *DEFAULT_PASSES])
    x = random_features(network.encode, np.random.default_rng(0), 4000)  # type: ignore[arg-type]
    assert same_function(network, folded, x)
    assert measure(folded).worst_case_luts < measure(plain).worst_case_luts
