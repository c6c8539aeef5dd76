"""The folded engine as a family: its rules, its exact cycles, its estimates, its Verilog and its simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codesign.accel import AcceleratorFamily, Columns, Cost, Device, Point, Simulated, Violation
from codesign.accel.engine import EnginePoint, compile_program, energy, sensitivity, sensitivity_table
from codesign.accel.engine.cost import engine_cost, engine_cost_columns
from codesign.accel.engine.validate import EngineRules
from codesign.accel.space import Space
from codesign.errors import MismatchError
from codesign.ir.conv_presets import conv_preset
from codesign.ir.integer import IntegerNetwork
from codesign.ir.integer_random import random_network
from codesign.ir.integer_store import load_integer

__all__ = ["EngineFamily"]


class EngineFamily(AcceleratorFamily):
    """Networks over feature maps on one folded array; `network` is an `IntegerNetwork`."""

    def __init__(self, space: Space):
        """`space`: the engine's own, or one with fewer knobs: what it leaves out is as `EnginePoint` has it."""
        super().__init__(space)
        self._rules: EngineRules | None = None

    def read_network(self, path: Path) -> IntegerNetwork:
        """Read the network.npz of a run, or take a preset by its name, with weights drawn by seed 0."""
        if path.suffix or path.exists():
            return load_integer(path)
        return random_network(conv_preset(str(path))(), seed=0)

    def validate(self, point: Point, network: IntegerNetwork, device: Device | None = None) -> tuple[Violation, ...]:
        """Return every rule that the point breaks by itself, with the network, or by what it takes of the device."""
        return self._of(network).violations(self._point(point), device)

    def valid(self, columns: Columns, network: IntegerNetwork, device: Device | None = None) -> NDArray[np.bool_]:
        """Return which of many points break no rule; what a point takes of a device is asked of those alone that break
        no other one, so that a space of mostly invalid points is read at some 400,000 points a second.
        """
        rules, filled = self._of(network), self._columns(columns)
        fine = rules.valid(filled)
        if device is not None and fine.any():
            rows = np.flatnonzero(fine)
            fine[rows] = rules.valid({name: values[rows] for name, values in filled.items()}, device)
        return fine

    def cost(self, point: Point, network: IntegerNetwork, device: Device) -> Cost:
        """Return exact cycles, block RAMs and DSP blocks, estimated LUTs, flip-flops and clock, and model energy."""
        return engine_cost(self._point(point), network, device)

    def costs(self, columns: Columns, network: IntegerNetwork, device: Device) -> dict[str, NDArray[np.float64]]:
        """Return the figures of many points, NaN where a point is not valid; about half a million points a second."""
        rules, filled = self._of(network), self._columns(columns)
        rows = np.flatnonzero(self.valid(columns, network, device))
        found = engine_cost_columns(rules, {name: values[rows] for name, values in filled.items()}, device)
        costs = {name: np.full(len(filled["pe"]), np.nan) for name in found}
        for name, values in found.items():
            costs[name][rows] = values
        return costs

    def sensitivity(self, points: Sequence[Point], network: IntegerNetwork, device: Device) -> list[list[str]]:
        """Rank by model energy times latency; the coefficients are those of accel_space/energy/engine.yaml."""
        designs = {
            f"{number:04d}": energy(compile_program(network, self._point(one)), self._point(one), device)
            for number, one in enumerate(points)
        }
        return sensitivity_table(sensitivity(designs)) if len(designs) > 1 else []

    def generate(self, point: Point, network: IntegerNetwork, folder: Path) -> None:
        """Write the engine's folder: rtl/, design.json, README.md, a FuseSoC core."""
        from codesign.rtl.engine import generate

        self.check(point, network)
        generate(self._point(point), folder)

    def simulate(self, folder: Path, network: IntegerNetwork, inputs: ArrayLike, *, work: Path) -> Simulated:
        """Run images (samples, channels, height, width) on a generated engine in Verilator."""
        from codesign.accel.engine import interpret
        from codesign.rtl.engine import EngineDesign
        from codesign.simulate.engine import EngineJob, build_engine, run_programs

        point = EngineDesign.load(folder).point
        program = compile_program(network, point)
        images = np.asarray(inputs, dtype=np.int64)
        built = build_engine(folder, work=work / "build")
        jobs = [EngineJob(program, images), EngineJob(program, images[:1])]
        ran, single = run_programs(built.program, point, jobs, work=work / "run")
        if ran.complaints or ran.error != "NONE":
            raise MismatchError(f"the engine of {folder} ended with {ran.error}: {'; '.join(ran.complaints)}")
        wrong = (ran.answers != interpret(program, images)["answers"]).reshape(len(images), -1).any(axis=1)
        return Simulated(len(images), int(wrong.sum()), single.cycles)

    def _point(self, point: Point) -> EnginePoint:
        return EnginePoint.from_dict(self.space.check(point))

    def _columns(self, columns: Columns) -> Columns:
        """The columns of every setting: what a narrower space leaves out is as `EnginePoint` has it."""
        count = len(next(iter(columns.values())))
        left_out = {
            field.name: np.full(count, field.default)
            for field in fields(EnginePoint)
            if field.name not in columns and field.default is not MISSING
        }
        return {**left_out, **columns}

    def _of(self, network: IntegerNetwork) -> EngineRules:
        """The rules of a network; those of the last one asked for are kept."""
        if self._rules is None or self._rules.network is not network:
            self._rules = EngineRules(network)
        return self._rules
