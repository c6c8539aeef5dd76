// The weights of all rows and lanes in one word, written a beat of the weight stream at a time.
//
// A word is divided into chunks of STREAM bits, the lowest first, each a memory of its own, so that no word has to be
// collected before it is written.
module engine_weight_memory #(
    parameter WIDTH = 32,
    parameter DEPTH = 16,
    parameter BLOCK = 1,
    parameter ADDRESS = 4,
    parameter STREAM = 64,
    parameter CHUNKS = 1
) (
    input                    clk,
    input                    write,
    input      [15:0]        write_chunk,
    input      [ADDRESS-1:0] write_address,
    input      [STREAM-1:0]  write_data,
    input                    read,
    input      [ADDRESS-1:0] read_address,
    output     [WIDTH-1:0]   read_data
);

  genvar chunk;
  generate
    for (chunk = 0; chunk < CHUNKS; chunk = chunk + 1) begin : chunks
      localparam LOW = chunk * STREAM;
      localparam BITS = WIDTH - LOW < STREAM ? WIDTH - LOW : STREAM;
      engine_memory #(
          .WIDTH(BITS),
          .DEPTH(DEPTH),
          .BLOCK(BLOCK),
          .ADDRESS(ADDRESS)
      ) memory (
          .clk(clk),
          .write(write & (write_chunk == chunk[15:0])),
          .write_address(write_address),
          .write_data(write_data[BITS-1:0]),
          .read(read),
          .read_address(read_address),
          .read_data(read_data[LOW+:BITS])
      );
      if (BITS < STREAM) begin : narrow
        wire unused_bits = &{1'b0, write_data[STREAM-1:BITS]};
      end
    end
  endgenerate

endmodule
