"""What docs/synthesis.md says is so: its code runs, its settings are legal, its tables are what the functions give."""

import re
from pathlib import Path

import pytest
import yaml

from codesign.accel import worst_case_luts
from codesign.config import SynthConfig
from codesign.resources import resource_dir

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "synthesis.md").read_text(encoding="utf-8")


def test_code_runs():
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(compile(block, "docs/synthesis.md", "exec"), {})


def test_settings_are_the_defaults_and_all_of_them():
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    stated = yaml.safe_load(block)["synth"]
    assert stated == SynthConfig().model_dump()


@pytest.mark.parametrize("lut_inputs", [6, 4])
def test_table_of_worst_cases(lut_inputs):
    bits = [int(word) for word in re.search(r"X = (6 .*15) \|", TEXT)[1].split(" | ")]
    row = re.search(rf"\| {lut_inputs}-input LUTs \|[^|]*\| (.*) \|", TEXT)[1]
    assert [int(word) for word in row.split(" | ")] == [worst_case_luts(b, 1, lut_inputs=lut_inputs) for b in bits]


@pytest.mark.parametrize("family", ["xilinx", "ecp5", "ice40"])
def test_stated_options_are_those_of_the_flows(family):
    script = (resource_dir("flows") / "yosys" / f"{family}.ys.j2").read_text()
    pipeline = script.partition("{% else %}")[2] or script  # before it the engine's, with block RAM and DSP blocks
    command = next(line for line in pipeline.splitlines() if line.startswith("synth_"))
    (stated,) = re.findall(rf"`(synth_{family} [^`]*)`", TEXT)
    assert set(stated.split()) - {"F"} <= set(command.split())
