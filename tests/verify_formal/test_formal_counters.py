"""Wide sums are proven counter by counter, and one wrong bit in them is caught and named with an input."""

import re
from dataclasses import replace

import numpy as np
import pytest

from codesign.config import RegistersConfig, RtlConfig
from codesign.ir import Format, LutNetwork, Sum, Sums, bits_for_range, check
from codesign.rtl import emit
from codesign.verify.formal.counters import _Affine, _followed, _Net
from codesign.verify.formal.rtl import prove_stages, read_pipeline


def wide_network(*, seed: int, terms: int, widths: tuple[int, ...] = (1,), sums: int = 2, mixed: bool = False):
    """Sums of many signals each: of the given widths, of both signs and with a bias where they are mixed."""
    rng = np.random.default_rng(seed)
    inputs = tuple(Format(int(rng.choice(widths)), mixed and bool(rng.integers(2))) for _ in range(terms + 5))
    made: list[Sum] = []
    for _ in range(sums):
        sources = tuple(int(i) for i in rng.permutation(len(inputs))[:terms])
        signs = tuple(int(s) for s in (rng.choice((-1, 1), terms) if mixed else np.ones(terms, int)))
        bias = int(rng.integers(-20, 20)) if mixed else 0
        ends = [
            sorted((sign * inputs[source].low, sign * inputs[source].high))
            for source, sign in zip(sources, signs, strict=True)
        ]
        fmt = bits_for_range(bias + sum(low for low, _ in ends), bias + sum(high for _, high in ends))
        made.append(Sum(sources, signs, fmt, bias))
    return check(LutNetwork("wide", (Sums("s", tuple(made)),), inputs))


def emitted(network, folder, **registers):
    emit(network, RtlConfig(registers=RegistersConfig(**registers), workers=1), folder)
    return folder


def proofs(network, folder, work):
    pipeline = read_pipeline(folder, network, work=work / "read", timeout_s=60)
    return prove_stages(pipeline, work=work / "prove", timeout_s=20).proofs


@pytest.mark.parametrize("registers", [{"every": 1}, {"depth": 1}])
def test_a_hundred_votes_and_mixed_words_are_proven(tmp_path, registers):
    networks = (
        wide_network(seed=0, terms=100),
        wide_network(seed=1, terms=40, widths=(1, 2, 3), mixed=True),
        wide_network(seed=2, terms=17, widths=(1, 4), mixed=True, sums=3),
    )
    for number, network in enumerate(networks):
        folder = emitted(network, tmp_path / f"design{number}", **registers)
        found = proofs(network, folder, tmp_path / f"work{number}")
        assert [(proof.outcome, proof.how) for proof in found] == [("proven", "counter by counter")] * len(found)
        assert len(found) == len(network.stages[0].sums)


@pytest.mark.parametrize("seed", range(3))
def test_a_flipped_bit_of_a_counter_or_a_wrong_adder_is_refuted(tmp_path, seed):
    network = wide_network(seed=seed, terms=60, sums=1)
    folder = emitted(network, tmp_path / "design", every=1)
    path = folder / "rtl" / "wide_s.v"
    text = path.read_text()
    if seed < 2:
        constant = list(re.finditer(r"t = 64'h([0-9a-f]{16});", text))[seed]
        row = int(np.random.default_rng(seed).integers(64))
        changed = f"{int(constant[1], 16) ^ 1 << row:016x}"
        broken = text[: constant.start(1)] + changed + text[constant.end(1) :]
    else:
        assert text.count(" + ") >= 1
        at = text.rindex(" + ")
        broken = text[:at] + " - " + text[at + 3 :]
    path.write_text(broken)
    (proof,) = proofs(network, folder, tmp_path / "work")
    assert proof.outcome == "refuted" and proof.subject == "stage 's', signal 0"
    codes, wanted, got = re.search(r"input codes ([\d, ]+): wanted (\d+), got (\d+)", proof.detail).groups()
    read = [int(code) for code in codes.split(",")]
    assert sum(read[source] for source in network.stages[0].sums[0].sources) == int(wanted) != int(got)


def test_a_network_of_another_sign_is_refuted(tmp_path):
    network = wide_network(seed=3, terms=30, widths=(1, 2), mixed=True, sums=1)
    folder = emitted(network, tmp_path / "design", every=1)
    (total,) = network.stages[0].sums
    signs = (-total.signs[0], *total.signs[1:])
    other = replace(network, stages=(Sums("s", (replace(total, signs=signs),)),))
    (proof,) = proofs(other, folder, tmp_path / "work")
    assert proof.outcome == "refuted"


def test_a_counter_that_is_cut_short_serves_no_wider_sum():
    """Two bits of a count of four are that count modulo four, and nothing more."""
    output, counted = _Affine(0, {2: 1, 4: 2}), _Affine(0, {6: 1, 8: 1, 10: 1, 12: 1})
    short, whole = (_Net((2, 4), counted, exact) for exact in (False, True))
    assert _followed(output, [short], 3) is None
    assert _followed(output, [short], 2) == {0: 0, 6: 1, 8: 1, 10: 1, 12: 1} == _followed(output, [whole], 3)
    assert _followed(_Affine(0, {2: 1, 4: 3}), [whole], 3) is None
