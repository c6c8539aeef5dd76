"""What a simulator that writes waveforms needs beyond one that does not: lz4 and zlib for FST, or what stands in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeVar

from codesign.errors import ToolFailed
from codesign.resources import resource_dir
from codesign.tools import run

__all__ = ["STAND_INS", "Trace", "build_traced", "libraries", "stand_ins"]

Trace = Literal["", "fst", "vcd"]
"""Kind of the waveforms that a simulator can write; "" for none."""

STAND_INS = {"lz4.h": ("lz4_stand_in.h", "-llz4"), "zlib.h": ("zlib_stand_in.h", "-lz")}
"""Headers of the libraries that Verilator's FST writer uses: our stand-in, and what links the library."""

Anything = TypeVar("Anything")


def stand_ins(work: Path) -> dict[str, bytes]:
    """Return the headers (name to text) that must stand in for libraries that cannot be compiled with here.

    The waveforms are the same; without zlib a part of the file stays uncompressed. `work` gets a probe's logs.
    """
    found: dict[str, bytes] = {}
    work.mkdir(parents=True, exist_ok=True)
    for header, (file, library) in STAND_INS.items():
        probe = work.resolve() / f"probe_{header}.cpp"
        probe.write_text(f"#include <{header}>\nint main() {{ return 0; }}\n", encoding="ascii")
        try:
            command = [shutil.which("c++") or "c++", probe, "-o", probe.with_suffix(""), library]
            run(command, work, log=f"{probe.stem}.log", timeout_s=60)
        except ToolFailed:
            found[header] = (resource_dir("sim") / file).read_bytes()
        for rest in (probe, probe.with_suffix("")):
            rest.unlink(missing_ok=True)
    return found


def libraries(bench: Mapping[str, bytes], runtime: Path) -> tuple[str, ...]:
    """Return what makes Verilator's makefile link the libraries that have no stand-in in `bench`, and no others.

    runtime: archive of Verilator's own library, which is linked where it exists.
    """
    needed = [library for header, (_, library) in STAND_INS.items() if header not in bench]
    if len(needed) == len(STAND_INS):
        return ()
    archive = [str(runtime)] if runtime.is_file() else []
    return (f"LDLIBS={' '.join([*archive, *needed, '-pthread'])}",)


def build_traced(build: Callable[[Trace], Anything]) -> tuple[Anything, Trace]:
    """Call `build` for FST, or for VCD where that fails (a Verilator whose FST writer needs more); return the kind."""
    try:
        return build("fst"), "fst"
    except ToolFailed as problem:
        if problem.status == "timeout":
            raise
        return build("vcd"), "vcd"
