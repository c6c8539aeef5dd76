"""Evaluation against a slow reading of the definitions, and against answers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.errors import DataError
from codesign.ir import (
    Decide,
    Encode,
    Feature,
    Fixed,
    Format,
    LutNetwork,
    Neuron,
    Sums,
    Tables,
    address_bits,
    addresses,
    encode,
    evaluate,
    evaluate_codes,
    run_stage,
    trace,
)
from codesign.testing import networks, random_codes, random_features


def value(code: int, fmt: Format) -> int:
    return code - (1 << fmt.bits) if fmt.signed and code >> (fmt.bits - 1) else code


def slow_encode(stage: Encode, row: list[float]) -> list[int]:
    codes: list[int] = []
    for feature, x in zip(stage.features, row, strict=True):
        if feature.word is not None:
            step = 2.0**-feature.word.fraction_bits
            low, high = feature.word.format.low * step, feature.word.format.high * step
            x = min(max(math.floor(x / step) * step, low), high)
        passed = sum(t <= x for t in feature.thresholds)
        if stage.coding == "binary":
            codes.append(passed)
        else:
            codes += [int(t < passed) for t in range(len(feature.thresholds))]
    return codes


def slow_run(network: LutNetwork, codes: list[int]) -> list[int]:
    formats = network.code_inputs
    for stage in network.core:
        values = [value(c, f) for c, f in zip(codes, formats, strict=True)]
        if isinstance(stage, Tables):
            out: list[int] = []
            for neuron in stage.neurons:
                address = shift = 0
                for s in neuron.sources:
                    address += codes[s] << shift
                    shift += formats[s].bits
                out.append(int(neuron.table[address]))
            codes = out
        elif isinstance(stage, Sums):
            totals = [s.bias + sum(g * values[k] for k, g in zip(s.sources, s.signs, strict=True)) for s in stage.sums]
            codes = [t % (1 << s.format.bits) for t, s in zip(totals, stage.sums, strict=True)]
        elif stage.kind == "argmax":
            codes = [values.index(max(values))]
        elif stage.kind == "threshold":
            codes = [int(v >= stage.threshold) for v in values]
        formats = stage.formats
    return codes


@settings(max_examples=100, deadline=None)
@given(networks(), st.integers(0, 2**32 - 1))
def test_evaluation_is_the_definition(network, seed):
    rng = np.random.default_rng(seed)
    if network.encode is None:
        codes = random_codes(network, rng, 20)
        got = evaluate_codes(network, codes)
    else:
        features = random_features(network.encode, rng, 20)
        codes = encode(network.encode, features)
        assert codes.tolist() == [slow_encode(network.encode, row) for row in features.tolist()]
        got = evaluate(network, features)
    assert got.dtype == np.int32 and got.tolist() == [slow_run(network, row) for row in codes.tolist()]
    assert got.shape[1] == len(network.outputs)
    steps = trace(network, codes)
    assert [s.shape[1] for s in steps] == [len(stage.formats) for stage in network.core]
    for stage, step in zip(network.core, steps, strict=True):
        assert all((step[:, i] >= 0).all() and (step[:, i] < f.count).all() for i, f in enumerate(stage.formats))


def test_address_order_by_hand():
    formats = (Format(2), Format(3), Format(1))
    codes = np.array([[3, 5, 1], [1, 0, 0]], np.int32)
    assert addresses(codes, (0, 1, 2), formats).tolist() == [3 | 5 << 2 | 1 << 5, 1]
    assert addresses(codes, (2, 0), formats).tolist() == [1 | 3 << 1, 1 << 1]
    assert addresses(codes, (), formats).tolist() == [0, 0]
    assert address_bits((2, 0), formats) == 3


def test_encoding_by_hand():
    features = (Feature("a", (-1.0, 0.0, 0.5)), Feature("b", (0.0,)))
    x = [[-2.0, -0.1], [-1.0, 0.0], [0.25, 9.0], [np.inf, -np.inf]]
    assert encode(Encode("e", features), x).tolist() == [[0, 0], [1, 1], [2, 1], [3, 0]]
    assert encode(Encode("e", features, "thermometer"), x).tolist() == [
        [0, 0, 0, 0],
        [1, 0, 0, 1],
        [1, 1, 0, 1],
        [1, 1, 1, 0],
    ]


def test_a_word_floors_and_saturates_before_the_thresholds():
    # Words of 3 bits, step 0.5: 0 to 3.5. The threshold 4.0 can never be passed, -1.0 always is.
    stage = Encode("e", (Feature("a", (-1.0, 0.5, 3.5, 4.0), Fixed(3, 1)),))
    assert encode(stage, [[-9.0], [0.49], [0.5], [3.49], [3.5], [99.0]]).ravel().tolist() == [1, 1, 2, 2, 3, 3]
    assert stage.features[0].word_thresholds() == (-2, 1, 7, 8)
    assert stage.in_hardware and not Encode("e", (Feature("a", (0.0,)),)).in_hardware


def test_decisions_by_hand():
    s3 = Format(3, signed=True)
    codes = np.array([[0, 7, 4], [3, 3, 1], [7, 7, 6]], np.int32)
    inputs = (s3, s3, s3)
    assert run_stage(Decide("d", "argmax", inputs), codes, inputs).tolist() == [[0], [0], [0]]
    assert run_stage(Decide("d", "threshold", inputs, -1), codes, inputs).tolist() == [[1, 1, 0], [1, 1, 1], [1, 1, 0]]
    assert run_stage(Decide("d", "none", inputs), codes, inputs).tolist() == codes.tolist()
    assert [str(f) for f in Decide("d", "argmax", (s3,) * 5).formats] == ["u3"]
    assert [str(f) for f in Decide("d", "argmax", (s3,)).formats] == ["u1"]
    assert [str(f) for f in Decide("d", "threshold", inputs).formats] == ["u1"] * 3


def copier(decide=()) -> LutNetwork:
    neuron = Neuron((0,), np.array([0, 1, 2, 3]), Format(2))
    return LutNetwork("copy", (Tables("l0", (neuron,)), *decide), (Format(2),))


def test_no_samples_give_no_answers():
    assert evaluate_codes(copier(), np.zeros((0, 1), int)).shape == (0, 1)
    decided = copier((Decide("d", "argmax", (Format(2),)),))
    assert evaluate_codes(decided, np.zeros((0, 1), int)).shape == (0, 1)
    encoder = Encode("e", (Feature("a", (0.0,)),))
    assert evaluate(LutNetwork("net", (encoder,)), np.zeros((0, 1))).shape == (0, 1)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([[4]], "input signal 0: codes must be 0 to 3 for format u2, not 4 to 4"),
        ([[0], [-1]], "codes must be 0 to 3 for format u2, not -1 to 0"),
        ([[0.5]], "takes integer codes, not float64"),
        ([[0, 0]], r"takes \(samples, 1\) codes, not \(1, 2\)"),
        ([0, 1], r"takes \(samples, 1\) codes, not \(2,\)"),
    ],
)
def test_codes_that_cannot_be_are_refused(codes, message):
    with pytest.raises(DataError, match=message):
        evaluate_codes(copier(), codes)


def test_features_that_cannot_be_are_refused():
    stage = Encode("e", (Feature("a", (0.0,)), Feature("width", (0.0,))))
    with pytest.raises(DataError, match="feature 'width' is NaN in row 1"):
        encode(stage, [[0.0, 1.0], [0.0, np.nan]])
    with pytest.raises(DataError, match=r"takes \(samples, 2\) features, not \(1, 3\)"):
        encode(stage, [[0.0, 1.0, 2.0]])
    with pytest.raises(DataError, match="network 'copy' has no encoder"):
        evaluate(copier(), [[0.0]])
    with pytest.raises(TypeError, match="use encode"):
        run_stage(stage, np.zeros((1, 2), np.int32), ())


def test_a_network_says_what_it_is_made_of():
    encoder = Encode("e", (Feature("a", (0.0, 1.0)),))
    table = Tables("l0", (Neuron((0,), np.zeros(4, int), Format(5)),))
    decide = Decide("d", "threshold", (Format(5),))
    whole, bare = LutNetwork("n", (encoder, table, decide)), LutNetwork("n", (table,), (Format(2),))
    assert (whole.encode, whole.decide, whole.core) == (encoder, decide, (table, decide))
    assert (whole.code_inputs, whole.outputs) == ((Format(2),), (Format(1),))
    assert (bare.encode, bare.decide, bare.core) == (None, None, (table,))
    assert (bare.code_inputs, bare.outputs, bare.stage_inputs(0)) == ((Format(2),), (Format(5),), (Format(2),))
    assert whole.stage_inputs(0) == () and whole.stage_inputs(2) == (Format(5),)
