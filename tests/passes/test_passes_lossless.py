"""Every pass keeps every answer, on every input of small networks and on samples of large ones."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.ir import Layer, LutNetwork, Tables, Topology, check, encode, load, preset, save
from codesign.ir.text import digest
from codesign.passes import (
    PASSES,
    check_care,
    every_input,
    measure,
    run_passes,
    same_everywhere,
    same_function,
    unseen_patterns,
)
from codesign.testing import Limits, networks, random_codes, random_features, structured_network

IDEMPOTENT = (
    "fold_constants",
    "fold_decision",
    "fill_dont_cares",
    "merge_duplicates",
    "reduce_support",
    "remove_unused",
)
NEVER_GROW = ("neurons", "sums", "signals", "signal_bits", "edges", "table_bits", "worst_case_luts")


def assert_not_larger(before: LutNetwork, after: LutNetwork) -> None:
    small, large = asdict(measure(after)), asdict(measure(before))
    assert all(small[key] <= large[key] for key in NEVER_GROW), (small, large)


@pytest.mark.parametrize("name", PASSES)
@settings(max_examples=25, deadline=None)
@given(network=networks(care="sound"))
def test_a_pass_is_lossless(name, network):
    after = PASSES[name](network)
    assert check(after) is after
    assert (after.inputs, after.outputs, after.name) == (network.inputs, network.outputs, network.name)
    assert same_everywhere(network, after)
    check_care(after, every_input(after))
    assert_not_larger(network, after)


@pytest.mark.parametrize("name", IDEMPOTENT)
@settings(max_examples=25, deadline=None)
@given(network=networks(care="sound"))
def test_a_pass_does_not_repeat_itself(name, network):
    once = PASSES[name](network)
    assert PASSES[name](once) is once


@settings(max_examples=25, deadline=None)
@given(networks(care="sound"))
def test_narrowing_settles(network):
    """Fewer bits can show that a row never occurs, which the next round may use; it ends."""
    for _ in range(4):
        after = PASSES["narrow_signals"](network)
        if after is network:
            return
        network = after
    raise AssertionError("narrow_signals still changed the network in its fourth round")


@settings(max_examples=80, deadline=None)
@given(networks(care="sound"))
def test_all_passes_together_are_lossless(network):
    after, reports = run_passes(network)
    assert same_everywhere(network, after)
    check_care(after, every_input(after))
    assert_not_larger(network, after)
    again, more = run_passes(after)
    assert again is after and not any(report.changed for report in more)
    assert reports[-1].after == measure(after)


@settings(max_examples=40, deadline=None)
@given(networks(care="sound"), st.permutations(sorted(PASSES)))
def test_any_order_is_lossless(network, order):
    after, _ = run_passes(network, order, rounds=2)
    assert same_everywhere(network, after)
    check_care(after, every_input(after))


@settings(max_examples=30, deadline=None)
@given(
    networks(limits=Limits(inputs=8, input_bits=3, stages=5, width=12, fan_in=5, bits=4, address_bits=12)),
    st.integers(0, 99),
)
def test_larger_networks_keep_their_answers_on_samples(network, seed):
    rng = np.random.default_rng(seed)
    samples = random_codes(network, rng, 2000) if network.encode is None else random_features(network.encode, rng, 2000)
    after, _ = run_passes(network)
    assert same_function(network, after, samples)
    check_care(after, samples)


def deep(coding: str, terms: int = 1) -> Topology:
    layers = (
        Layer("l0", 24, 4, 2),
        Layer("l1", 20, 4, 3, terms=terms, term_bits=3),
        Layer("l2", 12, 3, 2),
        Layer("l3", 4, 3, 4),
    )
    return Topology("deep", 12, 3 if coding == "thermometer" else 2, layers, coding=coding)  # type: ignore[arg-type]


SHAPES = {
    "jsc-s": preset("jsc-s"),
    "nid-s": replace(preset("nid-s"), inputs=150),
    "thermometer": deep("thermometer"),
    "sums": deep("binary", terms=3),
}


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_structured_networks_keep_their_answers_and_shrink(shape, words):
    rng = np.random.default_rng(5)
    network = structured_network(SHAPES[shape], rng, words=words)
    after, _ = run_passes(network)
    assert network.encode is not None
    samples = random_features(network.encode, rng, 5000)
    assert same_function(network, after, samples)
    check_care(after, samples)
    assert_not_larger(network, after)
    assert measure(after).worst_case_luts < measure(network).worst_case_luts


@settings(max_examples=40, deadline=None)
@given(networks(), st.integers(0, 2**32 - 1))
def test_after_unseen_patterns_the_passes_keep_the_answers_that_were_seen(network, seed):
    rng = np.random.default_rng(seed)
    every = every_input(network)
    seen = every[rng.random(len(every)) < 0.3]
    if not len(seen):
        seen = every[:1]
    codes = seen.astype(np.int32)
    if network.encode is not None:
        codes = encode(network.encode, seen)
    freed = unseen_patterns(network, codes)
    check_care(freed, seen)
    after, _ = run_passes(freed)
    assert same_function(network, after, seen)


def test_another_process_finds_the_same():
    """Nothing depends on the order of hashes."""
    code = (
        "import numpy as np; from codesign.ir import preset; from codesign.ir.text import digest\n"
        "from codesign.passes import run_passes; from codesign.testing import structured_network\n"
        "print(digest(run_passes(structured_network(preset('jsc-s'), np.random.default_rng(2)))[0]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    here, _ = run_passes(structured_network(preset("jsc-s"), np.random.default_rng(2)))
    assert other.stdout.strip() == digest(here)


def test_care_sets_reach_the_file(tmp_path):
    after, _ = run_passes(structured_network(preset("jsc-s"), np.random.default_rng(2)))
    assert any(n.care is not None for s in after.stages if isinstance(s, Tables) for n in s.neurons)
    save(after, tmp_path / "network.npz")
    assert load(tmp_path / "network.npz") == after
