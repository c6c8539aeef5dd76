"""The comparison that all other tests rest on: it sees what differs, and lists every input there is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from codesign.errors import DataError
from codesign.ir import Decide, Encode, Feature, Fixed, Format, LutNetwork, Neuron, Tables, encode
from codesign.passes import check_care, every_input, same_everywhere, same_function, unseen_patterns
from codesign.testing import networks

ONE, TWO = Format(1), Format(2)


def copies(*features: Feature, coding="binary") -> LutNetwork:
    """An encoder whose codes are the answer."""
    return LutNetwork("net", (Encode("encode", features, coding),))


def single(codes, fmt=ONE, inputs=(TWO,), care=None) -> LutNetwork:
    return LutNetwork("net", (Tables("l0", (Neuron((0,), np.array(codes), fmt, care),)),), inputs)


def test_inputs_by_hand():
    assert every_input(single([0, 1, 0, 1])).tolist() == [[0], [1], [2], [3]]
    listed = every_input(copies(Feature("a", (0.0, 1.0)), Feature("b", (5.0,))))
    assert listed.shape == (6, 2)
    codes = encode(Encode("e", (Feature("a", (0.0, 1.0)), Feature("b", (5.0,)))), listed)
    assert sorted(map(tuple, codes.tolist())) == [(a, b) for a in range(3) for b in range(2)]
    # Words 0 to 3 in halves: 0 to 1.5.
    assert every_input(copies(Feature("a", (1.0,), Fixed(2, 1)))).ravel().tolist() == [0.0, 0.5, 1.0, 1.5]


@settings(max_examples=60, deadline=None)
@given(networks())
def test_a_network_equals_itself(network):
    assert same_everywhere(network, network)


def test_one_different_row_is_seen():
    for row in range(4):
        other = np.array([0, 1, 1, 0])
        other[row] ^= 1
        assert not same_everywhere(single([0, 1, 1, 0]), single(other))


def test_one_different_threshold_is_seen():
    base = copies(Feature("a", (0.0, 1.0)), Feature("b", (0.0,)))
    assert base.encode
    for threshold in (0.9999, np.nextafter(1.0, 2.0)):
        assert not same_everywhere(base, copies(Feature("a", (0.0, threshold)), Feature("b", (0.0,))))
    assert same_everywhere(base, copies(Feature("a", (0.0, 1.0)), Feature("b", (0.0,))))
    word = Fixed(4, 1)
    assert not same_everywhere(copies(Feature("a", (1.0,), word)), copies(Feature("a", (1.5,), word)))
    # Beyond the word's range no input can tell.
    assert same_everywhere(copies(Feature("a", (1.0, 8.0), word)), copies(Feature("a", (1.0, 9.0), word)))


def test_other_interfaces_differ():
    base = single([0, 1, 1, 0])
    assert not same_everywhere(base, single([0, 1, 1, 0], fmt=TWO))
    assert not same_everywhere(base, single([0, 1, 1, 0], inputs=(Format(2, True),)))
    assert not same_function(base, copies(Feature("a", (0.0,))), [[0]])
    one, two = copies(Feature("a", (0.0,))), copies(Feature("a", (0.0,)), Feature("b", (0.0,)))
    assert not same_everywhere(one, replace(two, stages=(*two.stages, Decide("d", "argmax", (ONE, ONE)))))


def test_too_many_inputs_are_refused():
    with pytest.raises(DataError, match="has 1073741824 inputs, more than the limit of 1048576; use samples"):
        every_input(single([0, 1], inputs=(ONE, Format(29))))
    wide = copies(*(Feature(f"x{i}", (0.0,)) for i in range(30)))
    with pytest.raises(DataError, match="has 1073741824 inputs, more than the limit"):
        every_input(wide)
    with pytest.raises(DataError, match="more than the limit of 4"):
        same_everywhere(single([0] * 8, inputs=(Format(3),)), single([0] * 8, inputs=(Format(3),)), limit=4)


def test_looked_up_rows_are_counted():
    care = np.array([True, True, False, True])
    network = single([0, 1, 1, 0], care=care)
    assert check_care(network, [[0], [1], [3]]) == 3
    assert check_care(single([0, 1, 1, 0]), [[0]]) == 0


# unseen_patterns


def test_patterns_not_seen_become_dont_cares():
    first = Tables("l0", (Neuron((0,), np.array([0, 1, 2, 3]), TWO),))
    network = LutNetwork("net", (first, Tables("l1", (Neuron((0,), np.array([1, 0, 0, 1]), ONE),))), (TWO,))
    freed = unseen_patterns(network, [[0], [0], [3], [2]])
    for stage in freed.stages:
        assert isinstance(stage, Tables) and stage.neurons[0].care is not None
        assert stage.neurons[0].care.tolist() == [True, False, True, True]
    assert same_everywhere(network, freed), "it is the passes afterwards that use the freedom"
    rare = unseen_patterns(network, [[0], [0], [3], [2]], least=2)
    assert isinstance(rare.stages[0], Tables) and rare.stages[0].neurons[0].care is not None
    assert rare.stages[0].neurons[0].care.tolist() == [True, False, False, False]


def test_a_care_set_that_was_there_is_kept():
    network = single([0, 1, 1, 0], care=np.array([True, True, False, True]))
    freed = unseen_patterns(network, [[0], [2]])
    assert isinstance(freed.stages[0], Tables) and freed.stages[0].neurons[0].care is not None
    assert freed.stages[0].neurons[0].care.tolist() == [True, False, False, False]


def test_all_seen_changes_nothing():
    network = single([0, 1, 1, 0])
    assert unseen_patterns(network, [[0], [1], [2], [3]]) == network


def test_bad_training_codes_are_refused():
    network = single([0, 1, 1, 0])
    with pytest.raises(DataError, match="at least one row of training codes must be given"):
        unseen_patterns(network, np.zeros((0, 1), int))
    for codes, message in (([0, 1], "1\\) codes, not"), ([[0, 1]], "1\\) codes, not"), ([[4]], "codes must be 0 to 3")):
        with pytest.raises(DataError, match=message):
            unseen_patterns(network, codes)
        with pytest.raises(DataError, match=message):
            check_care(network, codes)
    with pytest.raises(DataError, match="least must be 1 or more samples, not 0"):
        unseen_patterns(network, [[0]], least=0)
