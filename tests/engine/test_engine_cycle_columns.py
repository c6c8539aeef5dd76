"""The cycle law in columns against the law of one program: exact on drawn points and on presets."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from codesign.accel import space
from codesign.accel.engine import EnginePoint, compile_program, cycles
from codesign.accel.engine.cycle_columns import cycle_columns
from codesign.accel.engine.draw import draw_network, draw_point
from codesign.accel.engine.validate import EngineRules
from codesign.accel.family import points_of
from codesign.ir.conv_presets import conv_preset
from codesign.ir.integer_random import random_network

DRAWN = {
    "weight_depth": 65536,
    "bank_depth": 65536,
    "param_depth": 4096,
    "answer_depth": 4096,
}


def columns_of(points):
    return {field.name: np.array([getattr(point, field.name) for point in points]) for field in fields(EnginePoint)}


def compare(network, points):
    found = cycle_columns(EngineRules(network), columns_of(points))
    for index, point in enumerate(points):
        program = compile_program(network, point)
        one, three = cycles(program).total, cycles(program, images=3).total
        assert (found.total[index], found.interval[index]) == (one, (three - one) // 2), point


@pytest.mark.parametrize("seed", range(40))
def test_equals_the_law_of_one_program_on_random_networks(seed):
    rng = np.random.default_rng(seed)
    point = draw_point(rng, **DRAWN)
    network, _ = draw_network(point, rng, layers=int(rng.integers(1, 7)), samples=1)
    points = [
        replace(point, weights=weights, double_buffer=double, stream_in_bits=width, stream_out_bits=out)
        for weights in ("resident", "streamed")
        for double in (False, True)
        for width, out in ((8, 16), (32, 32), (512, 128))
    ]
    compare(network, points)


@pytest.mark.parametrize("name", ["mnist-dense", "resnet-8"])
def test_equals_the_law_of_one_program_on_presets(name):
    network = random_network(conv_preset(name)(), seed=0)
    rules, engine = EngineRules(network), space("engine")
    columns = engine.columns(engine.sample(60_000, rng=np.random.default_rng(4)))
    valid = np.flatnonzero(rules.valid(columns))[:12]
    chosen = {key: values[valid] for key, values in columns.items()}
    points = [EnginePoint.from_dict(point) for point in points_of(chosen)]
    assert len(points) == 12
    assert {point.weights for point in points} == {"resident", "streamed"}
    compare(network, points)
