// A skid buffer: holds the word that arrives in the clock in which its receiver stops, so that `in_ready` comes straight
// from a register. While the receiver is ready, words pass through without delay, one a clock.
module tiny_skid #(
    parameter WIDTH = 1
) (
    input              clk,
    input              rst,
    input              in_valid,
    output             in_ready,
    input  [WIDTH-1:0] in_data,
    output             out_valid,
    input              out_ready,
    output [WIDTH-1:0] out_data
);

  reg             full;
  reg [WIDTH-1:0] held;

  assign in_ready = ~full;
  assign out_valid = full | in_valid;
  assign out_data = full ? held : in_data;

  always @(posedge clk) begin
    full <= out_valid & ~out_ready & ~rst;
    if (~full) held <= in_data;
  end

endmodule
