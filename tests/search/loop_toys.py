"""A family of one's own that builds in no time, its search file, and runners that answer as they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from codesign.accel import Figure
from codesign.search.jobs import Job, Outcome

SPACE = """\
name: toy
family: toy_family.py:ToyFamily
knobs:
  rows: {values: [1, 2, 4, 8, 16]}
  lanes: {values: [1, 2, 4, 8, 16]}
  depth: {values: [16, 32, 64]}
  fast: {values: [false, true]}
"""

FAMILY = '''\
"""Multipliers in rows and lanes: cycles by a law, LUTs estimated; what is built can be told to be wrong."""

import json
import time

import numpy as np

from codesign.accel import AcceleratorFamily, Figure, Simulated, Violation


class ToyFamily(AcceleratorFamily):
    def read_network(self, path):
        return json.loads(path.read_text())

    def validate(self, point, network, device=None):
        found = []
        if point["rows"] * point["lanes"] > network["room"]:
            found.append(Violation("size", "", f"{point['rows']} x {point['lanes']} is more than {network['room']}"))
        if point["depth"] < 4 * point["lanes"]:
            found.append(Violation("depth", "", "the memory is too shallow"))
        return tuple(found)

    def cost(self, point, network, device):
        if point["rows"] in network.get("raises", []):
            raise ValueError("boom")
        time.sleep(network.get("hangs", {}).get(str(point["rows"]), 0))
        if point["rows"] in network.get("words", []):
            return {"cycles": Figure("many", "cycles", "exact"), "luts": Figure(1, "LUTs", "estimated")}
        cycles = network["work"] // (point["rows"] * point["lanes"]) + 3 * point["rows"] + point["depth"] // 16
        luts = 10 * point["rows"] * point["lanes"] + (7 if point["fast"] else 0)
        return {"cycles": Figure(cycles, "cycles", "exact"), "luts": Figure(luts, "LUTs", "estimated")}

    def draw_inputs(self, network, count, *, rng):
        return rng.integers(0, 4, (count, 3))

    def generate(self, point, network, folder):
        if point["rows"] in network.get("broken", []):
            raise RuntimeError("this array does not build")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "point.json").write_text(json.dumps(dict(point)))

    def simulate(self, folder, network, inputs, *, work):
        time.sleep(network.get("sleep", 0))
        point = json.loads((folder / "point.json").read_text())
        cycles = int(self.cost(point, network, None)["cycles"].value)
        return Simulated(len(inputs), network.get("mismatched", 0), cycles + network.get("late", 0))
'''

CONFIG = """\
name: toy
device: ecp5-25f
objective: {{figure: cycles, limits: {{luts: {luts}}}}}
hardware: {{space: space.yaml, method: {method}, evaluations: {evaluations}}}
network: {{file: work.json, method: reference}}
loop: {{rounds: {rounds}, shortlist: {shortlist}}}
realise: {{images: 3, build: {build}}}
rivals: {rivals}
"""


def write_toy(folder: Path, *, network: str = '{"work": 4000, "room": 64}', **options: object) -> Path:
    """Write the family, its network and a search file; return the latter's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "space.yaml").write_text(SPACE)
    (folder / "toy_family.py").write_text(FAMILY)
    (folder / "work.json").write_text(network)
    given = {"luts": 600, "method": "genetic", "evaluations": 60, "rounds": 2, "shortlist": 2}
    given |= {"build": "true", "rivals": "false"}
    path = folder / "search.yaml"
    path.write_text(CONFIG.format(**{**given, **options}))
    return path


class Told:
    """A runner whose outcomes are what `answer` gives for a job: figures, or a reason to have failed."""

    def __init__(self, answer: Callable[[Job], Mapping[str, Figure] | str]):
        self.answer, self.jobs = answer, list[Job]()

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Answer, noting the jobs."""
        self.jobs += jobs
        found: list[Outcome] = []
        for job in jobs:
            said = self.answer(job)
            state = ("failed", {}, said) if isinstance(said, str) else ("done", said, "")
            found.append(Outcome(job, state[0], state[1], state[2], "told", 0.0, ""))  # type: ignore[arg-type]
        return found
