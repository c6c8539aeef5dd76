"""What measuring makes of a design: who may win, which figures stand, what the model learns from it."""

import pytest

from codesign.accel import Figure
from codesign.search import Objective
from codesign.search.jobs import Job, Outcome
from codesign.search.loop import Candidate, Correction, judge

NETWORK = Candidate("net", {}, None, 91.0, "table")
PREDICTED = {
    "cycles": Figure(1000, "cycles", "exact"),
    "luts": Figure(5000, "LUTs", "estimated"),
    "latency_us": Figure(10.0, "us at 100.0 MHz (estimated)", "estimated"),
    "energy_nj": Figure(50.0, "nJ", "model energy"),
    "edp": Figure(500.0, "nJ us", "model energy"),
    "fmax_mhz": Figure(100.0, "MHz", "estimated"),
}


def outcome(state="done", reason="", **figures):
    origins = {"luts": "synthesised", "fmax_mhz": "routed"}
    made = {name: Figure(value, "", origins.get(name, "simulated")) for name, value in figures.items()}
    return Outcome(Job("line", {}), state, made, reason, "w", 1.0, "")


def judged(found, *, limits=None, least=None):
    return judge(NETWORK, {"pe": 8}, PREDICTED, found, Objective("edp", limits=limits or {}), least_accuracy=least)


def test_measured_figures_take_the_place_of_estimates():
    design = judged(outcome(cycles=1000, luts=5500), limits={"luts": 6000})
    assert design.done and design.value == 500.0
    assert design.figures["luts"] == Figure(5500, "", "synthesised") and design.predicted["luts"].origin == "estimated"
    assert design.figures["cycles"].origin == "simulated" and design.figures["edp"].origin == "model energy"


def test_a_routed_clock_moves_time_and_energy_delay():
    design = judged(outcome(cycles=1000, fmax_mhz=50.0))
    assert design.figures["latency_us"].value == 20.0 and design.figures["latency_us"].origin == "routed"
    assert design.value == 50.0 * 20.0


@pytest.mark.parametrize(
    ("found", "limits", "least", "state", "reason"),
    [
        (outcome("failed", "yosys ran out of memory"), {}, None, "failed", "out of memory"),
        (outcome(cycles=1000, vectors_mismatched=1), {}, None, "failed", "1 answers"),
        (outcome(cycles=1001), {}, None, "failed", "counted 1,001, the model says 1,000"),
        (outcome(cycles=1000, luts=7000), {"luts": 6000}, None, "over limit", "7,000 (synthesised) exceeds 6,000"),
        (outcome(cycles=1000, accuracy_validation=0.80), {}, 85.0, "not accurate", "80.00 %, at least 85.00 %"),
    ],
)
def test_what_may_not_win(found, limits, least, state, reason):
    design = judged(found, limits=limits, least=least)
    assert design.state == state and reason in design.reason and design.value == float("inf") and not design.done


def test_the_correction_moves_limits_by_what_was_measured():
    correction = Correction()
    assert correction.objective(Objective("edp", limits={"luts": 6000})).limits["luts"] == 6000
    for luts in (5500, 6000, 10_000):
        correction.learn(judged(outcome(cycles=1000, luts=luts), limits={"luts": 8000}), luts)
    assert correction.factors["luts"] == pytest.approx(1.2)
    assert correction.objective(Objective("edp", limits={"luts": 6000, "edp": 1})).limits == {"luts": 5000, "edp": 1}
    assert list(correction.excluded["net"]) == [10_000]  # the one over its limit after synthesis


def test_a_network_that_is_not_accurate_says_nothing_of_its_hardware():
    correction = Correction()
    correction.learn(judged(outcome(cycles=1000, accuracy_validation=0.5), least=80.0), 3)
    assert not correction.excluded
