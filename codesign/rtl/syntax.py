"""The one file that speaks to pyverilog: structural modules to Verilog text, and Verilog text to what stands in it."""

# pyverilog has no type stubs: its values are Any here, and nowhere else.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingImports=false

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
import tempfile
import warnings
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from codesign.errors import MismatchError, ToolNotFound
from codesign.rtl.structure import Expression, Instance, Module, Read

__all__ = ["generate", "parse"]


@lru_cache(maxsize=1)
def _ast() -> Any:
    """Import pyverilog (its import leaves a file open, which Python warns of) and return its module of tree nodes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pyverilog.ast_code_generator import codegen
            from pyverilog.vparser import ast, parser
    except ImportError:
        raise ToolNotFound("pyverilog is needed to write Verilog: pip install 'codesign[rtl]'") from None
    del codegen, parser  # imported here, so that the warnings of their import are met here too
    return ast


def generate(module: Module) -> str:
    """Return the Verilog text of a structural module, printed by pyverilog from its syntax tree."""
    ast = _ast()
    from pyverilog.ast_code_generator.codegen import ASTCodeGenerator

    def width(bits: int, vector: bool) -> Any:
        return ast.Width(ast.IntConst(str(bits - 1)), ast.IntConst("0")) if bits > 1 or vector else None

    ports = [
        ast.Ioport((ast.Input if p.direction == "input" else ast.Output)(p.name, width=width(p.width, p.vector)))
        for p in module.ports
    ]
    items: list[Any] = [ast.Decl((ast.Wire(w.name, width=width(w.width, w.vector)),)) for w in module.wires]
    items += [
        ast.Assign(ast.Lvalue(ast.Identifier(a.left)), ast.Rvalue(_expression(ast, a.right))) for a in module.assigns
    ]
    for instance in module.instances:
        connections = [ast.PortArg(port, ast.Identifier(wire)) for port, wire in instance.ports]
        parameters = [ast.ParamArg(name, ast.IntConst(str(value))) for name, value in instance.parameters]
        one = ast.Instance(instance.module, instance.name, connections, parameters)
        items.append(ast.InstanceList(instance.module, parameters, (one,)))
    definition = ast.ModuleDef(module.name, None, ast.Portlist(ports), items)
    text = ASTCodeGenerator().visit(ast.Source("", ast.Description((definition,))))
    return _tidy(str(text), module)


def _expression(ast: Any, value: Expression) -> Any:
    if isinstance(value, str):
        return ast.Identifier(value)
    operator, *operands = value
    if operator == "const":
        return ast.IntConst(f"{operands[0]}'d{operands[1]}")
    if operator == "[]":
        return ast.Pointer(ast.Identifier(operands[0]), ast.IntConst(operands[1]))
    inner = [_expression(ast, operand) for operand in operands]
    if operator == "{}":
        return ast.Concat(inner)
    return {("~", 1): ast.Unot, ("&", 1): ast.Uand, ("|", 2): ast.Or}[str(operator), len(inner)](*inner)


def _tidy(text: str, module: Module) -> str:
    """Lay out pyverilog's text as people write it: one line an instance's head, blank lines between, notes above."""
    text = re.sub(r"\n  #\(\n {4}([^\n]*)\n  \)\n", r" #(\1)\n", text)
    for instance in module.instances:
        pattern = rf"\n  ({re.escape(instance.module)}(?: #\([^\n]*\))?)\n  {re.escape(instance.name)}\n  \(\n"
        note = f"  // {instance.note}\n" if instance.note else ""
        head = f"\n\n{note}  \\1 {instance.name} (\n"
        text, found = re.subn(pattern, head.replace("\\1", "\\g<1>"), text)
        assert found == 1, instance.name
    text = re.sub(rf"module {module.name}\n\(\n", f"module {module.name} (\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


@lru_cache(maxsize=1)
def _parser() -> Any:
    _ast()
    from pyverilog.vparser.parser import VerilogParser

    # ply writes its tables to a folder and its remarks on the grammar to stderr; neither is of use to anyone here.
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        return VerilogParser(outputdir=folder, debug=False)


def parse(text: str, *, file: str) -> tuple[Read, ...]:
    """Parse Verilog text (no preprocessor directives) with pyverilog; return what stands in each module.

    `file` names the text in messages. Text that does not parse is a MismatchError with the line.
    """
    ast = _ast()
    parser = _parser()
    from pyverilog.vparser.parser import ParseError

    parser.lexer.reset_lineno()
    try:
        source = parser.parse(text)
    except ParseError as problem:
        where = str(problem).removeprefix("None: ")
        raise MismatchError(f"{file} is not Verilog that pyverilog reads: {where}") from None
    if source is None:
        raise MismatchError(f"{file} ends before its last module does")
    return tuple(_read(ast, item) for item in source.description.definitions if isinstance(item, ast.ModuleDef))


def _read(ast: Any, module: Any) -> Read:
    ports: dict[str, tuple[str, int | None]] = {}
    wires: dict[str, int | None] = {}
    instances: list[Instance] = []
    for port in module.portlist.ports if module.portlist else ():
        first = port.first
        direction = "input" if isinstance(first, ast.Input) else "output" if isinstance(first, ast.Output) else "inout"
        ports[str(first.name)] = (direction, _width(ast, first.width))
    for item in module.items or ():
        if isinstance(item, ast.Decl):
            for entry in item.list:
                if isinstance(entry, ast.Wire | ast.Reg) and entry.name not in ports:
                    wires[str(entry.name)] = _width(ast, entry.width)
        elif isinstance(item, ast.InstanceList):
            for one in item.instances:
                connections = tuple((str(p.portname), _text(ast, p.argname)) for p in one.portlist)
                parameters = tuple(
                    (str(p.paramname), int(p.argname.value))
                    for p in one.parameterlist
                    if isinstance(p.argname, ast.IntConst)
                )
                instances.append(Instance(str(one.module), str(one.name), connections, parameters))
    declared = module.paramlist.params if module.paramlist else ()
    parameters = tuple(str(p.name) for d in declared for p in (d.list if isinstance(d, ast.Decl) else (d,)))
    return Read(str(module.name), parameters, ports, wires, tuple(instances))


def _width(ast: Any, width: Any) -> int | None:
    if width is None:
        return 1
    if isinstance(width.msb, ast.IntConst) and isinstance(width.lsb, ast.IntConst):
        return int(width.msb.value) - int(width.lsb.value) + 1
    return None


def _text(ast: Any, value: Any) -> str:
    return str(value.name) if isinstance(value, ast.Identifier) else f"<{type(value).__name__}>"


def _serve() -> None:
    """Parse what comes as JSON [[file, text], ...] on stdin; write the modules found, or a message, as JSON."""
    try:
        found = [[asdict(module) for module in parse(text, file=file)] for file, text in json.load(sys.stdin)]
    except MismatchError as problem:
        json.dump(str(problem), sys.stdout)
    else:
        json.dump(found, sys.stdout)


if __name__ == "__main__":
    _serve()
