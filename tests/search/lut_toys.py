"""A small binary data set, a space for it, and a runner that needs no tools."""

from pathlib import Path

import numpy as np

from codesign.accel import Figure
from codesign.config import SparsityConfig, TrainConfig
from codesign.data import DataSet
from codesign.ir import Fixed
from codesign.search.jobs import Outcome
from codesign.search.luts import LutSearchConfig

SPACE = """\
name: toy-luts
kind: tables
inputs: 12
answers: 1
input_bits: [1]
depth: [0, 1]
layers:
  - {width: [6, 12], fan_in: [2, 4], bits: [1, 2], neuron: lut}
last: {fan_in: [2, 4], bits: [1], neuron: lut, terms: [3, 6, 10]}
sparsity: [learned]
max_address_bits: 6
"""


def data(*, rows: int = 600, seed: int = 0) -> DataSet:
    draw = np.random.default_rng(seed)
    x = draw.integers(0, 2, size=(rows, 12))
    y = ((x[:, 0] & x[:, 1]) | (x[:, 2] & x[:, 3]) | (x[:, 4] ^ x[:, 5] & x[:, 6])).astype(np.int64)
    a, b = rows * 7 // 10, rows * 85 // 100
    parts = (x[:a], y[:a], x[a:b], y[a:b], x[b:], y[b:])
    parts = tuple(p.astype(np.float32) if p.ndim == 2 else p for p in parts)
    return DataSet("toy", "classification", *parts, tuple(f"f{i}" for i in range(12)), ("no", "yes"), Fixed(1))


def config(folder: Path, *, luts: float = 25.0, space: str = SPACE, **options: object) -> LutSearchConfig:
    path = folder / "space.yaml"
    path.write_text(space)
    train = TrainConfig(
        epochs=2,
        batch_size=64,
        learning_rate=0.03,
        threads=1,
        tensorboard=False,
        sparsity=SparsityConfig(method="learned"),
    )
    return LutSearchConfig.model_validate(
        {
            "name": "toy",
            "space": str(path),
            "limits": {"luts": luts, "cycles": 6},
            "data": {"source": "digits"},
            "train": train,
            "options": {"epochs": 6, "rungs": [1], "candidates": 3, "drawn": 8, "fill": 0.0, **options},
        }
    )


class FakeRunner:
    """Answers line jobs at once: accuracy falls with LUTs' order of arrival; `luts` says what each one took."""

    def __init__(self, luts, accuracies=(0.9, 0.8, 0.7, 0.6), failing=()):
        self.luts, self.accuracies, self.failing, self.jobs = list(luts), list(accuracies), set(failing), []

    def evaluate(self, jobs):
        found = []
        for job in jobs:
            number = len(self.jobs)
            self.jobs.append(job)
            if number in self.failing:
                found.append(Outcome(job, "failed", {}, "the build stopped", "fake", 0.0, ""))
                continue
            accuracy = self.accuracies[number % len(self.accuracies)]
            values = {"accuracy_validation": accuracy, "accuracy_test": accuracy - 0.01}
            figures = {name: Figure(value, "share", "exact") for name, value in values.items()}
            figures["luts"] = Figure(self.luts[number % len(self.luts)], "LUTs", "synthesised")
            figures["ffs"] = Figure(20, "flip-flops", "synthesised")
            figures["cycles"] = Figure(4, "cycles", "simulated")
            found.append(Outcome(job, "done", figures, "", "fake", 0.0, f"run{number}"))
        return found


class SizedRunner(FakeRunner):
    """Answers line jobs by their size: two LUTs a vote and one a table before; `accuracy` of those LUTs."""

    def __init__(self, accuracy):
        super().__init__([])
        self.accuracy = accuracy

    def evaluate(self, jobs):
        found = []
        for job in jobs:
            layers = job.spec["build"]["topology"]["layers"]
            luts = 2 * layers[-1]["terms"] + sum(layer["width"] for layer in layers[:-1])
            self.luts, self.accuracies = [luts], [self.accuracy(luts)]
            found += super().evaluate([job])
        return found
