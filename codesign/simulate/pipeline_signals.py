"""Names the first signal inside a pipeline that is not what the network's stages say, for one golden vector."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codesign.ir import Codes, Decide, Format, LutNetwork, Stage, Sums, Tables, addresses, load, run_stage
from codesign.rtl import Design
from codesign.simulate.addresses import first_codes, input_words

__all__ = ["WATCH", "Probe", "Step", "Watch", "watch_pipeline"]

WATCH = "pipeline_watch.sv"
"""File name of the watcher in a bench."""

_KINDS: dict[type[Stage], str] = {Tables: "neuron", Sums: "sum", Decide: "answer"}

_INSTANCE = re.compile(r"^  (\w+) (?:#\([^;]*?\)\) )?(\w+) \(\n((?:    \.\w+\(\w+\),?\n)+)  \);", re.MULTILINE)
_PORT = re.compile(r"\.(\w+)\((\w+)\)")
_SAID = re.compile(r"^codesign signal (\d+) ([0-9a-f]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Probe:
    """A wire of the top that holds the codes of stage `stage` in every clock in which `valid` (a wire too) is 1."""

    wire: str
    valid: str
    stage: int
    registered: bool


@dataclass(frozen=True)
class Step:
    """A stage in hardware and one vector's codes before it (of these formats) and after it, each (1, signals)."""

    stage: Stage
    formats: tuple[Format, ...]
    before: Codes
    after: Codes


@dataclass(frozen=True)
class Watch:
    """What is watched while golden vector `vector` runs. source: SystemVerilog, for the bench, see `WATCH`."""

    top: str
    vector: int
    source: str
    probes: tuple[Probe, ...]
    steps: tuple[Step, ...]

    def explain(self, output: str) -> str:
        """Return what differs first, in the order of the pipeline, in what the watched simulation printed."""
        said = {int(found[1]): int(found[2], 16) for found in _SAID.finditer(output)}
        for index, probe in enumerate(self.probes):
            step, where = self.steps[probe.stage], f"{self.top}.{probe.wire}"
            place = f"{'register after ' if probe.registered else ''}stage {step.stage.name!r}"
            if index not in said:
                return f"vector {self.vector}: it never comes to {where} ({place})"
            low = 0
            for j, (fmt, wanted) in enumerate(zip(step.stage.formats, step.after[0].tolist(), strict=True)):
                got = said[index] >> low & (1 << fmt.bits) - 1
                bits = f"[{low + fmt.bits - 1}:{low}]" if fmt.bits > 1 else f"[{low}]"
                if got != wanted:
                    signal = f"{_KINDS.get(type(step.stage), 'signal')} {j}"
                    if isinstance(step.stage, Tables) and not probe.registered:
                        row = addresses(step.before, step.stage.neurons[j].sources, step.formats)[0]
                        signal += f", row {row}"
                    text = f"{where}{bits} differs first: wanted {wanted:x}, got {got:x}"
                    return f"vector {self.vector}: {place}, {signal}: {text}"
                low += fmt.bits
        return (
            f"vector {self.vector}: the codes of all stages are right; it goes wrong between the last one and the port"
        )


def watch_pipeline(design: Design, folder: Path, vector: int) -> Watch | None:
    """Prepare to watch golden vector `vector`; None where the folder holds no network, or a top of another structure.

    Read are rtl/<top>.v, which names the wires between stages, the vectors and vectors/network.npz. The watcher counts,
    at each wire, the samples that pass: samples stay in order, so the one of `vector` is known by its number alone.
    """
    path = folder / "vectors" / "network.npz"
    if not path.is_file():
        return None
    network = load(path)
    steps = _golden(network, design, folder, vector)
    top = next((folder / name for name in design.sources if Path(name).stem == design.top), None)
    if top is None:
        return None
    text = top.read_text(encoding="utf-8")
    probes = _probes(design, text, [step.stage.name for step in steps])
    if not probes:
        return None
    widths = [sum(fmt.bits for fmt in step.stage.formats) for step in steps]
    source = _source(design, probes, widths, vector, stalls="wire enable;" in text)
    return Watch(design.top, vector, source, probes, steps)


def _golden(network: LutNetwork, design: Design, folder: Path, vector: int) -> tuple[Step, ...]:
    """Return every stage that is in hardware, with the codes of the vector."""
    words = np.zeros((1, 0), dtype=np.int64)
    for words in input_words(folder / "vectors" / "inputs.hex", design, vector + 1):  # noqa: B007 - the last is wanted
        pass
    codes, formats = first_codes(network, design, words[-1:]), network.code_inputs
    steps: list[Step] = []
    if design.encoder_in_hardware and network.encode is not None:
        steps.append(Step(network.encode, (), codes[:, :0], codes))
    for stage in network.core:
        steps.append(Step(stage, formats, codes, codes := run_stage(stage, codes, formats)))
        formats = stage.formats
    return tuple(steps)


def _probes(design: Design, text: str, names: list[str]) -> tuple[Probe, ...]:
    """The wires after each stage and after the register that follows it, from input to answer."""
    valid = "stream_in_valid" if design.interface == "axi_stream" else "in_valid"
    probes: list[Probe] = []
    stage = -1
    for module, _, ports in _INSTANCE.findall(text):
        wires = dict(_PORT.findall(ports))
        if wires.keys() == {"in_data", "out_data"}:
            name = module.removeprefix(f"{design.top}_")
            stage = _stage(name, names)
            if stage >= 0:
                probes = [probe for probe in probes if probe.stage != stage]  # the last piece of a stage has its codes
                probes.append(Probe(wires["out_data"], valid, stage, False))
        elif module == f"{design.top}_register" and "out_valid" in wires:
            valid = wires["out_valid"]
            if stage >= 0:
                probes.append(Probe(wires["out_data"], valid, stage, True))
    return tuple(probes)


def _stage(name: str, names: list[str]) -> int:
    for known in (name, re.sub(r"_s\d+$", "", name)):
        if known in names:
            return names.index(known)
    return -1


def _source(design: Design, probes: tuple[Probe, ...], widths: list[int], vector: int, *, stalls: bool) -> str:
    """SystemVerilog that prints the codes of one sample at each wire, bound into the top."""
    ports, one = ["input clk", "input rst", "input go"], "1'b1"
    links = [f".clk({design.clock})", ".rst(rst)", f".go({'enable' if stalls else one})"]
    lines: list[str] = []
    for i, probe in enumerate(probes):
        ports += [f"input v{i}", f"input [{widths[probe.stage] - 1}:0] d{i}"]
        links += [f".v{i}({probe.valid})", f".d{i}({probe.wire})"]
        lines += [
            f"  longint n{i} = 0;",
            f"  always @(posedge clk) if (!rst && go && v{i}) begin",
            f'    if (n{i} == {vector}) $display("codesign signal {i} %h", d{i});',
            f"    n{i} <= n{i} + 1;",
            "  end",
        ]
    head = f"/* verilator lint_off DECLFILENAME */\nmodule codesign_pipeline_watch ({', '.join(ports)});"
    bound = f"bind {design.top} codesign_pipeline_watch codesign_watch ({', '.join(links)});"
    return "\n".join([head, *lines, "endmodule", bound, ""])
