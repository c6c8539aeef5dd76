"""Points of the declared space drawn for random networks: one that can run it, and one that cannot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.accel import space
from codesign.accel.engine import EnginePoint
from codesign.accel.engine.draw import draw_network, draw_point
from codesign.accel.engine.validate import RULES, EngineRules
from codesign.ir.integer import IntegerNetwork

SPACE = space("engine")
DRAWN = 20_000
# What a small part can hold, so that a point is synthesized in seconds.
LUTRAM_BITS = 1 << 14
MEMORY_BITS = 1 << 22
ATTEMPTS = 8


@dataclass(frozen=True, eq=False)
class Sample:
    """A network, a point that can run it, and one that cannot."""

    network: IntegerNetwork
    valid: EnginePoint
    invalid: EnginePoint


def sample(seed: int) -> Sample:
    """Draw a network, then points of the whole space; nine valid ones of ten have at most 16 multipliers, all 64."""
    rng = np.random.default_rng([4711, seed])
    attempts = 0
    while True:
        network, _ = draw_network(draw_point(rng), rng, layers=int(rng.integers(1, 6)))
        rules = EngineRules(network)
        rows = SPACE.sample(DRAWN, rng=rng)
        columns = SPACE.columns(rows)
        broken = rules.broken(columns)
        bad = np.any(np.stack(list(broken.values())), axis=0)
        valid = np.flatnonzero(~bad & _small(columns, 64 if seed % 10 == 0 else 16))
        wanted = broken[RULES[seed // 2 % len(RULES)]] if seed % 2 else bad
        attempts += 1
        if not wanted.any() and attempts <= ATTEMPTS:
            continue  # some rules are seldom broken; one (`depth`) by no value of the space
        invalid = np.flatnonzero(wanted if wanted.any() else bad)
        if len(valid) and len(invalid):
            return Sample(network, _point(rows[rng.choice(valid)]), _point(rows[rng.choice(invalid)]))


def _small(columns: dict[str, np.ndarray], multipliers: int) -> np.ndarray:
    at = {name: columns[name] for name in SPACE.names}
    array = at["pe"] * at["simd"]
    weights = array * at["weight_bits"] * at["weight_depth"]
    banks = at["simd"] * at["activation_bits"] * at["bank_depth"] * (at["banks"] + at["double_buffer"])
    psums = at["pe"] * at["accumulator_bits"] * at["psum_depth"]
    in_luts = at["weight_memory"] == "lutram"
    fits = weights + banks + psums <= MEMORY_BITS
    return (array <= multipliers) & fits & (~in_luts | (weights <= LUTRAM_BITS))


def _point(row: np.ndarray) -> EnginePoint:
    knobs = zip(SPACE.knobs, row, strict=True)
    return EnginePoint.from_dict({knob.name: knob.values[int(index)] for knob, index in knobs})
