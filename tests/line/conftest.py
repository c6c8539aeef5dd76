"""One small build of the digits, shared by the tests of the line."""

from pathlib import Path

import pytest

from codesign.config import BuildConfig
from codesign.line import new_line

SMALL = {
    "name": "small",
    "seed": 3,
    "data": {"source": "digits"},
    "inputs": {"thresholds": "uniform"},
    "topology": {
        "input_bits": 2,
        "layers": [{"width": 24, "fan_in": 3, "bits": 2}, {"width": 10, "fan_in": 3, "bits": 3, "terms": 2}],
    },
    "train": {"epochs": 3, "batch_size": 64, "threads": 1, "tensorboard": False},
    "simulate": {"cocotb": False},
    "synth": {"devices": ["xcvu9p"], "place_and_route": False},
}


@pytest.fixture(scope="session")
def small_config() -> BuildConfig:
    return BuildConfig.model_validate(SMALL)


@pytest.fixture(scope="session")
def optimized_run(small_config, tmp_path_factory) -> Path:
    """A run that is finished up to the optimized tables."""
    run = tmp_path_factory.mktemp("line") / "run"
    new_line(small_config, run, folder=run.parent).build(until="optimize")
    return run
