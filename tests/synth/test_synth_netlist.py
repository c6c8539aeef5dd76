"""Netlists: counts, levels, and which block a LUT belongs to, on circuits whose answers are known by construction."""

import json
from pathlib import Path

import pytest

from codesign.errors import ToolFailed
from codesign.synth.netlist import Netlist, count_cells, read_cell_types, read_netlist

LOG = Path("yosys.log")


class Circuit:
    """Builds the JSON of a module cell by cell; wires are numbers from 2 on, as in yosys."""

    def __init__(self):
        self.cells = {}
        self.netnames = {}
        self.wires = 1

    def wire(self, *names):
        self.wires += 1
        for name in names:
            self.netnames.setdefault(name, {"hide_name": 0, "bits": [], "attributes": {}})["bits"].append(self.wires)
        return self.wires

    def cell(self, kind, inputs, output):
        ports = {port: "input" for port in inputs} | {port: "output" for port in output}
        self.cells[f"c{len(self.cells)}"] = {
            "type": kind,
            "port_directions": ports,
            "connections": {port: [wire] for port, wire in {**inputs, **output}.items()},
        }

    def lut(self, output, *inputs):
        self.cell(f"LUT{len(inputs)}", {f"I{i}": wire for i, wire in enumerate(inputs)}, {"O": output})
        return output

    def ff(self, d, q, enable="1"):
        self.cell("FDRE", {"C": 2, "CE": enable, "D": d, "R": "0"}, {"Q": q})
        return q

    def netlist(self):
        return Netlist({"cells": self.cells, "netnames": self.netnames}, log=LOG)


def pipeline():
    """Blocks a (two LUTs in a row, one shared) and b (one LUT, a wide multiplexer of two), an enable, a valid bit."""
    c = Circuit()
    clk, x, y, hold = c.wire("clk"), c.wire("in_data"), c.wire("in_data"), c.wire("stop")
    enable = c.lut(c.wire("enable"), hold)
    first = c.lut(c.wire(), x, y)
    a0 = c.ff(c.lut(c.wire(), first, x), c.wire("a_register.out_data", "a_data"), enable)
    a1 = c.ff(c.lut(c.wire(), first), c.wire("b.b_v0"), enable)  # only a name inside the next block survived
    left, right = c.lut(c.wire(), a0, a1), c.lut(c.wire("b.made_up_LUT4_A"), a1)
    joined = c.wire()
    c.cell("MUXF7", {"I0": left, "I1": right, "S": a0}, {"O": joined})
    c.ff(joined, c.wire("out_data"), enable)
    c.ff(c.lut(c.wire(), hold, x), c.wire("a_valid"))
    assert clk == 2
    return c.netlist()


def test_counts_depth_and_blocks_of_a_pipeline():
    netlist = pipeline()
    cells = count_cells(netlist.types(), log=LOG)
    assert (cells.luts, cells.luts_by_size, cells.ffs, cells.muxes) == (7, {"LUT1": 3, "LUT2": 4}, 4, 1)
    assert netlist.depth() == 2
    # The enable serves both registers and the valid bit serves none: both are the interface's.
    assert netlist.luts_by_block(("a", "b"), last=("out_data",)) == {"a": 3, "b": 2, "": 2}


def test_names_that_yosys_made_up_tell_nothing():
    c = Circuit()
    c.wire("clk")
    x = c.wire("in_data")
    inner = c.ff(c.lut(c.wire("b.in_data_TRELLIS_FF_Q_DI"), x), c.wire("a_data"))
    c.ff(c.lut(c.wire("b.b_v0_LUT4_Z_A"), inner), c.wire("out_data"))
    assert c.netlist().luts_by_block(("a", "b"), last=("out_data",)) == {"a": 1, "b": 1, "": 0}


def test_every_kind_of_cell_is_counted():
    types = {"LUT6": 3, "INV": 2, "FDSE": 1, "CARRY4": 4, "MUXF8": 1, "RAMB18E1": 3, "DSP48E2": 1, "SRL16E": 1}
    cells = count_cells({**types, "$scopeinfo": 9, "IBUF": 9}, log=LOG)
    assert cells.luts_by_size == {"LUT1": 2, "LUT6": 3, "SRL16E": 1}
    assert (cells.luts, cells.ffs, cells.muxes, cells.carries, cells.brams, cells.dsps) == (6, 1, 1, 4, 1.5, 1)
    ecp5 = count_cells({"LUT4": 5, "CCU2C": 2, "PFUMX": 1, "TRELLIS_FF": 3, "DP16KD": 1}, log=LOG)
    assert (ecp5.luts, ecp5.luts_by_size, ecp5.carries) == (9, {"CCU2C": 4, "LUT4": 5}, 2)  # two LUTs a carry cell
    ice40 = count_cells({"SB_LUT4": 5, "SB_CARRY": 2, "SB_DFFESR": 3, "SB_RAM40_4K": 1}, log=LOG)
    assert (ice40.luts, ice40.luts_by_size, ice40.ffs, ice40.brams) == (5, {"LUT4": 5}, 3, 1.0)


def test_an_unmapped_cell_is_an_error():
    with pytest.raises(ToolFailed, match=r"left 2 cells of type '\$mul', which cannot be counted; log: yosys.log"):
        count_cells({"LUT6": 1, "$mul": 2}, log=LOG)


def test_carry_chains_add_one_level():
    c = Circuit()
    c.wire("clk")
    x, carry = c.wire("in_data"), "0"
    for _ in range(8):
        out, after = c.wire(), c.wire()
        c.cell("CCU2C", {"A0": x, "CIN": carry}, {"S0": out, "COUT": after})
        carry = after
    assert c.netlist().depth() == 1
    c.lut(c.wire(), out)
    assert c.netlist().depth() == 2


def test_a_loop_is_an_error():
    c = Circuit()
    c.wire("clk")
    one, two = c.wire(), c.wire()
    c.lut(one, two)
    c.lut(two, one)
    with pytest.raises(ToolFailed, match="combinational loop"):
        c.netlist().depth()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"modules": {}}', '{"modules": {"t": {"cells": {"c": {"type": "LUT1"}}, "netnames": {}}}}'],
)
def test_a_foreign_netlist_is_an_error(tmp_path, text):
    path = tmp_path / "netlist.json"
    with pytest.raises(ToolFailed, match="wrote no netlist"):
        read_netlist(path, "t", log=LOG)
    path.write_text(text)
    with pytest.raises(ToolFailed, match=r"cannot be read .*log: yosys.log"):
        read_netlist(path, "t", log=LOG)


def test_cell_types_lose_the_escape_of_their_module(tmp_path):
    path = tmp_path / "stat.json"
    path.write_text(json.dumps({"modules": {"\\t": {"num_cells_by_type": {"LUT4": 2}}}}))
    assert read_cell_types(path, log=LOG) == {"t": {"LUT4": 2}}
    path.write_text('{"modules": {"t": 3}}')
    with pytest.raises(ToolFailed, match="cannot be read"):
        read_cell_types(path, log=LOG)
