"""What docs/search_luts.md says is so: its code runs, its file is one, its keys are those that there are."""

import re
from pathlib import Path

import numpy as np
import yaml

from codesign.config.search import SearchConfig
from codesign.families import find_family
from codesign.search.luts import LutSearchOptions, held_out
from codesign.search.luts.lut_model import read_rows
from codesign.search.luts.run import lut_search_config

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "search_luts.md").read_text(encoding="utf-8")


def test_code_runs():
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(compile(block, "docs/search_luts.md", "exec"), {})


def test_the_file_and_its_keys():
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    config = SearchConfig.model_validate(yaml.safe_load(block))
    assert lut_search_config(config, folder=ROOT).options.registers_every == [1, 2]
    section = TEXT[TEXT.index("| key of `network.options`") : TEXT.index("`train` trains every network")]
    keys = {key for row in re.findall(r"^\| (`[^|]+) \|", section, re.M) for key in re.findall(r"`(\w+)`", row)}
    assert keys == set(LutSearchOptions.model_fields)


def test_the_errors_and_the_knobs():
    path = ROOT / "accel_space" / "calibration" / "pipeline_xcup.csv"
    found = held_out(read_rows(path))
    errors = [abs(float(one["predicted"]) / float(one["luts"]) - 1) for one in found]
    told = " | ".join(f"{value:.1%}" for value in (np.median(errors), np.quantile(errors, 0.9), max(errors)))
    assert f"| LUTs, calibrated | {told} |" in TEXT and f"{len(found)} networks of" in TEXT
    section = TEXT[TEXT.index("| knob | values |") : TEXT.index("`cods space evaluate pipeline")]
    knobs = {key for row in re.findall(r"^\| (`[^|]+) \|", section, re.M) for key in re.findall(r"`(\w+)`", row)}
    assert knobs == set(find_family("pipeline").space.names)
