"""What all fake tools share: the ways of FAKE_TOOL."""

import os
import shutil
import sys
import time
from pathlib import Path

REFERENCE = Path(__file__).resolve().parent / "reference"


def version(default):
    return os.environ.get("FAKE_VERSION", default)


def act(words, outputs):
    """Print `words`, write `outputs` (path to reference name), and exit, all as FAKE_TOOL says."""
    mode = os.environ.get("FAKE_TOOL", "good")
    if mode == "hang":
        time.sleep(600)
    if mode == "silent":
        sys.exit(0)
    print(words)
    if mode == "crash":
        print("ERROR: something broke inside")
        sys.exit(1)
    if mode == "no_room":
        print("ERROR: Unable to place cell 'core.l0.n3', no BELs remaining to implement cell type 'ICESTORM_LC'")
        sys.exit(1)
    if mode == "no_report":
        sys.exit(0)
    for path, name in outputs.items():
        if mode == "truncated":
            data = (REFERENCE / name).read_bytes()
            Path(path).write_bytes(data[: len(data) // 3])
        elif mode == "rubbish":
            Path(path).write_text("Lorem ipsum | dolor\n" * 40)
        else:
            shutil.copyfile(REFERENCE / name, path)
    sys.exit(0)
