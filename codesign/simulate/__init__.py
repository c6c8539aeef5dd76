"""Simulates emitted designs: benches for their folders, bit-exact runs in Verilator, protocol checks with cocotb."""

from codesign.simulate.bench import bench_header, write_bench
from codesign.simulate.result import FieldDifference, FirstMismatch, ProtocolResult, SimResult, require_exact
from codesign.simulate.stage import lint, simulate

__all__ = [
    "FieldDifference",
    "FirstMismatch",
    "ProtocolResult",
    "SimResult",
    "bench_header",
    "lint",
    "require_exact",
    "simulate",
    "write_bench",
]
