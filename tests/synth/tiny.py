"""A tiny emitted folder, written by hand: two stages with a register after each, as `codesign.rtl` names things."""

from pathlib import Path

from codesign.rtl.design import Design, Field

L0 = """module tiny_l0 (input [3:0] in_data, output [2:0] out_data);
  assign out_data = {^in_data, in_data[3] & (in_data[1] | in_data[2]), in_data[0] & (in_data[1] | in_data[2])};
endmodule
"""
L1 = """module tiny_l1 (input [2:0] in_data, output [0:0] out_data);
  assign out_data = (in_data[0] & in_data[1]) | (in_data[2] & (in_data[0] | in_data[1]));
endmodule
"""
REGISTER = """module tiny_register #(parameter WIDTH = 1) (
    input clk, input rst, input in_valid, input [WIDTH-1:0] in_data,
    output reg out_valid, output reg [WIDTH-1:0] out_data
);
  always @(posedge clk) begin
    out_valid <= in_valid & ~rst;
    out_data <= in_data;
  end
endmodule
"""
TOP = """module tiny (
    input clk, input rst, input in_valid, input [3:0] in_data, output out_valid, output [0:0] out_data
);
  wire [2:0] l0_next, l0_data;
  wire [0:0] l1_next, l1_data;
  wire l0_valid, l1_valid;
  tiny_l0 l0 (.in_data(in_data), .out_data(l0_next));
  tiny_register #(.WIDTH(3)) l0_register (.clk(clk), .rst(rst), .in_valid(in_valid), .in_data(l0_next),
                                          .out_valid(l0_valid), .out_data(l0_data));
  tiny_l1 l1 (.in_data(l0_data), .out_data(l1_next));
  tiny_register #(.WIDTH(1)) l1_register (.clk(clk), .rst(rst), .in_valid(l0_valid), .in_data(l1_next),
                                          .out_valid(l1_valid), .out_data(l1_data));
  assign out_valid = l1_valid;
  assign out_data = l1_data;
endmodule
"""
TOP_WITHOUT_FIRST_REGISTER = TOP.replace(
    """tiny_register #(.WIDTH(3)) l0_register (.clk(clk), .rst(rst), .in_valid(in_valid), .in_data(l0_next),
                                          .out_valid(l0_valid), .out_data(l0_data));""",
    "assign l0_valid = in_valid; assign l0_data = l0_next;",
)


def write_tiny(folder: Path, *, registers: tuple[int, ...] = (0, 1)) -> Design:
    """Write the folder; `registers` are the stages that a register follows: (0, 1) or (1,)."""
    assert registers in ((0, 1), (1,))
    top = TOP if registers == (0, 1) else TOP_WITHOUT_FIRST_REGISTER
    texts = {"tiny_l0": L0, "tiny_l1": L1, "tiny_register": REGISTER, "tiny": top}
    (folder / "rtl").mkdir(parents=True)
    for name, text in texts.items():
        (folder / "rtl" / f"{name}.v").write_text(text)
    design = Design(
        name="tiny",
        top="tiny",
        form="table",
        interface="bare",
        stream_bits=0,
        encoder_in_hardware=False,
        input_fields=(Field("x0", 2, False, 0), Field("x1", 2, False, 2)),
        output_fields=(Field("y0", 1, False, 0),),
        latency_cycles=len(registers),
        initiation_interval=1,
        input_beats=1,
        output_beats=1,
        registers_after=registers,
        registers_inside=(),
        depths=(1,) * len(registers),
        sources=tuple(f"rtl/{name}.v" for name in texts),
        parts={"tiny_l0": "tables", "tiny_l1": "tables", "tiny_register": "interface"},
    )
    design.save(folder)
    return design
