"""Kills a build in mid-training, as a crash would: for the tests that go on from there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def kill_in_training(config: Path, run: Path, *, until: str, limit_s: float = 240) -> None:
    """Start `cods build` and send SIGKILL once its first checkpoint is there; fails if training has ended by then."""
    command = [sys.executable, "-m", "codesign", "build", str(config), "--run", str(run), "--until", until]
    checkpoint = run / ".2_train.partial" / "checkpoint.safetensors"
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + limit_s
        while not checkpoint.exists() and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(child.pid, signal.SIGKILL)
    finally:
        child.wait()
    assert checkpoint.exists() and not (run / "2_train").exists(), "the kill came too late: nothing was tested"
