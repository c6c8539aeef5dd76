"""Adds what simulates a program on a generated engine to its folder: golden vectors, C++ harness, cocotb bench."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from codesign.accel.engine import Program, cycles, register_map
from codesign.accel.engine.cycles import FETCH_CYCLES
from codesign.errors import ConfigError, DataError, ToolNotFound
from codesign.ir.integer import Integers
from codesign.resources import resource_dir
from codesign.rtl.engine import EngineDesign
from codesign.simulate.engine import HARNESS, WATCH, EngineJob, script_of
from codesign.simulate.protocol import run_protocol
from codesign.simulate.result import ProtocolResult
from codesign.tools.verilator import Verilator

__all__ = ["WATCHED", "run_engine_bench", "write_engine_bench"]

WATCHED = "watch.txt"
"""File in the bench's work folder that gets the counts of states and events."""

_COPIES = {
    f"sim/{HARNESS}": HARNESS,
    f"sim/{WATCH}": WATCH,
    "sim/check_engine.py": "check_engine.py",
    "sim/engine_bench.py": "engine_bench.py",
    "sim/run_cocotb.py": "run_cocotb.py",
    "sim/README.md": "README.engine.md",
    "Makefile": "Makefile.engine",
}


def write_engine_bench(folder: Path, program: Program, images: ArrayLike, answers: ArrayLike) -> tuple[Path, ...]:
    """Write Makefile, sim/ and vectors/ into the `folder` of a generated engine; return the files written.

    images: (samples, channels, height, width) of the program's input levels; answers: (samples, channels, height,
    width) that the hardware must give. With them `make lint`, `make sim` and `make cocotb` work there on a machine
    that has Verilator (and cocotb with cocotbext-axi) but not this package. A folder without design.json is a
    DataError, a program for another point than the folder's a ConfigError, an answer of another shape a DataError.
    """
    design = EngineDesign.load(folder)
    if program.point != design.point:
        raise ConfigError(
            f"program {program.name!r} was compiled for another point than the engine of {folder}; generate "
            "that point's engine, or compile the program for this one"
        )
    given, wanted = np.asarray(images, dtype=np.int64), np.asarray(answers, dtype=np.int64)
    out = program.layers[-1].out
    if not len(given) or wanted.shape != (len(given), out.channels, out.height, out.width):
        raise DataError(
            f"answers must be ({len(given)}, {out.channels}, {out.height}, {out.width}) for at least one image, "
            f"not {wanted.shape}"
        )
    job = EngineJob(program, given)
    texts = {
        "vectors/program.json": json.dumps(_vectors(program, given, wanted), indent=1) + "\n",
        "vectors/script.txt": "\n".join(script_of(job)) + "\n",
        "sim/design.mk": _make_variables(design),
    }
    room = resource_dir("sim")
    written: list[Path] = []
    for target, source in _COPIES.items():
        (folder / target).parent.mkdir(exist_ok=True)
        shutil.copyfile(room / source, folder / target)
        written.append(folder / target)
    (folder / "vectors").mkdir(exist_ok=True)
    for target, text in texts.items():
        (folder / target).write_text(text, encoding="ascii")
        written.append(folder / target)
    return tuple(written)


def run_engine_bench(
    folder: Path, *, verilator: Verilator, work: Path, timeout_s: float, seed: int = 1
) -> tuple[ProtocolResult, str]:
    """Build and run the cocotb bench of a folder that has one; return its result and the end of its log.

    What the engine reached meanwhile is counted in `work`/watch.txt (`codesign.simulate.engine_coverage.read_watch`).
    A failed test is in the result; a simulator that hangs, crashes or writes no results is a ToolFailed, a missing
    cocotb or cocotbext-axi a ToolNotFound.
    """
    if not (folder / "vectors" / "program.json").is_file():
        raise DataError(f"{folder} has no vectors/program.json; write_engine_bench writes it")
    if find_spec("cocotbext") is None:
        raise ToolNotFound(
            "cocotbext-axi (AXI masters) is not installed. Install it with `pip install 'codesign[sim]'`, or "
            "leave the bench out with `simulate: {cocotb: false}`."
        )
    design = EngineDesign.load(folder)
    (work / WATCHED).unlink(missing_ok=True)
    return run_protocol(
        design, folder, verilator=verilator, work=work, timeout_s=timeout_s, seed=seed, watch=work / WATCHED
    )


def _vectors(program: Program, images: Integers, answers: Integers) -> dict[str, Any]:
    """Everything that a bench must know: registers, program, beats, answers, and the lengths of all phases."""
    known, point = register_map(), program.point
    law = cycles(program, images=len(images))
    return {
        "name": program.name,
        "registers": {register.name: register.offset for register in known.registers},
        "read_write": {r.name: r.bits_used for r in known.registers if r.access == "rw"},
        "window": known.window.offset,
        "errors": {error.name: error.code for error in known.errors},
        "settings": {
            "LAYERS": len(program.layers),
            "IMAGES": len(images),
            "IMAGE_WORDS": program.image_words,
            "ANSWERS": program.answers,
            "PARAMETERS": program.parameters,
            "WEIGHT_WORDS": program.weight_register,
        },
        "streams": {"in_bits": point.stream_in_bits, "out_bits": point.stream_out_bits},
        "layers": [{"name": layer.name, "kind": layer.kind} for layer in program.layers],
        "descriptors": [_hex(words.tolist()) for words in program.descriptors()],
        "load": _hex(program.load_beats()),
        "weights": [_hex(program.weight_beats(layer)) for layer in program.layers] if point.streamed else [],
        "images": [_hex(beats) for beats in program.image_beats(images)],
        "answers": [image.ravel().tolist() for image in np.moveaxis(answers, 1, 3)],
        "law": {
            "streamed": point.streamed,
            "double_buffer": point.double_buffer,
            "fetch": FETCH_CYCLES,
            "layers": list(law.layers),
            "image": law.image,
            "weights": list(law.weights),
            "unload": law.unload,
            "load": law.load,
            "total": law.total,
        },
    }


def _make_variables(design: EngineDesign) -> str:
    sources = " \\\n    ".join(design.sources)
    return f"# Written from design.json.\nTOP := {design.top}\nSOURCES := {sources}\n"


def _hex(values: Sequence[int]) -> list[str]:
    return [f"{value:x}" for value in values]
