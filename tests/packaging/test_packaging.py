"""The wheel carries the resource rooms, importing the package imports no torch, the import contracts hold."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from codesign.resources import ROOMS, resource_dir

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return next(out.glob("*.whl"))


def test_wheel_holds_every_room(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path)
    for room in ROOMS:
        source = {
            p.relative_to(ROOT / room).as_posix()
            for p in (ROOT / room).rglob("*")
            if p.is_file() and "__pycache__" not in p.parts
        }
        packed = {name.removeprefix(f"codesign/_resources/{room}/") for name in names if f"_resources/{room}/" in name}
        assert source, room
        assert source <= packed, room
    code = "from codesign.resources import resource_dir as r; print(r('accel_space'))"
    # -I -S: neither this checkout nor its editable install can be seen, only what the wheel holds.
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / "codesign" / "_resources" / "accel_space")


def test_checkout_rooms_are_found():
    for room in ROOMS:
        assert resource_dir(room) == ROOT / room
        assert not list((ROOT / room).rglob("__init__.py")), f"{room} must hold no importable package"
    with pytest.raises(ValueError, match="room must be one of"):
        resource_dir("tests")


@pytest.mark.parametrize("module", ["codesign", "codesign.ir", "codesign.rtl", "codesign.simulate", "codesign.cli"])
def test_no_torch_on_import(module):
    code = f"import sys, {module}; assert 'torch' not in sys.modules and 'brevitas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_import_contracts():
    command = [str(Path(sys.executable).with_name("lint-imports"))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
