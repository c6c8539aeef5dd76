"""What docs/search_networks.md says is so: its code runs, its space is one, and what it names exists."""

import re
from pathlib import Path

import codesign.search.gradient as gradient
from codesign.search.networks import KINDS, network_spaces, read_network_space
from codesign.search.proxies import PROXIES

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "search_networks.md").read_text(encoding="utf-8")


def test_code_runs():
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(compile(block, "docs/search_networks.md", "exec"), {})


def test_the_space_and_the_names(tmp_path):
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "space.yaml").write_text(block)
    space = read_network_space(tmp_path / "space.yaml")
    assert space.refusal(space.choices.point(0)) == ""
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| ((?:`[\w-]+`(?:, )?)+) \|$", TEXT, re.M)
    assert sorted(kind for kind, _ in rows) == sorted(KINDS)
    assert sorted(name for _, names in rows for name in re.findall(r"`([\w-]+)`", names)) == network_spaces()
    assert all(name in TEXT for name in PROXIES)
    for name in ("search_cells", "map_cycles", "Found"):
        assert hasattr(gradient, name) and name in TEXT
