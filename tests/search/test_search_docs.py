"""What docs/search.md shows runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "search.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_code_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    for block in BLOCKS[:3]:
        exec(compile(block, "docs/search.md", "exec"), names)
    assert "cycles (exact)" in capsys.readouterr().out
    assert names["allowed"].any()  # type: ignore[attr-defined]
