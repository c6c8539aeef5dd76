"""An engine's streams, accumulators, multipliers and sums are proven, and what is broken is refuted with a trace."""

import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from codesign.accel.engine import EnginePoint, compile_program, interpret
from codesign.errors import DataError, MismatchError
from codesign.ir.integer import INPUT, Conv, IntegerNetwork, Levels, MapShape, Requantize, dense
from codesign.line import EngineLine
from codesign.rtl.engine import EngineDesign, generate
from codesign.simulate.engine_bench import write_engine_bench
from codesign.verify.formal import prove_run, require_proven
from codesign.verify.formal.array import prove_array
from codesign.verify.formal.streams import engine_watches, prove_streams
from codesign.verify.formal.sums import bound_sums, prove_sums

POINT = EnginePoint(
    pe=2, simd=2, weight_bits=4, activation_bits=4, bank_depth=64, weight_depth=128, accumulator_bits=12, answer_depth=6
)


def emitted(folder, point=POINT):
    rng = np.random.default_rng(1)
    weights = Levels(4, signed=True)
    scale = Requantize(np.full(4, 9), np.full(4, 1 << 7), 8)
    first = Conv("first", INPUT, rng.integers(-8, 8, (4, 2, 3, 3)), weights, requantize=scale, levels=Levels(3))
    last = dense("last", "first", rng.integers(-8, 8, (3, 16)), weight_levels=weights, shape=MapShape(4, 2, 2))
    network = IntegerNetwork("small", MapShape(2, 4, 4), Levels(3), (first, last))
    program = compile_program(network, point)
    design = generate(point, folder)
    images = rng.integers(0, 8, (2, 2, 4, 4))
    write_engine_bench(folder, program, images, interpret(program, images)["answers"])
    return folder, design, program, network


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return emitted(tmp_path_factory.mktemp("formal_engine"))


def stated(program):
    return {layer.name: (layer.sum_low, layer.sum_high) for layer in program.layers}


def sums(folder, design, program, **other):
    names = [layer.name for layer in program.layers]
    return prove_sums(folder, design, **{"image": (0, 7), "stated": stated(program), "names": names, **other})


def streams(folder, design, tmp_path, about, **other):
    watches = [watch for watch in engine_watches(design) if about in watch.about]
    return list(prove_streams(folder, design, work=tmp_path / "w", timeout_s=60, watches=watches, **other))


def broken(folder, file, old, new, tmp_path):
    """Copy the Verilog of an engine with one text replaced."""
    copy = tmp_path / "broken"
    (copy / "rtl").mkdir(parents=True)
    for source in (folder / "rtl").iterdir():
        text = source.read_text(encoding="ascii")
        if source.name == file:
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
            text = text.replace(old, new)
        (copy / "rtl" / source.name).write_text(text, encoding="ascii")
    return copy


def refuted(tallies):
    return [proof for tally in tallies for proof in tally.proofs if proof.outcome == "refuted"]


def test_the_bounds_of_sums_are_those_of_all_inputs():
    rng = np.random.default_rng(3)
    for low, high, maximum in ((0, 3, 0), (-2, 1, 0), (1, 2, 0), (-2, 1, 1)):
        weights = rng.integers(-4, 4, (1, 2, 2, 2))
        found = bound_sums(0, {"maximum": maximum}, weights, [(low, high)])
        for row in range(2):
            taps = [
                (np.array(x).reshape(2, 2) * weights[0, :, row]).sum(axis=1)
                for x in itertools.product((low, high), repeat=4)
            ]
            totals = [int(t.max() if maximum else t.sum()) for t in taps]
            kept = [value for t in taps for value in (int(t[0]), int(t[1]))]
            kept += [] if maximum else totals
            assert (found.least[row], found.most[row]) == (min(kept), max(kept))
            if not maximum:
                assert (found.low[row], found.high[row]) == (min(totals), max(totals))


def test_every_sum_of_a_program_fits(engine):
    tally = sums(*engine[:3])
    require_proven([tally])
    assert [proof.subject for proof in tally.proofs[::2]] == [
        "layer 'first': 4 channels fit 12 bits",
        "layer 'last': 4 channels fit 12 bits",
    ]


def test_an_accumulator_one_bit_too_small_is_refuted_by_channel(engine):
    folder, design, program, _ = engine
    bits = max(layer.sum_bits for layer in program.layers) - 1
    narrow = replace(design, parameters=tuple((k, bits if k == "ACCUMULATOR" else v) for k, v in design.parameters))
    found = refuted([sums(folder, narrow, program)])
    assert found
    assert all(proof.subject.startswith("layer ") and "channel" in proof.subject for proof in found)
    assert f"but {bits} bits hold" in found[0].detail
    assert "input values tap 0 [" in found[0].detail


def test_a_bound_of_the_compiler_that_is_exceeded_is_refuted(engine):
    folder, design, program, _ = engine
    low, high = stated(program)["last"]
    (found,) = refuted([sums(folder, design, program, stated={"last": (low, high - 1)})])
    assert found.subject == f"layer 'last': the compiler's bound {low} to {high - 1}"
    assert found.detail == f"sums reach {low} to {high}"


def test_weights_are_read_from_the_stream_that_carries_them(engine, tmp_path):
    folder, design, program, _ = engine
    value = json.loads((folder / "vectors" / "program.json").read_text())
    value["load"][-1] = "ffff"
    (tmp_path / "vectors").mkdir()
    (tmp_path / "vectors" / "program.json").write_text(json.dumps(value))
    before = sums(folder, design, program, stated={}, image=(0, 7))
    assert all(proof.outcome == "proven" for proof in before.proofs)
    value["load"] = value["load"][:-1]
    (tmp_path / "vectors" / "program.json").write_text(json.dumps(value))
    with pytest.raises(DataError, match="does not hold a program"):
        sums(tmp_path, design, program)


@pytest.mark.synth
def test_answers_and_accumulators_are_proven_for_all_time(engine, tmp_path):
    folder, design, *_ = engine
    tallies = [*streams(folder, design, tmp_path, "a")]
    require_proven(tallies)
    assert {tally.name for tally in tallies} >= {
        "law of the stream: answers (m_axis)",
        "no running sum wraps that fits its accumulator",
    }
    assert all(tally.methods.get("trace") for tally in tallies)


@pytest.mark.synth
def test_a_beat_that_is_dropped_while_stalled_is_refuted_with_a_trace(engine, tmp_path):
    folder, design, *_ = engine
    copy = broken(folder, "engine_unload.v", "if (move) valid <= read;", "valid <= read;", tmp_path)
    found = refuted(streams(copy, design, tmp_path, "answers", waves=tmp_path / "waves"))
    assert any("valid stays until ready" in proof.subject or "on offer when due" in proof.subject for proof in found)
    assert "clock 1: " in found[0].detail
    (waves, *_) = (tmp_path / "waves").iterdir()
    text = waves.read_text()
    assert "$enddefinitions" in text
    assert "$scope module unload $end" in text


@pytest.mark.synth
def test_a_sum_one_bit_too_narrow_is_refuted(engine, tmp_path):
    folder, design, *_ = engine
    old = "wire signed [ACCUMULATOR-1:0] sum = old + fresh;"
    new = "wire signed [ACCUMULATOR-2:0] sum = old + fresh;"
    copy = broken(folder, "engine_accumulator.v", old, new, tmp_path)
    (found,) = refuted(streams(copy, design, tmp_path, "accumulators"))
    assert found.subject == "accumulators: no sum wraps"
    assert "sums_out = " in found.detail


@pytest.mark.synth
def test_multipliers_adders_and_wiring_are_proven_or_refuted(engine, tmp_path):
    folder, design, *_ = engine
    tally = prove_array(folder, design, work=tmp_path / "a", timeout_s=60)
    require_proven([tally])
    assert [proof.inputs for proof in tally.proofs] == [24 * 16, 0, 4]
    swapped = broken(
        folder, "engine_array.v", "products[row*SIMD*PRODUCT+:SIMD*PRODUCT]", "products[0+:SIMD*PRODUCT]", tmp_path
    )
    (found,) = refuted([prove_array(swapped, design, work=tmp_path / "b", timeout_s=60)])
    assert "the sum of row 1 is not of its products" in found.detail


MUTANTS = {
    "swapped handshake": ("engine_image_loader.v", "wire take = active & s_valid;", "wire take = s_valid;", "images"),
    "dropped beat": (
        "engine_image_loader.v",
        "if (whole) taken <= taken + ONE;",
        "if (whole & ~s_last) taken <= taken + ONE;",
        "images",
    ),
    "repeated word": (
        "engine_weight_loader.v",
        "parameter_write <= take & whole & ~in_weights;",
        "parameter_write <= whole & ~in_weights;",
        "weights",
    ),
    "lost weight": ("engine_weight_loader.v", "weight_chunk <= beat;", "weight_chunk <= beat & 16'd0;", "weights"),
    "tlast early": (
        "engine_unload.v",
        "if (read) word_last <= next == words - ONE;",
        "if (read) word_last <= next >= words - ONE - ONE;",
        "answers",
    ),
    "wrong answer": (
        "engine_unload.v",
        ".read_address(next[DEPTH_BITS-1:0])",
        ".read_address(~next[DEPTH_BITS-1:0])",
        "answers",
    ),
    "in reset": ("engine_unload.v", "if (power_reset) begin", "if (1'b0) begin", "answers"),
    "answered twice": (
        "engine_axi_lite.v",
        "s_bvalid <= take | (s_bvalid & ~s_bready);",
        "s_bvalid <= take | s_bvalid;",
        "registers",
    ),
}


@pytest.mark.slow
@pytest.mark.synth
@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_end_of_a_stream_is_refuted(engine, tmp_path, name):
    folder, design, *_ = engine
    file, old, new, about = MUTANTS[name]
    if name == "lost weight":  # words of several beats
        design = generate(replace(POINT, stream_in_bits=8), tmp_path / "narrow")
        folder = tmp_path / "narrow"
    copy = broken(folder, file, old, new, tmp_path)
    found = refuted(streams(copy, design, tmp_path, about))
    assert found
    assert all("clock 1: " in proof.detail for proof in found)


@pytest.mark.slow
@pytest.mark.synth
@pytest.mark.parametrize(
    "changes",
    [
        {"dataflow": "weight_stationary", "psum_depth": 12, "stream_out_bits": 128, "pipeline": 4},
        {"stream_out_bits": 8, "stream_in_bits": 8, "answer_depth": 100, "weights": "streamed", "double_buffer": True},
        {"weight_bits": 1, "activation_bits": 1, "pe": 4, "simd": 8, "pipeline": 3},
        {"multiplier": "dsp", "pe": 4, "pipeline": 1},
    ],
)
def test_other_points_are_proven(tmp_path, changes):
    design = generate(replace(POINT, **changes), tmp_path)
    require_proven([*prove_streams(tmp_path, design, work=tmp_path / "s", timeout_s=120)])
    require_proven([prove_array(tmp_path, design, work=tmp_path / "a", timeout_s=120)])


class Line(EngineLine):
    """A run of which only what the proofs read is there."""

    emitted = None

    def __init__(self, path, folder, program, network):
        self.run = SimpleNamespace(path=path)
        self.told = []
        self.notify = lambda stage, message, share: self.told.append(message)
        self.emitted = folder
        self.__dict__.update(design=EngineDesign.load(folder), program=program, network=network)


@pytest.mark.slow
@pytest.mark.synth
def test_a_run_of_an_engine_is_proven_or_refused(engine, tmp_path):
    folder, _, program, network = engine
    line = Line(tmp_path / "run", folder, program, network)
    tallies = prove_run(line, timeout_s=60)
    require_proven(tallies)
    assert len(tallies) == 7
    assert not (tmp_path / "run" / "formal").exists()
    assert "proving accumulators and streams" in line.told
    copy = broken(folder, "engine_unload.v", "if (move) valid <= read;", "valid <= read;", tmp_path)
    (copy / "vectors").mkdir()
    for path in ("design.json", "vectors/program.json"):
        (copy / path).write_bytes((folder / path).read_bytes())
    with pytest.raises(MismatchError, match="law of the stream: answers"):
        require_proven(prove_run(Line(tmp_path / "run", copy, program, network), timeout_s=60))
    assert any((tmp_path / "run" / "formal").iterdir())
