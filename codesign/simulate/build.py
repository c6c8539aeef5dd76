"""Compiles a design with Verilator and a bench, or takes the compiled program from the cache."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from codesign.errors import MALFORMED, DataError
from codesign.resources import resource_dir
from codesign.rtl import Design
from codesign.simulate.bench import HARNESS_FILES, bench_header
from codesign.simulate.cache import BuildCache, digest, file_digest
from codesign.simulate.traced import STAND_INS, Trace, libraries, stand_ins
from codesign.tools import run
from codesign.tools.verilator import Verilator

__all__ = ["Built", "Sourced", "build_bench", "build_harness", "build_protocol", "source_files"]

_SPLIT = ("--output-split", "20000", "--output-split-cfuncs", "2000")

# Measured on a network of jsc-l's size (docs/simulation.md): -O1 compiles in two thirds of -O2's time and the result
# runs as fast. -fno-table leaves out a pass that evaluates neurons row by row (minutes for jsc-l's constants) to make
# tables of what are tables already. Functions split at 2,000 nodes halve a large design's compilation and double its
# speed; small designs stay in one file.
_VERILATE = ("--cc", "--exe", "-O3", "-fno-table", "--no-timing", "--x-initial", "unique", *_SPLIT)
_OPTIMISE = "-O1"
_TRACE = ("-Wno-MULTIDRIVEN", "--trace-max-width", "4096")
"""Traced, a local variable of a function counts as driven by each of its calls; words are up to 4,096 bits wide."""


class Sourced(Protocol):
    """What an emitted folder describes: a top module and its files, in design.json."""

    @property
    def top(self) -> str:
        """Name of the top module."""
        ...

    @property
    def sources(self) -> tuple[str, ...]:
        """Verilog files, relative to the folder, in compile order."""
        ...

    def save(self, folder: Path) -> None:
        """Write design.json."""
        ...


@dataclass(frozen=True)
class Built:
    """A compiled simulator. seconds: what compiling took, also where it was done earlier and `cached` is True."""

    program: Path
    seconds: float
    cached: bool


def source_files(design: Sourced, folder: Path) -> list[Path]:
    """Return the paths of the design's Verilog; a missing file is a DataError."""
    sources = [folder / source for source in design.sources]
    for source in sources:
        if not source.is_file():
            raise DataError(f"{source} is missing, though design.json lists it; emit the design again")
    return sources


def build_harness(
    design: Design,
    folder: Path,
    *,
    verilator: Verilator,
    work: Path,
    timeout_s: float,
    jobs: int = 2,
    trace: Trace = "",
    watch: Mapping[str, bytes] | None = None,
) -> Built:
    """Compile the C++ harness with the design of `folder` to `work`/Vdut. Logs go to `work`; raises ToolFailed.

    trace: see `build_bench`. watch: SystemVerilog (name to text) that is bound into the design.
    """
    room = resource_dir("sim")
    bench = {name: (room / name).read_bytes() for name in HARNESS_FILES}
    bench["bench_config.h"] = bench_header(design).encode()
    bench |= watch or {}
    return build_bench(
        design,
        folder,
        bench,
        prefix="Vdut",
        verilator=verilator,
        work=work,
        timeout_s=timeout_s,
        jobs=jobs,
        trace=trace,
    )


def build_bench(
    design: Sourced,
    folder: Path,
    bench: Mapping[str, bytes],
    *,
    prefix: str,
    verilator: Verilator,
    work: Path,
    timeout_s: float,
    jobs: int = 2,
    extra: Sequence[str] = (),
    trace: Trace = "",
    optimise: str = _OPTIMISE,
) -> Built:
    """Compile the files `bench` (name to text) with the Verilog of `folder` to `work`/`prefix`, or fetch it.

    bench: C++ sources and headers, and SystemVerilog that watches the design. extra: more of Verilator's options.
    trace: so that it can write waveforms of this kind; it then runs several times slower.
    optimise: option of the C++ compiler for the model.
    """
    if trace:
        extra = [*extra, f"--trace-{trace}", *_TRACE]
        bench = {**bench, **(stand_ins(work) if trace == "fst" else {})}
    options = [*_VERILATE, *extra, "--prefix", prefix, "--top-module", design.top]
    tools = [*_toolchain(verilator), "harness"]
    texts = [part for item in bench.items() for part in item]
    key = digest([*tools, f"OPT_FAST={optimise}", *options, *_contents(design, folder), *texts])
    cache = BuildCache()
    if (known := _fetch(cache, key, work, prefix)) is not None:
        return known
    log = work.resolve()
    main = [name for name in bench if name.endswith((".cpp", ".sv"))]
    with _scratch(design, folder) as scratch:
        started = time.monotonic()
        for name, content in bench.items():
            (scratch / name).write_bytes(content)
        command = [verilator.path, *options, "--Mdir", "obj", "-CFLAGS", f"-I{scratch}", *design.sources, *main]
        run(
            command,
            scratch,
            log=str(log / "verilate.log"),
            timeout_s=timeout_s,
            environment=verilator.environment,
        )
        library = [f"OPT_FAST={_OPTIMISE}", *(name for name in bench if name in STAND_INS)]
        runtime = _Runtime(cache, digest(["runtime", *tools, *library, *extra]), scratch / "runtime")
        make = ["make", "-C", "obj", "-f", f"{prefix}.mk", f"-j{jobs}", f"OPT_FAST={optimise}"]
        make += verilator.make_arguments
        run(
            [*make, *runtime.make_arguments, *(libraries(bench, runtime.archive) if trace == "fst" else ())],
            scratch,
            log=str(log / "make.log"),
            timeout_s=timeout_s,
            environment=verilator.environment,
        )
        runtime.keep(scratch / "obj")
        return _finish(cache, key, work, scratch / "obj" / prefix, time.monotonic() - started)


def build_protocol(design: Sourced, folder: Path, *, verilator: Verilator, work: Path, timeout_s: float) -> Built:
    """Compile the design of `folder` for cocotb to `work`/<top>, through cocotb's runner. Raises ToolFailed."""
    script = resource_dir("sim") / "run_cocotb.py"
    tools = [*_toolchain(verilator), "cocotb", version("cocotb"), sys.prefix]
    texts = [script.read_bytes(), (script.parent / "engine_watch.sv").read_bytes()]
    key = digest([*tools, *texts, design.top, *_contents(design, folder)])
    cache = BuildCache()
    if (known := _fetch(cache, key, work, design.top)) is not None:
        return known
    log = work.resolve()
    with _scratch(design, folder) as scratch:
        started = time.monotonic()
        runtime = _Runtime(cache, digest(["runtime", *tools]), scratch / "runtime")
        command = [sys.executable, script, "--folder", scratch, "--build", scratch / "obj", "--only-build"]
        command += ["--verilator", verilator.path]
        run(
            [*command, *(f"--make={argument}" for argument in runtime.make_arguments)],
            scratch,
            log=str(log / "build_cocotb.log"),
            timeout_s=timeout_s,
            environment=verilator.environment,
        )
        runtime.keep(scratch / "obj")
        return _finish(cache, key, work, scratch / "obj" / design.top, time.monotonic() - started)


class _Runtime:
    """Verilator's own C++ library, compiled once for all designs: two thirds of the work for a small one."""

    def __init__(self, cache: BuildCache, key: str, folder: Path):
        self.cache, self.key = cache, key
        self.known = cache.fetch(key, folder)
        self.archive = folder / "libruntime.a"

    @property
    def make_arguments(self) -> tuple[str, ...]:
        """What makes Verilator's makefile link the archive instead of compiling the library again."""
        return ("VM_GLOBAL_FAST=", "VM_GLOBAL_SLOW=", f"USER_LDLIBS={self.archive}") if self.known else ()

    def keep(self, built: Path) -> None:
        """Keep the library that was compiled with a design, if none was known."""
        if self.known:
            return
        objects = sorted(built.glob("verilated*.o"))
        self.archive.parent.mkdir(exist_ok=True)
        run(["ar", "-rcs", self.archive, *objects], built, log="runtime.log", timeout_s=60)
        self.cache.store(self.key, [self.archive])


def _toolchain(verilator: Verilator) -> list[str]:
    """Return what tells one Verilator and C++ compiler from another: their bytes, not where and when they came there.

    A runner of continuous integration installs the same tools anew for every run, and must still find what it built.
    """
    programs = (Path(shutil.which("c++") or "c++"), verilator.path, verilator.path.with_name("verilator_bin"))
    return ["2", verilator.version, platform.machine(), *map(file_digest, programs)]


def _contents(design: Sourced, folder: Path) -> list[str | bytes]:
    parts: list[str | bytes] = []
    for source, path in zip(design.sources, source_files(design, folder), strict=True):
        parts += [source, path.read_bytes()]
    return parts


@contextlib.contextmanager
def _scratch(design: Sourced, folder: Path) -> Iterator[Path]:
    """Give a folder that holds copies of design.json and the sources, and whose path make can handle (no spaces)."""
    root = tempfile.gettempdir()
    if any(c.isspace() for c in root):
        root = "/tmp"
    scratch = Path(tempfile.mkdtemp(prefix="codesign-verilator-", dir=root)).resolve()
    try:
        design.save(scratch)
        for source in source_files(design, folder):
            target = scratch / source.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _fetch(cache: BuildCache, key: str, work: Path, name: str) -> Built | None:
    facts = work / "build.json"
    facts.unlink(missing_ok=True)
    if not cache.fetch(key, work):
        return None
    try:
        seconds = float(json.loads(facts.read_text(encoding="utf-8"))["build_s"])
        if os.access(work / name, os.X_OK):
            return Built(work / name, seconds, True)
    except MALFORMED:
        pass
    cache.discard(key)  # damaged; it is compiled again
    return None


def _finish(cache: BuildCache, key: str, work: Path, program: Path, seconds: float) -> Built:
    facts = work / "build.json"
    facts.write_text(json.dumps({"build_s": round(seconds, 3)}) + "\n", encoding="utf-8")
    shutil.copy2(program, work / program.name)
    cache.store(key, [work / program.name, facts])
    return Built(work / program.name, seconds, False)
