"""What docs/search_scale.md shows runs, and what it names exists."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from codesign.cli.app import app
from codesign.search.job_kinds import KINDS, LineSpec, RandomEngineSpec

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "search_scale.md").read_text(encoding="utf-8")


def test_code_runs(capsys):
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(compile(block, "docs/search_scale.md", "exec"), names)
    assert "failed Refusal: weight_depth" in capsys.readouterr().out
    assert names["Square"]().perform({"x": 3}, Path())["square"].value == 9  # type: ignore[operator]


def test_options_exist():
    for command in ("worker", "proxy"):
        told = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
        for line in re.findall(rf"^cods {command} .*", TEXT, re.MULTILINE):
            for option in re.findall(r" (--[a-z]+)", line.split("#")[0]):
                assert option in told, option


def test_specs_are_told():
    kinds = {name: re.search(rf"\| `{name}` \|(.*?)\|", TEXT)[1] for name in KINDS}  # type: ignore[index]
    for model, told in ((LineSpec, kinds["line"]), (RandomEngineSpec, kinds["random_engine"])):
        assert set(re.findall(r"`([a-z]+)`", told)) - {"synth"} == set(model.model_fields) - {"synth"}
