"""Writes a network as a folder of Verilog that stands alone: sources, golden vectors, description."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from numpy.typing import ArrayLike

from codesign.config import RtlConfig
from codesign.ir import Format, LutNetwork, check, save
from codesign.rtl.design import Design, Field
from codesign.rtl.folder import core_file, readme
from codesign.rtl.logic import StageLogic
from codesign.rtl.mapped import MappedNetwork
from codesign.rtl.parse_back import Expected, parse_back
from codesign.rtl.registers import Block, plan_registers, stretches
from codesign.rtl.stages import encoder_in_hardware, input_formats, output_formats, stage_logic
from codesign.rtl.syntax import generate
from codesign.rtl.top import block_name, build_top, check_names, top_name
from codesign.rtl.vectors import port_codes, random_features, write_vectors
from codesign.rtl.wrapper import Wrapper

__all__ = ["emit"]


def emit(network: LutNetwork, config: RtlConfig, folder: Path, *, features: ArrayLike | None = None) -> Design:
    """Write `network` to `folder` as Verilog-2005 in the form that `config` asks for; return what was written.

    features: samples for the golden vectors, real features (samples, features), or codes where the network has no
    encoder; where None, random samples that visit all levels of every input. Writes rtl/, vectors/ (with the network,
    from which a simulation tells what addresses it reaches), design.json, README.md and a FuseSoC core file. Every
    Verilog file is parsed again, and a difference from what was meant is a MismatchError. Equal arguments give equal
    bytes. Layers whose names clash are a ConfigError.
    """
    check(network)
    hardware = encoder_in_hardware(network, config.encoder)
    mapped = _map(network, config)
    stages, indices = stage_logic(
        network,
        hardware=hardware,
        form=config.form,
        lut_inputs=config.lut_inputs,
        mapped=mapped.stages if mapped else {},
    )
    blocks = plan_registers(stages, config.registers)
    inputs, outputs = input_formats(network, hardware=hardware), output_formats(network)
    wrapper = Wrapper(
        top_name(network.name),
        config.interface,
        config.stream_bits if config.interface == "axi_stream" else 0,
        sum(fmt.bits for _, fmt in inputs),
        sum(fmt.bits for _, fmt in outputs),
        sum(block.register for block in blocks),
    )
    files, expected, parts = _modules(stages, blocks, wrapper)
    parse_back(files, expected, workers=config.workers)
    if features is None:
        features = random_features(network)
    taken, answers = port_codes(network, features, hardware=hardware)
    design = Design(
        name=network.name,
        top=wrapper.top,
        form=config.form,
        interface=config.interface,
        stream_bits=wrapper.stream_bits,
        encoder_in_hardware=hardware,
        input_fields=_fields(inputs),
        output_fields=_fields(outputs),
        latency_cycles=wrapper.latency_cycles,
        initiation_interval=wrapper.initiation_interval,
        input_beats=wrapper.input_beats,
        output_beats=wrapper.output_beats,
        registers_after=tuple(indices[b.stage] for b in blocks if b.register and b.stop == len(stages[b.stage].depths)),
        registers_inside=_inside(stages, indices, blocks),
        depths=stretches(stages, blocks),
        sources=tuple(f"rtl/{name}" for name in files),
        parts=parts,
        vectors=len(answers),
        mapper=mapped.mapper if mapped else "",
    )
    (folder / "rtl").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / "rtl" / name).write_text(text, encoding="ascii")
    write_vectors(folder, design, taken, answers)
    save(network, folder / "vectors" / "network.npz")
    design.save(folder)
    (folder / "README.md").write_text(readme(design, network), encoding="utf-8")
    (folder / f"{design.top}.core").write_text(core_file(design), encoding="utf-8")
    return design


def _map(network: LutNetwork, config: RtlConfig) -> MappedNetwork | None:
    """Map the stages of tables where the form asks for it."""
    if config.form != "mapped":
        return None
    from codesign.rtl.mapping import map_network  # it needs yosys' abc, which the other forms do not

    return map_network(network, lut_inputs=config.lut_inputs, effort=config.effort, workers=config.workers)


def _fields(formats: Sequence[tuple[str, Format]]) -> tuple[Field, ...]:
    out: list[Field] = []
    low = 0
    for name, fmt in formats:
        out.append(Field(name, fmt.bits, fmt.signed, low))
        low += fmt.bits
    return tuple(out)


def _inside(
    stages: Sequence[StageLogic], indices: Sequence[int], blocks: Sequence[Block]
) -> tuple[tuple[int, int], ...]:
    counts: dict[int, int] = {}
    for block in blocks:
        if block.register and block.stop < len(stages[block.stage].depths):
            counts[indices[block.stage]] = counts.get(indices[block.stage], 0) + 1
    return tuple(sorted(counts.items()))


def _modules(
    stages: Sequence[StageLogic], blocks: Sequence[Block], wrapper: Wrapper
) -> tuple[dict[str, str], dict[str, Expected], dict[str, str]]:
    """Return file name to text (in compile order, the top last), what each file must hold, and the parts."""
    top = build_top(stages, blocks, wrapper)
    names = [f"{wrapper.top}_{block_name(stages, blocks, index)}" for index in range(len(blocks))]
    check_names(top, [*names, *wrapper.modules(), wrapper.top])
    texts: dict[str, str] = {}
    expected: dict[str, Expected] = {}
    parts: dict[str, str] = {}
    for index, block in enumerate(blocks):
        stage = stages[block.stage]
        module = names[index]
        texts[module] = stage.verilog(module, block.start, block.stop)
        ports: dict[str, tuple[str, int | None]] = {
            "in_data": ("input", stage.widths[block.start]),
            "out_data": ("output", stage.widths[block.stop]),
        }
        signals = stage.signals() if block.stop == len(stage.depths) else {}
        expected[module] = Expected(module, ports, signals=signals)
        parts[module] = stage.part
    for module, text in wrapper.modules().items():
        texts[module] = text
        expected[module] = Expected(module, wrapper.ports(module))
        parts[module] = "interface"
    texts[wrapper.top] = _head(stages, blocks, wrapper) + generate(top)
    expected[wrapper.top] = Expected.structural(top)
    return (
        {f"{module}.v": text for module, text in texts.items()},
        {f"{module}.v": value for module, value in expected.items()},
        parts,
    )


def _head(stages: Sequence[StageLogic], blocks: Sequence[Block], wrapper: Wrapper) -> str:
    """Return the comment at the head of the top module."""
    bits = f"{wrapper.input_bits} bits in, {wrapper.output_bits} bits out"
    lines = [f"{wrapper.top}: {bits}, fields from the lowest bit up (README.md)."]
    lines.append(
        f"Latency {wrapper.latency_cycles} clock cycles, one sample every {wrapper.initiation_interval}; "
        f"{wrapper.registers} pipeline register{'s' * (wrapper.registers != 1)}."
    )
    if wrapper.interface == "bare":
        lines.append("out_valid and out_data follow in_valid and in_data, nothing waits. Reset is synchronous.")
    elif wrapper.interface == "ready_valid":
        lines.append("A word moves where valid and ready are both high at a rising clock edge. Reset is synchronous.")
    else:
        lines.append("AXI4-Stream in and out, low bits first; m_axis_tlast marks the last beat of each answer.")
    return "".join(f"// {line}\n" for line in lines)
