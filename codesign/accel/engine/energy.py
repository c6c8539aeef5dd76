"""Model energy of a run: exact action counts times a versioned table of coefficients, plus static power times time.

A figure from here is an estimate by a public table, for comparing designs on one device; it was measured on none. The
table (accel_space/energy/engine.yaml) names the source of every row and what was done to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from codesign.accel.devices import Device
from codesign.accel.engine.actions import actions
from codesign.accel.engine.fmax import fmax
from codesign.accel.engine.point import PARAMETER_BITS, EnginePoint
from codesign.accel.engine.program import Program
from codesign.accel.engine.resources import resources
from codesign.accel.engine.structure import BLOCK_FROM, GROUPS, columns_of, dsp_products
from codesign.config import Section, parse_model
from codesign.errors import ConfigError
from codesign.resources import resource_dir

__all__ = [
    "COMPONENTS",
    "Energy",
    "EnergyTable",
    "Sensitivity",
    "Survival",
    "dynamic_parts",
    "energy",
    "energy_table",
    "read_energy_table",
    "sensitivity",
    "sensitivity_table",
]

Array = NDArray[Any]
Positive = Annotated[float, Field(gt=0)]

COMPONENTS: dict[str, str] = {
    "multipliers": "array",
    "adders": "tree",
    "accumulators": "accumulators",
    "requantizer": "requantizer",
    "weight memory": "memories",
    "activation banks": "memories",
    "partial sums": "memories",
    "parameters": "memories",
    "answers": "memories",
    "program": "memories",
    "streams": "streams",
    "clock": "",
}
"""Parts of the dynamic energy, and the group of modules whose toggle rate scales each; the clock always toggles."""

COEFFICIENTS: tuple[str, ...] = ("multiply", "add", "memory", "register", "clock", "logic_factor", "static")
"""What `by_coefficient` and the sensitivity name."""

_CACHE_BITS = 8 * 1024 * 8
_PRODUCT_ADDEND_BITS = 41


class Row(Section):
    """One coefficient: the source's number for `reference` bits, in pJ, and how it is scaled."""

    pj: Positive
    reference: Annotated[int, Field(gt=0)]
    scaling: str
    in_source: str
    source: str
    how: str


class Factor(Section):
    """A factor with its source."""

    value: Positive
    source: str
    in_source: str
    scaling: str


class Static(Section):
    """Watts of a device at rest; checked: whether the number was compared with its source."""

    watts: Positive
    source: str
    in_source: str
    checked: bool


class Rows(Section):
    """The rows of the table."""

    multiply: Row
    add: Row
    memory: Row
    register_: Annotated[Row, Field(alias="register")]
    clock: Row


class EnergyTable(Section):
    """The coefficients, as the file has them."""

    version: int
    name: str
    reference_clock_mhz: Positive
    reference_toggle_rate: Positive
    logic_factor: Factor
    actions: Rows
    static_w: dict[str, Static]


@dataclass(frozen=True)
class Energy:
    """Model energy of a run, in nanojoules. Nothing here was measured.

    components:    dynamic energy by part; dynamic_nj: their sum.
    static_nj:     static power times the time of the run; None where the table has no figure for the device.
    total_nj:      dynamic and, where known, static energy.
    actions:       what was counted. clock_mhz: the clock of static energy and of edp; clock_origin: whether it was
                   given, estimated (see `fmax`) or is the table's assumption.
    toggles:       by group, the rate that the dynamic part was scaled with; empty: the table's reference rate for all.
    by_coefficient: the share of total_nj that is proportional to each coefficient of the table.
    """

    components: Mapping[str, float]
    dynamic_nj: float
    static_nj: float | None
    total_nj: float
    actions: Mapping[str, int]
    images: int
    clock_mhz: float
    clock_origin: Literal["given", "estimated", "assumed"]
    table: str
    digest: str
    toggles: Mapping[str, float] = field(default_factory=dict[str, float])
    by_coefficient: Mapping[str, float] = field(default_factory=dict[str, float])
    origin: Literal["model energy"] = "model energy"

    @property
    def latency_us(self) -> float:
        """Time of the run."""
        return self.actions["cycles"] / self.clock_mhz

    @property
    def edp(self) -> float:
        """Energy times delay, in nJ us."""
        return self.total_nj * self.latency_us


def read_energy_table(path: Path) -> tuple[EnergyTable, str]:
    """Read a table and the sha256 of its file; every problem is a ConfigError with file and line."""
    return parse_model(EnergyTable, path), hashlib.sha256(path.read_bytes()).hexdigest()


@lru_cache
def energy_table() -> tuple[EnergyTable, str]:
    """Return the table that ships with codesign, and the sha256 of its file."""
    return read_energy_table(resource_dir("accel_space") / "energy" / "engine.yaml")


def energy(
    program: Program,
    point: EnginePoint,
    device: Device,
    *,
    images: int = 1,
    toggles: Mapping[str, float] | None = None,
    clock_mhz: float | None = None,
    table: tuple[EnergyTable, str] | None = None,
) -> Energy:
    """Return the model energy of a run of `program` over `images` images on `point`'s engine.

    toggles:   toggle rate of each group of modules (see `structure.GROUPS`), as `codesign.simulate.engine_toggles`
               measures them; groups that are left out keep the table's reference rate.
    clock_mhz: where it is not given, the estimate of `fmax`; where there is none, the table's reference clock.
    """
    if program.point != point:
        raise ConfigError(f"program {program.name!r} was compiled for another point than the one whose energy is asked")
    rows, digest = table or energy_table()
    counts = actions(program, images=images)
    clock, clock_origin = _clock(point, device, clock_mhz, rows)
    ffs = np.array([resources(point, device).ffs])
    parts = dynamic_parts(columns_of(point), {k: np.array([v]) for k, v in counts.items()}, ffs, device, rows)
    rates = dict(toggles or {})
    if unknown := sorted(set(rates) - set(GROUPS)):
        raise ConfigError(f"toggle rates are of the groups {', '.join(GROUPS)}, not of {', '.join(unknown)}")
    components: dict[str, float] = dict.fromkeys(COMPONENTS, 0.0)
    by_coefficient: dict[str, float] = dict.fromkeys(COEFFICIENTS, 0.0)
    for (component, coefficient, logic), values in parts.items():
        scale = rates.get(COMPONENTS[component], rows.reference_toggle_rate) / rows.reference_toggle_rate
        value = float(values[0]) / 1000 * scale
        components[component] += value
        by_coefficient[coefficient] += value
        by_coefficient["logic_factor"] += value if logic else 0.0
    dynamic = sum(components.values())
    static = None
    if device.name in rows.static_w:
        static = rows.static_w[device.name].watts * counts["cycles"] / clock * 1000  # W us = 1000 nJ
        by_coefficient["static"] = static
    return Energy(
        components,
        dynamic,
        static,
        dynamic + (static or 0.0),
        counts,
        images,
        clock,
        clock_origin,
        f"{rows.name} (version {rows.version})",
        digest,
        rates,
        by_coefficient,
    )


def _clock(
    point: EnginePoint, device: Device, given: float | None, rows: EnergyTable
) -> tuple[float, Literal["given", "estimated", "assumed"]]:
    if given is not None:
        if not given > 0:
            raise ConfigError(f"clock_mhz must be more than 0, not {given:g}")
        return given, "given"
    estimate = fmax(point, device)
    return (estimate.mhz, "estimated") if estimate.mhz is not None else (rows.reference_clock_mhz, "assumed")


Part = tuple[str, str, bool]
"""Component, the coefficient it is proportional to, and whether the logic factor is in it."""


def dynamic_parts(
    c: Mapping[str, Array], n: Mapping[str, Array], ffs: Array, device: Device, rows: EnergyTable
) -> dict[Part, NDArray[np.float64]]:
    """Return the dynamic energy, in pJ at the reference toggle rate, of the actions `n` of the points `c`, by part."""
    pe, simd = c["pe"].astype(np.int64), c["simd"].astype(np.int64)
    wb, ab, acc = (c[name].astype(np.int64) for name in ("weight_bits", "activation_bits", "accumulator_bits"))
    factor = rows.logic_factor.value
    multiply, add = (
        rows.actions.multiply.pj / rows.actions.multiply.reference,
        rows.actions.add.pj / rows.actions.add.reference,
    )
    register = rows.actions.register_.pj / rows.actions.register_.reference
    clock = rows.actions.clock.pj / rows.actions.clock.reference
    dsp = c["multiplier"] == "dsp"
    _, hard = dsp_products(c, device.family)
    product = np.where((wb == 1) & (ab == 1), 1, wb + ab)
    levels = np.log2(simd).astype(np.int64)
    adder_bits = (simd - 1) * product + 2 * simd - 2 - levels  # of one row's tree
    lanes_out = np.maximum(1, c["stream_out_bits"] // 32)
    psum = np.maximum(2, c["psum_depth"])

    def memory(width: Array | int, depth: Array | int, block: Array | bool) -> NDArray[np.float64]:
        capacity = np.minimum(np.asarray(width) * depth, device.bram_bits or _CACHE_BITS)
        row = rows.actions.memory
        each = row.pj * np.asarray(width) / row.reference * np.sqrt(capacity / _CACHE_BITS)
        return each * np.where(block, 1.0, factor)

    found: dict[Part, NDArray[np.float64]] = {}

    def put(component: str, coefficient: str, logic: Array | bool, values: Array) -> None:
        mask = np.broadcast_to(np.asarray(logic, dtype=bool), values.shape)
        for flag in (False, True):
            part = np.where(mask == flag, values, 0.0)
            if part.any():
                key = (component, coefficient, flag)
                found[key] = found[key] + part if key in found else part

    put("multipliers", "multiply", ~hard, n["products"] * multiply * wb * ab * np.where(hard, 1.0, factor))
    put("adders", "add", True, n["tap_sums"] * add * adder_bits * factor)
    put("accumulators", "add", True, n["tap_sums"] * add * acc * factor)
    scaled = n["requantizations"] * multiply * acc * 16 * np.where(dsp, 1.0, factor)
    put("requantizer", "multiply", ~dsp, scaled)
    put("requantizer", "add", True, n["requantizations"] * add * np.maximum(acc + 17, _PRODUCT_ADDEND_BITS) * factor)
    in_block = c["weight_memory"] == "bram"
    word = pe * simd * wb
    read = n["weight_reads"] * memory(word, c["weight_depth"], in_block)
    put(
        "weight memory",
        "memory",
        ~in_block,
        read + n["weight_writes"] * memory(c["stream_in_bits"], c["weight_depth"], in_block),
    )
    banks = c["bank_depth"] >= BLOCK_FROM
    moved = n["bank_reads"] + n["bank_writes"]
    put("activation banks", "memory", ~banks, moved * memory(simd * ab, c["bank_depth"], banks))
    sums = psum >= BLOCK_FROM
    moved = n["psum_reads"] + n["psum_writes"]
    put("partial sums", "memory", ~sums, moved * memory(pe * acc, psum, sums))
    parameters = np.maximum(2, -(-c["param_depth"] // c["requantizers"]))
    kept = parameters >= BLOCK_FROM
    put("parameters", "memory", ~kept, n["requantizations"] * memory(PARAMETER_BITS - 2, parameters, kept))
    words = -(-c["answer_depth"] // lanes_out)
    block = words >= BLOCK_FROM
    moved = n["answer_writes"] * memory(32, words, block) + n["answer_reads"] * memory(32 * lanes_out, words, block)
    put("answers", "memory", ~block, moved)
    put("program", "memory", False, n["descriptor_reads"] * memory(32, 1024, True))
    bits = (n["image_beats"] + n["weight_beats"]) * c["stream_in_bits"] + n["answer_beats"] * c["stream_out_bits"]
    put("streams", "register", True, bits * register * factor)
    put("clock", "clock", True, n["cycles"] * clock * ffs * factor)
    return found


@dataclass(frozen=True)
class Survival:
    """Whether the best designs keep their order when one coefficient is multiplied by `factor`.

    order: names, best first, with the changed coefficient; survives: whether it is the unchanged order.
    first_change: the first place (1 is the best) at which the orders differ, or None.
    """

    coefficient: str
    factor: float
    order: tuple[str, ...]
    survives: bool
    first_change: int | None


@dataclass(frozen=True)
class Sensitivity:
    """How the ranking of the best designs depends on the table's coefficients."""

    by: Literal["edp", "energy"]
    order: tuple[str, ...]
    moved: tuple[Survival, ...]

    @property
    def survives(self) -> bool:
        """Whether no move changes the order."""
        return all(one.survives for one in self.moved)


def sensitivity(designs: Mapping[str, Energy], *, by: Literal["edp", "energy"] = "edp", best: int = 10) -> Sensitivity:
    """Move each coefficient by 2 and by 1/2, and say whether the ranking of the `best` designs survives.

    designs: energies by name, all with one table. Moving the logic factor moves everything that it is in. All designs
    are ranked again, so one from behind the best may come among them.
    """
    if len({one.digest for one in designs.values()}) > 1:
        raise ConfigError("a ranking must be by one table of coefficients, not by several")

    def ranked(coefficient: str, factor: float) -> tuple[str, ...]:
        def worth(name: str) -> float:
            one = designs[name]
            total = one.total_nj + (factor - 1) * one.by_coefficient.get(coefficient, 0.0)
            return total * one.latency_us if by == "edp" else total

        return tuple(sorted(designs, key=lambda name: (worth(name), name))[:best])

    base = ranked("", 1.0)
    moved: list[Survival] = []
    for coefficient in COEFFICIENTS:
        for factor in (2.0, 0.5):
            order = ranked(coefficient, factor)
            changes = [place for place, (a, b) in enumerate(zip(base, order, strict=True), start=1) if a != b]
            moved.append(Survival(coefficient, factor, order, not changes, changes[0] if changes else None))
    return Sensitivity(by, base, tuple(moved))


def sensitivity_table(found: Sensitivity) -> list[list[str]]:
    """Return the sensitivity as a table of text, headings first: a row a coefficient, a column a move."""
    table = [["coefficient", "x 2", "x 0.5"]]
    for coefficient in COEFFICIENTS:
        cells = [one for one in found.moved if one.coefficient == coefficient]
        said = ["survives" if one.survives else f"changes from place {one.first_change}" for one in cells]
        table.append([coefficient, *said])
    return table
