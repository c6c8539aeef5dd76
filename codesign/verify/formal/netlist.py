"""Proves that a synthesised netlist equals the Verilog: every register's next bit and every output, for every state."""

from __future__ import annotations

import re
import shutil
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codesign.accel import Device
from codesign.errors import ToolFailed
from codesign.ir import LutNetwork, Tables
from codesign.rtl import Design
from codesign.synth.parts import Blocks
from codesign.synth.scripts import render_scripts, yosys_script
from codesign.tools.yosys import find_yosys, run_yosys
from codesign.verify.formal.aig import Aig
from codesign.verify.formal.elaborate import LUT_CELLS, Bit, Module, gates, run_script
from codesign.verify.formal.prove import Question, ask
from codesign.verify.formal.result import Proof, Tally
from codesign.verify.formal.rtl import split, stage_formats

__all__ = ["prove_lut_models", "prove_netlist", "read_flat", "read_mapped", "synthesise"]

_MODELS = {"xc7": "+/xilinx/cells_sim.v", "xcup": "+/xilinx/cells_sim.v", "ecp5": "+/ecp5/cells_sim.v"}
_MODELS["ice40"] = "+/ice40/cells_sim.v"


def synthesise(folder: Path, design: Design, device: Device, *, work: Path, timeout_s: float, memory_gb: float) -> Path:
    """Run the design's own yosys script for a device and keep the netlist; return its path. Raises ToolFailed."""
    for source in design.sources:
        copy = work / source
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / source, copy)
    for name, text in render_scripts(design, device, out=".").items():
        (work / name).write_text(text, encoding="utf-8")
    script = yosys_script(design, device, out=".", harness=False)
    (work / "yosys.ys").write_text(script, encoding="utf-8")
    (work / "netlist.json").unlink(missing_ok=True)
    done = run_yosys(find_yosys(), "yosys.ys", work, log="yosys.log", timeout_s=timeout_s, memory_gb=memory_gb)
    if not (work / "netlist.json").is_file():
        raise ToolFailed(f"yosys wrote no {work / 'netlist.json'}; log: {done.log}", log=done.log)
    return work / "netlist.json"


def read_flat(folder: Path, design: Design, *, work: Path, timeout_s: float) -> Module:
    """Read the emitted Verilog as one flat module, with the names that its wires have inside every instance."""
    work.mkdir(parents=True, exist_ok=True)
    commands: list[str] = []
    for number, source in enumerate(design.sources):
        shutil.copyfile(folder / source, work / f"source_{number}.v")
        commands.append(f"read_verilog source_{number}.v")
    return _one(run_script([*commands, *gates(design.top, flatten=True)], work=work, timeout_s=timeout_s), design.top)


def read_mapped(netlist: Path, device: Device, top: str, *, work: Path, timeout_s: float) -> Module:
    """Read a netlist of a device's cells; all but look-up tables by the simulation models that come with yosys."""
    work.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(netlist, work / "given.json")
    return _one(run_script(["read_json given.json", *_with_models(device, top)], work=work, timeout_s=timeout_s), top)


def _with_models(device: Device, top: str) -> list[str]:
    luts = " ".join(f"t:{kind}" for kind in LUT_CELLS)
    unions = " ".join(["%u"] * (len(LUT_CELLS) - 1))
    return [
        f"hierarchy -top {top}",
        f"techmap -wb -D EQUIV -autoproc -map {_MODELS[device.family]} {luts} {unions} %n",
        "opt_expr -keepdc",
        "opt_clean",
        "techmap -D NOLUT",
        "dffunmap",
        "simplemap t:$dff",
        "opt_clean",
        "setattr -unset src */c:*",
    ]


def _one(modules: Mapping[str, Module], top: str) -> Module:
    if top not in modules:
        raise ToolFailed(f"yosys found no module {top!r}")
    module = modules[top]
    if module.instances:
        kinds = sorted({instance.module for instance in module.instances})
        raise ToolFailed(
            f"module {top} holds cells without a model: {', '.join(kinds)}; log: {module.log}", log=module.log
        )
    return module


def prove_lut_models(device: Device, *, work: Path, timeout_s: float) -> Proof:
    """Prove that each look-up table cell of a family gives bit `address` of its contents, by its simulation model.

    Contents whose row r is bit k of r make the cell tell bit k of the row that it reads, on every input.
    """
    pins = "ABCD" if device.family == "ecp5" else [f"I{k}" for k in range(6)]
    out = "Z" if device.family == "ecp5" else "O"
    sizes = range(1, 7) if device.vendor == "amd" else (4,)
    kind = {"ecp5": "LUT4", "ice40": "SB_LUT4"}.get(device.family, "")
    lines = ["module probe (input [5:0] x, output [35:0] y);"]
    for size in sizes:
        cell = kind or f"LUT{size}"
        for k in range(size):
            contents = sum(1 << row for row in range(1 << size) if row >> k & 1)
            wires = ", ".join(f".{pins[i]}(x[{i}])" for i in range(size))
            given = f"#(.{LUT_CELLS[cell]}({1 << size}'h{contents:x}))"
            lines.append(f"  {cell} {given} c{size}_{k} (.{out}(y[{6 * (size - 1) + k}]), {wires});")
    work.mkdir(parents=True, exist_ok=True)
    (work / "probe.v").write_text("\n".join([*lines, "endmodule", ""]), encoding="ascii")
    commands = [
        "read_verilog probe.v",
        "hierarchy -top probe",
        f"techmap -wb -D EQUIV -autoproc -map {_MODELS[device.family]}",
    ]
    commands += ["opt_expr -keepdc", "opt_clean", "techmap -D NOLUT", "opt_clean"]
    probe = _one(run_script(commands, work=work, timeout_s=timeout_s), "probe")
    aig = Aig()
    x = aig.word(6)
    wanted = [6 * (size - 1) + k for size in sizes for k in range(size)]
    known: dict[Bit, int] = dict(zip(probe.ports["x"], x, strict=True))
    got = probe.build(aig, [probe.ports["y"][place] for place in wanted], known)
    subject = f"look-up table cells of {device.family}"
    if got != [x[place % 6] for place in wanted]:
        return Proof(
            subject, "refuted", "structure", 0, "a cell's simulation model does not read the row that its pins state"
        )
    return Proof(subject, "proven", "structure", sum(1 << size for size in sizes))


@dataclass
class _Pair:
    """The Verilog and the netlist over the same inputs and the same register contents, in one graph."""

    aig: Aig
    rtl: Module
    netlist: Module
    known_rtl: dict[Bit, int]
    known_netlist: dict[Bit, int]
    match: dict[int, Bit]
    lost: list[str]


def prove_netlist(
    rtl: Module, netlist: Module, design: Design, network: LutNetwork, *, device: str, work: Path, timeout_s: float
) -> Tally:
    """Prove that a netlist does what the Verilog does: the same ports, and the same registers, matched by name.

    From equal inputs and equal register contents every output is equal, and so is what every register takes at the
    next clock edge. A register of the Verilog that became a constant or the twin of another is proven to be that; one
    that cannot be found is not proven.
    """
    started = time.monotonic()
    name = f"Verilog = netlist for {device}"
    pair = _pair(rtl, netlist)
    questions: list[Question] = []
    places: list[tuple[str, Bit, Bit]] = []
    for port, bits in rtl.ports.items():
        if rtl.directions[port] == "output":
            for k, (mine, theirs) in enumerate(zip(bits, netlist.word(port), strict=True)):
                places.append((f"output {port}[{k}]", mine, theirs))
    data = {register.output: register.data for register in netlist.registers}
    labels = _labels(rtl)
    unmatched: list[Proof] = []
    for register in rtl.registers:
        label = labels[register.output]
        partner = pair.match.get(register.output)
        if partner is None:
            continue
        after = data[partner] if isinstance(partner, int) else partner
        places.append((f"register {label}", register.data, after))
    mine = pair.rtl.build(pair.aig, [a for _, a, _ in places], pair.known_rtl)
    theirs = pair.netlist.build(pair.aig, [b for _, _, b in places], pair.known_netlist)
    for (subject, _, _), a, b in zip(places, mine, theirs, strict=True):
        questions.append(Question(subject, pair.aig.xor_(a, b)))
    needed = set(pair.aig.support([*mine, *theirs]))
    for register in rtl.registers:
        if register.output not in pair.match and pair.known_rtl[register.output] in needed:
            detail = "the netlist has no register of this name"
            unmatched.append(Proof(f"register {labels[register.output]}", "not proven", "", 0, detail))
    answers = ask(pair.aig, questions, work=work, timeout_s=timeout_s)
    decoder = _Decoder(pair, design, network)
    proofs: list[Proof] = []
    for question, answer, a, b in zip(questions, answers, mine, theirs, strict=True):
        if answer.status == "never":
            proofs.append(Proof(question.name, "proven", answer.how, 1 << len(pair.aig.support([a, b]))))
        elif answer.status == "open":
            proofs.append(Proof(question.name, "not proven", answer.how, 0, answer.reason))
        elif unmatched or pair.lost:
            detail = f"it differs where {(pair.lost or [p.subject for p in unmatched])[0]} is not matched"
            proofs.append(Proof(question.name, "not proven", answer.how, 0, detail))
        else:
            got, wanted = pair.aig.evaluate([b, a], answer.assignment)
            text = decoder.text(question.name, answer.assignment, mine, theirs, places)
            proofs.append(Proof(question.name, "refuted", answer.how, 0, text or f"wanted {wanted}, got {got}"))
    return Tally.of(name, [*proofs, *unmatched], seconds=time.monotonic() - started)


def _aliases(module: Module) -> dict[Bit, list[tuple[str, int]]]:
    out: dict[Bit, list[tuple[str, int]]] = defaultdict(list)
    for name, bits in module.names.items():
        if not name.startswith("$"):
            for k, bit in enumerate(bits):
                out[bit].append((name, k))
    return out


def _labels(rtl: Module) -> dict[int, str]:
    """Return a readable name of every register: that of the register module's own output, where it has one."""
    aliases = _aliases(rtl)
    out: dict[int, str] = {}
    for register in rtl.registers:
        names = aliases.get(register.output, [])
        best = min(
            names, key=lambda n: (not n[0].endswith(("_register.out_data", "_register.out_valid")), len(n[0]), n)
        )
        out[register.output] = f"{best[0]}[{best[1]}]"
    return out


def _pair(rtl: Module, netlist: Module) -> _Pair:
    aig = Aig()
    known_rtl: dict[Bit, int] = {}
    known_netlist: dict[Bit, int] = {}
    for port, bits in rtl.ports.items():
        if rtl.directions[port] == "input":
            word = aig.word(len(bits))
            known_rtl.update(zip(bits, word, strict=True))
            known_netlist.update(zip(netlist.word(port), word, strict=True))
    outputs = netlist.register_outputs
    clocks = {(known_netlist.get(r.clock), r.falls) for r in netlist.registers}
    clocks |= {(known_rtl.get(r.clock), r.falls) for r in rtl.registers}
    if len(clocks) > 1:
        raise ToolFailed(f"the netlist's registers must all have the clock of the Verilog; log: {netlist.log}")
    for register in netlist.registers:
        known_netlist[register.output] = aig.input()
    match: dict[int, Bit] = {}
    aliases = _aliases(rtl)
    for register in rtl.registers:
        for name, k in aliases.get(register.output, []):
            bits = netlist.names.get(name, ())
            if k < len(bits) and (bits[k] in outputs or bits[k] in ("0", "1")):
                match[register.output] = bits[k]
                break
    for register in rtl.registers:
        partner = match.get(register.output)
        if partner is None:
            known_rtl[register.output] = aig.input()
        else:
            known_rtl[register.output] = known_netlist[partner] if isinstance(partner, int) else int(partner)
    taken = set(match.values())
    lost = [netlist.name_of(r.output) for r in netlist.registers if r.output not in taken]
    return _Pair(
        aig, rtl, netlist, known_rtl, known_netlist, match, [f"the netlist's register {name}" for name in lost]
    )


class _Decoder:
    """Says what a counter-example means: stage, neuron, the codes that enter it, wanted and got."""

    def __init__(self, pair: _Pair, design: Design, network: LutNetwork):
        self.pair = pair
        self.design = design
        self.network = network
        self.blocks = Blocks.of(design)

    def text(
        self,
        subject: str,
        assignment: Mapping[int, int],
        mine: Sequence[int],
        theirs: Sequence[int],
        places: Sequence[tuple[str, Bit, Bit]],
    ) -> str:
        """Return the counter-example in the network's terms, or an empty text where the bit is of no neuron."""
        found = re.fullmatch(r"register (\w+)_register\.out_data\[(\d+)\]", subject)
        if found is None or found[1] not in self.blocks.names:
            return ""
        block = found[1]
        name = self.blocks.stages[self.blocks.names.index(block)]
        index = next(i for i, stage in enumerate(self.network.stages) if stage.name == name)
        formats = self.network.stages[index].formats
        own = [k for k, place in enumerate(places) if place[0].startswith(f"register {block}_register.out_data[")]
        if len(own) != sum(f.bits for f in formats):
            return ""  # a part of a stage that registers cut
        own.sort(key=lambda k: int(places[k][0].rsplit("[", 1)[1][:-1]))
        low, neuron = 0, 0
        while low + formats[neuron].bits <= int(found[2]):
            low += formats[neuron].bits
            neuron += 1
        bits = own[low : low + formats[neuron].bits]
        wanted, got = (
            sum(v << k for k, v in enumerate(self.pair.aig.evaluate([side[b] for b in bits], assignment)))
            for side in (mine, theirs)
        )
        read = self._inputs(block, index, neuron, assignment)
        return f"stage {name!r}, neuron {neuron}: {read}wanted {wanted}, got {got}"

    def _inputs(self, block: str, index: int, neuron: int, assignment: Mapping[int, int]) -> str:
        bits = self.pair.rtl.names.get(f"{block}.in_data")
        if bits is None:
            return ""
        values = self.pair.aig.evaluate(self.pair.rtl.build(self.pair.aig, bits, self.pair.known_rtl), assignment)
        formats = stage_formats(self.network, index)
        if sum(f.bits for f in formats) != len(values):
            return ""
        codes = [sum(v << k for k, v in enumerate(word)) for word in split(values, formats)]
        stage = self.network.stages[index]
        read = stage.neurons[neuron].sources if isinstance(stage, Tables) else range(len(codes))
        return "input codes " + ", ".join(f"signal {s} = {codes[s]}" for s in read) + ": "
