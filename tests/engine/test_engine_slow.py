"""Samples of the space: valid points lint and synthesize; invalid ones are refused for reasons that are true."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from engine_samples import Sample, sample
from engine_truth import check_truth

from codesign.accel import device
from codesign.accel.engine import EnginePoint, Refusal, Violation, compile_program
from codesign.accel.engine.draw import draw_network
from codesign.accel.engine.resources import resources
from codesign.accel.engine.validate import RULES, EngineRules, validate
from codesign.rtl.engine import EngineDesign, generate
from codesign.tools.verilator import lint
from codesign.tools.yosys import find_yosys, run_yosys

SAMPLES = 200


def synthesized(design: EngineDesign, folder: Path) -> dict[str, int]:
    """Cells of the engine on Xilinx 7 series, by type. No latch and no wire of several drivers may come up."""
    script = [f"read_verilog {source}" for source in design.sources]
    script += [f"hierarchy -check -top {design.top}", "proc", "check -assert", "select -assert-none t:$dlatch"]
    script += [f"synth_xilinx -family xc7 -abc9 -flatten -noiopad -top {design.top}", "check -assert"]
    script += ["select -assert-none t:LD* t:$*latch*", "tee -q -o stat.json stat -json"]
    (folder / "synth.ys").write_text("\n".join(script) + "\n")
    run_yosys(find_yosys(), "synth.ys", folder, log="synth.log", timeout_s=1100, memory_gb=None)
    return json.loads((folder / "stat.json").read_text())["design"]["num_cells_by_type"]


def total(cells: dict[str, int], *prefixes: str) -> int:
    return sum(count for name, count in cells.items() if name.startswith(prefixes))


def refused(one: Sample) -> list[str]:
    """Check that the invalid point is refused, everywhere, for true reasons; return their rules."""
    found = validate(one.invalid, one.network)
    assert found
    for violation in found:
        check_truth(violation, one.invalid, one.network)
    with pytest.raises(Refusal) as problem:
        compile_program(one.network, one.invalid)
    assert {v.rule for v in problem.value.violations} <= {v.rule for v in found}
    return [v.rule for v in found]


@pytest.mark.slow
@pytest.mark.synth
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(SAMPLES))
def test_a_valid_point_is_built(seed: int, tmp_path: Path) -> None:
    one = sample(seed)
    assert validate(one.valid, one.network) == ()
    assert compile_program(one.network, one.valid).point == one.valid
    design = generate(one.valid, tmp_path)
    lint([tmp_path / source for source in design.sources], design.top, tmp_path)
    cells = synthesized(design, tmp_path)
    assert total(cells, "LUT") > 500 and total(cells, "FD") > 500
    assert total(cells, "RAMB") > 0  # the program memory at least
    predicted = resources(one.valid, device("xc7a100t"))
    halves, whole = total(cells, "RAMB18"), total(cells, "RAMB36")
    assert (predicted.half_brams, predicted.brams) == (halves, whole + -(-halves // 2))
    assert predicted.dsps == total(cells, "DSP")


def test_invalid_points_are_refused_with_true_reasons() -> None:
    met = {rule for seed in range(SAMPLES) for rule in refused(sample(seed))}
    assert set(RULES) - met == {"depth"}  # an odd weight_depth, which is no value of the space


def test_the_check_of_reasons_notices_what_is_not_so() -> None:
    rng = np.random.default_rng(2)
    point = EnginePoint(4, 4, 4, 4, accumulator_bits=32)
    network, _ = draw_network(point, rng, layers=3)
    name = network.layers[0].name
    assert validate(point, network) == ()
    lies = {
        "divisibility": "4 channels must be a multiple of simd 4 and pe 4",
        "activation_bits": "levels do not fit activations of 4 bits",
        "weight_bits": "weights are -8 to 7, too wide for weight_bits 4",
        "accumulator": "sums reach -9 to 9; accumulator_bits 32 holds -2147483648 to 2147483647",
        "weight_depth": "all weights take 9999 words, the memory holds 4096",
        "psum_depth": "36 pixels need as many partial sums; psum_depth is 0",
        "bank_depth": "its result needs 9 words in a bank that it does not read, of 4096 words each",
        "bank_conflict": "all 3 banks are read",
        "param_depth": "the network needs 9999; it is 1024",
        "answer_depth": "the network needs 9999; it is 256",
        "maximum": "a maximum of negative values needs pe of simd 4 or less, not 4",
        "zero_weight": "weights that must be 0",
        "padding": "padding pixels are 0",
    }
    assert set(lies) == set(RULES) - {"depth"}
    for rule, text in lies.items():
        with pytest.raises(AssertionError):
            check_truth(Violation(rule, "" if rule == "weight_depth" else name, text), point, network)


def test_points_that_break_a_rule_by_one_are_refused_and_no_sooner() -> None:
    """The least point that can run a network, and the same with one word or one bit less."""
    rng = np.random.default_rng(6)
    for _ in range(20):
        point = EnginePoint(4, 4, 4, 4, accumulator_bits=32, bank_depth=2048, weight_depth=8192)
        network, _ = draw_network(point, rng, layers=int(rng.integers(2, 6)))
        program = compile_program(network, point)
        least = {
            "weight_depth": program.weight_words,
            "param_depth": max(2, program.parameters),
            "answer_depth": max(2, program.answers),
            "accumulator_bits": max(8, *(layer.sum_bits for layer in program.layers)),
        }
        tight = replace(point, **least)
        assert EngineRules(network).violations(tight) == ()
        assert compile_program(network, tight).point == tight
        for name, value in least.items():
            if value > (8 if name == "accumulator_bits" else 2):
                found = validate(replace(tight, **{name: value - 1}), network)
                assert {v.rule for v in found} == {name.removesuffix("_bits")}
                for violation in found:
                    check_truth(violation, replace(tight, **{name: value - 1}), network)
