"""Keeps these tests away from the user's own data folders, and finds the large sets where they are present."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

_NAMED = os.environ.get("CODESIGN_DATA")


@pytest.fixture(autouse=True)
def own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No CODESIGN_DATA, an empty home folder, and no network."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("CODESIGN_OFFLINE", "1")
    monkeypatch.delenv("CODESIGN_DATA", raising=False)


def large_data_root() -> Path | None:
    """The folder CODESIGN_DATA, else a folder shared/data beside the checkout; None where neither exists."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    for folder in (Path(_NAMED) if _NAMED else None, beside):
        if folder is not None and folder.is_dir():
            return folder
    return None


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Ask for a file of a large set ("mnist/mnist.npz"); the test is skipped, with the reason, where it is absent."""

    def ask(name: str) -> Path:
        root = large_data_root()
        for path in () if root is None else (root / name, root / Path(name).name):
            if path.is_file():
                monkeypatch.setenv("CODESIGN_DATA", str(root))
                return path
        pytest.skip(f"needs {name} in the folder CODESIGN_DATA (or ../shared/data)")

    return ask
