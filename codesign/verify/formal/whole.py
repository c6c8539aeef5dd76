"""Proves the whole combinational network at once where that is tractable; the proofs by stage carry it where not."""

from __future__ import annotations

import time
from pathlib import Path

from codesign.ir import Decide, Encode, LutNetwork
from codesign.verify.formal.aig import TRUE, Aig
from codesign.verify.formal.golden import golden_stage, legal_inputs
from codesign.verify.formal.prove import Question, ask
from codesign.verify.formal.result import Proof, Tally
from codesign.verify.formal.rtl import Pipeline, built, split, stage_formats

__all__ = ["prove_whole"]


def prove_whole(pipeline: Pipeline, extracted: LutNetwork, *, work: Path, timeout_s: float) -> Tally:
    """Prove that all stages of the Verilog in a row give the answer of the network as it was extracted.

    For every legal input, from the ports to the answer, registers left out. Passes, care sets and how the proofs by
    stage compose are not used, so that this witnesses them; where it does not end in time, it follows from them.
    """
    started = time.monotonic()
    network, design = pipeline.network, pipeline.design
    aig = Aig()
    # Where features have words, the words are the inputs, also of an encoder that stands outside the design.
    from_words = extracted.encode is not None and extracted.encode.in_hardware
    formats = stage_formats(network, 0) if from_words else extracted.code_inputs
    words = [aig.word(fmt.bits) for fmt in formats]
    legal = TRUE if from_words else legal_inputs(aig, extracted, words)
    entering = words
    if from_words and not design.encoder_in_hardware:
        entering = golden_stage(aig, network.stages[0], words, formats)
    got = [bit for word in entering for bit in word]
    for index, names in pipeline.stages.items():
        got = built(aig, [pipeline.modules[name] for name in names], got)
        split(got, network.stages[index].formats)
    wanted = words
    for index, stage in enumerate(extracted.stages):
        if isinstance(stage, Encode) and not from_words:
            continue
        wanted = golden_stage(aig, stage, wanted, stage_formats(extracted, index))
    answers = split(got, network.outputs)
    kind = "class" if isinstance(network.decide, Decide) and network.decide.kind == "argmax" else "answer"
    questions = [
        Question(f"{kind} {j}" if len(answers) > 1 else kind, aig.and_(legal, aig.differ(a, b)))
        for j, (a, b) in enumerate(zip(wanted, answers, strict=True))
    ]
    proofs: list[Proof] = []
    for question, answer in zip(questions, ask(aig, questions, work=work, timeout_s=timeout_s), strict=True):
        bits = sum(fmt.bits for fmt in formats)
        if answer.status == "never":
            proofs.append(Proof(question.name, "proven", answer.how, 1 << bits))
        elif answer.status == "open":
            proofs.append(Proof(question.name, "by parts", answer.how, 0, answer.reason))
        else:
            codes = [sum(answer.assignment.get(bit, 0) << k for k, bit in enumerate(word)) for word in words]
            place = questions.index(question)
            sides = [
                sum(v << k for k, v in enumerate(aig.evaluate(side[place], answer.assignment)))
                for side in (wanted, answers)
            ]
            detail = f"input codes {codes}: wanted {sides[0]}, got {sides[1]}"
            proofs.append(Proof(question.name, "refuted", answer.how, 0, detail))
    name = "extracted network = emitted Verilog, ports to answer"
    return Tally.of(name, proofs, seconds=time.monotonic() - started)
