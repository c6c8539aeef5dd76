// A memory with one write port and one read port; what is read stands in `read_data` after the clock edge, and stays
// there until the next read. BLOCK chooses block RAM, otherwise it is made of look-up tables.
// What a read of the address that is written at the same edge gives is left to the device (no_rw_check): nothing in the
// engine relies on it, and some block RAMs would need logic around them to answer with the old word.
module engine_memory #(
    parameter WIDTH = 8,
    parameter DEPTH = 16,
    parameter BLOCK = 1,
    parameter ADDRESS = 4  // bits that hold DEPTH - 1
) (
    input                    clk,
    input                    write,
    input      [ADDRESS-1:0] write_address,
    input      [WIDTH-1:0]   write_data,
    input                    read,
    input      [ADDRESS-1:0] read_address,
    output reg [WIDTH-1:0]   read_data
);

  generate
    if (BLOCK != 0) begin : block
      (* ram_style = "block", no_rw_check *) reg [WIDTH-1:0] words[0:DEPTH-1];
      always @(posedge clk) begin
        if (write) words[write_address] <= write_data;
        if (read) read_data <= words[read_address];
      end
    end else begin : distributed
      (* ram_style = "distributed", no_rw_check *) reg [WIDTH-1:0] words[0:DEPTH-1];
      always @(posedge clk) begin
        if (write) words[write_address] <= write_data;
        if (read) read_data <= words[read_address];
      end
    end
  endgenerate

endmodule
