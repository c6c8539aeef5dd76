"""Defects are caught: wrong care sets by the equality of answers, broken passes by the checks around each pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from codesign.errors import DataError, MismatchError
from codesign.ir import Format, LutNetwork, Neuron, Tables, addresses, preset, trace
from codesign.passes import (
    Pass,
    care_sets,
    check_care,
    every_input,
    fill_dont_cares,
    lossless,
    reduce_support,
    run_passes,
    same_everywhere,
    same_function,
)
from codesign.testing import random_codes, structured_network

TWO = Format(2)


def network() -> LutNetwork:
    """Three inputs of two bits, two stages; every address of every table occurs."""
    rng = np.random.default_rng(11)
    first = Tables("l0", tuple(Neuron((i,), rng.permutation(4), TWO) for i in range(3)))
    table = rng.integers(0, 4, 64)
    table[:4] = [0, 1, 2, 3]
    return LutNetwork("net", (first, Tables("l1", (Neuron((0, 1, 2), table, TWO),))), (TWO,) * 3)


def with_care(net: LutNetwork, care: np.ndarray) -> LutNetwork:
    first, last = net.stages
    assert isinstance(last, Tables)
    return replace(net, stages=(first, Tables("l1", (replace(last.neurons[0], care=care),))))


def test_every_single_wrong_dont_care_that_a_pass_uses_is_caught():
    """Each row in turn is wrongly called unreachable and given another code, as a filling might."""
    net = network()
    assert care_sets(net) is net, "every address occurs"
    first, last = net.stages
    assert isinstance(last, Tables)
    for row in range(64):
        care = np.ones(64, bool)
        care[row] = False
        wrong = with_care(net, care)
        with pytest.raises(MismatchError, match=rf"stage 'l1', neuron 0: sample \d+ has address {row}, which"):
            check_care(wrong, every_input(wrong))
        table = last.neurons[0].table.copy()
        table[row] ^= 1
        filled = replace(wrong, stages=(first, Tables("l1", (replace(last.neurons[0], table=table, care=care),))))
        assert not same_everywhere(net, filled)


@pytest.mark.parametrize("step", [fill_dont_cares, reduce_support])
def test_a_pass_that_trusts_a_wrong_care_set_is_caught(step):
    """The passes believe care sets; believing this one, they change answers, and the comparison says so."""
    net = network()
    care = np.zeros(64, bool)
    care[:4] = True
    wrong = with_care(net, care)
    after = step(wrong)
    assert after != wrong and same_everywhere(net, wrong) and not same_everywhere(net, after)
    run, _ = run_passes(wrong)
    assert not same_everywhere(net, run)


def test_a_wrong_care_set_is_caught_by_samples_of_a_large_network():
    net = structured_network(preset("jsc-s"), np.random.default_rng(1))
    codes = random_codes(net, np.random.default_rng(2), 3000)
    good, _ = run_passes(net)
    stage = net.stages[2]
    assert isinstance(stage, Tables) and net.encode
    # One neuron loses the address that the samples meet most.
    neuron = stage.neurons[5]
    met = addresses(trace(net, codes)[0], neuron.sources, net.stages[1].formats)
    care = np.ones(neuron.table.size, bool)
    care[np.bincount(met).argmax()] = False
    neurons = (*stage.neurons[:5], replace(neuron, care=care), *stage.neurons[6:])
    wrong = replace(net, stages=(*net.stages[:2], Tables(stage.name, neurons), *net.stages[3:]))
    features = np.random.default_rng(3).normal(size=(3000, 16))
    assert check_care(good, features) > 0
    with pytest.raises(MismatchError, match=f"stage '{stage.name}', neuron 5"):
        check_care(wrong, features)


def test_a_pass_that_changes_an_answer_is_seen():
    net = network()
    first, last = net.stages
    assert isinstance(first, Tables)
    flipped = Neuron((0,), first.neurons[0].table ^ 1, TWO)
    other = replace(net, stages=(Tables("l0", (flipped, *first.neurons[1:])), last))
    assert not same_everywhere(net, other) and not same_function(net, other, every_input(net))


def broken(result: LutNetwork) -> Pass:
    @lossless("breaks something")
    def breaks(_: LutNetwork) -> tuple[LutNetwork, dict[str, int]]:
        return result, {}

    return breaks


def test_an_illegal_result_is_the_passes_fault():
    net = network()
    first, _ = net.stages
    illegal = replace(net, stages=(first, Tables("l1", (Neuron((7,), np.zeros(4, int), TWO),))))
    with pytest.raises(DataError, match="pass 'breaks' made an illegal network: stage 'l1', neuron 0: source must be"):
        broken(illegal)(net)


def test_a_changed_interface_is_the_passes_fault():
    net = network()
    first, last = net.stages
    assert isinstance(last, Tables)
    narrow = replace(net, stages=(first, Tables("l1", (replace(last.neurons[0], format=Format(3)),))))
    wide = replace(net, inputs=(*net.inputs, TWO))
    for changed in (narrow, wide):
        with pytest.raises(DataError, match="pass 'breaks' must keep the network's inputs and answers"):
            broken(changed)(net)


def test_an_illegal_network_is_refused_before_a_pass():
    illegal = replace(network(), name="2nd")
    with pytest.raises(DataError, match="a network's name must be"):
        care_sets(illegal)
    with pytest.raises(DataError, match="a network's name must be"):
        run_passes(illegal)
