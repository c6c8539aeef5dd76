"""From an emitted folder to counts, levels and routed clocks: yosys, nextpnr, and Vivado where it is found."""

from codesign.synth.flow import synthesize
from codesign.synth.report import Status, SynthReport
from codesign.synth.scripts import write_scripts

__all__ = ["Status", "SynthReport", "synthesize", "write_scripts"]
