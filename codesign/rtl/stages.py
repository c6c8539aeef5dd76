"""Turns the stages of a network into logic for the pipeline: which of them hold logic, and what each is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codesign.errors import ConfigError
from codesign.ir import Encode, Format, LutNetwork, Sums, Tables, address_bits
from codesign.rtl.decide import ArgmaxLogic, ThresholdLogic
from codesign.rtl.encoder import EncoderLogic
from codesign.rtl.logic import StageLogic, low_bits
from codesign.rtl.mapped import MappedStage
from codesign.rtl.sums import SumsLogic
from codesign.rtl.tables_verilog import Form, stage_verilog

__all__ = ["TablesLogic", "encoder_in_hardware", "input_formats", "output_formats", "stage_logic", "table_depth"]


@dataclass(frozen=True)
class TablesLogic:
    """A `Tables` stage; `mapped` is its netlist where the form is "mapped"."""

    stage: Tables
    inputs: tuple[Format, ...]
    form: Form
    lut_inputs: int
    mapped: MappedStage | None = None

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.stage.name

    @property
    def part(self) -> str:
        """What the stage is for."""
        return "tables"

    @property
    def depths(self) -> tuple[int, ...]:
        """Levels of the netlist, or of the worst table."""
        if self.mapped is not None:
            return (self.mapped.depth,)
        bits = [address_bits(n.sources, self.inputs) for n in self.stage.neurons]
        return (max(table_depth(b, self.lut_inputs) for b in bits),)

    @property
    def widths(self) -> tuple[int, ...]:
        """Bits of the signals in and out."""
        return (low_bits(self.inputs)[-1], low_bits(self.stage.formats)[-1])

    def signals(self) -> dict[str, int]:
        """One wire an output signal."""
        return {f"{self.stage.name}_n{j}": f.bits for j, f in enumerate(self.stage.formats)}

    def verilog(self, module: str, start: int, stop: int) -> str:
        """Return the stage's text; it has one level only."""
        assert (start, stop) == (0, 1)
        return stage_verilog(self.stage, self.mapped, module=module, form=self.form, inputs=self.inputs)


def table_depth(bits: int, lut_inputs: int) -> int:
    """Return the LUT levels of a table of `bits` address bits, whatever is in it.

    One look-up table while the address fits; then each level of multiplexers takes away two address bits on 6-input
    LUTs (4 to 1) and one on 4-input LUTs (2 to 1).
    """
    return 1 + -(-max(0, bits - lut_inputs) // (2 if lut_inputs == 6 else 1))


def encoder_in_hardware(network: LutNetwork, choice: str) -> bool:
    """Resolve `encoder: auto | hardware | outside` for a network; an impossible choice is a ConfigError."""
    able = network.encode is not None and network.encode.in_hardware
    if choice == "hardware" and not able:
        raise ConfigError(
            "rtl.encoder: hardware needs an encoder whose features have fixed-point words, and network "
            f"{network.name!r} "
            + ("has none; set inputs.word_bits" if network.encode else "takes codes")
            + ", or use encoder: outside"
        )
    return able and choice != "outside"


def input_formats(network: LutNetwork, *, hardware: bool) -> tuple[tuple[str, Format], ...]:
    """Return name and format of every field of the input word: fixed-point words, or codes."""
    stage = network.encode
    if stage is None:
        return tuple((f"x{i}", f) for i, f in enumerate(network.inputs))
    if hardware:
        return tuple((f.name, f.word.format) for f in stage.features if f.word)
    if stage.coding == "binary":
        return tuple((f.name, fmt) for f, fmt in zip(stage.features, stage.formats, strict=True))
    return tuple((f"{f.name}[{k}]", Format(1)) for f in stage.features for k in range(len(f.thresholds)))


def stage_logic(
    network: LutNetwork, *, hardware: bool, form: Form, lut_inputs: int, mapped: Mapping[str, MappedStage]
) -> tuple[tuple[StageLogic, ...], tuple[int, ...]]:
    """Return the stages that hold logic, and the index of each in the network.

    mapped: netlist of each `Tables` stage by name, for the form "mapped".
    """
    out: list[StageLogic] = []
    indices: list[int] = []
    for index, stage in enumerate(network.stages):
        logic: StageLogic | None = None
        if isinstance(stage, Encode):
            logic = EncoderLogic(stage, lut_inputs) if hardware else None
        elif isinstance(stage, Tables):
            logic = TablesLogic(stage, network.stage_inputs(index), form, lut_inputs, mapped.get(stage.name))
        elif isinstance(stage, Sums):
            logic = SumsLogic(stage, network.stage_inputs(index), lut_inputs)
        elif stage.kind == "argmax":
            logic = ArgmaxLogic(stage, lut_inputs)
        elif stage.kind == "threshold":
            logic = ThresholdLogic(stage, lut_inputs)
        if logic is not None:
            out.append(logic)
            indices.append(index)
    return tuple(out), tuple(indices)


def output_formats(network: LutNetwork) -> Sequence[tuple[str, Format]]:
    """Return name and format of every field of the answer word."""
    decide = network.decide
    if decide is not None and decide.kind == "argmax":
        return [("class", network.outputs[0])]
    return [(f"y{i}", fmt) for i, fmt in enumerate(network.outputs)]
