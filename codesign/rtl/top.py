"""Builds the structural top of a pipeline: stages, registers and protocol ends, as instances and a few gates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from codesign.errors import ConfigError
from codesign.rtl.logic import StageLogic
from codesign.rtl.registers import Block
from codesign.rtl.structure import Assign, Expression, Instance, Module, Port, Wire
from codesign.rtl.wrapper import Wrapper

__all__ = ["RESERVED_WORDS", "block_name", "build_top", "check_names", "top_name"]

_RESERVED = """
    always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign default defparam
    design disable edge else end endcase endconfig endfunction endgenerate endmodule endprimitive endspecify endtable
    endtask event for force forever fork function generate genvar highz0 highz1 if ifnone incdir include initial inout
    input instance integer join large liblist library localparam macromodule medium module nand negedge nmos nor
    noshowcancelled not notif0 notif1 or output parameter pmos posedge primitive pull0 pull1 pulldown pullup
    pulsestyle_ondetect pulsestyle_onevent rcmos real realtime reg release repeat rnmos rpmos rtran rtranif0 rtranif1
    scalared showcancelled signed small specify specparam strong0 strong1 supply0 supply1 table task time tran tranif0
    tranif1 tri tri0 tri1 triand trior trireg unsigned use uwire vectored wait wand weak0 weak1 while wire wor xnor xor
    """
RESERVED_WORDS = frozenset(_RESERVED.split())
"""Reserved words of Verilog-2005 (IEEE 1364-2005, annex B)."""


def top_name(network: str) -> str:
    """Return the top module's name: the network's, with `_top` behind it where Verilog reserves the word."""
    return f"{network}_top" if network in RESERVED_WORDS else network


def block_name(stages: Sequence[StageLogic], blocks: Sequence[Block], index: int) -> str:
    """Return the instance name of a block: the stage's name, with `_s<k>` where the stage is cut into several."""
    block = blocks[index]
    parts = [i for i, other in enumerate(blocks) if other.stage == block.stage]
    name = stages[block.stage].name
    return name if len(parts) == 1 else f"{name}_s{parts.index(index)}"


def check_names(top: Module, modules: Sequence[str]) -> None:
    """Raise a ConfigError where a name that comes from the user stands for two things."""
    inside = [p.name for p in top.ports] + [w.name for w in top.wires] + [i.name for i in top.instances]
    for names, what in ((modules, "modules"), (inside, "signals or instances of the top module")):
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise ConfigError(f"two {what} would be called {twice[0]!r}; rename the layer that gives this name")


def build_top(stages: Sequence[StageLogic], blocks: Sequence[Block], wrapper: Wrapper) -> Module:
    """Return the top module, named and wrapped as `wrapper` says."""
    build = _Builder(wrapper)
    build.open()
    for index in range(len(blocks)):
        build.block(stages, blocks, index)
    build.close()
    return Module(wrapper.top, tuple(build.ports), tuple(build.wires), tuple(build.assigns), tuple(build.instances))


class _Builder:
    """Adds pieces from input to output; `valid` and `data` name what the last piece gives."""

    def __init__(self, wrapper: Wrapper):
        self.wrapper = wrapper
        self.top = wrapper.top
        self.axi = wrapper.interface == "axi_stream"
        self.clock = "aclk" if self.axi else "clk"
        self.ports: list[Port] = []
        self.wires: list[Wire] = []
        self.assigns: list[Assign] = []
        self.instances: list[Instance] = []
        self.valid = self.data = ""

    def wire(self, name: str, width: int = 0) -> str:
        """Declare a wire; width 0 is a control signal."""
        self.wires.append(Wire(name, max(1, width), width > 0))
        return name

    def assign(self, left: str, right: Expression) -> None:
        self.assigns.append(Assign(left, right))

    def clocking(self) -> list[tuple[str, str]]:
        return [("clk", self.clock), ("rst", "rst")]

    def open(self) -> None:
        w = self.wrapper
        if self.axi:
            self.ports += [Port("aclk", "input", 1), Port("aresetn", "input", 1)]
            for side, ends in (("s_axis", ("input", "output")), ("m_axis", ("output", "input"))):
                there, back = ends
                self.ports += [
                    Port(f"{side}_tvalid", there, 1),  # pyright: ignore[reportArgumentType]
                    Port(f"{side}_tready", back, 1),  # pyright: ignore[reportArgumentType]
                    Port(f"{side}_tdata", there, w.stream_bits, True),  # pyright: ignore[reportArgumentType]
                    Port(f"{side}_tlast", there, 1),  # pyright: ignore[reportArgumentType]
                ]
            self.ports.append(Port("frame_error", "output", 1))
            self.wire("rst")
            self.assign("rst", ("~", "aresetn"))
            self.valid, self.data = self.wire("stream_in_valid"), self.wire("stream_in_data", w.input_bits)
            self.wire("enable")
            ports = [
                *self.clocking(),
                ("s_valid", "s_axis_tvalid"),
                ("s_ready", "s_axis_tready"),
                ("s_last", "s_axis_tlast"),
                ("s_data", "s_axis_tdata"),
                ("sample_valid", "stream_in_valid"),
                ("sample_ready", "enable"),
                ("sample_data", "stream_in_data"),
                ("frame_error", "frame_error"),
            ]
            note = f"collects {w.input_beats} beat{'s' * (w.input_beats > 1)} to a sample of {w.input_bits} bits"
            self.instances.append(Instance(f"{self.top}_collect", "collect", tuple(ports), (), note))
            return
        self.ports += [Port("clk", "input", 1), Port("rst", "input", 1), Port("in_valid", "input", 1)]
        if w.stalls:
            self.ports.append(Port("in_ready", "output", 1))
        self.ports += [Port("in_data", "input", w.input_bits, True), Port("out_valid", "output", 1)]
        if w.stalls:
            self.ports.append(Port("out_ready", "input", 1))
            self.wire("enable")
        self.ports.append(Port("out_data", "output", w.output_bits, True))
        self.valid, self.data = "in_valid", "in_data"

    def block(self, stages: Sequence[StageLogic], blocks: Sequence[Block], index: int) -> None:
        block, name = blocks[index], block_name(stages, blocks, index)
        stage = stages[block.stage]
        width = stage.widths[block.stop]
        out = self.wire(f"{name}_next" if block.register else f"{name}_data", width)
        ports = (("in_data", self.data), ("out_data", out))
        note = f"{stage.part}: {stage.widths[block.start]} bits in, {width} bits out"
        instance = f"{name}_stage" if name in RESERVED_WORDS else name
        self.instances.append(Instance(f"{self.top}_{name}", instance, ports, (), note))
        self.data = out
        if block.register:
            valid, data = self.wire(f"{name}_valid"), self.wire(f"{name}_data", width)
            enable = [("enable", "enable")] if self.wrapper.stalls else []
            ports = [
                *self.clocking(),
                *enable,
                ("in_valid", self.valid),
                ("in_data", self.data),
                ("out_valid", valid),
                ("out_data", data),
            ]
            self.instances.append(
                Instance(f"{self.top}_register", f"{name}_register", tuple(ports), (("WIDTH", width),))
            )
            self.valid, self.data = valid, data

    def close(self) -> None:
        w = self.wrapper
        if not w.stalls:
            self.assign("out_valid", self.valid)
            self.assign("out_data", self.data)
            if not w.registers:
                self.wire("unused_ports")
                self.assign("unused_ports", ("&", ("{}", ("const", "1", "0"), "clk", "rst")))
            return
        ready = self.wire("skid_ready")
        # A combinational pipeline must not make its own readiness depend on what it is offered.
        self.assign("enable", ("|", ("~", self.valid), ready) if w.registers else ready)
        if not self.axi:
            self.assign("in_ready", "enable")
            self._skid("out_valid", "out_ready", "out_data")
            return
        if w.output_beats > 1:
            valid, back, data = (
                self.wire("stream_out_valid"),
                self.wire("stream_out_ready"),
                self.wire("stream_out_data", w.output_bits),
            )
            self._skid(valid, back, data)
            ports = [
                *self.clocking(),
                ("answer_valid", valid),
                ("answer_ready", back),
                ("answer_data", data),
                ("m_valid", "m_axis_tvalid"),
                ("m_ready", "m_axis_tready"),
                ("m_last", "m_axis_tlast"),
                ("m_data", "m_axis_tdata"),
            ]
            note = f"sends an answer of {w.output_bits} bits in {w.output_beats} beats"
            self.instances.append(Instance(f"{self.top}_send", "send", tuple(ports), (), note))
            return
        spare = w.stream_bits - w.output_bits
        data = self.wire("stream_out_data", w.output_bits)
        self._skid("m_axis_tvalid", "m_axis_tready", data)
        self.assign("m_axis_tdata", ("{}", ("const", str(spare), "0"), data) if spare else data)
        self.assign("m_axis_tlast", ("const", "1", "1"))

    def _skid(self, valid: str, ready: str, data: str) -> None:
        ports = [
            *self.clocking(),
            ("in_valid", self.valid),
            ("in_ready", "skid_ready"),
            ("in_data", self.data),
            ("out_valid", valid),
            ("out_ready", ready),
            ("out_data", data),
        ]
        parameters = (("WIDTH", self.wrapper.output_bits),)
        note = "takes up what leaves the pipeline in the clock in which the receiver stops"
        self.instances.append(Instance(f"{self.top}_skid", "skid", tuple(ports), parameters, note))
