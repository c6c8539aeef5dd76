"""Fixtures of the synthesis tests: the fake tools, and a tiny emitted folder."""

from pathlib import Path

import pytest
from tiny import write_tiny

MOCK_TOOLS = Path(__file__).parent.parent / "mock_tools"


@pytest.fixture
def fake_tools(monkeypatch):
    """Make the fake yosys, nextpnr-ecp5 and vivado the ones that are found; return a setter of their way to act."""
    for name, program in (("YOSYS", "yosys"), ("NEXTPNR_ECP5", "nextpnr-ecp5"), ("VIVADO", "vivado")):
        monkeypatch.setenv(f"CODESIGN_{name}", str(MOCK_TOOLS / program))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    def act(mode):
        monkeypatch.setenv("FAKE_TOOL", mode)

    act("good")
    return act


@pytest.fixture
def acting(fake_tools, monkeypatch, tmp_path):
    """Return a setter that makes one fake tool act in a way of its own, while the others are good."""

    def act(tool, mode, version=""):
        script = tmp_path / f"acting_{tool}"
        settings = f"FAKE_TOOL={mode} " + (f"FAKE_VERSION={version} " if version else "")
        script.write_text(f'#!/bin/sh\n{settings}exec "{MOCK_TOOLS / tool}" "$@"\n')
        script.chmod(0o755)
        monkeypatch.setenv(f"CODESIGN_{tool.replace('-', '_').upper()}", str(script))

    return act


@pytest.fixture
def tiny(tmp_path):
    """The folder of the tiny design."""
    folder = tmp_path / "emitted folder"  # a blank in the path must not matter
    write_tiny(folder)
    return folder
