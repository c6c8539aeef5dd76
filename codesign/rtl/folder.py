"""The papers of an emitted folder: its README and its FuseSoC core file."""

from __future__ import annotations

from codesign.ir import Decide, LutNetwork
from codesign.rtl.design import Design, Field
from codesign.rtl.templates import render

__all__ = ["core_file", "readme"]


def readme(design: Design, network: LutNetwork) -> str:
    """Return README.md: what the design is, every port and field, timing, how to simulate and synthesize."""
    return render(
        "README.md.j2",
        design=design,
        inputs=[(f, _place(f), _input_meaning(design, network, index)) for index, f in enumerate(design.input_fields)],
        outputs=[(f, _place(f), _output_meaning(network.decide)) for f in design.output_fields],
        stages=[(stage.name, type(stage).__name__.lower(), len(stage.formats)) for stage in network.stages],
        registers=len(design.registers_after) + sum(n for _, n in design.registers_inside),
        names={i: stage.name for i, stage in enumerate(network.stages)},
    )


def core_file(design: Design) -> str:
    """Return the FuseSoC core file (CAPI2)."""
    return render("core.j2", design=design)


def _place(field: Field) -> str:
    return f"{field.low + field.bits - 1}:{field.low}" if field.bits > 1 else str(field.low)


def _input_meaning(design: Design, network: LutNetwork, index: int) -> str:
    stage = network.encode
    if stage is None:
        return "code"
    if design.encoder_in_hardware:
        word = stage.features[index].word
        assert word is not None
        return f"word, value = integer / 2**{word.fraction_bits}" if word.fraction_bits else "word, value = integer"
    if stage.coding == "binary":
        thresholds = ", ".join(f"{t:.9g}" for t in stage.features[index].thresholds)
        return f"number of thresholds that x reaches: {thresholds}" if thresholds else "0"
    values = [t for feature in stage.features for t in feature.thresholds]
    return f"1 where x >= {values[index]:.9g}"


def _output_meaning(decide: Decide | None) -> str:
    if decide is None:
        return "code"
    if decide.kind == "argmax":
        return "index of the class with the largest value, the lowest on a tie"
    if decide.kind == "threshold":
        return f"1 where the value is at least {decide.threshold}"
    return (
        f"{decide.offset:.9g} + {decide.scale:.9g} * value" if (decide.scale, decide.offset) != (1.0, 0.0) else "value"
    )
