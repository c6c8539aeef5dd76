"""The folded engine: its configuration, the compiler of its programs, their execution in numpy, and the cycle law."""

from codesign.accel.engine.compile import check_network, compile_program
from codesign.accel.engine.cycles import Cycles, cycles, layer_cycles, load_cycles
from codesign.accel.engine.interpret import interpret
from codesign.accel.engine.point import MAX_LAYERS, EnginePoint, Refusal, Violation
from codesign.accel.engine.program import LayerProgram, Program
from codesign.accel.engine.registers import RegisterMap, register_map

__all__ = [
    "MAX_LAYERS",
    "Cycles",
    "EnginePoint",
    "LayerProgram",
    "Program",
    "Refusal",
    "RegisterMap",
    "Violation",
    "check_network",
    "compile_program",
    "cycles",
    "interpret",
    "layer_cycles",
    "load_cycles",
    "register_map",
]
