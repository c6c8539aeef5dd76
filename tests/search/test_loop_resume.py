"""A search that is killed in the midst of a job, and resumed, ends where one that ran through ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from loop_toys import write_toy

COMMAND = [sys.executable, "-m", "codesign"]


def cods(*arguments, **options):
    environment = {**os.environ, "COLUMNS": "150"}
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
    )


def bare(result):
    """What a result says, without where its jobs ran."""
    for arm in result["arms"].values():
        for design in (arm["best"], *arm["designs"]):
            design.pop("folder")
    return result


def read(run: Path):
    rows = [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]
    return bare(json.loads((run / "result.json").read_text())), rows


def test_killed_and_resumed_it_ends_at_the_same_design(tmp_path):
    network = '{"work": 4000, "room": 64, "sleep": 0.3}'
    path = write_toy(tmp_path / "toy", network=network, rounds=2, shortlist=2)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    straight = cods("search", path, "--run", whole)
    victim = cods("search", path, "--run", killed, start_new_session=True)
    deadline = time.monotonic() + 300
    while not list((killed / "jobs").glob("*/outcome.json")) and time.monotonic() < deadline:
        assert victim.poll() is None, victim.communicate()[0].decode()
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)  # after the first job, before the search is over
    victim.communicate()
    assert not (killed / "result.json").exists() and (killed / "evaluations.jsonl").is_file()
    assert straight.wait(timeout=300) == 0, straight.communicate()[0].decode()
    straight.communicate()
    resumed = cods("resume", killed)
    said = resumed.communicate(timeout=300)[0].decode()
    assert resumed.returncode == 0, said
    assert "generated and simulated, not synthesised" in said
    assert read(killed) == read(whole)
