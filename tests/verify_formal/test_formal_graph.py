"""Graphs mean what they are built of; ABC is asked within limits, and its answers are not taken on trust."""

import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.errors import ToolFailed
from codesign.ir import Encode, run_stage
from codesign.testing import networks, random_codes
from codesign.verify.formal.aig import FALSE, Aig
from codesign.verify.formal.golden import golden_stage, legal_codes
from codesign.verify.formal.prove import Question, ask


def value(aig: Aig, word, assignment):
    return sum(bit << k for k, bit in enumerate(aig.evaluate(word, assignment)))


@given(st.integers(1, 7), st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_a_table_and_a_comparison_are_what_they_say_on_every_row(bits, seed):
    rng = np.random.default_rng(seed)
    column = rng.integers(0, 2, 1 << bits)
    aig = Aig()
    x = aig.word(bits)
    bit = aig.table(column, x)
    limit = int(rng.integers(-(1 << bits), 1 << bits))
    for row in range(1 << bits):
        given_x = {literal: row >> k & 1 for k, literal in enumerate(x)}
        assert aig.evaluate([bit], given_x) == [column[row]]
        signed = row - (1 << bits) * (row >> (bits - 1))
        assert aig.evaluate([aig.at_least(x, limit, signed=False)], given_x) == [row >= limit]
        assert aig.evaluate([aig.at_least(x, limit, signed=True)], given_x) == [signed >= limit]


@given(networks(), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_golden_circuits_are_the_network_stage_by_stage(network, seed):
    rng = np.random.default_rng(seed)
    codes = random_codes(network, rng, 8)
    formats = network.code_inputs
    for stage in network.core:
        aig = Aig()
        words = [aig.word(fmt.bits) for fmt in formats]
        golden = golden_stage(aig, stage, words, formats)
        after = run_stage(stage, codes, formats)
        for sample, wanted in zip(codes, after, strict=True):
            given_codes = {b: int(c) >> k & 1 for w, c in zip(words, sample, strict=True) for k, b in enumerate(w)}
            assert [value(aig, word, given_codes) for word in golden] == wanted.tolist()
        codes, formats = after, stage.formats


@given(networks(encoders=("binary_words", "thermometer_words")))
@settings(max_examples=20, deadline=None)
def test_golden_encoders_are_right_on_every_word(network):
    stage = network.encode
    assert isinstance(stage, Encode)
    for feature in stage.features:
        one = Encode("encode", (feature,), stage.coding)
        fmt = feature.word.format
        aig = Aig()
        x = aig.word(fmt.bits)
        golden = golden_stage(aig, one, [x], [fmt])
        levels = set()
        for code in range(fmt.count):
            got = [value(aig, word, {b: code >> k & 1 for k, b in enumerate(x)}) for word in golden]
            level = int((np.asarray(feature.word_thresholds()) <= int(fmt.values(code))).sum())
            levels.add(level)
            if stage.coding == "binary":
                assert got == [level]
            else:
                assert got == [int(level > k) for k in range(len(golden))]
        assert sorted(levels) == legal_codes(feature)


def adders(aig: Aig, bits: int) -> tuple[int, list[int]]:
    """Two forms of one adder (where they would differ), over inputs."""
    a, b = aig.word(bits), aig.word(bits)
    carry, out = FALSE, []
    for x, y in zip(a, b, strict=True):
        out.append(aig.table([0, 1, 1, 0, 1, 0, 0, 1], [x, y, carry]))
        carry = aig.table([0, 0, 0, 1, 0, 1, 1, 1], [x, y, carry])
    return aig.differ(aig.add(a, b), out), [*a, *b]


def test_abc_answers_on_few_and_on_many_inputs(tmp_path):
    aig = Aig()
    few, _ = adders(aig, 5)
    many, inputs = adders(aig, 12)
    rare = aig.all_([bit ^ (k % 2) for k, bit in enumerate(inputs)])
    questions = [Question("few", few), Question("many", many), Question("rare", rare), Question("folded", FALSE)]
    answers = ask(aig, questions, work=tmp_path, timeout_s=30)
    assert [a.status for a in answers] == ["never", "never", "possible", "never"]
    assert answers[0].how == "ABC, and every row"
    assert answers[1].how == "ABC"
    assert [answers[2].assignment[bit] for bit in inputs] == [1 - k % 2 for k in range(24)]


def fake_abc(tmp_path: Path, monkeypatch, body: str) -> None:
    program = tmp_path / "yosys-abc"
    program.write_text(f'#!/bin/sh\nif [ "$1" = -c ]; then echo "UC Berkeley, ABC 1.01"; exit 0; fi\n{body}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CODESIGN_ABC", str(program))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("sleep 60", "within 1 s"),
        ("echo nonsense", "gave up"),
        ("kill -9 $$", "ended badly"),
        ("exit 3", "ended badly"),
        ("echo 'UNSAT? cannot say'", "gave up"),
    ],
)
def test_abc_that_does_not_answer_leaves_the_question_open(tmp_path, monkeypatch, body, reason):
    fake_abc(tmp_path, monkeypatch, body if body != "sleep 60" else 'case "$2" in batch*) exit 0;; esac; sleep 60')
    aig = Aig()
    bad, _ = adders(aig, 4)
    (answer,) = ask(aig, [Question("adder", bad)], work=tmp_path / "w", timeout_s=1)
    assert answer.status == "open"
    assert reason in answer.reason


LIE = 'awk \'/^echo/ {{ sub(/^echo /, ""); print; print "{} Time = 0" }}\' "$2"'


def test_abc_that_lies_is_found_out(tmp_path, monkeypatch):
    aig = Aig()
    equal, _ = adders(aig, 4)
    rare = aig.all_(aig.word(6))
    fake_abc(tmp_path, monkeypatch, LIE.format("UNSATISFIABLE"))
    with pytest.raises(ToolFailed, match="evaluating every row says otherwise"):
        ask(aig, [Question("rare", rare)], work=tmp_path / "w", timeout_s=5)
    fake_abc(tmp_path, monkeypatch, LIE.format("SATISFIABLE"))
    with pytest.raises(ToolFailed, match="evaluating every row says otherwise"):
        ask(aig, [Question("adder", equal)], work=tmp_path / "w", timeout_s=5)
