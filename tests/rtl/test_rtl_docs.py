"""What docs/rtl.md and docs/rtl_forms.md say is so: code, settings, ports, excerpts."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from codesign.config import RtlConfig
from codesign.ir import Format, LutNetwork, Neuron, Tables
from codesign.rtl import emit

DOCS = Path(__file__).resolve().parents[2] / "docs"
RTL, FORMS = ((DOCS / name).read_text(encoding="utf-8") for name in ("rtl.md", "rtl_forms.md"))


def test_code_runs() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", RTL, re.DOTALL)
    exec(compile(block, "docs/rtl.md", "exec"), {})


def test_settings_are_the_defaults_and_all_of_them() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", RTL, re.DOTALL)
    stated = yaml.safe_load(block)["rtl"]
    assert RtlConfig.model_validate(stated) == RtlConfig()
    assert set(stated) == set(RtlConfig.model_fields)
    for name in ("form", "effort", "encoder", "interface"):
        for choice in RtlConfig.model_fields[name].annotation.__args__:  # type: ignore[union-attr]
            assert str(choice) in block, (name, choice)


@pytest.mark.parametrize("interface", ["bare", "ready_valid", "axi_stream"])
def test_ports_are_those_of_the_table(interface: str, tmp_path: Path) -> None:
    stated = {n: set(re.findall(r"`(\w+)`", row)) for n, row in re.findall(r"^\| `(\w+)` \| (.*) \|$", RTL, re.M)}
    stated["ready_valid"] |= stated["bare"]
    network = LutNetwork("net", (Tables("l0", (_neuron(),)),), (Format(2),) * 2)
    emit(network, RtlConfig(form="table", interface=interface), tmp_path)
    head = (tmp_path / "rtl/net.v").read_text().partition(");")[0]
    assert set(re.findall(r"(?:input|output) (?:\[\d+:0\] )?(\w+)", head)) == stated[interface]


def _neuron() -> Neuron:
    table = [max(0, a + b - 2) for b in range(4) for a in range(4)]
    return Neuron((0, 1), np.array(table, np.int32).clip(0, 3), Format(2))


@pytest.mark.parametrize("form", ["mapped", "table", "case"])
def test_excerpts_are_what_is_written(form: str, tmp_path: Path) -> None:
    network = LutNetwork("net", (Tables("l0", (_neuron(),)),), (Format(2),) * 2)
    emit(network, RtlConfig(form=form), tmp_path)
    text = (tmp_path / "rtl/net_l0.v").read_text()
    (excerpt,) = [b for b in re.findall(r"```verilog\n(.*?)```", FORMS, re.DOTALL) if f"// form {form}\n" in b]
    lines = [line for line in excerpt.splitlines() if line.strip() and not line.startswith("// form")]
    for line in lines:
        assert line.strip() == "..." or line in text.splitlines(), line
