"""How busy workers are: generates, simulates and synthesises random engines in several processes on one blackboard.

`python -m benchmarks.blackboard_busy --jobs 16 --workers 2` prints, for every worker, the seconds that it spent in jobs
and those in which the search had unfinished jobs, the wait for the last one included.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from codesign.search.blackboard import Blackboard, local_workers
from codesign.search.jobs import Job

TOPOLOGY = {
    "input": [3, 8, 8],
    "weight_bits": 4,
    "bits": 4,
    "layers": [
        {"kind": "conv", "channels": 8, "stride": 2},
        {"kind": "conv", "channels": 16, "stride": 2},
        {"kind": "dense", "channels": 10},
    ],
}


def jobs(count: int, *, synth: bool) -> list[Job]:
    """Return `count` engines that differ in their arrays, pipelines and multipliers, and the networks' weights."""
    found: list[Job] = []
    for number in range(count):
        point = {
            "pe": (2, 4)[number % 2],
            "simd": (2, 4)[number // 2 % 2],
            "pipeline": number // 4 % 5,
            "weight_bits": 4,
            "activation_bits": 4,
            "weight_depth": 2048,
            "bank_depth": 256,
            "multiplier": ("lut", "dsp")[number // 20 % 2],
            "double_buffer": True,
        }
        spec = {"topology": TOPOLOGY, "point": point, "device": "ecp5-85f", "seed": number, "synth": synth}
        found.append(Job("random_engine", spec))
    return found


def main() -> int:
    """Run the jobs and print the table; 1 where a job failed or a worker was less busy than asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--storage", help="a journal in a temporary folder where it is not given")
    parser.add_argument("--no-synth", action="store_true", help="simulate only")
    parser.add_argument("--least", type=float, default=0.85, help="busy share that every worker must reach")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        storage = given.storage or f"journal:{folder / 'search.log'}"
        study = f"busy-{time.time_ns()}"
        board = Blackboard(storage, study, works=False, poll_s=0.2, notify=print)
        with board, local_workers(storage, study, count=given.workers, folder=folder / "jobs"):
            began = time.monotonic()
            found = board.evaluate(jobs(given.jobs, synth=not given.no_synth))
            wall = time.monotonic() - began
            failed = [one for one in found if not one.done]
            time.sleep(1)  # the workers store what they did after the job's outcome
            records = board.workers()
    print(
        f"{len(found)} jobs, {len(failed)} failed, in {wall:.1f} s; {sum(one.seconds for one in found):.1f} s of work"
    )
    for one in failed:
        print(f"  {one.reason}")
    for record in records:
        share = record.busy_share or 0.0
        print(f"  {record.name}: {record.done} jobs, {record.busy_s:.1f} of {record.work_s:.1f} s busy: {share:.1%}")
    return int(bool(failed) or any((record.busy_share or 0.0) < given.least for record in records))


if __name__ == "__main__":
    sys.exit(main())
