"""ABC absent, too old, hanging, dying or writing rubbish: a named error, its log kept, and no file half written."""

from __future__ import annotations

import time

import numpy as np
import pytest
from map_cases import network_of, random_table

from codesign.config import RtlConfig
from codesign.errors import MismatchError, ToolFailed, ToolNotFound, ToolTooOld
from codesign.rtl import Design, emit, mapping
from codesign.rtl.mapping import map_network
from codesign.tools.abc import parse_blif, truth_text


def hard(count=2, seed=1):
    rng = np.random.default_rng(seed)
    return network_of([random_table(rng, 8, 2, "random") for _ in range(count)], 2, address_bits=8)


FAULTS = [
    ("crash", r"(?s)exit code 1 after .* log: .*something broke inside", 1),
    ("die", r"was ended by SIGKILL", -9),
    ("refuse", r"refused a command; codesign needs a build with `&ttopt`.*pyosys 0\.50", "command error"),
    ("silent", r"ended without writing \d\.blif", "no result"),
    ("empty", r"\d\.blif:1: cannot read what ABC wrote: the file has no `\.end`", "unreadable"),
    ("truncated", r"cannot read what ABC wrote: the file has no `\.end`", "unreadable"),
    ("rubbish", r"\.blif:1: cannot read what ABC wrote: 'Lorem ipsum \| dolor' stands outside a node", "unreadable"),
    ("binary", r"cannot read what ABC wrote", "unreadable"),
    ("narrow", r"must write 8 inputs and 2 outputs, not 7 and 2", "unreadable"),
    ("loop", r"ABC wrote a loop through 'y0'", "unreadable"),
    ("undriven", r"signal 'b' has no driver", "unreadable"),
    ("twice", r"a signal has two drivers", "unreadable"),
    ("wide", r"a node must have at most 6 inputs", "unreadable"),
    ("latch", r"directive '\.latch' is not expected", "unreadable"),
]


@pytest.mark.parametrize(("mode", "message", "status"), FAULTS)
def test_a_fault_is_named_and_leaves_nothing_behind(fake_abc, own_cache, tmp_path, mode, message, status):
    fake_abc(mode)
    folder = tmp_path / "design"
    with pytest.raises(ToolFailed, match=message) as caught:
        emit(hard(), RtlConfig(workers=2), folder)
    assert caught.value.status == status
    assert caught.value.log is not None and caught.value.log.is_file(), "the log that the message names must stay"
    assert not folder.exists() and not own_cache.exists()


def test_an_earlier_design_stays_whole_when_abc_fails(fake_abc, tmp_path):
    folder = tmp_path / "design"
    emit(hard(), RtlConfig(form="table"), folder)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    fake_abc("die")
    with pytest.raises(ToolFailed):
        emit(hard(seed=2), RtlConfig(), folder)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("workers", [1, 3])
def test_a_hanging_abc_is_killed_and_the_others_with_it(fake_abc, monkeypatch, workers):
    monkeypatch.setattr("codesign.rtl.map_abc._BATCH_COST", 1)
    fake_abc("hang")
    started = time.monotonic()
    with pytest.raises(ToolFailed, match=r"did not end within 0\.4 s and was killed") as caught:
        map_network(hard(6), workers=workers, timeout_s=0.4)
    assert caught.value.status == "timeout"
    assert time.monotonic() - started < 5  # not 12 processes of 0.4 s and more, one after the other


def test_legal_blif_of_another_function_is_caught_by_the_proof(fake_abc, own_cache, tmp_path):
    fake_abc("zeros")
    with pytest.raises(MismatchError, match=r"mapped stage 't', neuron 0, address \d+: wanted code \d, got 0"):
        emit(hard(), RtlConfig(), tmp_path / "design")
    assert not (tmp_path / "design").exists()


def test_temporary_files_go_when_all_went_well(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    map_network(hard(1), workers=1)
    assert list(tmp_path.iterdir()) == []


def test_a_too_old_abc_is_refused_where_it_is_named(fake_abc):
    fake_abc("zeros", version="1.00")
    with pytest.raises(ToolTooOld, match=r"is ABC 1\.00, which must be 1\.01 or newer"):
        map_network(hard())


def test_without_abc_the_design_says_so(monkeypatch, tmp_path):
    def nothing(tool, path=None):
        raise ToolNotFound("ABC was not found")

    monkeypatch.setattr(mapping, "find", nothing)
    design = emit(hard(), RtlConfig(), tmp_path)
    assert design.mapper == "structural" and Design.load(tmp_path) == design
    assert "ABC was not found: sub-tables and multiplexers" in (tmp_path / "README.md").read_text()


def test_blif_as_abc_writes_it(tmp_path):
    text = (
        "# Benchmark written by ABC\n.model x\n.inputs a b \\\n c\n.outputs y z k\n"
        ".names a b c y\n1-0 1\n01- 1\n.names a y z\n11 0\n.names k\n 1\n.end\n"
    )
    blif = parse_blif(text, source=tmp_path)
    assert (blif.inputs, blif.outputs) == (("a", "b", "c"), ("y", "z", "k"))
    masks = {node.output: node.mask for node in blif.nodes}
    wanted = sum(
        ((a and not c) or (not a and b)) << (a + 2 * b + 4 * c) for a in (0, 1) for b in (0, 1) for c in (0, 1)
    )
    assert masks == {"y": wanted, "z": 0b0111, "k": 1}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (".names a y\n1 1\n0 0\n", "rows of both output values"),
        (".names a y\n2 1\n", "a row of 1 inputs is expected, not '2 1'"),
        (".names a y\n1 x\n", "an output of 0 or 1 is expected"),
        (".names a y\n11 1\n", "a row of 1 inputs"),
        ("1 1\n", "stands outside a node"),
        (".names a y\n1 1\n.end\n.names a\n", "nothing may follow"),
        (".names a y\n1 1\n.model z\n", "one model is expected"),
    ],
)
def test_blif_that_is_not_what_it_must_be(body, message, tmp_path):
    with pytest.raises(ToolFailed, match=message) as caught:
        parse_blif(f".model x\n.inputs a\n.outputs y\n{body}.end\n", source=tmp_path / "x.blif")
    assert "x.blif:" in str(caught.value)


def test_truth_tables_as_abc_reads_them():
    columns = np.array([[1, 0, 0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 1, 1, 1]], np.uint8)
    assert truth_text(columns) == "01\nfe\n"
    assert truth_text(np.array([[0, 1, 1, 0]], np.uint8)) == "6\n"
