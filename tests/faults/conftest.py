"""One undisturbed build of each family, shared by the tests of faults."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_lines import FAMILIES, whole_build


@pytest.fixture(scope="session", params=FAMILIES)
def undisturbed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A family, and a run of it that nothing disturbed, up to the last stage that needs no tool."""
    return whole_build(request.param, tmp_path_factory.mktemp(request.param) / "run")
