"""Simulates emitted designs: benches for their folders, bit-exact runs in Verilator, protocol checks with cocotb."""

from codesign.simulate.bench import bench_header, write_bench

__all__ = ["bench_header", "write_bench"]
