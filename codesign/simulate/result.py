"""What a simulation showed: figures as counted, the first difference, and the check that all of it is as promised."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from codesign.errors import MismatchError
from codesign.simulate.addresses import TableCoverage

__all__ = ["FieldDifference", "FirstMismatch", "ProtocolResult", "SimResult", "require_exact"]


@dataclass(frozen=True)
class FieldDifference:
    """One field of an answer that differs, as its format reads it."""

    name: str
    wanted: int
    got: int


@dataclass(frozen=True)
class FirstMismatch:
    """The first answer that differs: index of the vector, whole words in hexadecimal, fields that differ."""

    vector: int
    wanted: str
    got: str
    fields: tuple[FieldDifference, ...]

    def __str__(self) -> str:
        fields = "; ".join(f"{f.name}: wanted {f.wanted}, got {f.got}" for f in self.fields)
        return f"vector {self.vector}: wanted {self.wanted}, got {self.got} ({fields})"


@dataclass(frozen=True)
class ProtocolResult:
    """What the cocotb bench showed.

    tests: number run; failed: names of those that failed, and why; skipped: those that do not apply to the interface.
    """

    tests: int
    passed: int
    failed: tuple[str, ...]
    skipped: int
    version: str
    build_s: float
    run_s: float


@dataclass(frozen=True)
class SimResult:
    """One design in Verilator, against the golden vectors of its folder. Every figure is simulated.

    vectors_checked, vectors_mismatched: answers compared at full rate, and those of them that differ.
    latency_cycles, initiation_interval: as counted at full rate, None where nothing could be counted (no answer; for
        the interval, fewer than two vectors); latency_cycles_stated, initiation_interval_stated: as design.json has it.
    protocol_errors: breaches of the interface's protocol that the harness saw, in both runs.
    stress_vectors, stress_mismatched: the same comparison with random gaps and back-pressure.
    cycles, run_s: of the run at full rate; run_s leaves out reading the vectors.
    build_s: compiling, also where an earlier build was used (build_cached).
    problems: everything that is not as it must be, one sentence each; empty for an exact design.
    raw: what the programs printed.
    unanswered: the run at full rate ended because the design gave no answer any more.
    stress_wrong: the first vector with no answer or a wrong one with gaps and back-pressure, None where all are right.
    tables: which addresses of the tables the vectors at full rate reached; None where the folder holds no network.
    """

    design: str
    interface: str
    vectors_checked: int
    vectors_mismatched: int
    first_mismatch: FirstMismatch | None
    latency_cycles: int | None
    latency_cycles_stated: int
    initiation_interval: int | None
    initiation_interval_stated: int
    protocol_errors: int
    stress_vectors: int
    stress_mismatched: int
    cycles: int
    build_s: float
    build_cached: bool
    run_s: float
    tool: str
    tool_version: str
    cocotb: ProtocolResult | None
    problems: tuple[str, ...]
    raw: str
    unanswered: bool = False
    stress_wrong: int | None = None
    tables: TableCoverage | None = None

    @property
    def first_wrong(self) -> int | None:
        """The first vector that has no answer or a wrong one at full rate, None where all are right."""
        if self.first_mismatch is not None:
            return self.first_mismatch.vector
        return self.vectors_checked if self.unanswered else None

    @property
    def vectors_per_s(self) -> float:
        """Answers compared in a second, at full rate."""
        return self.vectors_checked / max(self.run_s, 1e-9)

    @property
    def cycles_per_s(self) -> float:
        """Clock cycles simulated in a second, at full rate."""
        return self.cycles / max(self.run_s, 1e-9)

    def as_dict(self) -> dict[str, Any]:
        """Return all figures as plain values, for JSON."""
        speed = {"vectors_per_s": self.vectors_per_s, "cycles_per_s": self.cycles_per_s}
        tables = self.tables.as_dict() if self.tables is not None else None
        return {**asdict(replace(self, tables=None)), "tables": tables, **speed}


def require_exact(result: SimResult) -> None:
    """Raise a MismatchError that lists every problem of `result`, unless there is none.

    A problem is an answer that differs, a counted latency or initiation interval that differs from design.json's, a
    breach of the protocol, a failed cocotb test, or no answer at all.
    """
    if result.problems:
        listed = "\n".join(f"- {problem}" for problem in result.problems)
        raise MismatchError(f"the Verilog of {result.design!r} is not what it must be:\n{listed}")
