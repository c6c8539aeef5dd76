"""As many random (point, program) pairs as ENGINE_FUZZ_BUILDS asks for, 40 a build; a failure names its seed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from engine_networks import random_point
from engine_pairs import check_pair, engine, pairs, run_pairs

BUILDS = int(os.environ.get("ENGINE_FUZZ_BUILDS", "10"))
FIRST = int(os.environ.get("ENGINE_FUZZ_SEED", "1"))


@pytest.mark.slow
@pytest.mark.sim
@pytest.mark.parametrize("seed", range(FIRST, FIRST + BUILDS))
def test_random_points_run_random_programs(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    point = replace(random_point(rng), accumulator_bits=32)
    drawn = pairs(point, rng, 40)
    runs = run_pairs(engine(point, tmp_path), point, drawn, tmp_path)
    for index, (pair, run) in enumerate(zip(drawn, runs, strict=True)):
        try:
            check_pair(pair, run)
        except AssertionError as problem:
            raise AssertionError(f"ENGINE_FUZZ_SEED={seed}, program {index}, {point}: {problem}") from None
