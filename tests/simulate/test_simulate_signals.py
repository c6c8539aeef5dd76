"""The first signal inside a pipeline that differs: named by stage, neuron, row and wire."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from codesign.ci import check_rtl
from codesign.config import RegistersConfig, RtlConfig
from codesign.ir import Layer, LutNetwork, Topology
from codesign.rtl import Design, emit
from codesign.simulate import write_bench
from codesign.simulate.pipeline_failure import pipeline_waves
from codesign.simulate.pipeline_signals import Watch, watch_pipeline
from codesign.testing import structured_network

TOPOLOGY = Topology("p", inputs=6, input_bits=2, layers=(Layer("l0", 6, 3, 2, terms=2), Layer("l1", 4, 3, 3)))
NETWORK: LutNetwork = structured_network(TOPOLOGY, np.random.default_rng(5), words=True)


def emitted(folder: Path, **changes: object) -> Path:
    config = RtlConfig.model_validate({"form": "table", "registers": RegistersConfig(every=1), **changes})
    emit(NETWORK, config, folder)
    return folder


def watched(folder: Path, vector: int) -> Watch:
    watch = watch_pipeline(Design.load(folder), folder, vector)
    assert watch is not None
    return watch


def told(watch: Watch, **changed: int | None) -> str:
    """What the watcher prints: the golden codes, but for wires that are `changed`, or silent where that is None."""
    lines = ["p: mismatch: 1 of 3 answers differ"]
    for index, probe in enumerate(watch.probes):
        step, word, low = watch.steps[probe.stage], 0, 0
        for fmt, code in zip(step.stage.formats, step.after[0].tolist(), strict=True):
            word |= code << low
            low += fmt.bits
        flip = changed.get(probe.wire, 0)
        if flip is not None:
            lines.append(f"codesign signal {index} {word ^ flip:0{-(-low // 4)}x}")
    return "\n".join(lines)


def test_every_stage_and_register_is_watched_in_order(tmp_path: Path) -> None:
    watch = watched(emitted(tmp_path / "d"), 4)
    names = [step.stage.name for step in watch.steps]
    assert [probe.stage for probe in watch.probes] == [i for i in range(len(names)) for _ in range(2)]
    assert [probe.registered for probe in watch.probes] == [False, True] * len(names)
    assert [probe.wire for probe in watch.probes][:2] == [f"{names[0]}_next", f"{names[0]}_data"]
    assert watch.source.count("n0 == 4") == 1 and "bind p codesign_pipeline_watch" in watch.source


def test_the_first_difference_is_named_with_the_row_that_was_read(tmp_path: Path) -> None:
    watch = watched(emitted(tmp_path / "d"), 4)
    assert "codes of all stages are right" in watch.explain(told(watch))
    wrong = watch.explain(told(watch, l1_next=0b111 << 3, l1_data=0b111 << 3))
    (step,) = (step for step in watch.steps if step.stage.name == "l1")
    neuron = step.stage.neurons[1]  # type: ignore[union-attr]
    codes = [int(step.before[0, source]) for source in neuron.sources]
    widths = [step.formats[source].bits for source in neuron.sources]
    row = sum(code << sum(widths[:k]) for k, code in enumerate(codes))
    wanted = int(neuron.table[row])
    text = f"p.l1_next[5:3] differs first: wanted {wanted:x}, got {wanted ^ 7:x}"
    assert wrong == f"vector 4: stage 'l1', neuron 1, row {row}: {text}"
    held = watch.explain(told(watch, l1_data=1))
    assert held.startswith("vector 4: register after stage 'l1', neuron 0: p.l1_data[2:0] differs first")
    assert watch.explain(told(watch, l0_next=1, l1_next=1)).startswith("vector 4: stage 'l0', neuron 0, row ")
    assert "it never comes to p.l1_data (register after stage 'l1')" in watch.explain(told(watch, l1_data=None))


def test_without_a_network_nothing_is_watched(tmp_path: Path) -> None:
    folder = emitted(tmp_path / "d")
    (folder / "vectors" / "network.npz").unlink()
    assert watch_pipeline(Design.load(folder), folder, 0) is None


@pytest.mark.sim
def test_a_register_that_changes_a_bit_is_found_behind_a_stream(tmp_path: Path) -> None:
    folder = emitted(tmp_path / "d", interface="axi_stream", stream_bits=8)
    path = folder / "rtl" / "p_register.v"
    text = path.read_text()
    assert text.count("out_data <= in_data;") == 1
    path.write_text(text.replace("out_data <= in_data;", "out_data <= (WIDTH == 12) ? (in_data ^ 2) : in_data;"))
    said = pipeline_waves(folder, 5, work=tmp_path / "waves", seed=1, timeout_s=300)
    found, waves = said.splitlines()
    watch = watched(folder, 5)
    wanted = int(watch.steps[0].after[0, 0])
    stage = "register after stage 'encode', signal 0"
    assert found == f"vector 5: {stage}: p.encode_data[1:0] differs first: wanted {wanted:x}, got {wanted ^ 2:x}"
    assert "waveform up to vector 5" in waves and Path(waves.split()[-1]).stat().st_size > 1000


@pytest.mark.sim
def test_what_is_wrong_under_back_pressure_alone_is_traced_too(tmp_path: Path) -> None:
    """Registers that do not wait: at full rate every answer is right, and only a stalled receiver shows it."""
    folder = emitted(tmp_path / "d", interface="ready_valid")
    write_bench(folder)
    path = folder / "rtl" / "p_register.v"
    text = path.read_text()
    assert text.count("if (enable)") >= 1
    path.write_text(text.replace("if (enable)", "if (enable || 1'b1)"))
    checks = {check.name: check for check in check_rtl(folder, work=tmp_path / "work", cocotb=False)}
    assert checks["golden vectors"].state == "passed"
    stress = checks["gaps and back-pressure"]
    assert stress.state == "failed"
    found = re.search(
        r"vector (\d+): .+\nwaveform up to vector (\d+), with gaps and back-pressure.*: (\S+)", stress.detail
    )
    assert found and found[1] == found[2] and Path(found[3]).stat().st_size > 1000
