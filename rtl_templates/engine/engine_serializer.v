// Takes PE finished sums at once and gives them out REQUANTIZERS a clock, with the number of the channel that the first
// of them belongs to; in the last layer, whose sums are answers, one a clock.
//
// Groups may follow each other every PE / REQUANTIZERS clocks, in the last layer every PE. Output stationary: the
// channels of a pixel run through all groups. Weight stationary: the same group comes back for every pixel, then the
// next group.
module engine_serializer #(
    parameter PE = 1,
    parameter ACCUMULATOR = 24,
    parameter REQUANTIZERS = 1,
    parameter WEIGHT_STATIONARY = 0
) (
    input                        clk,
    input                        rst,
    input                        start,         // a layer begins
    input                        last_layer,
    input                        load,
    input                        load_corner,   // see engine_issue
    input                        load_finish,
    input  [PE*ACCUMULATOR-1:0]  load_sums,
    output                       valid,
    output [REQUANTIZERS*ACCUMULATOR-1:0] out_sums,
    output reg [15:0]            channel,
    output                       group_end,     // last rows of the group
    output                       corner,
    output                       finish         // last rows of the layer
);

  reg busy;
  reg [6:0] row;
  reg [PE*ACCUMULATOR-1:0] sums;
  reg corner_held, finish_held;

  assign valid = busy;
  assign out_sums = sums[REQUANTIZERS*ACCUMULATOR-1:0];
  assign corner = corner_held;
  assign finish = finish_held & group_end;

  localparam [6:0] ROW_LAST = PE - 1, ROWS_LAST = PE - REQUANTIZERS, ROWS = REQUANTIZERS;
  wire [6:0] step;
  wire [PE*ACCUMULATOR-1:0] rest;

  generate
    if (REQUANTIZERS == 1) begin : one
      assign step = 7'd1;
      assign group_end = row == ROW_LAST;
      assign rest = sums >> ACCUMULATOR;
      wire unused_input = &{1'b0, last_layer};
    end else begin : several
      assign step = last_layer ? 7'd1 : ROWS;
      assign group_end = row == (last_layer ? ROW_LAST : ROWS_LAST);
      assign rest = last_layer ? sums >> ACCUMULATOR : sums >> (REQUANTIZERS * ACCUMULATOR);
    end
  endgenerate

  wire [15:0] next_channel = channel + {9'd0, step};
  wire [15:0] next_group;

  generate
    if (WEIGHT_STATIONARY == 0) begin : output_stationary
      assign next_group = corner_held ? 16'd0 : next_channel;
    end else begin : weight_stationary
      reg [15:0] group_channel;  // channel of row 0
      assign next_group = corner_held ? next_channel : group_channel;
      always @(posedge clk) begin
        if (start) group_channel <= 16'd0;
        else if (busy & group_end) group_channel <= next_group;
      end
    end
  endgenerate

  always @(posedge clk) begin
    if (load) begin
      sums <= load_sums;
      corner_held <= load_corner;
      finish_held <= load_finish;
    end else begin
      sums <= rest;
    end
    if (load) row <= 7'd0;
    else if (busy) row <= row + step;
    if (start) channel <= 16'd0;
    else if (busy) channel <= group_end ? next_group : next_channel;
    busy <= (load | (busy & ~group_end)) & ~rst;
  end

endmodule
