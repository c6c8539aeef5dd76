"""Each pass saves what it should, on networks whose optimum is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from codesign.ir import (
    Decide,
    Encode,
    Feature,
    Fixed,
    Format,
    LutNetwork,
    Neuron,
    Sum,
    Sums,
    Tables,
    bits_for_range,
    text,
)
from codesign.passes import (
    care_sets,
    fill_dont_cares,
    fold_constants,
    measure,
    merge_duplicates,
    narrow_signals,
    reduce_support,
    remove_unused,
    run_passes,
    same_everywhere,
)
from codesign.passes.fill_dont_cares import complexity, fill

ONE, TWO, THREE = Format(1), Format(2), Format(3)
XOR, AND, OR = (0, 1, 1, 0), (0, 0, 0, 1), (0, 1, 1, 1)


def table(sources: tuple[int, ...], codes, fmt: Format = ONE, care=None) -> Neuron:
    return Neuron(sources, np.array(codes), fmt, None if care is None else np.array(care, bool))


def net(*stages, inputs=()) -> LutNetwork:
    return LutNetwork("net", stages, inputs)


def neurons(network: LutNetwork, stage: int) -> tuple[Neuron, ...]:
    found = network.stages[stage]
    assert isinstance(found, Tables)
    return found.neurons


def lossless(step, network: LutNetwork) -> LutNetwork:
    after = step(network)
    assert same_everywhere(network, after)
    return after


# fold_constants


def test_a_constant_becomes_a_slice_of_its_reader():
    first = Tables("l0", (table((0,), [2, 2], TWO), table((1,), [0, 1])))
    reader = Tables("l1", (table((0, 1), [0, 1, 2, 3, 4, 5, 6, 7], THREE),))
    after = lossless(fold_constants, net(first, reader, inputs=(ONE, ONE)))
    assert neurons(after, 0)[0] == table((), [2], TWO)
    assert neurons(after, 1)[0] == table((1,), [2, 6], THREE)


def test_a_constant_goes_into_the_bias_of_a_sum():
    first = Tables("l0", (table((0,), [3, 3], Format(2, True)), table((1,), [0, 1])))
    total = Sums("s", (Sum((0, 1, 0), (1, 1, -1), Format(4, True), 2), Sum((0, 1), (-1, 1), Format(4, True), 2)))
    after = lossless(fold_constants, net(first, total, inputs=(ONE, ONE)))
    # The code 3 of two signed bits is -1.
    assert after.stages[1] == Sums("s", (Sum((1,), (1,), Format(4, True), 2), Sum((1,), (1,), Format(4, True), 3)))


def test_constants_travel_to_the_end_in_one_sweep():
    stages = [Tables(f"l{i}", (table((0,), [1, 1]), table((0, 1), XOR))) for i in range(4)]
    after = lossless(fold_constants, net(*stages, inputs=(ONE, ONE)))
    assert neurons(after, 3) == (table((), [1]), table((1,), [1, 0]))
    small = lossless(remove_unused, after)
    assert [len(neurons(small, i)) for i in range(4)] == [1, 1, 1, 2]


def test_an_input_that_cannot_change_is_folded_and_kept_at_the_interface():
    encoder = Encode("encode", (Feature("a", (9.0,), Fixed(2)), Feature("b", (1.0,), Fixed(2))))
    after = lossless(fold_constants, net(encoder, Tables("l0", (table((0, 1), XOR),))))
    assert after.encode == encoder and neurons(after, 1)[0] == table((1,), [0, 1])


# remove_unused


def test_unused_neurons_go_from_back_to_front():
    stages = (
        Tables("l0", tuple(table((i,), [0, 1]) for i in range(4))),
        Tables("l1", (table((0, 1), XOR), table((2, 3), XOR), table((3,), [1, 0]))),
        Tables("l2", (table((1,), [0, 1]),)),
    )
    after = lossless(remove_unused, net(*stages, inputs=(ONE,) * 4))
    assert [len(neurons(after, i)) for i in range(3)] == [2, 1, 1]
    assert neurons(after, 1)[0] == table((0, 1), XOR) and neurons(after, 2)[0].sources == (0,)
    assert after.inputs == (ONE,) * 4


def test_stages_before_a_constant_answer_go_whole():
    stages = (
        Tables("l0", (table((0,), [0, 1]),)),
        Tables("l1", (table((0,), [1, 0]),)),
        Tables("l2", (table((), [1]),)),
    )
    after, details = remove_unused.apply(net(*stages, inputs=(ONE,)))
    assert [s.name for s in after.stages] == ["l2"] and details["stages"] == 2 and details["neurons"] == 2
    encoder = Encode("encode", (Feature("a", (0.0,)),))
    after = lossless(remove_unused, net(encoder, *stages))
    assert [s.name for s in after.stages] == ["encode", "l2"]


def thermometer(word: Fixed | None) -> LutNetwork:
    features = (Feature("a", (1.0, 2.0, 3.0), word), Feature("b", (1.0,), word))
    return net(Encode("encode", features, "thermometer"), Tables("l0", (table((0, 2), XOR),)))


def test_unused_thresholds_go_where_the_encoder_is_hardware():
    after = lossless(remove_unused, thermometer(Fixed(3)))
    assert after.encode and [f.thresholds for f in after.encode.features] == [(1.0, 3.0), ()]
    assert neurons(after, 1)[0].sources == (0, 1)


def test_codes_made_outside_stay():
    network = thermometer(None)
    assert remove_unused(network) is network
    wide = net(Tables("l0", (table((1,), [0, 1]),)), inputs=(ONE, ONE))
    assert remove_unused(wide) is wide


# reduce_support


def test_a_source_that_does_not_matter_is_dropped():
    neuron = table((0, 1, 2), [0, 1, 0, 1, 1, 0, 1, 0])
    after = lossless(reduce_support, net(Tables("l0", (neuron,)), inputs=(ONE,) * 3))
    assert neurons(after, 0)[0] == table((0, 2), [0, 1, 1, 0])


def test_dont_cares_make_sources_superfluous():
    # The second bit always equals the first: either will do, the first in order goes.
    neuron = table((0, 1, 2), [0, 0, 0, 1, 0, 0, 0, 1], care=[1, 0, 0, 1] * 2)
    first = Tables("l0", (table((0,), [0, 1]), table((0,), [0, 1]), table((1,), [0, 1])))
    after = lossless(reduce_support, net(first, Tables("l1", (neuron,)), inputs=(ONE, ONE)))
    assert neurons(after, 1)[0] == table((1,), [0, 1])


def test_the_fewest_address_bits_are_kept():
    # c = (a, b) is one source of two bits; the neuron may read c, or a and b. Each way two bits stay, but dropping
    # two sources is better than one.
    first = Tables("l0", (table((0,), [0, 1]), table((1,), [0, 1]), table((0, 1), [0, 1, 2, 3], TWO)))
    code = np.arange(16)
    a, b, c = code & 1, code >> 1 & 1, code >> 2
    neuron = table((0, 1, 2), (a + 2 * b == 1).astype(int), care=c == a + 2 * b)
    after = lossless(reduce_support, net(first, Tables("l1", (neuron,)), inputs=(ONE, ONE)))
    assert neurons(after, 1)[0] == table((2,), [0, 1, 0, 0])
    # With c in three bits, a and b are the better choice.
    wide = Tables("l0", (*first.neurons[:2], table((0, 1), [0, 3, 5, 6], THREE)))
    code = np.arange(32)
    a, b, c = code & 1, code >> 1 & 1, code >> 2
    neuron = table((0, 1, 2), (a + 2 * b == 1).astype(int), care=c == np.array([0, 3, 5, 6])[a + 2 * b])
    after = lossless(reduce_support, net(wide, Tables("l1", (neuron,)), inputs=(ONE, ONE)))
    assert neurons(after, 1)[0] == table((0, 1), [0, 1, 0, 0])


def test_with_many_doubtful_sources_they_go_one_by_one():
    # Twelve equal bits: any one of them is enough.
    rows = np.arange(1 << 12)
    neuron = table(tuple(range(12)), rows & 1, care=(rows == 0) | (rows == rows[-1]))
    first = Tables("l0", tuple(table((0,), [0, 1]) for _ in range(12)))
    after = lossless(reduce_support, net(first, Tables("l1", (neuron,)), inputs=(ONE,)))
    assert neurons(after, 1)[0] == table((11,), [0, 1])


# merge_duplicates


def merged(first: Tables, reader, inputs=(ONE, ONE)) -> LutNetwork:
    return lossless(lambda n: remove_unused(merge_duplicates(n)), net(first, reader, inputs=inputs))


def test_equal_neurons_become_one_and_readers_shrink():
    first = Tables("l0", (table((0, 1), XOR), table((1, 0), XOR), table((0, 1), AND)))
    after = merged(first, Tables("l1", (table((0, 1, 2), [0, 1, 2, 3, 4, 5, 6, 7], THREE),)))
    assert neurons(after, 0) == (table((0, 1), XOR), table((0, 1), AND))
    # Address 0 0 x and 1 1 x of old are 0 x and 1 x now.
    assert neurons(after, 1)[0] == table((0, 1), [0, 3, 4, 7], THREE)


def test_the_order_of_sources_does_not_hide_a_duplicate():
    first = Tables("l0", (table((0, 1), [0, 1, 2, 3], TWO), table((1, 0), [0, 2, 1, 3], TWO)))
    after = merged(first, Tables("l1", (table((0,), [0, 1, 1, 0]), table((1,), [0, 1, 0, 1]))))
    assert len(neurons(after, 0)) == 1


def test_a_relabelling_goes_into_the_readers_table():
    first = Tables("l0", (table((0, 1), [0, 1, 2, 2], TWO), table((0, 1), [3, 0, 1, 1], TWO)))
    after = merged(first, Tables("l1", (table((0,), [0, 1, 1, 0]), table((1,), [1, 0, 0, 1]))))
    assert len(neurons(after, 0)) == 1
    reader = neurons(after, 1)[1]
    assert reader.table.tolist()[:3] == [1, 1, 0] and reader.care is not None and not reader.care[3]


def test_a_complement_is_a_relabelling():
    first = Tables("l0", (table((0, 1), XOR), table((0, 1), [1, 0, 0, 1])))
    after = merged(first, Tables("l1", (table((0, 1), XOR),)))
    assert neurons(after, 0) == (table((0, 1), XOR),) and neurons(after, 1)[0] == table((0,), [1, 1])


def test_dont_cares_do_not_hide_a_duplicate():
    care = [True, True, False, True]
    first = Tables("l0", (table((0, 1), [0, 1, 1, 1], care=care), table((0, 1), [0, 1, 0, 1], care=care)))
    encoder = Encode("encode", (Feature("a", (0.0, 1.0)),), "thermometer")
    # Bits of one feature: the second implies the first, so address 2 cannot be.
    network = net(encoder, first, Tables("l1", (table((0, 1), XOR),)))
    after = lossless(lambda n: remove_unused(merge_duplicates(n)), network)
    assert len(neurons(after, 1)) == 1


def test_the_narrower_of_two_stands_for_both():
    first = Tables("l0", (table((0, 1), [0, 4, 4, 0], THREE), table((0, 1), XOR)))
    after = merged(first, Tables("l1", (table((0, 1), np.arange(16) % 7, THREE),)))
    assert neurons(after, 0) == (table((0, 1), XOR),) and neurons(after, 1)[0] == table((0,), [0, 5], THREE)


def test_sums_follow_values_up_to_sign_and_offset():
    # Values v, v + 1 and 1 - v of the same neuron, and 3 v, which no sum can take from v.
    first = Tables(
        "l0",
        (
            table((0, 1), XOR, TWO),
            table((0, 1), [1, 2, 2, 1], TWO),
            table((0, 1), [1, 0, 0, 1], TWO),
            table((0, 1), [0, 3, 3, 0], TWO),
        ),
    )
    total = Sums("s", (Sum((0, 1, 2, 3), (1, 1, 1, 1), Format(4)),))
    network = net(first, total, inputs=(ONE, ONE))
    # Merged at once, the terms could take the sum out of its format, as far as the formats tell.
    assert merge_duplicates(network) is network
    after = lossless(lambda n: merge_duplicates(narrow_signals(n)), network)
    # v + (v + 1) + (1 - v) + 3 v, the last apart.
    assert after.stages[1] == Sums("s", (Sum((0, 3), (1, 1), Format(4), 2),))


def test_what_the_answer_reads_stays_apart():
    first = Tables("l0", (table((0, 1), XOR), table((0, 1), XOR)))
    for network in (net(first, inputs=(ONE, ONE)), net(first, Decide("d", "argmax", (ONE, ONE)), inputs=(ONE, ONE))):
        assert merge_duplicates(network) is network


def test_equal_sums_and_their_negatives_become_one():
    sums = (
        Sum((0, 1), (1, -1), Format(3, True)),
        Sum((1, 0), (-1, 1), Format(4, True), 2),
        Sum((0, 1), (-1, 1), Format(4, True), 1),
        Sum((0, 1), (1, 1), THREE),
    )
    reader = Tables("l1", tuple(table((i,), np.arange(s.format.count) % 3, TWO) for i, s in enumerate(sums)))
    network = net(Sums("s", sums), reader, inputs=(TWO, TWO))
    after = lossless(lambda n: remove_unused(merge_duplicates(n)), network)
    assert after.stages[0] == Sums("s", (sums[0], sums[3]))


def test_equal_thresholds_are_one_bit():
    encoder = Encode("encode", (Feature("a", (1.0, 1.0, 2.0), Fixed(2)),), "thermometer")
    network = net(encoder, Tables("l0", (table((0, 1), XOR), table((1, 2), XOR))))
    after = lossless(lambda n: remove_unused(merge_duplicates(n)), network)
    assert after.encode and after.encode.features[0].thresholds == (1.0, 2.0)


# narrow_signals


def test_a_bit_that_no_reader_depends_on_goes():
    first = Tables("l0", (table((0,), [5, 2, 7, 1], THREE),))
    # The reader looks at bits 0 and 2 only.
    code = np.arange(8)
    after = lossless(
        narrow_signals, net(first, Tables("l1", (table((0,), code & 1 | code >> 2 << 1, TWO),)), inputs=(TWO,))
    )
    assert neurons(after, 0)[0] == table((0,), [3, 0, 3, 1], TWO)
    # The codes 5, 2, 7, 1 are 3, 0, 3, 1 now: 2 cannot occur.
    reader = neurons(after, 1)[0]
    assert reader.care is not None and reader.care.tolist() == [True, True, False, True]
    assert reader.table[[0, 1, 3]].tolist() == [0, 1, 3]


def test_a_constant_bit_goes():
    first = Tables("l0", (table((0,), [4, 5, 6, 7], THREE),))
    after = lossless(narrow_signals, net(first, Tables("l1", (table((0,), np.arange(8) % 7, THREE),)), inputs=(TWO,)))
    assert neurons(after, 0)[0] == table((0,), [0, 1, 2, 3], TWO)


def test_five_codes_of_sixteen_take_three_bits():
    codes = [1, 2, 4, 8, 15]
    first = Tables("l0", (table((0,), [codes[i % 5] for i in range(8)], Format(4)),))
    after = lossless(
        narrow_signals, net(first, Tables("l1", (table((0,), np.arange(16), Format(4)),)), inputs=(THREE,))
    )
    assert neurons(after, 0)[0].format == THREE and neurons(after, 1)[0].table.size == 8
    care = neurons(after, 1)[0].care
    assert care is not None and int(care.sum()) == 5


def test_codes_that_no_reader_tells_apart_become_one():
    first = Tables("l0", (table((0,), range(8), THREE),))
    # Classes {0, 3, 5}, {1, 6}, {2, 4, 7}: three, in two bits, though every single bit matters.
    reader = table((0,), [0, 1, 2, 0, 2, 0, 1, 2], TWO)
    after = lossless(narrow_signals, net(first, Tables("l1", (reader,)), inputs=(THREE,)))
    assert neurons(after, 0)[0] == table((0,), [0, 1, 2, 0, 2, 0, 1, 2], TWO)
    assert neurons(after, 1)[0].table.tolist()[:3] == [0, 1, 2]


def test_narrow_readers_make_their_sources_narrow_in_one_sweep():
    copy = table((0,), range(8), THREE)
    stages = [Tables(f"l{i}", (copy,)) for i in range(3)]
    after = lossless(narrow_signals, net(*stages, Tables("l3", (table((0,), [0, 1] * 4),)), inputs=(THREE,)))
    assert [neurons(after, i)[0].format.bits for i in range(4)] == [1, 1, 1, 1]


def test_terms_of_a_sum_start_at_zero():
    s4 = Format(4, True)
    first = Tables("l0", (table((0,), s4.codes([-1, 2]), s4), table((1,), s4.codes([-3, -2]), s4)))
    total = Sums("s", (Sum((0, 1), (1, -1), Format(6, True), 1),))
    after = lossless(
        narrow_signals, net(first, total, Decide("d", "threshold", (Format(6, True),), 2), inputs=(ONE, ONE))
    )
    assert neurons(after, 0) == (table((0,), [0, 3], TWO), table((1,), [0, 1], ONE))
    # (v - 1) - (w - 3) + 1 = v - w + 3, in 2 to 6 as far as values go, -1 more as formats allow.
    assert after.stages[1] == Sums("s", (Sum((0, 1), (1, -1), THREE, 3),))
    assert after.stages[2] == Decide("d", "threshold", (THREE,), 2)


def test_a_sum_that_tables_read_loses_its_bias():
    total = Sums("s", (Sum((0, 1), (1, 1), Format(4, True), -2),))
    reader = Tables("l1", (table((0,), np.arange(16) % 5, THREE),))
    after = lossless(narrow_signals, net(total, reader, inputs=(TWO, TWO)))
    # The sum -2 to 4 in four signed bits is 0 to 6 in three.
    assert after.stages[0] == Sums("s", (Sum((0, 1), (1, 1), THREE, 0),))


def test_scores_keep_their_values_in_narrower_formats():
    s7 = Format(7, True)
    first = Tables("l0", (table((0,), s7.codes([-3, 4]), s7), table((0,), s7.codes([1, 2]), s7)))
    after = lossless(narrow_signals, net(first, Decide("d", "argmax", (s7, s7)), inputs=(ONE,)))
    assert [n.format for n in neurons(after, 0)] == [Format(4, True), TWO]
    assert [n.format.values(n.table).tolist() for n in neurons(after, 0)] == [[-3, 4], [1, 2]]
    assert after.stages[1] == Decide("d", "argmax", (Format(4, True), TWO))


@pytest.mark.parametrize("tail", [(), (Decide("d", "none", (Format(7, True),)),)])
def test_the_answer_keeps_its_format(tail):
    network = net(Tables("l0", (table((0,), [1, 2], Format(7, True)),)), *tail, inputs=(ONE,))
    assert narrow_signals(network) is network


def test_thresholds_that_no_reader_needs_go_from_an_encoder_in_hardware():
    feature = Feature("a", (1.0, 2.0, 3.0, 4.0, 5.0), Fixed(3))
    reader = Tables("l0", (table((0,), [0, 0, 1, 1, 1, 0, 0, 0]),))
    after = lossless(narrow_signals, net(Encode("encode", (feature,)), reader))
    # Levels {0, 1}, {2, 3, 4}, {5}.
    assert after.encode == Encode("encode", (replace(feature, thresholds=(2.0, 5.0)),))
    assert neurons(after, 1)[0].table.tolist()[:3] == [0, 1, 0]
    outside = net(Encode("encode", (replace(feature, word=None),)), reader)
    assert narrow_signals(outside) is outside


def test_a_feature_that_nobody_reads_keeps_one_threshold():
    features = (Feature("a", (1.0, 2.0, 3.0), Fixed(3)), Feature("b", (1.0,), Fixed(3)))
    after = lossless(narrow_signals, net(Encode("encode", features), Tables("l0", (table((1,), [0, 1]),))))
    assert after.encode and [f.thresholds for f in after.encode.features] == [(1.0,), (1.0,)]


# fill_dont_cares


def test_a_filled_table_loses_the_bits_it_can():
    # Cared for at 0 and 3 with code 0, at 12 and 15 with code 1.
    care = np.zeros(16, bool)
    care[[0, 3, 12, 15]] = True
    noisy = np.where(care, np.arange(16) >= 8, [0, 1] * 8).astype(np.int32)
    # Bit 3 goes first; bit 2 then tells the codes apart, and the rest goes.
    assert fill(noisy, care).tolist() == ([0] * 4 + [1] * 4) * 2


def test_fill_keeps_cared_for_rows_and_fills_the_rest_with_codes_that_occur():
    rng = np.random.default_rng(0)
    for _ in range(50):
        rows = 1 << int(rng.integers(0, 9))
        codes, care = rng.integers(0, 8, rows).astype(np.int32), rng.random(rows) < rng.random()
        filled = fill(codes, care)
        assert (filled[care] == codes[care]).all()
        assert set(filled.tolist()) <= (set(codes[care].tolist()) or {0})
        assert (fill(rng.integers(0, 8, rows).astype(np.int32) * ~care + codes * care, care) == filled).all()


def test_complexity_by_hand():
    # Eight address bits, two sources of four: sixteen sub-tables of sixteen rows.
    row = np.arange(256)
    assert complexity(np.zeros(256, np.int32), 1, (4, 4)) == 0
    # One bit of the lower source: the same sub-table everywhere, no multiplexer.
    assert complexity((row & 1).astype(np.int32), 1, (4, 4)) == 1
    # One bit of the upper source: that source at the bottom shows it.
    assert complexity((row >> 7).astype(np.int32), 1, (4, 4)) == 1
    # Both output bits are the same function: it is counted once.
    assert complexity((3 * (row & 1)).astype(np.int32), 2, (4, 4)) == 1
    # A parity of all bits: a sub-table and its complement, two pairs of them at each of four levels.
    parity = np.array([bin(i).count("1") & 1 for i in range(256)], np.int32)
    assert complexity(parity, 1, (4, 4)) == 2 + 2 * 3 + 1


def test_filling_makes_a_table_of_few_rows_simple():
    rng = np.random.default_rng(1)
    care = rng.random(4096) < 0.02
    neuron = table((0, 1, 2), rng.integers(0, 8, 4096), THREE, care=care)
    network = net(Tables("l0", (neuron,)), inputs=(Format(4),) * 3)
    after, details = fill_dont_cares.apply(network)
    assert details["neurons_changed"] == 1 and details["complexity_after"] < details["complexity_before"] / 3
    found = neurons(after, 0)[0]
    assert (found.table[care] == neuron.table[care]).all() and found.care is not None and (found.care == care).all()


# Together.


def test_a_redundant_network_shrinks_to_its_core():
    """Three inputs; hidden neurons that are equal, complements, constant, unused, or wider than needed. The function
    is one XOR of two of the inputs, and one two-input table is what is left of each stage."""
    first = Tables(
        "l0",
        (
            table((0, 1), XOR, THREE),
            table((1, 0), [6, 1, 1, 6], THREE),
            table((0, 2), [5, 5, 5, 5], THREE),
            table((2,), [0, 1], THREE),
            table((0, 1, 2), [0, 1, 1, 0, 0, 1, 1, 0], THREE),
        ),
    )
    code = np.arange(1 << 12)
    a, b, c, e = (code >> 3 * i & 7 for i in range(4))
    reader = table((0, 1, 2, 4), ((a == 1) & (b == 1) & (c == 5) & (e == 1)).astype(int), TWO)
    last = Tables("l2", (table((0,), [1, 3, 1, 3], TWO),))
    network = net(first, Tables("l1", (reader,)), last, inputs=(ONE,) * 3)
    after, _ = run_passes(network)
    assert same_everywhere(network, after)
    assert [[n.sources for n in neurons(after, i)] for i in range(3)] == [[(0, 1)], [(0,)], [(0,)]]
    assert [neurons(after, i)[0].format.bits for i in range(3)] == [1, 1, 2]
    size = measure(after)
    assert (size.neurons, size.edges, size.table_bits) == (3, 4, 4 + 2 + 4)
    assert (size.worst_case_luts, measure(network).worst_case_luts) == (1 + 1 + 2, 15 + 2 * 85 + 2)


def test_a_sum_of_redundant_terms_shrinks_to_its_core():
    s3 = Format(3, True)
    first = Tables(
        "l0",
        (
            table((0,), s3.codes([-1, 1, 0, 2]), s3),
            table((0,), s3.codes([-2, 0, -1, 1]), s3),
            table((1,), s3.codes([3, 3, 3, 3]), s3),
            table((1,), s3.codes([2, 0, 1, -1]), s3),
        ),
    )
    total = Sum((0, 1, 2, 3), (1, -1, 1, 1), bits_for_range(-14, 16))
    reader = Tables("l1", (table((0,), np.arange(64) % 2),))
    network = net(first, Sums("s", (total,)), reader, inputs=(TWO, TWO))
    after, _ = run_passes(network)
    assert same_everywhere(network, after)
    # v - (v - 1) + 3 + w = w + 4: one term, no bias, and then only its lowest bit matters.
    assert text(after).splitlines()[-4:-2] == ["sums s", "  sum 0 u2 bias 0 sources +0"]
    assert len(neurons(after, 0)) == 1 and neurons(after, 0)[0].format.bits == 2


def test_care_sets_then_support_gives_what_neither_gives_alone():
    first = Tables("l0", (table((0, 1), AND), table((0, 1), OR), table((0, 1), XOR)))
    # AND + OR tell the XOR: the third source is not needed.
    reader = Tables("l1", (table((0, 1, 2), [0, 1, 2, 3, 4, 5, 6, 7], THREE),))
    network = net(first, reader, inputs=(ONE, ONE))
    assert reduce_support(network) is network
    after = lossless(lambda n: reduce_support(care_sets(n)), network)
    assert neurons(after, 1)[0].sources in ((0, 1), (1, 2), (0, 2))
