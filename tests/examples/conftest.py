"""The simulated jets, where they are present."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def jets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find jets_sim16.npz in CODESIGN_DATA or ../shared/data; else skip the test, with the reason."""
    named = os.environ.get("CODESIGN_DATA")
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    for folder in (Path(named) if named else beside, beside):
        if any((folder / name).is_file() for name in ("jets_sim/jets_sim16.npz", "jets_sim16.npz")):
            monkeypatch.setenv("CODESIGN_DATA", str(folder))
            return
    pytest.skip("needs jets_sim16.npz in the folder CODESIGN_DATA (or ../shared/data)")
