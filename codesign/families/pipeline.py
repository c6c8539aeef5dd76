"""The unrolled pipeline as a family: where registers stand, the form of the tables, the interface; its exact cycles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from codesign.accel import AcceleratorFamily, Cost, Device, Figure, Point, Simulated, Violation
from codesign.accel.space import Space
from codesign.config import RegistersConfig, RtlConfig, SimulateConfig
from codesign.ir import Decide, Encode, LutNetwork, Sums, Tables, address_bits, load
from codesign.rtl.logic import StageLogic
from codesign.rtl.mapped import MappedNetwork, MappedStage
from codesign.rtl.registers import Block, plan_registers, stretches
from codesign.rtl.stages import encoder_in_hardware, input_formats, output_formats, stage_logic
from codesign.rtl.sums import SumsLogic
from codesign.rtl.wrapper import Wrapper

__all__ = ["RULES", "PipelineFamily", "rtl_config"]

RULES = {
    "stream_bits": "the width of a stream can be chosen where there is one",
    "registers": "a combinational pipeline has no valid bit to hold back: it stands with a bare interface",
    "depth": "a stretch between registers can be no shallower than one level of a stage",
    "case": "a case statement a table: above 4 million table bits synthesis runs out of memory",
    "device_luts": "the device has so many LUTs",
    "device_ffs": "the device has so many flip-flops",
}
"""Names of the rules, and what they say."""

_CASE_BITS = 4_000_000

_UNMAPPED = 1.3
"""LUTs that yosys makes of a table of more address bits than a LUT has, written as a constant or a case statement,
over the nodes that ABC makes of it: assumed, between 1.0 (tables of 7 bits) and 2.1 (random tables of 12)."""

_LUT4 = 3.2
"""4-input LUTs that yosys makes of what takes one 6-input LUT, carry cells counted as two: the mean of the examples'
builds, from 2.4 (own_data) to 4.1 (nid)."""

_PERIOD_NS = {"ecp5": (0.2, 1.31)}
"""Clock period without logic, and for each emitted LUT level, fitted to what nextpnr routed of 18 builds of the
examples on an ecp5-25f: the median error is 6 %, but a network of 100 LUTs was twice as fast (docs/search_luts.md)."""

_LUT_INPUTS = 6
"""Tables are emitted as nodes of so many inputs, on every device."""


def rtl_config(point: Point) -> RtlConfig:
    """Return the section `rtl` of a build file that a point stands for."""
    word = str(point["registers"])
    registers = RegistersConfig()
    if word != "none":
        kind = word.rstrip("0123456789")
        number = int(word.removeprefix(kind))
        registers = RegistersConfig(every=number) if kind == "every" else RegistersConfig(depth=number)
    axi = point["interface"] == "axi_stream"
    return RtlConfig.model_validate(
        {
            "form": point["form"],
            "registers": registers.model_dump(),
            "interface": point["interface"],
            "stream_bits": int(point["stream_bits"]) if axi else 32,
        }
    )


@dataclass(frozen=True)
class _Plan:
    """A point with a network: its stages of logic, where registers stand, and the wrapper around them."""

    stages: tuple[StageLogic, ...]
    indices: tuple[int, ...]
    blocks: tuple[Block, ...]
    wrapper: Wrapper

    @property
    def levels(self) -> int:
        """LUT levels of the deepest stretch."""
        return max(stretches(self.stages, self.blocks), default=0)


class PipelineFamily(AcceleratorFamily):
    """Networks of tables unrolled, every neuron its own logic; `network`: a `LutNetwork` as it is emitted."""

    def __init__(self, space: Space):
        """`space`: the pipeline's own, or one of the same knobs with fewer values."""
        super().__init__(space)
        self._mapped: tuple[LutNetwork, MappedNetwork] | None = None

    def read_network(self, path: Path) -> LutNetwork:
        """Read the network.npz of a run: that of stage `optimize`, which is what is emitted."""
        return load(path)

    def validate(self, point: Point, network: LutNetwork, device: Device | None = None) -> tuple[Violation, ...]:
        """Return every rule that the point breaks by itself, with the network, or by what it takes of the device."""
        settings = self.space.check(point)
        found: list[Violation] = []
        if settings["interface"] != "axi_stream" and settings["stream_bits"] != min(self._values("stream_bits")):
            least = min(self._values("stream_bits"))
            found.append(
                Violation(
                    "stream_bits",
                    "",
                    f"interface {settings['interface']} has no stream; set {least}, not {settings['stream_bits']}",
                )
            )
        if settings["registers"] == "none" and settings["interface"] != "bare":
            found.append(
                Violation("registers", "", f"without registers the interface must be bare, not {settings['interface']}")
            )
        if settings["form"] == "case" and (bits := _table_bits(network)) > _CASE_BITS:
            found.append(Violation("case", "", f"the tables hold {bits:,} bits, form case at most {_CASE_BITS:,}"))
        if found:
            return tuple(found)
        plan = self._plan(settings, network)
        word = str(settings["registers"])
        if word.startswith("depth"):
            most = int(word.removeprefix("depth"))
            for stage in plan.stages:
                if max(stage.depths) > most:
                    found.append(
                        Violation(
                            "depth", stage.name, f"one level has {max(stage.depths)} LUT levels, more than {most}"
                        )
                    )
        if device is not None:
            luts, ffs = self._cells(settings, network, plan, device)
            if luts > device.luts:
                found.append(Violation("device_luts", "", f"{device.name} has {device.luts} LUTs, not {luts:.0f}"))
            if ffs > device.ffs:
                found.append(Violation("device_ffs", "", f"{device.name} has {device.ffs} flip-flops, not {ffs:.0f}"))
        return tuple(found)

    def cost(self, point: Point, network: LutNetwork, device: Device) -> Cost:
        """Return exact cycles and interval; LUTs, flip-flops, LUT levels, and where nextpnr knows the part its clock,
        estimated.
        """
        settings = self.check(point, network, device)
        plan = self._plan(settings, network)
        luts, ffs = self._cells(settings, network, plan, device)
        cycles = plan.wrapper.latency_cycles
        found = {
            "cycles": Figure(cycles, "cycles", "exact"),
            "interval": Figure(plan.wrapper.initiation_interval, "cycles", "exact"),
            "luts": Figure(round(luts), "LUTs", "estimated"),
            "ffs": Figure(round(ffs), "flip-flops", "estimated"),
            "brams": Figure(0, "blocks", "exact"),
            "dsps": Figure(0, "blocks", "exact"),
            "depth": Figure(plan.levels, "LUTs", "estimated"),
        }
        if (law := _PERIOD_NS.get(device.family)) is not None:
            period = law[0] + law[1] * plan.levels
            found["fmax_mhz"] = Figure(1000 / period, "MHz", "estimated")
            found["latency_us"] = Figure(max(1, cycles) * period / 1000, "us", "estimated")
        return found

    def generate(self, point: Point, network: LutNetwork, folder: Path) -> None:
        """Write the design as a folder of Verilog that stands alone, with the bench of its simulation."""
        from codesign.rtl import emit
        from codesign.simulate import write_bench

        settings = self.check(point, network)
        emit(network, rtl_config(settings), folder)
        write_bench(folder)

    def simulate(self, folder: Path, network: LutNetwork, inputs: ArrayLike, *, work: Path) -> Simulated:
        """Stream real features (samples, features) through a generated design in Verilator."""
        from codesign.rtl import Design
        from codesign.rtl.vectors import port_codes, write_vectors
        from codesign.simulate import simulate

        design = Design.load(folder)
        taken, answers = port_codes(network, np.asarray(inputs), hardware=design.encoder_in_hardware)
        write_vectors(folder, design, taken, answers)
        result = simulate(
            folder, config=SimulateConfig(vectors=len(answers), stress_vectors=0, cocotb=False), work=work
        )
        cycles = result.latency_cycles if result.latency_cycles is not None else 0
        return Simulated(result.vectors_checked, result.vectors_mismatched, cycles)

    # ---- parts

    def _values(self, knob: str) -> list[int]:
        return [int(value) for value in self.space.knob(knob).values]

    def _map(self, network: LutNetwork) -> MappedNetwork:
        """The netlists of a network's tables; those of the last one asked for are kept."""
        if self._mapped is None or self._mapped[0] is not network:
            from codesign.rtl.mapping import map_network

            self._mapped = (network, map_network(network, lut_inputs=_LUT_INPUTS))
        return self._mapped[1]

    def _plan(self, point: Point, network: LutNetwork) -> _Plan:
        config = rtl_config(point)
        hardware = encoder_in_hardware(network, config.encoder)
        mapped: dict[str, MappedStage] = {}
        if config.form == "mapped":
            mapped = dict(self._map(network).stages)
        stages, indices = stage_logic(
            network, hardware=hardware, form=config.form, lut_inputs=_LUT_INPUTS, mapped=mapped
        )
        blocks = plan_registers(stages, config.registers)
        wrapper = Wrapper(
            "top",
            config.interface,
            config.stream_bits if config.interface == "axi_stream" else 0,
            sum(fmt.bits for _, fmt in input_formats(network, hardware=hardware)),
            sum(fmt.bits for _, fmt in output_formats(network)),
            sum(block.register for block in blocks),
        )
        return _Plan(stages, indices, blocks, wrapper)

    def _cells(self, point: Point, network: LutNetwork, plan: _Plan, device: Device) -> tuple[float, float]:
        """LUTs and flip-flops, estimated."""
        luts, ffs = 0.0, 0.0
        for logic, index in zip(plan.stages, plan.indices, strict=True):
            stage = network.stages[index]
            if isinstance(stage, Tables):
                nodes = len(self._map(network).stages[stage.name].nodes)
                luts += nodes * (1.0 if point["form"] == "mapped" else _spread(stage, network, index))
            elif isinstance(logic, SumsLogic):
                luts += sum(_adder(heap) for heap in logic.heaps)
            elif isinstance(stage, Decide):
                luts += (
                    1 if len(stage.inputs) == 1 else (len(stage.inputs) - 1) * max(f.bits for f in stage.inputs) * 1.3
                )
            elif isinstance(stage, Encode):
                luts += _comparators(stage, _read(network))
        for block in plan.blocks:
            if block.register:
                logic = plan.stages[block.stage]
                whole = block.stop == len(logic.depths)
                stage = network.stages[plan.indices[block.stage]]
                held = logic.widths[block.stop]
                if whole and isinstance(stage, Encode):
                    held = sum(stage.formats[signal].bits for signal in _read(network))
                ffs += held + 1
        if plan.wrapper.interface == "ready_valid":
            ffs += plan.wrapper.output_bits + 2
            luts += plan.wrapper.output_bits + 4
        elif plan.wrapper.interface == "axi_stream":
            beats, sent = plan.wrapper.input_beats, plan.wrapper.output_beats
            ffs += plan.wrapper.input_bits + 2 * (beats + sent).bit_length() + plan.wrapper.output_bits + 6
            ffs += plan.wrapper.output_bits if sent > 1 else 0
            luts += 2 * (beats + sent).bit_length() + beats + plan.wrapper.output_bits + 8
        luts += plan.wrapper.registers
        return luts * (_LUT4 if device.lut_inputs == 4 else 1.0), ffs


def _spread(stage: Tables, network: LutNetwork, index: int) -> float:
    """What the tables of a stage take where yosys maps them, over the nodes that ABC makes of them."""
    wide = [address_bits(n.sources, network.stage_inputs(index)) > _LUT_INPUTS for n in stage.neurons]
    return 1.0 + (_UNMAPPED - 1.0) * (sum(wide) / max(1, len(wide)))


def _adder(heap: object) -> int:
    """LUTs of one sum: a LUT an output bit of each counter, and one a bit of the last adder."""
    from codesign.rtl.heap import Heap

    assert isinstance(heap, Heap)
    added = sum(len(row) + one > 1 for row, one in zip(heap.rows, heap.ones, strict=True))
    return sum(counter.outputs for counter in heap.counters) + added


def _read(network: LutNetwork) -> list[int]:
    """Signals of the encoder that anything reads."""
    first = network.core[0]
    if isinstance(first, Tables):
        return sorted({source for neuron in first.neurons for source in neuron.sources})
    if isinstance(first, Sums):
        return sorted({source for total in first.sums for source in total.sources})
    return list(range(len(network.code_inputs)))


def _comparators(stage: Encode, read: list[int]) -> int:
    """LUTs of the comparators of an encoder's signals that are read."""
    from codesign.rtl.compare import at_least

    each: list[int] = []
    for feature in stage.features:
        assert feature.word is not None
        luts: list[int] = []
        for threshold in feature.word_thresholds():
            bits = len(at_least([""] * feature.word.bits, threshold, feature.word.format)[1])
            luts.append(0 if bits <= 1 else -(-(bits - 1) // (_LUT_INPUTS - 1)))
        each += luts if stage.coding == "thermometer" else [sum(luts)]
    return sum(each[signal] for signal in read)


def _table_bits(network: LutNetwork) -> int:
    return sum(
        neuron.table.size * neuron.format.bits
        for stage in network.stages
        if isinstance(stage, Tables)
        for neuron in stage.neurons
    )
