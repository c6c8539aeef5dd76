"""The emitted Verilog is proven in every form, and one flipped bit in a table or in Verilog is caught and named."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from formal_nets import flip_case, flip_table, flip_verilog, small_network

from codesign.config import RegistersConfig, RtlConfig
from codesign.errors import MismatchError, NotProven, ToolFailed
from codesign.ir import LutNetwork, Tables
from codesign.passes import run_passes
from codesign.rtl import emit
from codesign.verify.formal.reach import prove_care
from codesign.verify.formal.result import Proof, Tally, formal_table, require_proven
from codesign.verify.formal.rtl import prove_joints, prove_stages, read_pipeline
from codesign.verify.formal.whole import prove_whole

CASES = {
    "mapped": RtlConfig(form="mapped", registers=RegistersConfig(every=1), workers=1),
    "table": RtlConfig(form="table", registers=RegistersConfig(depth=1), interface="ready_valid", workers=1),
    "case": RtlConfig(form="case", registers=RegistersConfig(), encoder="outside", workers=1),
    "stream": RtlConfig(form="mapped", registers=RegistersConfig(every=2), interface="axi_stream", workers=1),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The network, optimized, and emitted in every form; to be copied, not changed."""
    network = small_network()
    optimized, _ = run_passes(network)
    root = tmp_path_factory.mktemp("formal")
    for name, config in CASES.items():
        emit(optimized, config, root / name)
    return network, optimized, root


def proven(folder, network, extracted, tmp_path) -> list[Tally]:
    pipeline = read_pipeline(folder, network, work=tmp_path / "r", timeout_s=60)
    stages = prove_stages(pipeline, work=tmp_path / "s", timeout_s=30)
    return [stages, prove_joints(pipeline), prove_whole(pipeline, extracted, work=tmp_path / "w", timeout_s=30)]


def refuted(tallies) -> list[Proof]:
    return [proof for tally in tallies for proof in tally.proofs if proof.outcome == "refuted"]


@pytest.fixture(scope="module")
def mapped(folders, tmp_path_factory):
    """The mapped form, read once."""
    _, optimized, root = folders
    return read_pipeline(root / "mapped", optimized, work=tmp_path_factory.mktemp("read"), timeout_s=60)


@pytest.mark.parametrize("case", CASES)
def test_every_form_is_proven(folders, tmp_path, case):
    network, optimized, root = folders
    tallies = proven(root / case, optimized, network, tmp_path)
    require_proven(tallies)
    assert {p.outcome for t in tallies for p in t.proofs} == {"proven"}
    logic = [s for s in optimized.stages if s.name != "encode" or case != "case"]
    assert len(tallies[0].proofs) == sum(len(s.formats) for s in logic)
    assert formal_table(tallies).row_count == 3


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_bit_in_a_table_is_caught_and_named(mapped, tmp_path, seed):
    optimized = mapped.network
    rng = np.random.default_rng(seed)
    stage = [s for s in optimized.stages if isinstance(s, Tables)][seed % 2]
    j = int(rng.integers(len(stage.neurons)))
    neuron = stage.neurons[j]
    rows = np.arange(neuron.table.size) if neuron.care is None else np.flatnonzero(neuron.care)
    row = int(rng.choice(rows))
    broken = flip_table(optimized, stage.name, j, row)
    tally = prove_stages(replace(mapped, network=broken), work=tmp_path / "s", timeout_s=30)
    (proof,) = refuted([tally])
    assert proof.subject == f"stage {stage.name!r}, neuron {j}"
    old = int(neuron.table[row])
    assert proof.detail.endswith(f"(address {row}): wanted {old ^ 1}, got {old}")
    with pytest.raises(MismatchError, match=rf"neuron {j}: input codes .*address {row}"):
        require_proven([tally])


@pytest.mark.parametrize("case", ["mapped", "table", "case"])
def test_a_flipped_bit_in_verilog_is_caught_and_named(folders, tmp_path, case):
    network, optimized, root = folders
    folder = tmp_path / "design"
    shutil.copytree(root / case, folder)
    path = folder / "rtl" / "tiny_t0.v"
    stage = next(s for s in optimized.stages if s.name == "t0")
    if case == "case":
        row = 2
        flip_case(path, "t0_n1", row)
    else:
        name = re.search(r"localparam \[\d+:0\] (t0_n1_\w+) =", path.read_text())[1]
        row = 2
        flip_verilog(path, name, row)
    tallies = proven(folder, optimized, network, tmp_path)
    proofs = refuted(tallies)
    assert proofs[0].subject == "stage 't0', neuron 1"
    found = re.search(r"\(address (\d+)\): wanted (\d+), got (\d+)", proofs[0].detail)
    address, wanted, got = (int(text) for text in found.groups())
    assert wanted == stage.neurons[1].table[address] != got
    if case != "mapped":  # a node's inputs need not be in the address' order
        assert address == row


def test_a_sum_and_a_decision_that_are_wrong_are_caught(folders, tmp_path):
    network, optimized, root = folders
    wrong = {"tiny_s1.v": (" + ", " - "), "tiny_decide.v": (" > ", " >= ")}
    for number, (name, (old, new)) in enumerate(wrong.items()):
        folder = tmp_path / f"design{number}"
        shutil.copytree(root / "mapped", folder)
        path = folder / "rtl" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        tallies = proven(folder, optimized, network, tmp_path / str(number))
        stage = name.removeprefix("tiny_").removesuffix(".v")
        proofs = refuted(tallies)
        assert proofs and proofs[0].subject.startswith(f"stage {stage!r}, signal")
        assert re.search(r"input codes [\d, ]+: wanted \d+, got \d+", proofs[0].detail)


def test_stages_joined_in_another_way_are_caught(folders, tmp_path):
    network, optimized, root = folders
    folder = tmp_path / "design"
    shutil.copytree(root / "mapped", folder)
    top = folder / "rtl" / "tiny.v"
    text = top.read_text()
    assert text.count("(t0_data)") >= 2
    at = text.rindex("(t0_data)")
    top.write_text(text[:at] + "(t0_next)" + text[at + len("(t0_data)") :])  # past the register
    assert refuted(proven(folder, optimized, network, tmp_path))[0].subject == "module tiny"
    register = folder / "rtl" / "tiny_register.v"
    shutil.copy(root / "mapped" / "rtl" / "tiny.v", top)
    register.write_text(register.read_text().replace("out_data <= in_data", "out_data <= ~in_data"))
    assert "register" in refuted(proven(folder, optimized, network, tmp_path))[0].subject


def test_a_care_set_that_leaves_out_what_occurs_is_caught_with_an_input(tmp_path):
    network = small_network()
    optimized, _ = run_passes(network)
    require_proven([prove_care(optimized, work=tmp_path / "a", timeout_s=30)])
    stages = list(network.stages)
    place = next(k for k, s in enumerate(stages) if s.name == "t2")
    neurons = list(stages[place].neurons)
    met = np.zeros(16, np.bool_)
    met[[0, 1, 2]] = True
    neurons[1] = replace(neurons[1], care=met)
    stages[place] = Tables("t2", tuple(neurons))
    wrong = LutNetwork(network.name, tuple(stages), network.inputs)
    tally = prove_care(wrong, work=tmp_path / "b", timeout_s=30)
    with pytest.raises(MismatchError, match=r"'t2', neuron 1: input codes .* lead to address \d+, which is not in"):
        require_proven([tally])


def test_what_is_not_proven_is_an_error_and_never_passes(mapped, tmp_path, monkeypatch):
    program = tmp_path / "yosys-abc"
    program.write_text('#!/bin/sh\nif [ "$1" = -c ]; then echo "UC Berkeley, ABC 1.01"; fi\n')
    program.chmod(0o755)
    monkeypatch.setenv("CODESIGN_ABC", str(program))
    tally = prove_stages(mapped, work=tmp_path / "s", timeout_s=1)
    assert tally.count("not proven") > 0
    assert tally.count("refuted") == 0
    with pytest.raises(NotProven, match="were not proven; none of them was refuted"):
        require_proven([tally])


def test_a_folder_of_another_network_is_refused(folders, tmp_path):
    _, optimized, root = folders
    other = LutNetwork("other", tuple(replace(s, name=f"{s.name}_b") for s in optimized.stages))
    with pytest.raises(ToolFailed, match="holds no module of stage 'encode_b'"):
        read_pipeline(root / "mapped", other, work=tmp_path, timeout_s=60)
