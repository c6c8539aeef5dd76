"""The ends of a pipeline (skid buffer, both ends of an AXI4-Stream) are proven, and broken ones are refuted."""

from dataclasses import replace

import pytest
from formal_nets import small_network

from codesign.config import RegistersConfig, RtlConfig
from codesign.ir import Decide
from codesign.rtl import emit
from codesign.verify.formal import require_proven
from codesign.verify.formal.ends import prove_ends


def emitted(folder, interface, bits=8):
    network = small_network()
    stages = network.stages[:-1]
    wide = replace(network, stages=(*stages, Decide("decide", "none", stages[-1].formats)))  # answers of 9 bits
    config = RtlConfig(
        form="table", registers=RegistersConfig(every=1), interface=interface, stream_bits=bits, workers=1
    )
    return emit(wide, config, folder, features=None)


def ends(folder, design, tmp_path):
    return prove_ends(folder, design, work=tmp_path / "work", timeout_s=60, waves=tmp_path / "waves")


def test_bare_ports_have_no_ends(tmp_path):
    design = emitted(tmp_path / "design", "bare")
    assert ends(tmp_path / "design", design, tmp_path) is None


@pytest.mark.synth
def test_the_ends_of_a_stream_are_proven(tmp_path):
    design = emitted(tmp_path / "design", "axi_stream")
    tally = ends(tmp_path / "design", design, tmp_path)
    require_proven([tally])
    assert tally.methods == {"induction over a clock": 16, "trace": 3}


@pytest.mark.slow
@pytest.mark.synth
@pytest.mark.parametrize(("interface", "bits"), [("ready_valid", 64), ("axi_stream", 16), ("axi_stream", 64)])
def test_other_ends_are_proven(tmp_path, interface, bits):
    design = emitted(tmp_path / "design", interface, bits)
    require_proven([ends(tmp_path / "design", design, tmp_path)])


@pytest.mark.slow
@pytest.mark.synth
@pytest.mark.parametrize(
    ("module", "old", "new", "about"),
    [
        ("skid", "full <= out_valid & ~out_ready & ~rst;", "full <= 1'b0;", "skid buffer"),
        ("skid", "if (~full) held <= in_data;", "held <= in_data;", "skid buffer: data are stable"),
        ("collect", "full <= (take & complete) | (full & ~sample_ready);", "full <= take & complete;", "input stream"),
        ("send", "assign m_last = left ==", "assign m_last = left !=", "output stream (m_axis): tlast"),
    ],
)
def test_a_broken_end_is_refuted(tmp_path, module, old, new, about):
    design = emitted(tmp_path / "design", "axi_stream")
    path = tmp_path / "design" / "rtl" / f"{design.top}_{module}.v"
    text = path.read_text(encoding="ascii")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="ascii")
    tally = ends(tmp_path / "design", design, tmp_path)
    found = [proof for proof in tally.proofs if proof.outcome == "refuted"]
    assert any(proof.subject.startswith(about) for proof in found)
    assert list((tmp_path / "waves").glob("*.vcd"))
