"""What docs/engine_build.md says is so: its build file runs on its engine, every key and stage stands in it."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from codesign.accel.engine import validate
from codesign.accel.engine.configured import configured_point
from codesign.config import EngineBuildConfig, EngineSimulateConfig
from codesign.ir.integer_random import random_network
from codesign.line import EngineLine
from codesign.verify.engine import DEFAULT_PAIRS, PROGRAMS

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "engine_build.md").read_text(encoding="utf-8")


def test_the_file_of_the_page_is_a_build_that_its_engine_can_run() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    config = EngineBuildConfig.model_validate(yaml.safe_load(block))
    network = random_network(config.topology.topology("t", inputs=64, answers=10), seed=0)
    assert validate(configured_point(config.engine), network) == ()


def test_every_key_and_every_stage_is_described() -> None:
    for name in EngineBuildConfig.model_fields:
        assert f"`{name}`" in TEXT or f"`{name}:" in TEXT or f"{name}: engine" in TEXT
    for name in EngineSimulateConfig.model_fields:
        assert f"`{name}`" in TEXT or f"`{name}:" in TEXT
    rows = re.findall(r"^\| `(\w+)` \| ", TEXT.partition("## The stages")[2].partition("## cods verify")[0], re.M)
    assert rows == list(EngineLine.stages)
    assert f"with {PROGRAMS} random programs each" in TEXT and f"{DEFAULT_PAIRS} random engines beside" in TEXT
