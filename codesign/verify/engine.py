"""The checks of a run of the family `engine`: Brevitas = integers = program = Verilog; and of random engines."""

from __future__ import annotations

import tempfile
from pathlib import Path

from codesign.errors import MismatchError
from codesign.line import EngineLine
from codesign.line.engine import CHECKED_IMAGES, CHECKED_VALIDATION
from codesign.verify.checks import Steps

__all__ = ["DEFAULT_PAIRS", "PROGRAMS", "engine_steps"]

DEFAULT_PAIRS = 3
"""Random engines that are built beside the run's own."""

PROGRAMS = 12
"""Random programs that each of them runs."""


def engine_steps(line: EngineLine, *, pairs: int) -> Steps:
    """Every check of the run, in order; each returns on how many inputs it compared."""
    steps: Steps = [
        ("batch norm and quantizers = integer multipliers, every sum", lambda: _requantize(line)),
        ("trained model = integer network, every layer, validation and test samples", lambda: _samples(line)),
        ("integer network = program as the engine runs it, every layer's map", lambda: _program(line)),
        ("Verilog of the point = emitted Verilog, files byte for byte", lambda: _text(line)),
        ("program and golden vectors of the network = emitted ones, files byte for byte", lambda: _vectors(line)),
        ("golden vectors = Verilog in Verilator: answers, and cycles layer by layer", lambda: _verilog(line)),
    ]
    if pairs:
        name = f"random programs on {pairs} random engine{'s' if pairs > 1 else ''} in Verilator: answers and cycles"
        steps.append((name, lambda: _pairs(line, pairs)))
    return steps


def _requantize(line: EngineLine) -> int:
    from codesign.extract import check_requantize

    return check_requantize(line.model, line.network)


def _samples(line: EngineLine) -> int:
    from codesign.extract import check_brevitas, check_integer_samples

    rows = (line.data.x_validation[:CHECKED_VALIDATION], line.data.x_test)
    check_brevitas(line.model, line.data.x_test[:CHECKED_VALIDATION])
    return sum(check_integer_samples(line.model, line.network, x) for x in rows)


def _program(line: EngineLine) -> int:
    from codesign.accel.engine.check import check_program

    return check_program(line.program, line.network, line.images(line.data.x_test[:CHECKED_IMAGES]))


def _text(line: EngineLine) -> int:
    from codesign.rtl.engine import generate

    with tempfile.TemporaryDirectory(prefix="codesign-verify-") as work:
        design = generate(line.point, Path(work), top=line.design.top)
        return _same_files(line.emitted, Path(work), design.sources, "the point gives; emit it again")


def _vectors(line: EngineLine) -> int:
    from codesign.simulate.engine_bench import write_engine_bench

    images, answers = line.vectors
    with tempfile.TemporaryDirectory(prefix="codesign-verify-") as work:
        line.design.save(Path(work))
        written = write_engine_bench(Path(work), line.program, images, answers)
        names = [path.relative_to(work).as_posix() for path in written if path.parent.name == "vectors"]
        _same_files(line.emitted, Path(work), names, "the network gives; emit it again")
    return len(images)


def _same_files(emitted: Path, made: Path, names: list[str] | tuple[str, ...], whose: str) -> int:
    for name in names:
        if not (emitted / name).is_file() or (emitted / name).read_bytes() != (made / name).read_bytes():
            raise MismatchError(f"{emitted / name} is not what {whose}")
    return len(names)


def _verilog(line: EngineLine) -> int:
    from codesign.simulate.engine_stage import simulate_engine

    with tempfile.TemporaryDirectory(prefix="codesign-verify-") as work:
        config = line.config.simulate
        result = simulate_engine(line.emitted, line.program, *line.vectors, config=config, work=Path(work))
    result.require_exact()
    return result.vectors_checked


def _pairs(line: EngineLine, pairs: int) -> int:
    from codesign.simulate.engine_pairs import check_random_pairs

    for seed in range(1, pairs + 1):
        line.notify("verify", f"random engine {seed} of {pairs}", (seed - 1) / pairs)
        with tempfile.TemporaryDirectory(prefix="codesign-verify-") as work:
            check_random_pairs(seed, PROGRAMS, work=Path(work))
    return pairs * PROGRAMS
