"""Checks a finished run again, from the trained network to the Verilog, and says on how many inputs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from codesign.errors import MismatchError
from codesign.ir import encode, evaluate, evaluate_codes
from codesign.line import Line

__all__ = ["Check", "verify_run", "verify_table"]


@dataclass(frozen=True)
class Check:
    """One agreement that was checked: between which forms, on how many inputs, in how many seconds."""

    name: str
    inputs: int
    seconds: float


def verify_run(line: Line) -> tuple[Check, ...]:
    """Check every hand-over of a run. Raises MismatchError (or the stage's own error) at the first difference."""
    checks: list[Check] = []
    steps: list[tuple[str, Callable[[], int]]] = [
        ("trained neurons = tables, every row", lambda: _tables(line)),
        ("trained network = tables, validation and test samples", lambda: _samples(line)),
        ("tables = optimized tables, all samples", lambda: _optimized(line)),
        ("optimized tables = emitted golden vectors", lambda: _vectors(line)),
        ("Verilog of the optimized tables = emitted Verilog, files byte for byte", lambda: _text(line)),
        ("golden vectors = Verilog in Verilator", lambda: _verilog(line)),
    ]
    if line.config.rtl.form == "mapped":
        steps.insert(3, ("optimized tables = mapped netlist, every cared-for row", lambda: _netlist(line)))
    for name, step in steps:
        line.notify("verify", name, None)
        started = time.monotonic()
        checks.append(Check(name, step(), time.monotonic() - started))
    return tuple(checks)


def verify_table(checks: tuple[Check, ...]) -> Table:
    """The checks as a table; a check that failed raised instead, so every row agrees."""
    table = Table(title="verified")
    table.add_column("forms that agree")
    table.add_column("inputs", justify="right")
    table.add_column("seconds", justify="right")
    for check in checks:
        table.add_row(check.name, f"{check.inputs:,}", f"{check.seconds:.1f}")
    return table


def _tables(line: Line) -> int:
    from codesign.extract import check_tables
    from codesign.nn import load_model

    return check_tables(load_model(line.stage_folder("train")), line.extracted)


def _samples(line: Line) -> int:
    from codesign.extract import check_samples
    from codesign.nn import load_model

    model = load_model(line.stage_folder("train"))
    return sum(check_samples(model, line.extracted, x) for x in (line.data.x_validation, line.data.x_test))


def _optimized(line: Line) -> int:
    rows = 0
    for x in (line.data.x_train, line.data.x_validation, line.data.x_test):
        _same(evaluate(line.extracted, x), evaluate(line.optimized, x), "optimized tables")
        rows += len(x)
    return rows


def _netlist(line: Line) -> int:
    from codesign.rtl import check_mapped, evaluate_mapped, map_network

    network = line.optimized
    assert network.encode is not None
    rtl = line.config.rtl
    mapped = map_network(network, lut_inputs=rtl.lut_inputs, effort=rtl.effort, workers=rtl.workers)
    codes = encode(network.encode, line.data.x_test)
    _same(evaluate_codes(network, codes), evaluate_mapped(mapped, codes), "mapped netlist")
    return check_mapped(mapped)


def _text(line: Line) -> int:
    from codesign.rtl import emit

    with tempfile.TemporaryDirectory(prefix="codesign-verify-") as work:
        folder = Path(work) / "design"
        design = emit(line.optimized, line.config.rtl, folder, features=line.data.x_test[:1])
        for source in design.sources:
            if (line.emitted / source).read_bytes() != (folder / source).read_bytes():
                raise MismatchError(f"{line.emitted / source} is not what the optimized tables give; emit it again")
    return len(design.sources)


def _vectors(line: Line) -> int:
    from codesign.rtl import golden_vectors, port_codes

    x = line.data.x_test[: line.config.simulate.vectors]
    inputs, answers = port_codes(line.optimized, x, hardware=line.design.encoder_in_hardware)
    for name, text in golden_vectors(line.design, inputs, answers).items():
        if (line.emitted / "vectors" / name).read_text(encoding="ascii") != text:
            raise MismatchError(f"{line.emitted / 'vectors' / name} does not hold the answers of the optimized tables")
    return len(x)


def _verilog(line: Line) -> int:
    from codesign.simulate import require_exact, simulate

    with tempfile.TemporaryDirectory(prefix="codesign-verify-") as work:
        result = simulate(line.emitted, config=line.config.simulate, work=Path(work))
    require_exact(result)
    return result.vectors_checked


def _same(wanted: np.ndarray, got: np.ndarray, what: str) -> None:
    if wanted.shape != got.shape:
        raise MismatchError(f"{what}: {got.shape[0]} answers of {got.shape[1]} signals, wanted {wanted.shape}")
    if not np.array_equal(wanted, got):
        row = int(np.argmax((wanted != got).any(axis=1)))
        raise MismatchError(f"{what}: sample {row}: wanted {wanted[row].tolist()}, got {got[row].tolist()}")
