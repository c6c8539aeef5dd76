"""The worked networks on one engine: ResNet-8, NAS-Bench-201 cells, the CIFAR-10 net; few channels, random weights."""

from pathlib import Path

import numpy as np
import pytest

from codesign.accel.engine import EnginePoint, compile_program, cycles, interpret
from codesign.ir.conv_presets import cifar10_small, nasbench201, resnet8
from codesign.ir.integer import MapShape, trace_integer
from codesign.ir.integer_random import random_network
from codesign.rtl.engine import generate
from codesign.simulate.engine import EngineJob, build_engine, run_programs

SMALL = {"channels": 4, "shape": MapShape(3, 8, 8)}
CELLS = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
    "|nor_conv_1x1~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|skip_connect~2|",
)
POINT = EnginePoint(4, 4, 4, 4, weight_depth=8192, bank_depth=1024, banks=4, accumulator_bits=24, double_buffer=True)


@pytest.mark.sim
def test_worked_networks_are_exact_in_data_and_cycles(tmp_path: Path) -> None:
    shapes = [resnet8(**SMALL), cifar10_small(**SMALL), *(nasbench201(arch, cells=1, **SMALL) for arch in CELLS)]
    rng = np.random.default_rng(5)
    generate(POINT, tmp_path / "design")
    built = build_engine(tmp_path / "design", work=tmp_path / "build")
    networks = [random_network(shape, seed=7) for shape in shapes]
    images = rng.integers(0, 16, (3, 3, 8, 8))
    jobs = [EngineJob(compile_program(network, POINT), images) for network in networks]
    for network, job, run in zip(networks, jobs, run_programs(built.program, POINT, jobs, work=tmp_path), strict=True):
        assert run.error == "NONE" and not run.complaints
        np.testing.assert_array_equal(run.answers, trace_integer(network, images)[network.layers[-1].name])
        np.testing.assert_array_equal(run.answers, interpret(job.program, images)["answers"])
        law = cycles(job.program, images=3)
        assert (run.cycles, run.layer_cycles) == (law.total, law.layers)
    assert len({run.program.name for run in jobs}) == 3 and max(len(job.program.layers) for job in jobs) > 20
