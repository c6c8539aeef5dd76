"""The example of a mask and a quantizer of one's own runs as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_example_trains_extracts_and_proves(tmp_path):
    done = subprocess.run(
        [sys.executable, "examples/custom_sparsity.py", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    found = re.match(r"test accuracy (\S+); (\d+) table rows and (\d+) samples equal", done.stdout)
    assert found and float(found[1]) > 0.8
    assert int(found[2]) > 128 * 256 + 64 * 1024 + 10 * 1024 and int(found[3]) == 359


def test_importing_the_package_imports_no_torch():
    code = "import sys, codesign, codesign.ir, codesign.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_without_torch_the_message_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['brevitas'] = None\n"
        "try:\n    import codesign.nn\n"
        "except Exception as problem:\n    print(type(problem).__name__, problem)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("ToolNotFound") and "pip install 'codesign[train]'" in done.stdout
