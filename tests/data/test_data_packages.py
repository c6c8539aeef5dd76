"""Optional packages are asked for by their pip line, and torch is never imported."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from codesign.config import DataConfig
from codesign.data import load
from codesign.errors import ConfigError


@pytest.mark.parametrize(
    ("module", "source", "name", "package"),
    [
        ("sklearn.datasets", "digits", None, "scikit-learn"),
        ("h5py", "jsc_cernbox", "jets.h5", "h5py"),
        ("pyarrow", "file", "t.parquet", "pyarrow"),
    ],
)
def test_a_missing_package_is_named_with_its_pip_line(module, source, name, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    path = None
    if name is not None:
        path = tmp_path / name
        path.write_bytes(b"x")
    with pytest.raises(ConfigError, match=rf"needs the package '{package}'.*pip install \"codesign\[data\]\""):
        load(DataConfig(source=source, path=path))


def test_the_room_needs_numpy_alone_until_a_format_asks_for_more(tmp_path):
    np.savez(tmp_path / "t.npz", x=np.random.default_rng(0).normal(size=(30, 2)), y=np.arange(30) % 2)
    program = f"""
import sys
from pathlib import Path
from codesign.config import DataConfig
from codesign.data import load
load(DataConfig(source="file", path=Path({str(tmp_path / "t.npz")!r})))
load(DataConfig(source="amplifier", options={{"samples": 2000}}))
print([m for m in ("torch", "brevitas", "sklearn", "scipy", "h5py", "pyarrow", "pooch", "pandas") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
