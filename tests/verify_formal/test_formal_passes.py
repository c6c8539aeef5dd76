"""Passes are proven step by step on random networks; a step that changes one table entry is caught and named."""

import numpy as np
import pytest
from formal_nets import flip_table, small_network, wasteful_network
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from codesign.errors import MismatchError
from codesign.ir import Tables, evaluate
from codesign.passes import every_input, run_passes
from codesign.testing import networks
from codesign.verify.formal.passes import pass_steps, prove_passes, prove_step
from codesign.verify.formal.result import require_proven

QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]


@given(networks())
@settings(max_examples=12, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=QUIET)
def test_every_step_on_random_networks_is_proven(tmp_path_factory, network):
    optimized, _ = run_passes(network)
    work = tmp_path_factory.mktemp("steps")
    tallies = prove_passes(network, optimized, None, work=work, timeout_s=30)
    require_proven(tallies)
    assert tallies[-1].proofs[0].outcome == "proven"


@pytest.mark.parametrize("network", [small_network(), small_network("thermometer"), wasteful_network()])
def test_small_networks_with_all_passes(tmp_path, network):
    names = ["remove_unused", "care_sets", "fold_constants", "reduce_support", "merge_duplicates", "narrow_signals"]
    names += ["fill_dont_cares", "fold_decision"]
    optimized, _ = run_passes(network, names)
    tallies = prove_passes(network, optimized, names, work=tmp_path, timeout_s=30)
    require_proven(tallies)
    assert {tally.name.split(",")[0] for tally in tallies} >= {"pass care_sets", "passes give the optimized tables"}


def test_a_table_that_the_passes_do_not_give_is_named(tmp_path):
    network = small_network()
    optimized, _ = run_passes(network)
    stage = next(s for s in optimized.stages if isinstance(s, Tables))
    broken = flip_table(optimized, stage.name, 1, 0)
    tallies = prove_passes(network, broken, None, work=tmp_path, timeout_s=30)
    old = int(stage.neurons[1].table[0])
    with pytest.raises(MismatchError, match=rf"neuron 1: address 0: wanted {old}, got {old ^ 1}"):
        require_proven(tallies)


def test_a_flipped_bit_in_any_step_of_the_passes_is_caught(tmp_path):
    steps = list(pass_steps(wasteful_network(), None))
    assert len(steps) >= 5
    for number, (name, before, after) in enumerate(steps):
        rng = np.random.default_rng(number)
        stage = [s for s in after.stages if isinstance(s, Tables)][-1]
        j = int(rng.integers(len(stage.neurons)))
        care = stage.neurons[j].care
        rows = np.arange(stage.neurons[j].table.size) if care is None else np.flatnonzero(care)
        top = stage.neurons[j].format.bits - 1
        broken = flip_table(after, stage.name, j, int(rng.choice(rows)), bit=top)
        proofs = prove_step(before, broken, work=tmp_path / str(number), timeout_s=30)
        bad = [p for p in proofs if p.outcome != "proven"]
        assert bad, f"a flipped bit passed in {name}"
        assert any("wanted" in p.detail for p in bad), name


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None, suppress_health_check=QUIET)
def test_networks_that_answer_differently_are_never_proven_equal(tmp_path_factory, seed):
    rng = np.random.default_rng(seed)
    network = small_network()
    stage = [s for s in network.stages if isinstance(s, Tables)][int(rng.integers(2))]
    j = int(rng.integers(len(stage.neurons)))
    row = int(rng.integers(stage.neurons[j].table.size))
    broken = flip_table(network, stage.name, j, row)
    samples = every_input(network)
    differs = not np.array_equal(evaluate(network, samples), evaluate(broken, samples))
    proofs = prove_step(network, broken, work=tmp_path_factory.mktemp("flip"), timeout_s=30)
    if differs:
        assert any(p.outcome != "proven" for p in proofs)
