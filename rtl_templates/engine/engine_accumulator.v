// Adds the sums of successive taps, or keeps the largest: PE accumulators.
//
// Output stationary: the running sums stand in registers. Weight stationary: they stand in a memory, one word a pixel,
// which is read in the clock before `valid` (`early`, `early_pixel`) and written in the clock after it.
// `sums_out` holds, in the clock after `valid`, the sums with that tap in them.
module engine_accumulator #(
    parameter PE = 1,
    parameter ACCUMULATOR = 24,
    parameter WEIGHT_STATIONARY = 0,
    parameter PSUM_DEPTH = 2,
    parameter PSUM_ADDRESS = 1,
    parameter PSUM_BLOCK = 1
) (
    input                       clk,
    input                       rst,
    input                       maximum,
    input                       early,
    input  [PSUM_ADDRESS-1:0]   early_pixel,
    input                       valid,
    input                       first,
    input                       last,
    input  [PE*ACCUMULATOR-1:0] sums,
    output [PE*ACCUMULATOR-1:0] sums_out
);

  wire [PE*ACCUMULATOR-1:0] previous;
  wire [PE*ACCUMULATOR-1:0] totals;
  reg [PE*ACCUMULATOR-1:0] held;

  assign sums_out = held;

  genvar row;
  generate
    for (row = 0; row < PE; row = row + 1) begin : rows
      wire signed [ACCUMULATOR-1:0] old = previous[row*ACCUMULATOR+:ACCUMULATOR];
      wire signed [ACCUMULATOR-1:0] fresh = sums[row*ACCUMULATOR+:ACCUMULATOR];
      wire signed [ACCUMULATOR-1:0] sum = old + fresh;
      wire signed [ACCUMULATOR-1:0] larger = old > fresh ? old : fresh;
      assign totals[row*ACCUMULATOR+:ACCUMULATOR] = first ? fresh : maximum ? larger : sum;
    end

    if (WEIGHT_STATIONARY == 0) begin : output_stationary
      assign previous = held;
      always @(posedge clk) if (valid) held <= totals;
      wire unused_inputs = &{1'b0, rst, early, early_pixel, last};
    end else begin : weight_stationary
      reg [PSUM_ADDRESS-1:0] pixel, write_pixel;
      reg write;
      always @(posedge clk) begin
        pixel <= early_pixel;
        write_pixel <= pixel;
        write <= valid & ~last & ~rst;
        held <= totals;
      end
      engine_memory #(
          .WIDTH(PE * ACCUMULATOR),
          .DEPTH(PSUM_DEPTH),
          .BLOCK(PSUM_BLOCK),
          .ADDRESS(PSUM_ADDRESS)
      ) memory (
          .clk(clk),
          .write(write),
          .write_address(write_pixel),
          .write_data(held),
          .read(early),
          .read_address(early_pixel),
          .read_data(previous)
      );
    end
  endgenerate

endmodule
