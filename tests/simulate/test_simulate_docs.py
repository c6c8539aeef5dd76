"""What docs/simulation.md says is so: its code, its settings, the names of its figures, its limits."""

import re
from pathlib import Path

import yaml

from codesign.config import SimulateConfig
from codesign.simulate import SimResult, cache
from codesign.simulate.bench import STRESS_GAPS
from codesign.tools.verilator import VERILATOR

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "simulation.md").read_text(encoding="utf-8")


def test_code_runs():
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(compile(block, "docs/simulation.md", "exec"), {})


def test_settings_are_the_defaults_and_all_of_them():
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert yaml.safe_load(block)["simulate"] == SimulateConfig().model_dump()


def test_figures_and_limits():
    reported = TEXT.partition("## What is reported")[2].partition("##")[0]
    named = set(re.findall(r"`(\w+)`", reported))
    assert named >= {"vectors_checked", "latency_cycles"} and named <= set(SimResult.__dataclass_fields__)
    assert f"silent in {STRESS_GAPS} % of the clocks" in TEXT
    assert cache.LIMIT_BYTES == 1 << 30 and "up to 1 GiB" in TEXT
    assert f"Verilator {VERILATOR.minimum_text} or newer" in TEXT
