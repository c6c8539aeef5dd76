"""Programs: the interpreter equals the network on random ones, the banks are placed, and what cannot run is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.accel.engine import EnginePoint, Refusal, compile_program, interpret, register_map
from codesign.accel.engine.draw import draw_network, draw_point
from codesign.accel.engine.registers import decode_descriptor, encode_descriptor
from codesign.errors import MismatchError, SpaceError, UnsupportedModel
from codesign.ir.integer import INPUT, Add, Conv, IntegerNetwork, Levels, MapShape, Pool, Requantize, trace_integer

POINT = EnginePoint(4, 2, 4, 4, bank_depth=64, weight_depth=256)
U4, S4 = Levels(4), Levels(4, signed=True)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_interpreter_equals_the_network(seed: int, layers: int) -> None:
    rng = np.random.default_rng(seed)
    point = replace(draw_point(rng), accumulator_bits=32, param_depth=1 << 14, answer_depth=1 << 14)
    network, images = draw_network(point, rng, layers=layers)
    program = compile_program(network, point)
    got, wanted = interpret(program, images, maps=True), trace_integer(network, images)
    np.testing.assert_array_equal(got["answers"], wanted[network.layers[-1].name])
    for layer in program.layers[:-1]:
        codes = (
            wanted[layer.name] > 0
            if point.activation_bits == 1
            else wanted[layer.name] & ((1 << point.activation_bits) - 1)
        )
        words = np.moveaxis(codes, 1, 3).reshape(got[layer.name].shape)
        np.testing.assert_array_equal(got[layer.name], words)
    lows = [wanted[layer.name].min() >= layer.sum_low for layer in program.layers if layer.last]
    highs = [wanted[layer.name].max() <= layer.sum_high for layer in program.layers if layer.last]
    assert all(lows + highs)


def test_random_networks_use_every_kind_of_layer() -> None:
    kinds: set[str] = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        point = replace(draw_point(rng), accumulator_bits=32)
        network, _ = draw_network(point, rng, layers=5)
        kinds |= {layer.kind for layer in compile_program(network, point).layers}
    assert kinds == {"conv", "depthwise", "add", "max", "average"}


def conv(
    name: str,
    source: str,
    outputs: int,
    inputs: int,
    *,
    last: bool = False,
    value: int = 1,
    size: int = 1,
    **more: object,
) -> Conv:
    weights = np.full((outputs, inputs, size, size), value, dtype=np.int64)
    scale = None if last else Requantize(np.ones(outputs, dtype=np.int64), np.zeros(outputs, dtype=np.int64), 2)
    return Conv(name, source, weights, S4, requantize=scale, levels=None if last else U4, **more)  # type: ignore[arg-type]


def net(*layers: object, channels: int = 4, size: int = 3, levels: Levels = U4) -> IntegerNetwork:
    return IntegerNetwork("n", MapShape(channels, size, size), levels, tuple(layers))  # type: ignore[arg-type]


def add(name: str, *sources: str, channels: int = 4) -> Add:
    one = np.ones(channels, dtype=np.int64)
    return Add(name, sources, Requantize(one, 0 * one, 1), U4)  # type: ignore[arg-type]


LAST = conv("b", "a", 1, 4, last=True)
BIPOLAR = Levels(1)
CHAIN = (conv("a", INPUT, 4, 4), conv("b", "a", 4, 4), conv("c", "b", 4, 4))
LAST2, SMALL = conv("g", "f", 1, 4, last=True), {"banks": 2, "bank_depth": 18}
REFUSED: list[tuple[str, str, IntegerNetwork, dict[str, object]]] = [
    ("divisibility", "a", net(conv("a", INPUT, 6, 4), conv("b", "a", 1, 6, last=True)), {}),
    ("accumulator", "a", net(conv("a", INPUT, 4, 4, last=True, value=7)), {"accumulator_bits": 9}),
    ("weight_bits", "a", net(conv("a", INPUT, 4, 4, value=7), LAST), {"weight_bits": 3}),
    ("activation_bits", INPUT, net(conv("a", INPUT, 4, 4, last=True), levels=Levels(5)), {}),
    ("activation_bits", "a", net(conv("a", INPUT, 4, 4), LAST, levels=Levels(2)), {"activation_bits": 2}),
    ("activation_bits", INPUT, net(conv("a", INPUT, 4, 4, last=True), levels=Levels(2)), {"activation_bits": 1}),
    ("bank_depth", INPUT, net(conv("a", INPUT, 4, 4, last=True), size=6), {}),
    ("bank_depth", "a", net(conv("a", INPUT, 16, 4), conv("b", "a", 1, 16, last=True)), {}),
    ("weight_depth", "", net(conv("a", INPUT, 4, 4), LAST), {"weight_depth": 3}),
    ("weight_depth", "a", net(conv("a", INPUT, 8, 4, last=True)), {"weight_depth": 3, "weights": "streamed"}),
    ("answer_depth", "a", net(conv("a", INPUT, 4, 4, last=True)), {"answer_depth": 35}),
    (
        "param_depth",
        "",
        net(conv("a", INPUT, 8, 4), conv("b", "a", 1, 8, last=True)),
        {"param_depth": 7, "bank_depth": 99},
    ),
    ("psum_depth", "a", net(conv("a", INPUT, 4, 4, last=True)), {"dataflow": "weight_stationary", "psum_depth": 8}),
    (
        "padding",
        "a",
        net(conv("a", INPUT, 4, 4, last=True, size=3, padding=1), levels=BIPOLAR),
        {"activation_bits": 1},
    ),
    (
        "zero_weight",
        "a",
        net(conv("a", INPUT, 4, 3, last=True), channels=3, levels=BIPOLAR),
        {"activation_bits": 1, "weight_bits": 1},
    ),
    ("zero_weight", "a", net(conv("a", INPUT, 4, 2, last=True, groups=2)), {"weight_bits": 1, "simd": 4}),
    ("maximum", "a", net(Pool("a", INPUT, "max", (2, 2), S4), levels=S4), {}),
    (
        "bank_conflict",
        "c",
        net(conv("a", INPUT, 4, 4), add("c", "a", INPUT), conv("d", "c", 1, 4, last=True)),
        {"banks": 2},
    ),
    ("bank_conflict", "b", net(*CHAIN, add("d", "c", INPUT), add("e", "d", "a"), add("f", "e", "b"), LAST2), SMALL),
]


@pytest.mark.parametrize(("rule", "layer", "network", "settings_"), REFUSED)
def test_a_point_that_cannot_hold_a_network_is_refused_by_rule_and_layer(
    rule: str, layer: str, network: IntegerNetwork, settings_: dict[str, object]
) -> None:
    with pytest.raises(Refusal) as caught:
        compile_program(network, replace(POINT, **settings_))  # type: ignore[arg-type]
    (violation,) = caught.value.violations
    assert (violation.rule, violation.layer) == (rule, layer)
    assert any(character.isdigit() for character in str(caught.value))


UNSUPPORTED = [
    (net(), "1 to 64 layers"),
    (net(conv("a", "b", 4, 4, last=True)), "'a' reads 'b'"),
    (net(conv("a", INPUT, 4, 4), conv("a", "a", 4, 4, last=True)), "'a': the name is taken"),
    (net(conv("a", INPUT, 4, 4)), "'a' is the last"),
    (net(conv("a", INPUT, 4, 4, last=True), conv("b", "a", 4, 4, last=True)), "'a' is not the last"),
    (net(conv("a", INPUT, 4, 4, last=True, stride=16)), "strides 15"),
    (net(conv("a", INPUT, 4, 4, last=True, padding=1)), "padding 1 must be less"),
    (net(conv("a", INPUT, 4, 5, last=True)), "do not fit a source of 4 channels"),
    (net(Pool("a", INPUT, "max", (4, 4), U4)), "larger than the map"),
    (net(conv("a", INPUT, 8, 4), add("b", "a", INPUT), conv("c", "b", 1, 8, last=True)), "'b' adds maps of one shape"),
]


@pytest.mark.parametrize(("network", "text"), UNSUPPORTED)
def test_what_no_engine_runs_is_refused_by_layer(network: IntegerNetwork, text: str) -> None:
    with pytest.raises(UnsupportedModel, match=text):
        compile_program(network, POINT)


@pytest.mark.parametrize(
    "settings_",
    [
        {"pe": 3},
        {"weight_bits": 9},
        {"pipeline": True},
        {"stream_in_bits": 24},
        {"psum_depth": 64},
        {"dataflow": "weight_stationary", "psum_depth": 64, "pe": 1},
        {"bank_depth": 1},
        {"double_buffer": True, "weights": "streamed", "weight_depth": 255},
    ],
)
def test_a_point_outside_the_rules_is_refused(settings_: dict[str, object]) -> None:
    point = replace(POINT, **settings_)  # type: ignore[arg-type]
    assert point.violations()
    with pytest.raises(SpaceError):
        compile_program(net(conv("a", INPUT, 4, 4, last=True)), point)


def test_points_survive_their_plain_form() -> None:
    assert EnginePoint.from_dict(POINT.as_dict()) == POINT
    with pytest.raises(SpaceError, match="no setting 'simds'. Did you mean"):
        EnginePoint.from_dict({**POINT.as_dict(), "simds": 1})


def test_descriptors_survive_their_encoding() -> None:
    program = compile_program(net(conv("a", INPUT, 4, 4), conv("b", "a", 1, 4, last=True)), POINT)
    for layer, words in zip(program.layers, program.descriptors(), strict=True):
        assert decode_descriptor(words) == layer.fields
    covered = np.zeros(16 * 32, dtype=int)
    for field in register_map().descriptor:
        covered[field.word * 32 + field.low : field.word * 32 + field.low + field.bits] += 1
    assert covered.max() == 1, "fields overlap"
    with pytest.raises(ValueError, match="groups must be"):
        encode_descriptor({**program.layers[0].fields, "groups": 1 << 16})


def test_the_interpreter_notices_a_word_that_was_never_written() -> None:
    program = compile_program(net(conv("a", INPUT, 4, 4), conv("b", "a", 1, 4, last=True)), POINT)
    wrong = replace(program.layers[1], fields={**program.layers[1].fields, "base0": 20})
    with pytest.raises(MismatchError, match="'b' reads a word of bank 1 that was never written"):
        interpret(replace(program, layers=(program.layers[0], wrong)), np.zeros((1, 4, 3, 3), dtype=np.int64))
