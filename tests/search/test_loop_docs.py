"""What docs/search_loop.md says is so: its file is one, every key that it names exists, its examples parse."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from codesign.config import parse_model
from codesign.config.search import SearchConfig

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "search_loop.md").read_text(encoding="utf-8")


def test_the_file(tmp_path):
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "search.yaml").write_text(block)
    assert parse_model(SearchConfig, tmp_path / "search.yaml").loop.amortised == 0.4


def test_every_key_of_the_table_exists_and_every_key_is_there():
    table = TEXT.split("| key | meaning |")[1].split("\n\n")[0]
    named = re.findall(r"^\| (`[^|]+`) \|", table, re.M)
    keys = set()
    for cell in named:
        parts = re.findall(r"`([\w.]+)`", cell)
        head = parts[0].split(".")[0]
        keys |= {head + part if part.startswith(".") else part for part in parts}
    for key in keys:
        model = SearchConfig
        for part in key.split("."):
            assert part in model.model_fields, key
            inner = model.model_fields[part].annotation
            model = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else model
    heads = {key.split(".")[0] for key in keys}
    assert set(SearchConfig.model_fields) - heads == {"name", "family", "seed"}


@pytest.mark.parametrize("name", re.findall(r"cods search (examples/\w+\.yaml)", TEXT))
def test_the_examples_parse(name):
    parse_model(SearchConfig, ROOT / name)
