"""The folded engine: its configuration, the compiler of its programs, their execution in numpy, and its cost.

Cycles and action counts are exact; resources and clock are estimates; energy is model energy. No figure goes without
its origin.
"""

from codesign.accel.engine.actions import actions
from codesign.accel.engine.compile import check_network, compile_program
from codesign.accel.engine.cycles import Cycles, cycles, layer_cycles, load_cycles
from codesign.accel.engine.energy import Energy, energy, sensitivity, sensitivity_table
from codesign.accel.engine.fmax import Fmax, fmax
from codesign.accel.engine.interpret import interpret
from codesign.accel.engine.point import MAX_LAYERS, EnginePoint, Refusal, Violation
from codesign.accel.engine.program import LayerProgram, Program
from codesign.accel.engine.registers import RegisterMap, register_map
from codesign.accel.engine.resources import EngineResources, resources
from codesign.accel.engine.validate import EngineRules, validate

__all__ = [
    "MAX_LAYERS",
    "Cycles",
    "Energy",
    "EnginePoint",
    "EngineResources",
    "EngineRules",
    "Fmax",
    "LayerProgram",
    "Program",
    "Refusal",
    "RegisterMap",
    "Violation",
    "actions",
    "check_network",
    "compile_program",
    "cycles",
    "energy",
    "fmax",
    "interpret",
    "layer_cycles",
    "load_cycles",
    "register_map",
    "resources",
    "sensitivity",
    "sensitivity_table",
    "validate",
]
