"""Every rule of a legal network: what it refuses, and that the message names the place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from codesign.errors import DataError
from codesign.ir import Decide, Encode, Feature, Fixed, Format, LutNetwork, Neuron, Sum, Sums, Tables, check
from codesign.testing import networks

ONE = Format(1)
COPY = Neuron((0,), np.array([0, 1]), ONE)


def tables(*neurons: Neuron, name: str = "l0") -> Tables:
    return Tables(name, neurons)


def network(*stages, inputs=(ONE, ONE), name="net") -> LutNetwork:
    return LutNetwork(name, stages, inputs)


@settings(max_examples=60, deadline=None)
@given(networks(care="any"))
def test_drawn_networks_are_legal(drawn):
    assert check(drawn) is drawn


ENCODE = Encode("encode", (Feature("x0", (0.5,)), Feature("x1", (0.0, 1.0))))
WORDS = Encode("encode", (Feature("x0", (0.5,), Fixed(4, 1)),))

REFUSED = {
    "a network's name must be letters": network(tables(COPY), name="2nd"),
    "must have at least one stage": network(),
    "its input formats must be empty": network(ENCODE, tables(COPY)),
    "a stage's name must be letters, digits and '_', starting with a letter, not 'a b'": network(
        tables(COPY, name="a b")
    ),
    "stage names must differ": network(tables(COPY), tables(COPY)),
    "input 1 of stage 'l0': a signal must have 1 to 30 bits, not 31": network(tables(COPY), inputs=(ONE, Format(31))),
    "encoder 'encode' must be the first stage, not stage 1": network(tables(COPY), ENCODE),
    "stage 'l0' must have at least one output": network(tables()),
    "either all features have a fixed-point word or none has": network(
        replace(ENCODE, features=(*ENCODE.features, *WORDS.features)), inputs=()
    ),
    "feature 'x0': thresholds must be finite": network(
        replace(ENCODE, features=(Feature("x0", (0.0, np.inf)),)), inputs=()
    ),
    "feature 'x0': thresholds must ascend": network(replace(ENCODE, features=(Feature("x0", (1.0, 0.0)),)), inputs=()),
    "feature 'x0': a binary code needs at least one threshold": network(
        replace(ENCODE, features=(Feature("x0", ()),)), inputs=()
    ),
    "every threshold must lie on the grid of its word u4.1": network(
        replace(WORDS, features=(Feature("x0", (0.25,), Fixed(4, 1)),)), inputs=()
    ),
    "feature 'x0': a signal must have 1 to 30 bits, not 40": network(
        replace(WORDS, features=(Feature("x0", (1.0,), Fixed(40)),)), inputs=()
    ),
    "stage 'encode' must have at least one output": network(
        Encode("encode", (Feature("x0", ()),), "thermometer"), inputs=()
    ),
    "stage 'l0', neuron 1: source must be 0 to 1, not 2": network(tables(COPY, Neuron((2,), np.array([0, 1]), ONE))),
    "stage 'l0', neuron 0: source must be 0 to 1, not -1": network(tables(Neuron((-1,), np.array([0, 1]), ONE))),
    "a neuron's sources must differ, not (1, 1)": network(tables(Neuron((1, 1), np.zeros(4, int), ONE))),
    "neuron 0: 25 address bits exceed 24": network(
        tables(Neuron((0,), np.zeros(2, int), ONE)), inputs=(Format(25), ONE)
    ),
    "the table must have 4 rows for 2 address bits, not (2,)": network(tables(Neuron((0, 1), np.array([0, 1]), ONE))),
    "the care set must have 2 rows, not (4,)": network(tables(Neuron((0,), np.array([0, 1]), ONE, np.ones(4, bool)))),
    "table codes must be 0 to 1 for format u1": network(tables(Neuron((0,), np.array([0, 2]), ONE))),
    "table codes must be 0 to 1 for format s1": network(tables(Neuron((0,), np.array([0, -1]), Format(1, True)))),
    "neuron 0: a signal must have 1 to 30 bits, not 0": network(tables(Neuron((0,), np.array([0, 0]), Format(0)))),
    "stage 's', sum 0: source must be 0 to 1, not 5": network(Sums("s", (Sum((5,), (1,), ONE),))),
    "signs must be one of +1, -1 a source": network(Sums("s", (Sum((0, 1), (1,), Format(2)),))),
    "sum 0: signs must be one of": network(Sums("s", (Sum((0,), (2,), Format(2)),))),  # type: ignore[arg-type]
    "sum 0: format u1 must hold every sum in [0, 2]": network(Sums("s", (Sum((0, 1), (1, 1), ONE),))),
    "sum 0: format u2 must hold every sum in [-1, 1]": network(Sums("s", (Sum((0, 1), (1, -1), Format(2)),))),
    "sum 0: format u1 must hold every sum in [2, 3]": network(Sums("s", (Sum((0,), (1,), ONE, 2),))),
    "decision 'd' must be the last stage": network(Decide("d", "none", (ONE, ONE)), tables(COPY)),
    "decision 'd': its input formats must be those of the stage before it": network(
        tables(COPY), Decide("d", "argmax", (ONE, ONE))
    ),
    "decision 'd': kind must be argmax, threshold or none, not 'softmax'": network(
        tables(COPY),
        Decide("d", "softmax", (ONE,)),  # type: ignore[arg-type]
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_an_illegal_network_is_refused(message):
    with pytest.raises(DataError) as raised:
        check(REFUSED[message])
    assert message in str(raised.value)


def test_the_edges_of_the_rules_are_legal():
    constant = Neuron((), np.array([1]), ONE)
    check(network(tables(constant, COPY)))
    check(network(Sums("s", (Sum((), (), Format(2), 3), Sum((0, 0), (1, 1), Format(2))))))
    check(network(Decide("d", "argmax", (ONE, ONE))))
    check(network(Encode("encode", (Feature("a", ()), Feature("b", (0.0, 0.0))), "thermometer"), inputs=()))
    check(network(WORDS, inputs=()))


@pytest.mark.parametrize("table", [np.array([0, 1 << 40]), np.array([0.0, 0.5]), np.array([0.0, np.nan])])
def test_entries_that_would_change_silently_are_refused(table):
    with pytest.raises(DataError, match="a neuron's table must hold entries of int32"):
        Neuron((0,), table, ONE)
    with pytest.raises(DataError, match="a neuron's care set must hold entries of bool"):
        Neuron((0,), np.array([0, 1]), ONE, np.array([1, 2]))


def test_a_neuron_does_not_change_with_the_array_it_was_made_of():
    table, care = np.array([0, 1], np.int32), np.array([True, False])
    neuron = Neuron((0,), table, ONE, care)
    table[0], care[0] = 1, False
    assert neuron.table.tolist() == [0, 1] and neuron.care is not None and neuron.care.tolist() == [True, False]
    with pytest.raises(ValueError, match="read-only"):
        neuron.table[0] = 1


def test_neurons_are_equal_by_value():
    one, two = Neuron((0,), np.array([0, 1]), ONE), Neuron((0,), np.array([0, 1], np.int8), ONE)
    assert one == two and hash(one) == hash(two)
    others = [
        replace(one, sources=(1,)),
        replace(one, table=np.array([1, 1])),
        replace(one, format=Format(1, True)),
        replace(one, care=np.array([True, True])),
    ]
    assert all(one != other for other in others) and one != "neuron"
    assert replace(one, care=np.array([True, False])) != replace(one, care=np.array([True, True]))
