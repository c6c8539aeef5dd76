"""How long the formal proofs of a preset take: `python -m benchmarks.formal_proofs jsc-s jsc-m jsc-l [--device NAME]`.

Tables are quantized random weighted sums, as training makes them (`codesign.testing.structured_network`), seed 1. CPU
seconds are those of this process and of the tools that it started.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from codesign.accel import device
from codesign.config import RegistersConfig, RtlConfig
from codesign.ir import LutNetwork, preset
from codesign.passes import run_passes
from codesign.rtl import Design, emit
from codesign.testing import structured_network
from codesign.verify.formal import Tally, formal_table, require_proven
from codesign.verify.formal.netlist import prove_lut_models, prove_netlist, read_flat, read_mapped, synthesise
from codesign.verify.formal.passes import prove_passes
from codesign.verify.formal.reach import prove_care
from codesign.verify.formal.rtl import prove_joints, prove_stages, read_pipeline
from codesign.verify.formal.whole import prove_whole

LIMIT_S = 60.0
READ_S = 1800.0


def cpu_s() -> float:
    """CPU seconds of this process and of its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def timed(name: str, work: Callable[[], Any]) -> Any:
    """Do the work and print its CPU and wall seconds."""
    began, started = cpu_s(), time.monotonic()
    done = work()
    print(f"  {name}: {cpu_s() - began:.1f} s CPU, {time.monotonic() - started:.1f} s wall", flush=True)
    return done


def prove_device(name: str, design: Design, optimized: LutNetwork, work: Path) -> list[Tally]:
    """Synthesise an emitted design for a device, and prove the netlist."""
    target, folder = device(name), work / "design"
    models = timed("proof of the cells", lambda: prove_lut_models(target, work=work / "m", timeout_s=READ_S))
    path = timed(
        f"synthesis for {name}",
        lambda: synthesise(folder, design, target, work=work / "n", timeout_s=7200, memory_gb=12),
    )
    rtl = timed("reading the Verilog flat", lambda: read_flat(folder, design, work=work / "v", timeout_s=READ_S))
    netlist = timed(
        "reading the netlist", lambda: read_mapped(path, target, design.top, work=work / "g", timeout_s=READ_S)
    )
    proofs = timed(
        "proof of the netlist",
        lambda: prove_netlist(rtl, netlist, design, optimized, device=name, work=work / "q", timeout_s=LIMIT_S),
    )
    return [Tally.of(f"cells of {name}", [models], seconds=0.0), proofs]


def prove(name: str, form: str, devices: list[str], whole: float) -> None:
    """Build one preset, and prove it."""
    print(f"{name}, form {form}", flush=True)
    extracted = structured_network(preset(name), np.random.default_rng(1), words=True)
    optimized, _ = timed("passes (not a proof)", lambda: run_passes(extracted))
    tallies: list[Tally] = []
    with tempfile.TemporaryDirectory(prefix="codesign-formal-") as folder:
        work = Path(folder)
        config = RtlConfig(form=form, registers=RegistersConfig(every=1), workers=1)  # type: ignore[arg-type]
        design = timed("emission (not a proof)", lambda: emit(optimized, config, work / "design"))
        began = cpu_s()
        steps = timed(
            "proof of passes",
            lambda: prove_passes(extracted, optimized, None, work=work / "p", timeout_s=LIMIT_S),
        )
        tallies += steps
        tallies.append(timed("proof of care sets", lambda: prove_care(optimized, work=work / "c", timeout_s=LIMIT_S)))
        pipeline = timed(
            "reading the Verilog",
            lambda: read_pipeline(work / "design", optimized, work=work / "r", timeout_s=READ_S),
        )
        tallies.append(
            timed("proof of the Verilog", lambda: prove_stages(pipeline, work=work / "s", timeout_s=LIMIT_S))
        )
        tallies.append(prove_joints(pipeline))
        if whole:
            tallies.append(
                timed("the whole at once", lambda: prove_whole(pipeline, extracted, work=work / "w", timeout_s=whole))
            )
        for device_name in devices:
            tallies += prove_device(device_name, design, optimized, work)
        print(f"  all proofs: {cpu_s() - began:.1f} s CPU", flush=True)
    from rich.console import Console

    Console(width=150).print(formal_table(tallies))
    require_proven(tallies)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="+")
    parser.add_argument("--form", default="mapped", choices=("mapped", "table", "case"))
    parser.add_argument("--device", action="append", default=[], help="also prove the netlist for this device")
    parser.add_argument("--whole", type=float, default=60.0, help="seconds for the whole network at once; 0 for none")
    arguments = parser.parse_args()
    for one in arguments.presets:
        prove(one, arguments.form, arguments.device, arguments.whole)
