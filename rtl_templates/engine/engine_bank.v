// An activation bank: a memory with one port. It writes where `write` is high, and reads otherwise where `read` is.
module engine_bank #(
    parameter WIDTH = 8,
    parameter DEPTH = 16,
    parameter BLOCK = 1,
    parameter ADDRESS = 4  // bits that hold DEPTH - 1
) (
    input                    clk,
    input                    write,
    input                    read,
    input      [ADDRESS-1:0] address,
    input      [WIDTH-1:0]   write_data,
    output reg [WIDTH-1:0]   read_data
);

  generate
    if (BLOCK != 0) begin : block
      (* ram_style = "block" *) reg [WIDTH-1:0] words[0:DEPTH-1];
      always @(posedge clk) begin
        if (write) words[address] <= write_data;
        else if (read) read_data <= words[address];
      end
    end else begin : distributed
      (* ram_style = "distributed" *) reg [WIDTH-1:0] words[0:DEPTH-1];
      always @(posedge clk) begin
        if (write) words[address] <= write_data;
        else if (read) read_data <= words[address];
      end
    end
  endgenerate

endmodule
