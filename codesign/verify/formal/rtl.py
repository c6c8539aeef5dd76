"""Proves that the emitted Verilog equals the tables: every signal of every stage, and how the top joins the stages."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from codesign.errors import ToolFailed
from codesign.ir import Decide, Encode, Format, LutNetwork, Stage, Sums, Tables, run_stage
from codesign.rtl import Design
from codesign.synth.parts import Blocks
from codesign.verify.formal.aig import FALSE, Aig
from codesign.verify.formal.counters import sums_by_counters
from codesign.verify.formal.elaborate import Bit, Instance, Module, elaborate
from codesign.verify.formal.golden import Word, cared, golden_stage
from codesign.verify.formal.prove import Answer, Question, ask
from codesign.verify.formal.result import Proof, Tally

__all__ = ["Pipeline", "describe", "prove_joints", "prove_stages", "read_pipeline"]

_WIDE = 16
"""Bits that a sum may read without being proven counter by counter."""

_COUNTERS = "counter by counter"


@dataclass(frozen=True)
class Pipeline:
    """The modules of an emitted design, and the blocks of each stage that holds logic, in order.

    stages: index in the network to the names of the modules, one where no register cuts the stage.
    """

    design: Design
    network: LutNetwork
    modules: Mapping[str, Module]
    stages: Mapping[int, tuple[str, ...]]


def read_pipeline(
    folder: Path, network: LutNetwork, *, work: Path, timeout_s: float, design: Design | None = None
) -> Pipeline:
    """Read the Verilog of an emitted folder with yosys; one that lacks a stage of `network` is a ToolFailed."""
    design = design or Design.load(folder)
    modules = elaborate(folder, design.sources, design.top, work=work, timeout_s=timeout_s)
    blocks = Blocks.of(design)
    stages: dict[int, tuple[str, ...]] = {}
    for index, stage in enumerate(network.stages):
        names = tuple(
            f"{design.top}_{block}" for block, of in zip(blocks.names, blocks.stages, strict=True) if of == stage.name
        )
        if names:
            stages[index] = names
        elif _needs_logic(stage, design):
            raise ToolFailed(f"{folder} holds no module of stage {stage.name!r}; emit the design again")
    missing = [name for names in stages.values() for name in names if name not in modules]
    if missing:
        raise ToolFailed(f"{folder}: yosys found no module {missing[0]!r}; emit the design again")
    return Pipeline(design, network, modules, stages)


def _needs_logic(stage: Stage, design: Design) -> bool:
    if isinstance(stage, Encode):
        return design.encoder_in_hardware
    return not (isinstance(stage, Decide) and stage.kind == "none")


def stage_formats(network: LutNetwork, index: int) -> tuple[Format, ...]:
    """The formats of what enters a stage; of an encoder in hardware the fixed-point words."""
    stage = network.stages[index]
    if isinstance(stage, Encode):
        return tuple(f.word.format for f in stage.features if f.word is not None)
    return network.stage_inputs(index)


def split(bits: Sequence[int], formats: Sequence[Format]) -> list[Word]:
    """Cut a packed word into signals, the first in the lowest bits."""
    out: list[Word] = []
    low = 0
    for fmt in formats:
        out.append(list(bits[low : low + fmt.bits]))
        low += fmt.bits
    if low != len(bits):
        raise ToolFailed(f"a packed word of {low} bits was expected, not of {len(bits)}; emit the design again")
    return out


def built(aig: Aig, modules: Sequence[Module], inputs: list[int]) -> list[int]:
    """Return out_data of combinational modules in a row, with `inputs` at the first one's in_data."""
    for module in modules:
        ports = module.word("in_data")
        if len(ports) != len(inputs):
            raise ToolFailed(f"module {module.name}: in_data must have {len(inputs)} bits, not {len(ports)}")
        inputs = module.build(aig, module.word("out_data"), dict(zip(ports, inputs, strict=True)))
    return inputs


def prove_stages(pipeline: Pipeline, *, work: Path, timeout_s: float) -> Tally:
    """Prove every output signal of every stage, for every input in its care set (for all inputs where it has none)."""
    started = time.monotonic()
    proofs: list[Proof] = []
    for index, names in pipeline.stages.items():
        proofs += _prove_stage(pipeline, index, names, work=work, timeout_s=timeout_s)
    return Tally.of("tables = emitted Verilog, stage by stage", proofs, seconds=time.monotonic() - started)


def _prove_stage(pipeline: Pipeline, index: int, names: Sequence[str], *, work: Path, timeout_s: float) -> list[Proof]:
    network = pipeline.network
    stage = network.stages[index]
    formats = stage_formats(network, index)
    aig = Aig()
    words = [aig.word(fmt.bits) for fmt in formats]
    modules = [pipeline.modules[name] for name in names]
    emitted = split(built(aig, modules, [bit for word in words for bit in word]), stage.formats)
    golden = golden_stage(aig, stage, words, formats)
    counted: set[int] = set()
    if isinstance(stage, Sums) and any(len(aig.support(word)) > _WIDE for word in golden):
        counted = sums_by_counters(modules, stage.sums, formats, work=work / stage.name, timeout_s=timeout_s)
    questions: list[Question] = []
    for j, (wanted, got) in enumerate(zip(golden, emitted, strict=True)):
        bad = FALSE if j in counted else aig.differ(wanted, got)
        if isinstance(stage, Tables):
            bad = aig.and_(bad, cared(aig, stage.neurons[j], words))
        questions.append(Question(describe(stage, j), bad))
    answers = ask(aig, questions, work=work / stage.name, timeout_s=timeout_s)
    answers = [replace(one, how=_COUNTERS) if j in counted else one for j, one in enumerate(answers)]
    proofs: list[Proof] = []
    for j, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        if answer.status == "open":
            proofs.append(Proof(question.name, "not proven", answer.how, 0, answer.reason))
            continue
        if answer.status == "never":
            detail = _witness(aig, stage, j, words, emitted[j])
            inputs = _inputs(aig, stage, j, golden[j])
            proofs.append(Proof(question.name, "refuted" if detail else "proven", answer.how, inputs, detail))
            continue
        proofs.append(
            Proof(question.name, "refuted", answer.how, 0, _counter(aig, stage, j, words, formats, emitted[j], answer))
        )
    return proofs


def describe(stage: Stage, j: int) -> str:
    """Name an output signal of a stage for people."""
    if isinstance(stage, Tables):
        return f"stage {stage.name!r}, neuron {j}"
    if isinstance(stage, Encode) and stage.coding == "binary":
        return f"stage {stage.name!r}, feature {stage.features[j].name!r}"
    return f"stage {stage.name!r}, signal {j}"


def _inputs(aig: Aig, stage: Stage, j: int, golden: Word) -> int:
    if isinstance(stage, Tables):
        neuron = stage.neurons[j]
        return neuron.table.size if neuron.care is None else int(neuron.care.sum())
    return 1 << len(aig.support(golden))


def _witness(aig: Aig, stage: Stage, j: int, words: Sequence[Word], emitted: Word) -> str:
    """Evaluate the emitted side of a table on every row against the table itself, not the graph made of it.

    Returns an empty text where all rows that can occur agree. It is what catches a defect in how graphs are made.
    """
    if not isinstance(stage, Tables):
        return ""
    neuron = stage.neurons[j]
    address = [bit for source in neuron.sources for bit in words[source]]
    rows = np.arange(neuron.table.size)
    values = {bit: _packed(rows >> k & 1) for k, bit in enumerate(address)}
    found = aig.evaluate(emitted, values, samples=rows.size)
    care = _packed(np.ones(rows.size) if neuron.care is None else neuron.care)
    for bit, got in enumerate(found):
        if wrong := (_packed(neuron.table >> bit & 1) ^ got) & care:
            row = (wrong & -wrong).bit_length() - 1
            code = sum((value >> row & 1) << k for k, value in enumerate(found))
            return f"address {row}: wanted {int(neuron.table[row])}, got {code}; the graph of it says otherwise"
    return ""


def _packed(column: np.ndarray) -> int:
    return int.from_bytes(np.packbits(np.asarray(column, np.bool_), bitorder="little").tobytes(), "little")


def _counter(
    aig: Aig,
    stage: Stage,
    j: int,
    words: Sequence[Word],
    formats: Sequence[Format],
    emitted: Word,
    answer: Answer,
) -> str:
    """Turn an assignment into codes, evaluate both sides on them, and say what differs."""
    codes = [sum(answer.assignment.get(bit, 0) << k for k, bit in enumerate(word)) for word in words]
    got = sum(value << k for k, value in enumerate(aig.evaluate(emitted, answer.assignment)))
    wanted, where = wanted_code(stage, j, codes, formats)
    if wanted == got:
        raise ToolFailed(f"the counter-example for {describe(stage, j)} is none: {where}: both sides give {got}")
    return f"{where}: wanted {wanted}, got {got}"


def wanted_code(stage: Stage, j: int, codes: Sequence[int], formats: Sequence[Format]) -> tuple[int, str]:
    """Return what signal j of a stage must be for these input codes, by the network's own evaluator, and the input."""
    if isinstance(stage, Encode):
        starts = np.cumsum([0, *(len(f.thresholds) for f in stage.features)])
        place = j if stage.coding == "binary" else int(np.searchsorted(starts, j, side="right")) - 1
        feature = stage.features[place]
        word = int(formats[place].values(codes[place]))
        level = int(np.searchsorted(np.asarray(feature.word_thresholds()), word, side="right"))
        wanted = level if stage.coding == "binary" else int(level > j - starts[place])
        return wanted, f"feature {feature.name!r} = word {word}"
    wanted = int(run_stage(stage, np.array([codes], np.int32), tuple(formats))[0, j])
    if isinstance(stage, Tables):
        sources = stage.neurons[j].sources
        address = shift = 0
        for source in sources:
            address |= codes[source] << shift
            shift += formats[source].bits
        read = ", ".join(f"signal {s} = {codes[s]}" for s in sources)
        return wanted, f"input codes {read or 'none'} (address {address})"
    return wanted, "input codes " + ", ".join(str(code) for code in codes)


def prove_joints(pipeline: Pipeline) -> Tally:
    """Prove that the top hands each block's word to the next, through the registers that design.json states.

    Blocks, registers and the wires between them are read from what yosys made of the top; every register module is
    proven to take its input at a clock edge (where it can be held back: while `enable` is high), and its valid bit to
    do the same and to fall at reset.
    """
    started = time.monotonic()
    proofs = [_chain(pipeline)]
    for name, module in sorted(pipeline.modules.items()):
        if module.file_name == f"{pipeline.design.top}_register":
            proofs.append(_register(module, name, stalls=pipeline.design.interface != "bare"))
    return Tally.of("stages, registers and ports are joined", proofs, seconds=time.monotonic() - started)


def _chain(pipeline: Pipeline) -> Proof:
    design = pipeline.design
    top = pipeline.modules[design.top]
    subject = f"module {design.top}"
    instances = [(pipeline.modules[i.module].file_name, i) for i in top.instances]
    registers = [i for name, i in instances if name == f"{design.top}_register"]
    stalls = design.interface != "bare"
    valid, data = _start(design, top, instances)
    passed = 0
    for names in pipeline.stages.values():
        for name in names:
            block = _only(instances, name)
            if isinstance(block, str) or block.ports["in_data"] != data:
                got = block if isinstance(block, str) else f"{name}.in_data is not what the part before it gives"
                return Proof(subject, "refuted", "structure", 0, got)
            data = block.ports["out_data"]
            for register in registers:
                if register.ports["in_data"] == data and register.ports["in_valid"] == valid:
                    if register.ports["clk"] != top.ports[design.clock]:
                        return Proof(subject, "refuted", "structure", 0, f"{register.name} has another clock")
                    if "rst" in top.ports and register.ports["rst"] != top.ports["rst"]:
                        return Proof(subject, "refuted", "structure", 0, f"{register.name} has another reset")
                    data, valid = register.ports["out_data"], register.ports["out_valid"]
                    passed += 1
                    break
    stated = len(design.registers_after) + sum(count for _, count in design.registers_inside)
    if passed != stated or passed != len(registers):
        detail = (
            f"{len(registers)} registers, of which {passed} stand in the row of stages; design.json states {stated}"
        )
        return Proof(subject, "refuted", "structure", 0, detail)
    if stalls:
        skid = _only(instances, f"{design.top}_skid")
        ends = skid if isinstance(skid, str) else (skid.ports["in_data"], skid.ports["in_valid"])
    else:
        ends = (top.ports["out_data"], top.ports["out_valid"])
    if ends != (data, valid):
        return Proof(subject, "refuted", "structure", 0, "the answer is not what the last stage gives")
    return Proof(subject, "proven", "structure", 0)


def _start(
    design: Design, top: Module, instances: Sequence[tuple[str, Instance]]
) -> tuple[tuple[Bit, ...], tuple[Bit, ...]]:
    if design.interface != "axi_stream":
        return top.ports["in_valid"], top.ports["in_data"]
    collect = _only(instances, f"{design.top}_collect")
    if isinstance(collect, str):
        return (), ()
    return collect.ports["sample_valid"], collect.ports["sample_data"]


def _only(instances: Sequence[tuple[str, Instance]], module: str) -> Instance | str:
    """Return the one instance of a module, or what is wrong."""
    found = [instance for name, instance in instances if name == module]
    return found[0] if len(found) == 1 else f"{len(found)} instances of {module}, where 1 is wanted"


def _register(module: Module, name: str, *, stalls: bool) -> Proof:
    subject = f"module {name}"
    aig = Aig()
    known: dict[Bit, int] = {}
    for port, bits in module.ports.items():
        if module.directions[port] == "input":
            known.update(zip(bits, aig.word(len(bits)), strict=True))
    before = {register.output: aig.input() for register in module.registers}
    for place, literal in before.items():
        known[place] = literal
    after = dict(
        zip(before, module.build(aig, [register.data for register in module.registers], dict(known)), strict=True)
    )
    outputs = [*module.ports["out_data"], *module.ports["out_valid"]]
    if set(outputs) != set(before) or any(r.falls or r.clock != module.ports["clk"][0] for r in module.registers):
        return Proof(subject, "refuted", "structure", 0, "its flip-flops are not its outputs on the rising clock edge")
    enable = known[module.ports["enable"][0]] if stalls else 1
    reset = known[module.ports["rst"][0]]
    wrong: list[int] = []
    for place, taken in zip(module.ports["out_data"], module.ports["in_data"], strict=True):
        assert isinstance(place, int)
        wrong.append(aig.xor_(after[place], aig.mux(enable, known[taken], before[place])))
    valid = module.ports["out_valid"][0]
    assert isinstance(valid, int)
    kept = aig.mux(enable, known[module.ports["in_valid"][0]], before[valid])
    wrong.append(aig.xor_(after[valid], aig.and_(kept, reset ^ 1)))
    if aig.any_(wrong):
        return Proof(subject, "refuted", "structure", 0, "its next contents are not its input's")
    return Proof(subject, "proven", "structure", 0)
