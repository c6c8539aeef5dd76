// A pipeline register: WIDTH bits of data and the valid bit that belongs to them. Reset clears the valid bit alone.
module tiny_register #(
    parameter WIDTH = 1
) (
    input                  clk,
    input                  rst,
    input                  in_valid,
    input      [WIDTH-1:0] in_data,
    output reg             out_valid,
    output reg [WIDTH-1:0] out_data
);

  always @(posedge clk) begin
    out_valid <= in_valid & ~rst;
    out_data <= in_data;
  end

endmodule
