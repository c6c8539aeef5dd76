"""What docs/passes.md says is so: its code runs, every pass stands in its table with the details that it reports."""

import re
from pathlib import Path

import pytest
import yaml

from codesign.ir import Decide, Format, LutNetwork, Neuron, Tables
from codesign.passes import DEFAULT_PASSES, MAX_ROUNDS, PASSES

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "passes.md").read_text(encoding="utf-8")
ROWS = {
    name: set(re.findall(r"`(\w+)`", details))
    for name, details in re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", TEXT, re.M)
}


def test_code_runs(monkeypatch):
    monkeypatch.setattr("codesign.passes.manager.PASSES", PASSES)
    before = dict(PASSES)
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    try:
        exec(compile(block, "docs/passes.md", "exec"), {})
    finally:
        PASSES.clear()
        PASSES.update(before)


def test_the_defaults():
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert tuple(yaml.safe_load(block)["passes"]) == DEFAULT_PASSES
    assert f"at most {MAX_ROUNDS} rounds" in TEXT


@pytest.mark.parametrize("name", PASSES)
def test_details(name):
    fmt = Format(2)
    neuron = Neuron((0,), [0, 1, 2, 3], fmt)
    stages = (Tables("a", (neuron, neuron)), Tables("b", (neuron,)), Decide("answer", "threshold", (fmt,), 2))
    _, details = PASSES[name].apply(LutNetwork("net", stages, (fmt, fmt)))
    assert ROWS[name] == set(details)


def test_no_pass_is_stated_that_does_not_exist():
    assert set(ROWS) == set(PASSES)
