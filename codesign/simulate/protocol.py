"""Runs the cocotb bench in a process of its own, within limits, and reads its results file."""

from __future__ import annotations

import re
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from xml.etree import ElementTree

from codesign.errors import ToolFailed, ToolNotFound, ToolTooOld
from codesign.resources import resource_dir
from codesign.simulate.build import Sourced, build_protocol
from codesign.simulate.result import ProtocolResult
from codesign.tools import run
from codesign.tools.verilator import Verilator

__all__ = ["cocotb_version", "read_results", "run_protocol"]

_MINIMUM = (2, 1)


def cocotb_version() -> str:
    """Return the version of cocotb; ToolNotFound or ToolTooOld, with the pip line, where it is not 2.1 or newer."""
    hint = "Install it with `pip install 'codesign[sim]'`, or leave it out with `simulate: {cocotb: false}`."
    try:
        found = version("cocotb")
    except PackageNotFoundError:
        raise ToolNotFound(f"cocotb (checks the interface's protocol) is not installed. {hint}") from None
    numbers = tuple(int(part) for part in re.findall(r"\d+", found)[:2])
    if numbers < _MINIMUM:
        raise ToolTooOld(f"cocotb must be 2.1 or newer, but {found} is installed. {hint}")
    return found


def run_protocol(
    design: Sourced,
    folder: Path,
    *,
    verilator: Verilator,
    work: Path,
    timeout_s: float,
    seed: int = 1,
    bench: Path | None = None,
    watch: Path | None = None,
) -> tuple[ProtocolResult, str]:
    """Build and run the cocotb bench on the design of `folder`; return its result and the end of its log.

    bench: a file of cocotb tests in place of those that codesign has. watch: of an engine, the file that
    gets the counts of its states and events. A failed test is in the result. A simulator that
    hangs, crashes or writes no results is a ToolFailed.
    """
    found = cocotb_version()
    work.mkdir(parents=True, exist_ok=True)
    built = build_protocol(design, folder, verilator=verilator, work=work, timeout_s=timeout_s)
    results = work / "results.xml"
    results.unlink(missing_ok=True)
    script = resource_dir("sim") / "run_cocotb.py"
    command: list[str | Path] = [sys.executable, script, "--folder", folder.resolve(), "--only-test"]
    command += ["--build", work.resolve(), "--work", work.resolve(), "--verilator", verilator.path]
    command += ["--bench", bench.resolve()] if bench is not None else []
    command += ["--watch", watch.resolve()] if watch is not None else []
    environment = {**verilator.environment, "CODESIGN_SEED": str(seed), "COCOTB_ANSI_OUTPUT": "0"}
    log = work / "cocotb.log"
    started = time.monotonic()
    try:
        run(command, work, log=log.name, timeout_s=timeout_s, environment=environment)
    except ToolFailed as problem:
        if problem.status != 1 or not results.is_file():
            raise
    seconds = time.monotonic() - started
    passed, failed, skipped = read_results(results)
    text = log.read_text(encoding="utf-8", errors="replace")
    if not passed and not failed:
        raise ToolFailed(f"cocotb ran no test; log: {log}", command=str(script), log=log, tail=text[-2000:])
    result = ProtocolResult(
        len(passed) + len(failed),
        len(passed),
        tuple(failed),
        len(skipped),
        found,
        built.seconds,
        seconds,
    )
    return result, text[-8000:]


def read_results(path: Path) -> tuple[list[str], list[str], list[str]]:
    """Read cocotb's results file: names of tests passed, failed (with the reason) and skipped."""
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError) as problem:
        raise ToolFailed(f"{path} must be cocotb's results, but cannot be read: {problem}", log=path) from None
    passed: list[str] = []
    failed: list[str] = []
    skipped: list[str] = []
    for case in cases:
        name = case.get("name", "?")
        fault = case.find("failure")
        if fault is None:
            fault = case.find("error")
        if fault is not None:
            reason = (fault.get("message") or fault.get("error_msg") or fault.text or "").strip().splitlines()
            failed.append(f"{name}: {reason[-1]}" if reason else name)
        elif case.find("skipped") is not None:
            skipped.append(name)
        else:
            passed.append(name)
    return passed, failed, skipped
