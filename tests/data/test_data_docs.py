"""What docs/data.md says is so: its code runs, its YAML is legal, its figures are measured ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from codesign.config import DataConfig, Section
from codesign.data import SOURCES, load
from codesign.data.loaders.amplifier import AmplifierOptions
from codesign.data.loaders.common import NoOptions
from codesign.data.loaders.unsw_nb15 import UnswOptions
from codesign.data.loaders.userfile import FileOptions
from codesign.data.options import read_options

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
OPTIONS: dict[str, type[Section]] = {"amplifier": AmplifierOptions, "unsw_nb15": UnswOptions, "file": FileOptions}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("block", blocks("yaml"))
def test_yaml_is_legal(block):
    config = DataConfig.model_validate(yaml.safe_load(block)["data"])
    assert config.source in SOURCES
    read_options(OPTIONS.get(config.source, NoOptions), config.options, config.source)


def test_python_runs_and_gives_the_figures_in_the_text(capsys):
    for block in blocks("python"):
        exec(compile(block, "docs/data.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "without pre-distortion: NMSE -23.5 dB, EVM 5.24 %",
        "with pre-distortion: NMSE -45.3 dB, EVM 0.31 %",
    ]
    flat = " ".join(TEXT.split())
    for figure in ("NMSE of -23.5 dB and an EVM of 5.24 %", "reaches -45.3 dB and 0.31 %"):
        assert figure in flat


def test_every_source_and_option_is_described():
    table = TEXT[TEXT.index("## Which data") : TEXT.index("### What each set is")]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) - {"source"} == set(SOURCES)
    for model in OPTIONS.values():
        for option in model.model_fields:
            assert re.search(rf"`{option}`|^    {option}:", TEXT, re.MULTILINE), option


def test_the_bit_layout_is_the_measured_one(large):
    large("unsw_nb15/unsw_nb15_82332.npz")
    layout = TEXT[TEXT.index("Layout on the 82,332 flows") : TEXT.index("The published 593 bits")]
    said: dict[str, int] = {}
    for names, widths in re.findall(r"^\| ([a-z][^|]*) \| (\d[^|]*) \|$", layout, re.MULTILINE):
        numbers = [int(n) for n in re.findall(r"\d+", re.sub(r"\(.*\)", "", widths))]
        said |= dict(zip(names.split(", "), numbers, strict=True))
    data = load(DataConfig(source="unsw_nb15", options={"variant": "columns"}))
    measured: dict[str, int] = {}
    for bit in data.feature_names:
        name = bit.partition("[")[0]
        measured[name] = measured.get(name, 0) + 1
    assert list(said.items()) == list(measured.items()) and sum(said.values()) == 571
