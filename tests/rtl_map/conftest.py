"""What the tests of mapping share: random tables, a second evaluator, a cache of their own, the fake ABC."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "rtl"))  # rtl_interpreter, rtl_networks


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Keep results in an empty folder, and let the ABC of the wheel be found."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("CODESIGN_CACHE", str(folder))
    monkeypatch.delenv("CODESIGN_ABC", raising=False)
    return folder / "map"


@pytest.fixture
def fake_abc(monkeypatch, tmp_path):
    """Return a setter that puts the fake ABC, acting as told, in the place of the real one."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    def act(mode, version="1.01"):
        script = tmp_path / f"abc_{mode}"  # a path of its own: versions are remembered by path
        program = TESTS / "mock_tools" / "abc"
        script.write_text(f'#!/bin/sh\nFAKE_TOOL={mode} FAKE_VERSION={version} exec "{program}" "$@"\n')
        script.chmod(0o755)
        monkeypatch.setenv("CODESIGN_ABC", str(script))

    return act


@pytest.fixture
def asked(monkeypatch):
    """Return the list that receives, for every call of ABC's mapper, the tables it was asked for."""
    from codesign.rtl import mapping

    calls = []
    real = mapping.map_with_abc

    def spy(problems, **options):
        calls.append(list(problems))
        return real(problems, **options)

    monkeypatch.setattr(mapping, "map_with_abc", spy)
    return calls
