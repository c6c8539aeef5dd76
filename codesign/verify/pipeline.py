"""The checks of a run of the family `pipeline`: trained network = tables = optimized tables = netlist = Verilog."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from codesign.errors import MismatchError
from codesign.ir import encode, evaluate, evaluate_codes, load
from codesign.ir.text import digest
from codesign.line import PipelineLine
from codesign.verify.checks import Steps

__all__ = ["pipeline_steps"]


def pipeline_steps(line: PipelineLine) -> Steps:
    """Every check of the run, in order; each returns on how many inputs it compared."""
    steps: Steps = [
        ("trained neurons = tables, every row", lambda: _tables(line)),
        ("trained network = tables, validation and test samples", lambda: _samples(line)),
        ("tables = optimized tables, all samples", lambda: _optimized(line)),
        ("optimized tables = emitted golden vectors", lambda: _vectors(line)),
        ("Verilog of the optimized tables = emitted Verilog, files byte for byte", lambda: _text(line)),
        ("golden vectors = Verilog in Verilator", lambda: _verilog(line)),
    ]
    if line.config.rtl.form == "mapped":
        steps.insert(3, ("optimized tables = mapped netlist, every cared-for row", lambda: _netlist(line)))
    return steps


def _tables(line: PipelineLine) -> int:
    from codesign.extract import check_tables
    from codesign.nn import load_model

    return check_tables(load_model(line.stage_folder("train")), line.extracted)


def _samples(line: PipelineLine) -> int:
    from codesign.extract import check_samples
    from codesign.nn import load_model

    model = load_model(line.stage_folder("train"))
    return sum(check_samples(model, line.extracted, x) for x in (line.data.x_validation, line.data.x_test))


def _optimized(line: PipelineLine) -> int:
    rows = 0
    for x in (line.data.x_train, line.data.x_validation, line.data.x_test):
        _same(evaluate(line.extracted, x), evaluate(line.optimized, x), "optimized tables")
        rows += len(x)
    return rows


def _netlist(line: PipelineLine) -> int:
    from codesign.rtl import check_mapped, evaluate_mapped, map_network

    network = line.optimized
    assert network.encode is not None
    rtl = line.config.rtl
    mapped = map_network(network, lut_inputs=rtl.lut_inputs, effort=rtl.effort, workers=rtl.workers)
    codes = encode(network.encode, line.data.x_test)
    _same(evaluate_codes(network, codes), evaluate_mapped(mapped, codes), "mapped netlist")
    return check_mapped(mapped)


def _text(line: PipelineLine) -> int:
    from codesign.rtl import emit

    with tempfile.TemporaryDirectory(prefix="codesign-verify-") as work:
        folder = Path(work) / "design"
        design = emit(line.optimized, line.config.rtl, folder, features=line.data.x_test[:1])
        for source in design.sources:
            if (line.emitted / source).read_bytes() != (folder / source).read_bytes():
                raise MismatchError(f"{line.emitted / source} is not what the optimized tables give; emit it again")
    return len(design.sources)


def _vectors(line: PipelineLine) -> int:
    from codesign.rtl import golden_vectors, port_codes

    x = line.data.x_test[: line.config.simulate.vectors]
    inputs, answers = port_codes(line.optimized, x, hardware=line.design.encoder_in_hardware)
    for name, text in golden_vectors(line.design, inputs, answers).items():
        if (line.emitted / "vectors" / name).read_text(encoding="ascii") != text:
            raise MismatchError(f"{line.emitted / 'vectors' / name} does not hold the answers of the optimized tables")
    kept = line.emitted / "vectors" / "network.npz"
    if kept.is_file() and digest(load(kept)) != digest(line.optimized):
        raise MismatchError(f"{kept} does not hold the optimized tables")
    return len(x)


def _verilog(line: PipelineLine) -> int:
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
