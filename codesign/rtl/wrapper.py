"""The modules around the pipeline: registers, skid buffer, and the two ends of an AXI4-Stream."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.rtl.templates import render

__all__ = ["Wrapper"]


@dataclass(frozen=True)
class Wrapper:
    """Which protocol stands around a pipeline of `registers` ranks, and what that costs in clock edges.

    interface: "bare", "ready_valid" or "axi_stream"; stream_bits counts for the last only.
    """

    top: str
    interface: str
    stream_bits: int
    input_bits: int
    output_bits: int
    registers: int

    @property
    def stalls(self) -> bool:
        """True where the pipeline can be held back."""
        return self.interface != "bare"

    @property
    def input_beats(self) -> int:
        """Transfers a sample."""
        return self._beats(self.input_bits)

    @property
    def output_beats(self) -> int:
        """Transfers an answer."""
        return self._beats(self.output_bits)

    def _beats(self, bits: int) -> int:
        return -(-bits // self.stream_bits) if self.interface == "axi_stream" else 1

    @property
    def initiation_interval(self) -> int:
        """Clock edges between samples at full rate."""
        return max(self.input_beats, self.output_beats)

    @property
    def latency_cycles(self) -> int:
        """Clock edges from the one that takes a sample's first beat to the one that can take its answer's last beat.

        A stream collects all beats of a sample before the pipeline reads it, and loads an answer of several beats
        into a register before it sends the first.
        """
        if self.interface != "axi_stream":
            return self.registers
        return self.input_beats + self.registers + (self.output_beats if self.output_beats > 1 else 0)

    def modules(self) -> dict[str, str]:
        """Return the wrapper modules that the top needs: module name to Verilog text."""
        out: dict[str, str] = {}
        if self.registers:
            name = f"{self.top}_register"
            out[name] = render("register.v.j2", module=name, stalls=self.stalls)
        if self.stalls:
            name = f"{self.top}_skid"
            out[name] = render("skid.v.j2", module=name)
        if self.interface == "axi_stream":
            name = f"{self.top}_collect"
            out[name] = render(
                "collect.v.j2", module=name, width=self.stream_bits, beats=self.input_beats, bits=self.input_bits
            )
            if self.output_beats > 1:
                name = f"{self.top}_send"
                out[name] = render(
                    "send.v.j2", module=name, width=self.stream_bits, beats=self.output_beats, bits=self.output_bits
                )
        return out

    def ports(self, module: str) -> dict[str, tuple[str, int | None]]:
        """Return name to direction and width (None: the parameter's) of one of these modules' ports."""
        kind = module.removeprefix(f"{self.top}_")
        flow: dict[str, tuple[str, int | None]] = {"clk": ("input", 1), "rst": ("input", 1)}
        if kind in ("register", "skid"):
            flow |= {"in_valid": ("input", 1), "in_data": ("input", None)}
            flow |= {"out_valid": ("output", 1), "out_data": ("output", None)}
            if kind == "skid":
                flow |= {"in_ready": ("output", 1), "out_ready": ("input", 1)}
            elif self.stalls:
                flow["enable"] = ("input", 1)
        elif kind == "collect":
            flow |= {"s_valid": ("input", 1), "s_ready": ("output", 1), "s_last": ("input", 1)}
            flow |= {"s_data": ("input", self.stream_bits), "sample_valid": ("output", 1), "sample_ready": ("input", 1)}
            flow |= {"sample_data": ("output", self.input_bits), "frame_error": ("output", 1)}
        else:
            flow |= {"answer_valid": ("input", 1), "answer_ready": ("output", 1), "m_valid": ("output", 1)}
            flow |= {"answer_data": ("input", self.output_bits), "m_ready": ("input", 1), "m_last": ("output", 1)}
            flow["m_data"] = ("output", self.stream_bits)
        return flow
