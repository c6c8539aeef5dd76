// A pipeline register: WIDTH bits of data and the valid bit that belongs to them. Reset clears the valid bit alone.
// It keeps its contents while `enable` is low.
module tiny_register #(
    parameter WIDTH = 1
) (
    input                  clk,
    input                  rst,
    input                  enable,
    input                  in_valid,
    input      [WIDTH-1:0] in_data,
    output reg             out_valid,
    output reg [WIDTH-1:0] out_data
);

  always @(posedge clk) begin
    if (rst) out_valid <= 1'b0;
    else if (enable) out_valid <= in_valid;
    if (enable) out_data <= in_data;
  end

endmodule
