"""Tests of the accelerator by its users: the cocotb tests run in Verilator, pytest starts them."""

import cocotb

from codesign.hwtest import accelerator, run_cocotb


@cocotb.test()
async def golden_answers(dut):
    design = await accelerator(dut)
    words, wanted = zip(*design.golden[:20], strict=True)
    assert await design.infer_all(words) == list(wanted)


def test_accelerator():
    assert run_cocotb("accelerator", __file__, work="build/ci/own") == 1
