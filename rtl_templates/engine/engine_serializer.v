// Takes PE finished sums at once and gives them out one a clock, with the number of the channel that each belongs to.
//
// Groups may follow each other every PE clocks. Output stationary: the channels of a pixel run through all groups.
// Weight stationary: the same group comes back for every pixel, then the next group.
module engine_serializer #(
    parameter PE = 1,
    parameter ACCUMULATOR = 24,
    parameter WEIGHT_STATIONARY = 0
) (
    input                        clk,
    input                        rst,
    input                        start,         // a layer begins
    input                        load,
    input                        load_corner,   // see engine_issue
    input                        load_finish,
    input  [PE*ACCUMULATOR-1:0]  load_sums,
    output                       valid,
    output [ACCUMULATOR-1:0]     sum,
    output reg [15:0]            channel,
    output                       group_end,     // last row of the group
    output                       corner,
    output                       finish         // last row of the layer
);

  localparam [6:0] PE_LAST = PE - 1;

  reg busy;
  reg [6:0] row;
  reg [PE*ACCUMULATOR-1:0] sums;
  reg corner_held, finish_held;

  assign valid = busy;
  assign sum = sums[ACCUMULATOR-1:0];
  assign group_end = row == PE_LAST;
  assign corner = corner_held;
  assign finish = finish_held & group_end;

  wire [15:0] next_channel = channel + 16'd1;
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
      sums <= sums >> ACCUMULATOR;
    end
    if (load) row <= 7'd0;
    else if (busy) row <= row + 7'd1;
    if (start) channel <= 16'd0;
    else if (busy) channel <= group_end ? next_group : next_channel;
    busy <= (load | (busy & ~group_end)) & ~rst;
  end

endmodule
