"""Runs the combinational part of an emitted folder from pyverilog's syntax tree, one sample at a time.

A second reader of the Verilog, independent of the writer: it knows the language's operators and widths and nothing of
networks. Registers and skid buffers pass their input on.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path

from codesign.rtl import Design

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its import leaves a file open
    from pyverilog.vparser import ast
    from pyverilog.vparser.parser import VerilogParser

Bits = tuple[int, int, bool]
"""Value (never negative), width, signed."""


@lru_cache
def _parser() -> VerilogParser:
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        return VerilogParser(outputdir=folder, debug=False)


class Folder:
    """The modules of an emitted folder; `run` gives the answer word to an input word."""

    def __init__(self, folder: Path):
        self.design = Design.load(folder)
        self.modules: dict[str, Combinational] = {}
        self.top = None
        for source in self.design.sources:
            for module in _parser().parse((folder / source).read_text()).description.definitions:
                if module.name == self.design.top:
                    self.top = module
                elif module.name.split("_")[-1] not in ("register", "skid", "collect", "send"):
                    self.modules[module.name] = Combinational(module)

    def run(self, word: int) -> int:
        """Follow the top's instances from the sample to the answer."""
        first = "stream_in_data" if self.design.interface == "axi_stream" else "in_data"
        values = {first: word}
        last = word
        for item in self.top.items:
            if not isinstance(item, ast.InstanceList):
                continue
            instance = item.instances[0]
            wires = {p.portname: p.argname.name for p in instance.portlist if isinstance(p.argname, ast.Identifier)}
            if instance.module in self.modules:
                last = self.modules[instance.module].run(values[wires["in_data"]])
                values[wires["out_data"]] = last
            elif instance.module.endswith("_register"):
                values[wires["out_data"]] = values[wires["in_data"]]
        return last


class Combinational:
    """One combinational module of in_data and out_data."""

    def __init__(self, module: ast.ModuleDef):
        self.widths: dict[str, tuple[int, bool]] = {}
        self.drivers: dict[str, object] = {}
        self.functions: dict[str, ast.Function] = {}
        self.values: dict[str, Bits] = {}
        for port in module.portlist.ports:
            self.widths[port.first.name] = (_width(port.first.width), False)
        for item in module.items:
            if isinstance(item, ast.Function):
                self.functions[item.name] = item
            elif isinstance(item, ast.Assign):
                self.assign(item.left.var, item.right.var)
            elif isinstance(item, ast.Always):
                block = item.statement.statements[0]
                assert isinstance(block, ast.CaseStatement)
                target = block.caselist[0].statement
                target = target.statements[0] if isinstance(target, ast.Block) else target
                self.drivers[target.left.var.name] = block
            elif isinstance(item, ast.Decl):
                for entry in item.list:
                    if isinstance(entry, ast.Assign):
                        self.drivers[entry.left.var.name] = entry.right.var
                    elif isinstance(entry, ast.Localparam):
                        self.drivers[entry.name] = entry.value.var
                        self.widths[entry.name] = (_width(entry.width), False)
                    else:
                        assert isinstance(entry, ast.Wire | ast.Reg), entry
                        self.widths[entry.name] = (_width(entry.width), bool(entry.signed))
            else:
                raise AssertionError(type(item))

    def assign(self, target: object, value: object) -> None:
        """Note what drives a name, or a bit of it."""
        if isinstance(target, ast.Pointer):
            bits = self.drivers.setdefault(target.var.name, {})
            assert isinstance(bits, dict)
            bits[int(target.ptr.value)] = value
        else:
            assert isinstance(target, ast.Identifier)
            self.drivers[target.name] = value

    def run(self, word: int) -> int:
        assert 0 <= word < 1 << self.widths["in_data"][0]
        self.values = {"in_data": (word, *self.widths["in_data"])}
        return self.name("out_data")[0]

    def name(self, name: str) -> Bits:
        if name not in self.values:
            width, signed = self.widths[name]
            driver = self.drivers[name]
            if isinstance(driver, dict):
                assert sorted(driver) == list(range(width)), f"{name} has bits that nothing drives"
                whole = sum(self.value(value)[0] << index for index, value in driver.items())
            else:
                whole = self.resize(self.value(driver), width)
            self.values[name] = (whole, width, signed)
        return self.values[name]

    @staticmethod
    def resize(bits: Bits, width: int) -> int:
        value, had, signed = bits
        if signed and value >> had - 1 & 1:
            value -= 1 << had
        return value & (1 << width) - 1

    def value(self, node: object, local: dict[str, Bits] | None = None) -> Bits:
        if isinstance(node, ast.Identifier):
            return local[node.name] if local and node.name in local else self.name(node.name)
        if isinstance(node, ast.IntConst):
            return _constant(node.value)
        if isinstance(node, ast.Concat):
            total = width = 0
            for item in node.list:
                value, bits, _ = self.value(item, local)
                total, width = total << bits | value, width + bits
            return total, width, False
        if isinstance(node, ast.Repeat):
            value, bits, _ = self.value(node.value, local)
            times = int(node.times.value)
            return sum(value << bits * k for k in range(times)), bits * times, False
        if isinstance(node, ast.Pointer):
            index = self.value(node.ptr, local)[0]
            word, width, _ = self.value(node.var, local)
            assert index < width
            return word >> index & 1, 1, False
        if isinstance(node, ast.Partselect):
            msb, lsb = int(node.msb.value), int(node.lsb.value)
            word, width, _ = self.value(node.var, local)
            assert lsb <= msb < width
            return word >> lsb & (1 << msb - lsb + 1) - 1, msb - lsb + 1, False
        if isinstance(node, ast.Cond):
            chosen = node.true_value if self.value(node.cond, local)[0] else node.false_value
            return self.value(chosen, local)
        if isinstance(node, ast.UnaryOperator):
            value, width, signed = self.value(node.right, local)
            if isinstance(node, ast.Unot):
                return ~value & (1 << width) - 1, width, signed
            assert isinstance(node, ast.Uand)
            return int(value == (1 << width) - 1), 1, False
        if isinstance(node, ast.Operator):
            return self.operator(node, local)
        if isinstance(node, ast.FunctionCall):
            return self.call(node, local)
        if isinstance(node, ast.CaseStatement):
            return self.case(node)
        raise AssertionError(type(node))

    def operator(self, node: ast.Operator, local: dict[str, Bits] | None) -> Bits:
        a, b = self.value(node.left, local), self.value(node.right, local)
        width, signed = max(a[1], b[1]), a[2] and b[2]
        x, y = (self.resize((v[0], v[1], v[2] and signed), width) for v in (a, b))
        if isinstance(node, ast.GreaterThan):
            half = 1 << width - 1 if signed else 0
            return int((x ^ half) > (y ^ half)), 1, False
        result = {"Plus": x + y, "And": x & y, "Or": x | y, "Xor": x ^ y}[type(node).__name__]
        return result & (1 << width) - 1, width, signed

    def call(self, node: ast.FunctionCall, local: dict[str, Bits] | None) -> Bits:
        function = self.functions[node.name.name]
        names: dict[str, Bits] = {}
        arguments = list(node.args)
        names[function.name] = (0, _width(function.retwidth), False)
        statements: list[object] = []
        for item in function.statement:
            if isinstance(item, ast.Decl):
                for entry in item.list:
                    width = _width(entry.width)
                    if isinstance(entry, ast.Input):
                        given = self.value(arguments.pop(0), local)
                        assert given[1] == width
                        names[entry.name] = given
                    else:
                        names[entry.name] = (0, width, False)
            else:
                statements += item.statements if isinstance(item, ast.Block) else [item]
        for statement in statements:
            value, target = self.value(statement.right.var, names), statement.left.var
            if isinstance(target, ast.Pointer):
                index, (word, width, _) = int(target.ptr.value), names[target.var.name]
                names[target.var.name] = (word & ~(1 << index) | value[0] << index, width, False)
            else:
                width = names[target.name][1]
                names[target.name] = (self.resize(value, width), width, False)
        return names[function.name]

    def case(self, node: ast.CaseStatement) -> Bits:
        wanted = self.value(node.comp)[0]
        for case in node.caselist:
            if case.cond is None or any(self.value(c)[0] == wanted for c in case.cond):
                statement = case.statement
                statement = statement.statements[0] if isinstance(statement, ast.Block) else statement
                return self.value(statement.right.var)
        raise AssertionError("no case and no default")


def _constant(text: str) -> Bits:
    if "'" not in text:
        return int(text), 32, True
    size, _, rest = text.partition("'")
    base = {"h": 16, "d": 10, "b": 2}[rest[0]]
    return int(rest[1:], base), int(size), False


def _width(width: object) -> int:
    return 1 if width is None else int(width.msb.value) - int(width.lsb.value) + 1
