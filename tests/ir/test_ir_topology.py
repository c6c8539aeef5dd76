"""Topologies: the presets of the paper, and what cannot be built."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codesign.errors import ConfigError, TableTooLarge
from codesign.ir import PRESETS, Layer, Topology, preset
from codesign.ir.topology import check_topology

BASE = Topology("base", 4, 2, (Layer("a", 8, 3, 2), Layer("b", 2, 3, 4)))


@pytest.mark.parametrize(
    ("name", "inputs", "widths", "address", "bits"),
    [
        ("jsc-s", 16, [64, 32, 32, 32, 5], [6, 6, 6, 6, 6], [2, 2, 2, 2, 2]),
        ("jsc-m", 16, [64, 32, 32, 32, 5], [12, 12, 12, 12, 12], [3, 3, 3, 3, 3]),
        ("jsc-l", 16, [32, 64, 192, 192, 16, 5], [12, 12, 12, 12, 12, 15], [3, 3, 3, 3, 3, 7]),
        ("nid-s", 593, [593, 100, 1], [7, 14, 14], [2, 2, 2]),
        ("nid-m", 593, [593, 256, 128, 128, 1], [7, 14, 14, 14, 14], [2, 2, 2, 2, 2]),
        ("nid-l", 593, [593, 100, 100, 100, 1], [7, 15, 15, 15, 15], [3, 3, 3, 3, 3]),
    ],
)
def test_presets_have_the_published_shapes(name, inputs, widths, address, bits):
    topology = check_topology(preset(name))
    assert topology.inputs == inputs == topology.signals(0)
    assert [layer.width for layer in topology.layers] == widths
    assert [topology.address_bits(i) for i in range(len(widths))] == address
    assert [layer.bits for layer in topology.layers] == bits
    assert topology.decide == ("threshold" if widths[-1] == 1 else "argmax")


def test_an_unknown_preset_is_refused_with_a_hint():
    with pytest.raises(ConfigError, match=r'no topology preset \'jsc-xl\'. Did you mean "jsc-l"\?'):
        preset("jsc-xl")
    assert set(PRESETS) == {"jsc-s", "jsc-m", "jsc-l", "nid-s", "nid-m", "nid-l"}


def test_fan_in_is_at_most_what_there_is():
    with pytest.raises(ConfigError, match="layer 'a': fan_in must be at most .* the encoder gives 4, not 9"):
        check_topology(replace(BASE, layers=(Layer("a", 2, 9, 2),)))
    with pytest.raises(ConfigError, match="layer 'b': fan_in must be at most .* layer 'a' gives 2, not 3"):
        check_topology(replace(BASE, layers=(Layer("a", 2, 4, 2), Layer("b", 1, 3, 2))))


def test_a_thermometer_gives_one_bit_signals():
    topology = replace(BASE, coding="thermometer")
    assert (topology.input_signals, topology.signal_bits(0), topology.address_bits(0)) == (8, 1, 3)
    assert (BASE.input_signals, BASE.signal_bits(0), BASE.address_bits(0)) == (4, 2, 6)


def test_a_thermometer_may_have_many_thresholds():
    topology = check_topology(replace(BASE, coding="thermometer", input_bits=24))
    assert (topology.input_signals, topology.signal_bits(0)) == (96, 1)


def test_terms_have_bits_of_their_own():
    topology = replace(BASE, layers=(Layer("a", 4, 3, 2, terms=3, term_bits=3), Layer("b", 2, 3, 4, terms=2)))
    check_topology(topology)
    assert (topology.term_bits(0), topology.sum_bits(0)) == (3, 5)
    assert (topology.term_bits(1), topology.sum_bits(1)) == (4, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": 0}, "must have at least one input, not 0"),
        ({"input_bits": 0}, "input_bits must be 1 to 16, not 0"),
        ({"input_bits": 17}, "input_bits must be 1 to 16, not 17"),
        ({"input_bits": 256, "coding": "thermometer"}, "input_bits must be 1 to 255, not 256"),
        ({"layers": ()}, "must have at least one layer"),
        ({"layers": (Layer("1st", 1, 1, 1),)}, "layer 0: name must be letters"),
        ({"layers": (Layer("a", 0, 1, 1),)}, "layer 'a': width must be 1 to"),
        ({"layers": (Layer("a", 1, 0, 1),)}, "layer 'a': fan_in must be 1 to 64, not 0"),
        ({"layers": (Layer("a", 1, 1, 17),)}, "layer 'a': bits must be 1 to 16, not 17"),
        ({"layers": (Layer("a", 1, 1, 1, terms=0),)}, "layer 'a': terms must be 1 to"),
        ({"layers": (Layer("a", 1, 1, 1, terms=2, term_bits=0),)}, "layer 'a': term_bits must be 1 to 16, not 0"),
        ({"layers": (Layer("a", 1, 1, 1), Layer("a", 1, 1, 1))}, "the stage name 'a' is taken"),
        ({"layers": (Layer("encode", 1, 1, 1),)}, "the stage name 'encode' is taken"),
    ],
)
def test_impossible_topologies_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        check_topology(replace(BASE, **change))


def test_a_table_over_the_cap_is_refused_with_its_size():
    wide = replace(BASE, inputs=9, layers=(Layer("wide", 1, 8, 2),))
    with pytest.raises(TableTooLarge, match="layer 'wide': fan-in 8 x 2 bits = 16 address bits, a table of 65536 rows"):
        check_topology(wide)
    check_topology(replace(wide, max_address_bits=16))
    terms = replace(BASE, layers=(Layer("a", 4, 2, 2, terms=4, term_bits=14), Layer("b", 2, 3, 4)))
    with pytest.raises(TableTooLarge, match="the sum of 4 terms of 14 bits has 16 bits"):
        check_topology(terms)
