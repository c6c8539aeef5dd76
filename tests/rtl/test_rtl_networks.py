"""Random networks in every form and protocol: the emitted text, read by another reader, is the network."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rtl_interpreter import Folder

from codesign.config import RegistersConfig, RtlConfig
from codesign.ir import LutNetwork, evaluate, evaluate_codes
from codesign.rtl import Design, emit
from codesign.rtl.stages import encoder_in_hardware
from codesign.testing import networks, random_codes, random_features

PLANS = [
    RegistersConfig(),
    RegistersConfig(every=1),
    RegistersConfig(every=2),
    RegistersConfig(depth=1),
    RegistersConfig(depth=3),
]


@st.composite
def configs(draw: st.DrawFn, forms: tuple[str, ...] = ("table", "case")) -> RtlConfig:
    values: dict[str, Any] = {
        "form": draw(st.sampled_from(forms)),
        "registers": draw(st.sampled_from(PLANS)),
        "interface": draw(st.sampled_from(("bare", "ready_valid", "axi_stream"))),
        "stream_bits": draw(st.sampled_from((8, 16, 24, 64, 136, 512))),
        "encoder": draw(st.sampled_from(("auto", "outside"))),
        "lut_inputs": draw(st.sampled_from((4, 6))),
    }
    return RtlConfig(**values)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def check_emitted(network: LutNetwork, config: RtlConfig, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stage = network.encode
    features = random_features(stage, rng, 24) if stage else random_codes(network, rng, 24)
    wanted = evaluate(network, features) if stage else evaluate_codes(network, features)
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where) / "a"
        design = emit(network, config, folder, features=features)
        assert Design.load(folder) == design
        inputs = [int(line, 16) for line in (folder / "vectors/inputs.hex").read_text().split()]
        outputs = [int(line, 16) for line in (folder / "vectors/outputs.hex").read_text().split()]
        packed = [
            sum(int(code) << field.low for code, field in zip(row, design.output_fields, strict=True)) for row in wanted
        ]
        assert outputs == packed
        reader = Folder(folder)
        assert [reader.run(word) for word in inputs] == packed
        again = Path(where) / "b"
        emit(network, config, again, features=features)
        assert files(folder) == files(again)
        _check_design(network, config, design)


def _check_design(network: LutNetwork, config: RtlConfig, design: Design) -> None:
    hardware = encoder_in_hardware(network, config.encoder)
    logic = [
        i
        for i, s in enumerate(network.stages)
        if getattr(s, "kind", "") != "none" and (i or hardware or not network.encode)
    ]
    ranks = len(design.registers_after) + sum(count for _, count in design.registers_inside)
    k = config.registers.every
    if k is not None:
        assert design.registers_after == tuple(i for n, i in enumerate(logic, 1) if n % k == 0 or n == len(logic))
    elif config.registers.depth is None:
        assert ranks == 0
    if config.registers.depth is not None and logic:
        assert logic[-1] in design.registers_after
        assert len(design.depths) == ranks
    assert design.output_bits == sum(f.bits for f in network.outputs)
    if config.interface != "axi_stream":
        assert (design.latency_cycles, design.initiation_interval) == (ranks, 1)
    else:
        beats = -(-design.input_bits // config.stream_bits), -(-design.output_bits // config.stream_bits)
        assert (design.input_beats, design.output_beats) == beats
        assert design.initiation_interval == max(beats)
        assert design.latency_cycles == beats[0] + ranks + (beats[1] if beats[1] > 1 else 0)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(network=networks(), config=configs(), seed=st.integers(0, 1000))
def test_emitted_text_is_the_network(network: LutNetwork, config: RtlConfig, seed: int) -> None:
    check_emitted(network, config, seed)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(network=networks(), config=configs(), seed=st.integers(0, 1000))
def test_emitted_text_is_the_network_many_times(network: LutNetwork, config: RtlConfig, seed: int) -> None:
    check_emitted(network, config, seed)
