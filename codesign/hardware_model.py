"""The Python face: one object with the verbs that hls4ml users know, over a network that is already trained."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codesign.config import RtlConfig, SimulateConfig, SynthConfig
from codesign.errors import RunError
from codesign.ir import LutNetwork, check

if TYPE_CHECKING:
    from codesign.nn import LutModel
    from codesign.rtl import Design
    from codesign.simulate import SimResult
    from codesign.synth import SynthReport

__all__ = ["HardwareModel"]


class HardwareModel:
    """A trained network as hardware: `.write() .compile() .predict(x) .build() .report()`.

    net:     a trained `LutModel` (its tables are extracted and checked) or a `LutNetwork`.
    device:  the device that `build` synthesises for; see `cods devices`.
    folder:  where the Verilog goes; a temporary folder where None.
    passes:  pass names in order; None for the default list.
    """

    def __init__(
        self,
        net: LutModel | LutNetwork,
        *,
        device: str = "xcvu9p",
        folder: Path | None = None,
        name: str = "network",
        rtl: RtlConfig | None = None,
        passes: list[str] | None = None,
    ):
        from codesign.accel import device as find_device
        from codesign.passes import run_passes

        self.device = find_device(device)
        self.rtl = rtl or RtlConfig()
        self._temporary = tempfile.TemporaryDirectory(prefix="codesign-") if folder is None else None
        self.folder = folder or Path(self._temporary.name if self._temporary else ".") / name
        if isinstance(net, LutNetwork):
            extracted = check(net)
        else:
            from codesign.extract import check_tables, extract

            extracted = extract(net, name=name)
            check_tables(net, extracted)
        self.network, self.pass_reports = run_passes(extracted, passes)
        self.design: Design | None = None
        self.simulation: SimResult | None = None
        self.synthesis: SynthReport | None = None

    def write(self, features: ArrayLike | None = None) -> Design:
        """Emit the stand-alone folder of Verilog; `features` (samples, features) become its golden vectors."""
        from codesign.rtl import emit
        from codesign.simulate import write_bench
        from codesign.synth import write_scripts

        x = None if features is None else np.asarray(features)
        self.design = emit(self.network, self.rtl, self.folder, features=x)
        write_bench(self.folder)
        write_scripts(self.folder, [self.device])
        return self.design

    def compile(self) -> None:
        """Build the Verilated design and run its golden vectors; equal Verilog is built once and kept."""
        self.simulate(SimulateConfig(cocotb=False))

    def predict(self, features: ArrayLike) -> NDArray[np.int32]:
        """Run features (samples, features) through the Verilated design; return answer codes (samples, outputs).

        Every answer of the Verilog is compared with the tables; a difference is a MismatchError.
        """
        from codesign.rtl import port_codes, write_vectors
        from codesign.simulate import require_exact, simulate

        design = replace(self._design(), vectors=len(np.asarray(features)))
        inputs, answers = port_codes(self.network, features, hardware=design.encoder_in_hardware)
        with tempfile.TemporaryDirectory(prefix="codesign-predict-") as scratch:
            copy = Path(scratch) / "design"
            shutil.copytree(self.folder / "rtl", copy / "rtl")
            design.save(copy)
            write_vectors(copy, design, inputs, answers)
            config = SimulateConfig(cocotb=False, stress_vectors=0)
            require_exact(simulate(copy, config=config, work=Path(scratch) / "work"))
        return answers

    def build(self, config: SynthConfig | None = None) -> SynthReport:
        """Synthesise (and place and route, where open tools can) for the device."""
        from codesign.synth import synthesize

        work = self.folder.parent / f"{self.folder.name}_synth"
        settings = config or SynthConfig()
        self.synthesis = synthesize(self._written(), self.device, config=settings, work=work)
        return self.synthesis

    def simulate(self, config: SimulateConfig | None = None) -> SimResult:
        """Stream the golden vectors through the Verilated design and compare every answer."""
        from codesign.simulate import simulate

        work = self.folder.parent / f"{self.folder.name}_build"
        self.simulation = simulate(self._written(), config=config or SimulateConfig(), work=work)
        return self.simulation

    def report(self) -> dict[str, Any]:
        """Return the figures known so far as plain values; what was not computed is None."""
        s = self.synthesis
        return {
            "device": self.device.name,
            "luts_synthesised": s and s.luts,
            "ffs_synthesised": s and s.ffs,
            "fmax_mhz": s and s.fmax_mhz,
            "fmax_origin": s and s.fmax_origin,
            "latency_cycles": self.design and self.design.latency_cycles,
            "initiation_interval": self.design and self.design.initiation_interval,
            "latency_ns": s and s.latency_ns,
            "vectors_checked": self.simulation and self.simulation.vectors_checked,
            "vectors_mismatched": self.simulation and self.simulation.vectors_mismatched,
        }

    def _design(self) -> Design:
        if self.design is None:
            raise RunError("nothing was emitted yet; call write() first")
        return self.design

    def _written(self) -> Path:
        self._design()
        return self.folder
