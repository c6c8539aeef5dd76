"""Mapping: every netlist is its table, no larger than the worst case, made once, the same for any number of workers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from map_cases import assert_equal_on_cared_rows, network_of, random_table, stages, threshold_table

from codesign.accel import worst_case_luts
from codesign.errors import MismatchError, ToolNotFound
from codesign.ir import Format, LutNetwork, Neuron, Tables, check, evaluate_codes
from codesign.rtl import map_abc, mapping
from codesign.rtl.map_direct import reduce_support
from codesign.rtl.mapped import Node, evaluate_mapped
from codesign.rtl.mapping import check_mapped, map_network
from codesign.testing import networks, random_codes

QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@settings(max_examples=25, deadline=None, suppress_health_check=QUIET)
@given(network=stages(), lut_inputs=st.sampled_from((4, 6)), effort=st.sampled_from(("low", "normal")))
def test_nodes_are_the_table_on_every_cared_row(network, lut_inputs, effort):
    mapped = map_network(network, lut_inputs=lut_inputs, effort=effort, workers=1, cache=False)
    assert mapped.mapper == "abc" and "ABC 1." in mapped.note
    stage = mapped["t"]
    assert all(len(node.inputs) <= lut_inputs for node in stage.nodes)
    assert max(mapped.luts_by_size, default=1) <= lut_inputs and sum(mapped.luts_by_size.values()) == mapped.luts
    cared = [len(n.table) if n.care is None else int(n.care.sum()) for n in network.stages[0].neurons]
    assert assert_equal_on_cared_rows(mapped) == sum(cared) == check_mapped(mapped)


@settings(max_examples=60, deadline=None, suppress_health_check=QUIET)
@given(network=stages(), lut_inputs=st.sampled_from((4, 6)))
def test_the_structure_without_abc_is_the_table_too(network, lut_inputs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapping, "find", _not_found)
        mapped = map_network(network, lut_inputs=lut_inputs, workers=1)
    assert mapped.mapper == "structural" and mapped.note == "ABC was not found"
    assert_equal_on_cared_rows(mapped)
    bound = sum(
        worst_case_luts(len(n.table).bit_length() - 1, n.format.bits, lut_inputs=lut_inputs)
        for n in network.stages[0].neurons
        if len(n.table) > 1
    )
    inverters = sum(len(node.inputs) == 1 for node in mapped["t"].nodes)
    assert mapped.luts - inverters <= bound


def _not_found(tool, path=None):
    raise ToolNotFound("ABC was not found")


def test_a_named_abc_is_never_passed_over(monkeypatch):
    monkeypatch.setenv("CODESIGN_ABC", "/nowhere/abc")
    with pytest.raises(ToolNotFound, match="CODESIGN_ABC=/nowhere/abc does not name a program"):
        map_network(network_of([np.zeros(4, np.int32)], 1, address_bits=2))


@settings(max_examples=12, deadline=None, suppress_health_check=QUIET)
@given(network=networks(care="sound"), seed=st.integers(0, 999))
def test_whole_networks_give_the_same_answers(network, seed):
    codes = random_codes(network, np.random.default_rng(seed), 200)
    mapped = map_network(network, workers=1, cache=False)
    if network.encode is None:
        assert np.array_equal(evaluate_mapped(mapped, codes), evaluate_codes(network, codes))
    assert_equal_on_cared_rows(mapped)


@pytest.mark.parametrize("constants", [(0,), (1,), (0, 2), (1, 0)])
def test_output_bits_that_never_change(asked, constants):
    """ABC reads a column of equal digits as a table without an input, so it must not see one."""
    rng = np.random.default_rng(8)
    table = rng.integers(0, 8, 1 << 8)
    for value, bit in enumerate(constants):
        table = table & ~(1 << bit) | value << bit
    network = network_of([table.astype(np.int32)], 3, address_bits=8)
    mapped = map_network(network, workers=1, cache=False)
    assert len(asked) == 1
    assert_equal_on_cared_rows(mapped)


def test_structure_pays(asked):
    """A threshold function of 10 inputs takes far fewer nodes than the worst case; so do 3 bits of one table."""
    rng = np.random.default_rng(3)
    network = network_of([threshold_table(rng, 10, 3)], 3, address_bits=10)
    mapped = map_network(network, workers=1)
    assert mapped.luts < 0.6 * worst_case_luts(10, 3)
    assert len(asked) == 1
    assert mapped["t"].depth == max(mapped["t"].depths) >= 2


def test_dont_cares_save_nodes():
    rng = np.random.default_rng(4)
    table = rng.integers(0, 8, 1 << 9).astype(np.int32)
    whole = network_of([table], 3, address_bits=9)
    neuron = dataclasses.replace(whole.stages[0].neurons[0], care=rng.random(1 << 9) < 0.2)
    sparse = LutNetwork("net", (Tables("t", (neuron,)),), whole.inputs)
    assert map_network(sparse, workers=1).luts < 0.7 * map_network(whole, workers=1).luts


def test_equal_tables_are_mapped_once_and_equal_nodes_are_one(asked):
    rng = np.random.default_rng(5)
    table = random_table(rng, 8, 2, "random")
    other = random_table(rng, 8, 2, "random")
    inputs = (Format(2),) * 6
    near, far = (0, 1, 2, 3), (2, 3, 4, 5)
    neurons = [Neuron(s, t, Format(2)) for s, t in ((near, table), (far, table), (near, table), (near, other))]
    second = [Neuron((0, 1, 2, 3), table, Format(2)), Neuron((0, 1, 2, 3), other, Format(2))]
    network = check(LutNetwork("net", (Tables("a", tuple(neurons)), Tables("b", tuple(second))), inputs))
    mapped = map_network(network, workers=1)
    assert mapped.unique == 2 and len(asked) == 1 and len(asked[0]) == 2
    alone = [map_network(network_of([t], 2, address_bits=8), workers=1).luts for t in (table, other)]
    # neuron 2 repeats neuron 0 over the same signals and costs nothing; neuron 1 reads others and costs as much again
    assert mapped["a"].luts <= 2 * alone[0] + alone[1] and mapped["b"].luts <= sum(alone)
    assert mapped["a"].outputs[2] == mapped["a"].outputs[0] != mapped["a"].outputs[1]
    assert set(mapped["a"].owners) == {0, 1, 3}


def test_tables_of_few_address_bits_need_no_abc(asked):
    rng = np.random.default_rng(6)
    wide = np.tile(random_table(rng, 6, 3, "random"), 8)  # 9 address bits, of which 6 matter
    mapped = map_network(network_of([wide, random_table(rng, 9, 3, "constant")], 3, address_bits=9))
    assert asked == []
    assert mapped.luts == 3 and mapped["t"].depths == (1, 0)


def test_the_result_does_not_depend_on_workers_or_batches(monkeypatch):
    rng = np.random.default_rng(7)
    tables = [random_table(rng, 8, 2, style) for style in ("random", "threshold") for _ in range(4)]
    network = network_of(tables, 2, address_bits=8)
    one = map_network(network, workers=1, cache=False)
    monkeypatch.setattr(map_abc, "_BATCH_COST", 1)  # a process a task
    for workers in (1, 4):
        assert map_network(network, workers=workers, cache=False).stages == one.stages


def test_more_effort_is_never_worse():
    rng = np.random.default_rng(8)
    network = network_of([threshold_table(rng, 9, 3), random_table(rng, 8, 3, "random").repeat(2)], 3, address_bits=9)
    low, high = (map_network(network, effort=e, workers=1, cache=False).luts for e in ("low", "high"))
    assert high <= low


@pytest.mark.parametrize("options", [{"lut_inputs": 5}, {"effort": "huge"}])
def test_options_out_of_range(options):
    with pytest.raises(ValueError, match="must be"):
        map_network(network_of([np.zeros(4, np.int32)], 1, address_bits=2), **options)


def test_a_wrong_node_is_found_and_named():
    rng = np.random.default_rng(9)
    tables = [random_table(rng, 8, 2, "random") for _ in range(3)]
    mapped = map_network(network_of(tables, 2, address_bits=8), workers=1)
    stage = mapped["t"]
    owned = [k for k, owner in enumerate(stage.owners) if owner == 1]
    for k in (owned[0], owned[-1]):
        node = stage.nodes[k]
        for bit in (0, (1 << len(node.inputs)) - 1):
            nodes = (*stage.nodes[:k], Node(node.inputs, node.mask ^ 1 << bit), *stage.nodes[k + 1 :])
            broken = dataclasses.replace(mapped, stages={"t": dataclasses.replace(stage, nodes=nodes)})
            # An address that no row leads to may be wrong unseen; a node that differs on a row may not.
            try:
                assert_equal_on_cared_rows(broken)
            except AssertionError:
                with pytest.raises(MismatchError, match=r"'t', neuron \d, address \d+: wanted code \d, got \d"):
                    check_mapped(broken)
            else:
                check_mapped(broken)
    swapped = dataclasses.replace(stage, outputs=(stage.outputs[1], stage.outputs[0], stage.outputs[2]))
    with pytest.raises(MismatchError, match="neuron 0, address"):
        check_mapped(dataclasses.replace(mapped, stages={"t": swapped}))


def test_a_node_that_reads_a_foreign_input_is_found():
    rng = np.random.default_rng(10)
    inputs = (Format(4),) * 3
    neuron = Neuron((0, 1), random_table(rng, 8, 1, "random"), Format(1))
    mapped = map_network(check(LutNetwork("net", (Tables("t", (neuron,)),), inputs)), workers=1)
    stage = mapped["t"]
    last = stage.nodes[-1]
    nodes = (*stage.nodes[:-1], Node((*last.inputs[:-1], 11), last.mask))
    with pytest.raises(MismatchError, match="'t', neuron 0 reads input bit 11"):
        check_mapped(dataclasses.replace(mapped, stages={"t": dataclasses.replace(stage, nodes=nodes)}))


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), bits=st.integers(1, 7), share=st.floats(0, 1))
def test_support_is_reduced_without_touching_cared_rows(seed, bits, share):
    rng = np.random.default_rng(seed)
    columns = rng.integers(0, 2, (2, 1 << bits)).astype(np.uint8)
    if rng.integers(0, 2):  # make it independent of one bit
        half = columns.reshape(2, -1, 2, 1 << (bits - 1) // 2)
        half[:, :, 1] = half[:, :, 0]
    care = rng.random(1 << bits) < share
    kept, small, small_care = reduce_support(columns, care)
    assert kept == sorted(kept) and small.shape == (2, 1 << len(kept))
    for row in np.flatnonzero(care):
        at = sum((row >> bit & 1) << i for i, bit in enumerate(kept))
        assert small_care[at] and (small[:, at] == columns[:, row]).all()
