"""Worst-case cost: published anchors, the recurrences behind the closed forms, sums, and actual networks."""

import subprocess
import sys
import time

import numpy as np
import pytest

from codesign.accel import network_cost, sum_cost, topology_cost, worst_case_depth, worst_case_luts
from codesign.errors import ConfigError
from codesign.ir import Decide, Encode, Feature, Format, Layer, LutNetwork, Neuron, Sum, Sums, Tables, Topology, preset


@pytest.mark.parametrize(("name", "luts", "cycles"), [("jsc-s", 330, 5), ("jsc-m", 42075, 5)])
def test_published_worst_cases(name, luts, cycles):
    cost = topology_cost(preset(name))
    assert (cost.luts, cost.cycles, cost.origin) == (luts, cycles, "estimated")
    assert cost.left_out == ("input encoder", "argmax", "stream wrapper")


def test_lut6_form_is_sub_tables_and_four_to_one_multiplexers():
    count = {6: 1}
    for bits in range(7, 24):
        count[bits] = 2 * count[bits - 1] + 1 if bits % 2 else 4 * count[bits - 2] + 1
    for bits, luts in count.items():
        assert worst_case_luts(bits, 1) == luts
        assert worst_case_luts(bits, 5) == 5 * luts
    assert [worst_case_luts(bits, 3) for bits in (0, 1, 5, 6)] == [0, 3, 3, 3]


def test_lut4_form_takes_the_cheaper_of_both_splits():
    count = {4: 1}
    for bits in range(5, 24):
        halves = 2 * count[bits - 1] + 1
        quarters = 4 * count[bits - 2] + 2 if bits > 5 else halves
        count[bits] = min(halves, quarters)
    assert {bits: worst_case_luts(bits, 1, lut_inputs=4) for bits in count} == count


def test_four_to_one_multiplexer_fits_two_lut4():
    for word in range(64):
        d0, d1, d2, d3, s0, s1 = (bool(word >> i & 1) for i in range(6))
        first = s0 if s1 else (d1 if s0 else d0)  # 4 inputs
        second = (d3 if first else d2) if s1 else first  # 4 inputs: first, d2, d3, s1
        assert second == (d0, d1, d2, d3)[2 * s1 + s0]


@pytest.mark.parametrize(("lut_inputs", "bits", "levels"), [(6, 6, 1), (6, 7, 2), (6, 8, 2), (6, 12, 4), (4, 6, 3)])
def test_depth(lut_inputs, bits, levels):
    assert worst_case_depth(bits, lut_inputs=lut_inputs) == levels
    assert worst_case_depth(0, lut_inputs=lut_inputs) == 0


def test_sum_is_a_tree_of_exact_adders():
    two, three = (0, 3), (0, 7)
    assert sum_cost([two]) == (0, 0)
    assert sum_cost([two, two]) == (3, 1)  # 0 to 6
    assert sum_cost([two] * 3) == (3 + 4, 2)  # 0 to 6, then 0 to 9
    assert sum_cost([two] * 4) == (3 + 3 + 4, 2)  # 0 to 6 twice, then 0 to 12
    assert sum_cost([three, three, (-4, -4)]) == (4 + 5, 2)  # 0 to 14, then -4 to 10


def test_terms_add_adders_and_a_requantizing_table_except_in_the_last_layer():
    layers = (Layer("l0", 4, 3, 2, terms=2, term_bits=3), Layer("l1", 2, 4, 5, terms=2))
    first, last = topology_cost(Topology("t", 8, 2, layers)).layers
    # Two tables of 6 address bits and 3 output bits, a sum 0 to 14 in 4 bits, and a table of 4 bits to 2.
    assert (first.tables, first.table_luts, first.sum_luts, first.depth, first.cycles) == (12, 4 * (6 + 2), 4 * 4, 3, 3)
    assert first.table_bits == 4 * (2 * 3 * 64 + 2 * 16)
    # Two tables of 8 address bits and 5 output bits, a sum 0 to 62 in 6 bits.
    assert (last.tables, last.table_luts, last.sum_luts, last.depth, last.cycles) == (4, 2 * 2 * 5 * 5, 2 * 6, 3, 2)


def test_network_cost_reads_actual_shapes():
    table = np.zeros(64, np.int32)
    features = tuple(Feature(f"x{i}", (0.0, 1.0, 2.0)) for i in range(4))
    network = LutNetwork(
        "n",
        (
            Encode("encode", features),
            Tables("l0", (Neuron((0, 1, 2), table, Format(2)), Neuron((), table[:1], Format(2)))),
            Sums("sum", (Sum((0, 1), (1, -1), Format(3, True)),)),
            Decide("decide", "threshold", (Format(3, True),)),
        ),
    )
    cost = network_cost(network)
    assert [(layer.name, layer.luts, layer.depth, layer.table_bits) for layer in cost.layers] == [
        ("l0", 2, 1, 130),
        ("sum", 3, 1, 0),
    ]
    assert cost.left_out == ("input encoder", "decision (decide)", "stream wrapper")
    assert cost.as_dict()["luts"] == 5
    assert network_cost(network, lut_inputs=4).layers[0].luts == 12


def test_cost_is_fast_and_needs_no_torch():
    program = (
        "import sys; from codesign.accel import topology_cost; from codesign.ir import preset;"
        "assert topology_cost(preset('nid-l')).luts == 622086; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    started = time.process_time()
    topology_cost(preset("nid-l"))
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize("arguments", [(6, 1, 5), (-1, 1, 6), (6, -1, 4)])
def test_impossible_shapes_are_refused(arguments):
    with pytest.raises(ConfigError, match="must"):
        worst_case_luts(arguments[0], arguments[1], lut_inputs=arguments[2])
