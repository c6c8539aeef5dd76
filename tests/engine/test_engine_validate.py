"""The rules against the compiler: a point breaks none exactly where its program compiles, one by one and in columns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.accel import space
from codesign.accel.engine import EnginePoint, Refusal, compile_program
from codesign.accel.engine.validate import RULES, EngineRules, validate
from codesign.errors import UnsupportedModel
from codesign.ir.conv_presets import conv_preset
from codesign.ir.integer_random import random_network
from codesign.testing import IntegerLimits, integer_networks

SPACE = space("engine")
NETWORKS = st.one_of(
    integer_networks(),
    integer_networks(limits=IntegerLimits(channels=(8,), bits=(1,), weight_bits=(1,), same_bits=True)),
    integer_networks(limits=IntegerLimits(channels=(8, 16), bits=(2, 4), weight_bits=(2, 4), signed=False)),
)


def points(count: int, seed: int, **fixed: object):
    """Return `count` points: random ones, with some knobs fixed so that several rules hold."""
    rows = SPACE.sample(count, rng=np.random.default_rng(seed))
    for name, value in fixed.items():
        position = SPACE.names.index(name)
        rows[:, position] = SPACE.knobs[position].index(value)  # type: ignore[arg-type]
    columns = SPACE.columns(rows)
    return columns, [
        EnginePoint.from_dict(
            {n: SPACE.knobs[k].values[i] for k, (n, i) in enumerate(zip(SPACE.names, row, strict=True))}
        )
        for row in rows
    ]


@settings(max_examples=60, deadline=None)
@given(NETWORKS, st.integers(0, 2**31), st.sampled_from((1, 4, 8)))
def test_rules_agree_with_the_compiler_and_with_themselves(network, seed, bits):
    rules = EngineRules(network)
    fixed = {"activation_bits": bits, "weight_bits": bits, "dataflow": "output_stationary", "psum_depth": 0}
    for more in ({}, {**fixed, "accumulator_bits": 32, "bank_depth": 16384, "weight_depth": 65536, "banks": 4}):
        columns, drawn = points(12, seed, **more)
        broken = rules.broken(columns)
        assert set(broken) == set(RULES)
        for index, point in enumerate(drawn):
            found = rules.violations(point)
            assert {one.rule for one in found} == {rule for rule in RULES if broken[rule][index]}, str(found)
            try:
                compile_program(network, point)
            except Refusal as problem:
                assert {one.rule for one in problem.violations} <= {one.rule for one in found}, str(problem)
            else:
                assert not found, str(found[0])


@pytest.mark.parametrize("name", ["mnist-dense", "resnet-8"])
def test_presets_can_be_built_at_few_points_and_these_compile(name):
    network = random_network(conv_preset(name)(), seed=0)
    rules = EngineRules(network)
    columns, drawn = points(20_000, 3)
    valid = rules.valid(columns)
    assert 0 < valid.sum() < 0.2 * len(valid)
    for index in np.flatnonzero(valid)[:2]:
        compile_program(network, drawn[index])
    refused = int(np.flatnonzero(~valid)[0])
    assert validate(drawn[refused], network)


def test_violations_carry_the_numbers():
    network = random_network(conv_preset("resnet-8")(), seed=0)
    point = EnginePoint(
        pe=16, simd=32, weight_bits=1, activation_bits=8, bank_depth=64, accumulator_bits=12, weight_depth=64
    )
    found = validate(point, network)
    text = "\n".join(map(str, found))
    assert {"divisibility", "weight_bits", "accumulator", "bank_depth", "weight_depth"} <= {one.rule for one in found}
    assert "16 channels must be a multiple of simd 32 and pe 16" in text
    assert "accumulator_bits 12 holds -2048 to 2047" in text
    assert "a bank holds 64" in text


def test_a_network_that_no_engine_runs_is_named():
    network = random_network(conv_preset("mnist-dense")(), seed=0)
    broken = type(network)(network.name, network.input_shape, network.input_levels, network.layers[:-1])
    with pytest.raises(UnsupportedModel, match="is the last"):
        EngineRules(broken)
