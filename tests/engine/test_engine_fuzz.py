"""As many random (point, program) pairs as ENGINE_FUZZ_BUILDS asks for, 40 a build; a failure names its seed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codesign.simulate.engine_pairs import check_random_pairs

BUILDS = int(os.environ.get("ENGINE_FUZZ_BUILDS", "10"))
FIRST = int(os.environ.get("ENGINE_FUZZ_SEED", "1"))


@pytest.mark.slow
@pytest.mark.sim
@pytest.mark.parametrize("seed", range(FIRST, FIRST + BUILDS))
def test_random_points_run_random_programs(seed: int, tmp_path: Path) -> None:
    check_random_pairs(seed, 40, work=tmp_path)
