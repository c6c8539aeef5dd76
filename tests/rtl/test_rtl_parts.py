"""The parts of emission, each on its own: comparisons, counters, argmax, register plans."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rtl_interpreter import Combinational, _parser
from rtl_networks import popcount

from codesign.config import RegistersConfig
from codesign.ir import (
    Decide,
    Encode,
    Feature,
    Fixed,
    Format,
    Neuron,
    Sum,
    Sums,
    Tables,
    bits_for_range,
    encode,
    run_stage,
)
from codesign.rtl.compare import at_least, comparator_depth
from codesign.rtl.decide import ArgmaxLogic, ThresholdLogic
from codesign.rtl.encoder import EncoderLogic
from codesign.rtl.heap import plan_heap
from codesign.rtl.logic import StageLogic, low_bits
from codesign.rtl.registers import _cuts, plan_registers, stretches
from codesign.rtl.stages import TablesLogic, stage_logic, table_depth
from codesign.rtl.sums import SumsLogic


def run_levels(logic: StageLogic, words: list[int], cuts: tuple[int, ...] = ()) -> list[int]:
    """Run a stage that is cut into modules after the given levels."""
    bounds = [0, *cuts, len(logic.depths)]
    for start, stop in itertools.pairwise(bounds):
        module = Combinational(_parser().parse(logic.verilog("m", start, stop)).description.definitions[0])
        assert module.widths["in_data"][0] == logic.widths[start]
        assert module.widths["out_data"][0] == logic.widths[stop]
        words = [module.run(word) for word in words]
    return words


def pack(codes: np.ndarray, formats: tuple[Format, ...]) -> list[int]:
    low = low_bits(formats)
    return [sum(int(c) << b for c, b in zip(row, low, strict=False)) for row in codes]


@pytest.mark.parametrize("fmt", [Format(1), Format(4), Format(5, True), Format(1, True)])
def test_comparison_with_every_constant(fmt: Format) -> None:
    codes = np.arange(fmt.count)
    for threshold in range(fmt.low - 2, fmt.high + 3):
        expression, read = at_least([f"x[{i}]" for i in range(fmt.bits)], threshold, fmt)
        width = f"[{fmt.bits - 1}:0]"
        text = f"module m (input {width} in_data, output [0:0] out_data);\n  wire {width} x = in_data;\n"
        module = Combinational(
            _parser().parse(f"{text}  assign out_data = {expression};\nendmodule\n").description.definitions[0]
        )
        assert [module.run(int(c)) for c in codes] == [int(v >= threshold) for v in fmt.values(codes)], threshold
        assert {i for i in range(fmt.bits) if f"x[{i}]" in expression} == read


def test_power_of_two_thresholds_are_wires() -> None:
    assert at_least(["a", "b", "c"], 4, Format(3)) == ("c", frozenset({2}))
    assert at_least(["a", "b", "c"], 0, Format(3, True)) == ("~c", frozenset({2}))
    assert at_least(["a", "b", "c"], 2, Format(3)) == ("c | b", frozenset({1, 2}))
    stage = Encode("e", (Feature("x", (128.0,), Fixed(8)), Feature("y", (0.0,), Fixed(6, 3, True))), "thermometer")
    text = EncoderLogic(stage, 6).verilog("m", 0, 1)
    assert "wire f0_t0 = in_data[7];" in text
    assert "wire f1_t0 = ~in_data[13];" in text
    assert "unused_inputs = &{1'b0, in_data[6:0], in_data[12:8]};" in text


@pytest.mark.parametrize("coding", ["binary", "thermometer"])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 6, 7, 8, 13])
def test_encoder_counts(coding: str, count: int) -> None:
    if coding == "binary" and not count:
        pytest.skip("a binary code needs a threshold")
    rng = np.random.default_rng(count)
    word = Fixed(6, 1, True)
    thresholds = tuple(sorted(float(t) / 2 for t in rng.integers(-33, 34, count)))  # some equal, some out of range
    stage = Encode("e", (Feature("x", thresholds, word), Feature("y", (1.5,), Fixed(3, 1))), coding)
    features = np.stack([np.arange(-32, 32) / 2, np.arange(64) % 8 / 2], axis=1)
    words = [(i - 32) % 64 | (i % 8) << 6 for i in range(64)]
    assert run_levels(EncoderLogic(stage, 6), words) == pack(encode(stage, features), stage.formats)


@st.composite
def sums_stages(draw: st.DrawFn) -> tuple[Sums, tuple[Format, ...]]:
    inputs = tuple(
        Format(b, s) for b, s in draw(st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=1, max_size=12))
    )
    sums: list[Sum] = []
    for _ in range(draw(st.integers(1, 3))):
        sources = tuple(draw(st.lists(st.integers(0, len(inputs) - 1), max_size=30)))
        signs = tuple(draw(st.sampled_from((1, -1))) for _ in sources)
        bias = draw(st.integers(-40, 40))
        ends = [sorted((g * inputs[s].low, g * inputs[s].high)) for s, g in zip(sources, signs, strict=True)]
        fmt = bits_for_range(bias + sum(e[0] for e in ends), bias + sum(e[1] for e in ends))
        sums.append(Sum(sources, signs, Format(fmt.bits + draw(st.integers(0, 2)), fmt.signed), bias))
    return Sums("total", tuple(sums)), inputs


@settings(max_examples=60, deadline=None)
@given(case=sums_stages(), lut_inputs=st.sampled_from((4, 6)), data=st.data())
def test_sums_are_exact_however_they_are_cut(
    case: tuple[Sums, tuple[Format, ...]], lut_inputs: int, data: st.DataObject
) -> None:
    stage, inputs = case
    logic = SumsLogic(stage, inputs, lut_inputs)
    rng = np.random.default_rng(data.draw(st.integers(0, 9999)))
    codes = np.stack([rng.integers(0, f.count, 8) for f in inputs], axis=1).astype(np.int32)
    codes[0] = [f.count - 1 for f in inputs]
    codes[1] = 0
    cuts = tuple(k for k in range(1, len(logic.depths)) if data.draw(st.booleans()))
    wanted = pack(run_stage(stage, codes, inputs), stage.formats)
    assert run_levels(logic, pack(codes, inputs), cuts) == wanted


@pytest.mark.parametrize("terms", [7, 36, 64, 100, 200, 300])
def test_counters_take_about_one_lut_a_bit(terms: int) -> None:
    total = Sum(tuple(range(terms)), (1,) * terms, Format(terms.bit_length()))
    heap = plan_heap(total, (Format(1),) * terms, range(terms), counter_inputs=6)
    assert all(len(c.low) + len(c.high) <= 6 for c in heap.counters)
    assert sum(c.outputs for c in heap.counters) + sum(len(row) > 1 for row in heap.rows) <= 1.1 * terms
    assert max(map(len, heap.rows)) <= 2


@settings(max_examples=60, deadline=None)
@given(
    formats=st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=9),
    seed=st.integers(0, 9999),
    data=st.data(),
)
def test_argmax_takes_the_first_of_the_largest(formats: list[tuple[int, bool]], seed: int, data: st.DataObject) -> None:
    inputs = tuple(Format(bits, signed) for bits, signed in formats)
    stage = Decide("answer", "argmax", inputs)
    logic = ArgmaxLogic(stage, 6)
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(0, f.count, 16) for f in inputs], axis=1).astype(np.int32)
    codes[:3] = 0
    cuts = tuple(k for k in range(1, len(logic.depths)) if data.draw(st.booleans()))
    wanted = pack(run_stage(stage, codes, inputs), stage.formats)
    assert run_levels(logic, pack(codes, inputs), cuts) == wanted


def test_thresholds_of_mixed_formats() -> None:
    inputs = (Format(3), Format(3, True), Format(1), Format(2, True))
    rng = np.random.default_rng(0)
    codes = np.stack([rng.integers(0, f.count, 200) for f in inputs], axis=1).astype(np.int32)
    for threshold in range(-6, 10):
        stage = Decide("answer", "threshold", inputs, threshold)
        wanted = pack(run_stage(stage, codes, inputs), stage.formats)
        assert run_levels(ThresholdLogic(stage, 6), pack(codes, inputs)) == wanted


def test_depth_of_a_table() -> None:
    assert [table_depth(bits, 6) for bits in (0, 1, 6, 7, 8, 9, 12)] == [1, 1, 1, 2, 2, 3, 4]
    assert [table_depth(bits, 4) for bits in (4, 5, 8)] == [1, 2, 5]
    assert [comparator_depth(bits, 6) for bits in (1, 6, 7, 11, 12)] == [1, 1, 2, 2, 3]


@settings(max_examples=200, deadline=None)
@given(
    levels=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 9)), min_size=1, max_size=8), limit=st.integers(1, 7)
)
def test_register_plan_is_the_best_of_all(levels: list[tuple[int, int]], limit: int) -> None:
    depths, widths = zip(*levels, strict=True)

    def cost(cuts: tuple[int, ...]) -> tuple[int, int] | None:
        start = 0
        for cut in cuts:
            if sum(depths[start : cut + 1]) > limit and cut > start:
                return None
            start = cut + 1
        return len(cuts), sum(widths[c] for c in cuts)

    inner = range(len(depths) - 1)
    plans = [(*c, len(depths) - 1) for n in range(len(depths)) for c in itertools.combinations(inner, n)]
    best = min(c for c in map(cost, plans) if c is not None)
    assert cost(tuple(sorted(_cuts(depths, widths, limit)))) == best


def test_registers_by_depth_cut_sums_and_argmax() -> None:
    network = popcount(terms=200, classes=10)
    stages, _ = stage_logic(network, hardware=False, form="table", lut_inputs=6, mapped={})
    blocks = plan_registers(stages, RegistersConfig(depth=3))
    assert max(stretches(stages, blocks)) <= 3
    assert {b.stage for b in blocks if b.register and b.stop < len(stages[b.stage].depths)} == {1, 2}
    whole = plan_registers(stages, RegistersConfig(every=1))
    assert [(b.start, b.stop, b.register) for b in whole] == [(0, len(s.depths), True) for s in stages]
    none = plan_registers(stages, RegistersConfig())
    assert not any(b.register for b in none)
    assert stretches(stages, none) == (sum(sum(s.depths) for s in stages),)


def test_a_deep_table_stands_alone() -> None:
    inputs = (Format(5), Format(5))
    neurons = (Neuron((0, 1), np.zeros(1 << 10, np.int32), Format(5)),) * 2
    stages = [TablesLogic(Tables(name, neurons), inputs, "table", 6) for name in ("a", "b")]
    blocks = plan_registers(stages, RegistersConfig(depth=1))
    assert [b.register for b in blocks] == [True, True]
    assert stretches(stages, blocks) == (3, 3)
