"""All formal proofs of a finished run: of a pipeline from passes to netlists, of an engine its streams and sums."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from codesign.errors import ConfigError, RunError, ToolFailed
from codesign.line import EngineLine, Line, PipelineLine
from codesign.rundir import read_json
from codesign.verify.formal.array import prove_array
from codesign.verify.formal.ends import prove_ends
from codesign.verify.formal.netlist import prove_lut_models, prove_netlist, read_flat, read_mapped, synthesise
from codesign.verify.formal.passes import prove_passes
from codesign.verify.formal.reach import prove_care
from codesign.verify.formal.result import Proof, Tally
from codesign.verify.formal.rtl import prove_joints, prove_stages, read_pipeline
from codesign.verify.formal.streams import prove_streams
from codesign.verify.formal.sums import prove_sums
from codesign.verify.formal.whole import prove_whole

__all__ = ["DEFAULT_SECONDS", "prove_run"]

DEFAULT_SECONDS = 60.0
"""Time limit of one proof."""

_READING_SECONDS = 1800.0
"""Time limit of one reading of a design by yosys."""


def prove_run(line: Line[Any], *, timeout_s: float = DEFAULT_SECONDS) -> tuple[Tally, ...]:
    """Prove the properties of a run of the family `pipeline` or `engine`; see docs/verification.md.

    timeout_s: of each proof by itself. A tool that fails leaves what it was asked "not proven"; nothing is raised for
    what is refuted or not proven: see `require_proven`. Another family is a ConfigError. Traces of refuted claims about
    an engine are written as VCD files to `<run>/formal`.
    """
    if isinstance(line, EngineLine):
        with tempfile.TemporaryDirectory(prefix="codesign-formal-") as folder:
            return tuple(_engine(line, Path(folder), timeout_s))
    if not isinstance(line, PipelineLine):
        raise ConfigError(
            f"--formal is for runs of the families 'pipeline' and 'engine'; {line.run.path} is of {line.family!r}"
        )
    with tempfile.TemporaryDirectory(prefix="codesign-formal-") as folder:
        return tuple(_tallies(line, Path(folder), timeout_s))


def _tallies(line: PipelineLine, work: Path, timeout_s: float) -> Iterator[Tally]:
    extracted, optimized, folder = line.extracted, line.optimized, line.emitted
    line.notify("verify", "proving the passes", None)
    yield from _guarded(
        "passes", lambda: prove_passes(extracted, optimized, line.config.passes, work=work / "p", timeout_s=timeout_s)
    )
    line.notify("verify", "proving the care sets", None)
    yield from _guarded(
        "no input reaches a don't-care", lambda: [prove_care(optimized, work=work / "c", timeout_s=timeout_s)]
    )
    line.notify("verify", "proving the Verilog", None)

    def verilog() -> Iterator[Tally]:
        pipeline = read_pipeline(folder, optimized, work=work / "r", timeout_s=_READING_SECONDS)
        yield prove_stages(pipeline, work=work / "s", timeout_s=timeout_s)
        yield prove_joints(pipeline)
        ends = prove_ends(folder, line.design, work=work / "e", timeout_s=timeout_s, waves=line.run.path / "formal")
        if ends is not None:
            yield ends
        line.notify("verify", "proving the whole network at once", None)
        yield prove_whole(pipeline, extracted, work=work / "w", timeout_s=timeout_s)

    yield from _guarded("tables = emitted Verilog", verilog)
    for name in line.config.synth.devices:
        line.notify("verify", f"proving the netlist for {name}", None)
        yield from _guarded(f"Verilog = netlist for {name}", lambda name=name: [_netlist(line, name, work, timeout_s)])


def _engine(line: EngineLine, work: Path, timeout_s: float) -> Iterator[Tally]:
    design, folder = line.design, line.emitted
    layers, levels = line.program.layers, line.network.input_levels
    line.notify("verify", "bounding every sum of the program", None)
    yield prove_sums(
        folder,
        design,
        image=(levels.low, levels.high),
        stated={layer.name: (layer.sum_low, layer.sum_high) for layer in layers},
        names=[layer.name for layer in layers],
    )
    line.notify("verify", "proving multipliers and adders", None)
    yield from _guarded(
        "multipliers and adders are exact",
        lambda: [prove_array(folder, design, work=work / "a", timeout_s=timeout_s)],
    )
    line.notify("verify", "proving accumulators and streams", None)
    waves = line.run.path / "formal"
    yield from _guarded(
        "laws of the streams",
        lambda: prove_streams(folder, design, work=work / "s", timeout_s=timeout_s, waves=waves),
    )


def _guarded(name: str, prove: Callable[[], Any]) -> Iterator[Tally]:
    """Yield what `prove` gives; where a tool fails, one more tally that says that this was not proven."""
    started = time.monotonic()
    try:
        yield from prove()
    except ToolFailed as problem:
        proof = Proof(name, "not proven", "", 0, str(problem))
        yield Tally.of(name, [proof], seconds=time.monotonic() - started)


def _netlist(line: PipelineLine, name: str, work: Path, timeout_s: float) -> Tally:
    from codesign.accel import device

    started = time.monotonic()
    target, config, design = device(name), line.config.synth, line.design
    models = prove_lut_models(target, work=work / f"m_{name}", timeout_s=_READING_SECONDS)
    path = synthesise(
        line.emitted, design, target, work=work / f"n_{name}", timeout_s=config.timeout_s, memory_gb=config.memory_gb
    )
    rtl = read_flat(line.emitted, design, work=work / f"v_{name}", timeout_s=_READING_SECONDS)
    netlist = read_mapped(path, target, design.top, work=work / f"g_{name}", timeout_s=_READING_SECONDS)
    proofs = prove_netlist(
        rtl, netlist, design, line.optimized, device=name, work=work / f"q_{name}", timeout_s=timeout_s
    )
    same = _same_counts(line, name, path, work / f"n_{name}" / "yosys.log")
    return Tally.of(proofs.name, [models, *same, *proofs.proofs], seconds=time.monotonic() - started)


def _same_counts(line: PipelineLine, name: str, netlist: Path, log: Path) -> list[Proof]:
    """Compare the netlist with the one that the run's stage synth counted, where that stage is finished."""
    from codesign.synth.netlist import count_cells, read_netlist

    try:
        stated = read_json(line.stage_folder("synth") / f"{name}.json")
    except RunError:
        return []
    cells = count_cells(read_netlist(netlist, line.design.top, log=log).types(), log=log)
    wanted, got = (stated["luts"], stated["ffs"]), (cells.luts, cells.ffs)
    subject = f"netlist for {name}"
    if wanted != got:
        stage = f"the run counted {wanted[0]} LUTs and {wanted[1]} flip-flops"
        detail = f"{stage}, the same script now gives {got[0]} and {got[1]}"
        return [Proof(subject, "not proven", "", 0, detail)]
    return [Proof(subject, "proven", "equal counts", 1)]
