// Decides, clock by clock, which operand words are read: it steps the loop nests of engine_address in the order of the
// dataflow, and counts the weight address beside them.
//
// The sums of a group leave one after the other, in LEAVING = PE / REQUANTIZERS clocks, those of the last layer in PE.
// Output stationary: for pixel, for group, for tap. A group takes max(taps, LEAVING) clocks.
// Weight stationary: for group, for tap, for pixel. A pass over the pixels takes max(pixels, 3) clocks, because a
// partial sum can be read again three clocks after it was read; in the pass of the last tap a pixel takes LEAVING clocks.
module engine_issue #(
    parameter PE = 1,
    parameter REQUANTIZERS = 1,
    parameter WEIGHT_STATIONARY = 0,
    parameter ADDRESS = 20
) (
    input                    clk,
    input                    rst,
    input                    start,
    input                    last_layer,
    input                    tap_first,
    input                    tap_last,
    input                    group_last,
    input                    pixel_last,
    input      [ADDRESS-1:0] weight_base,
    output                   step_tap,
    output                   step_group,
    output                   step_pixel,
    output                   issue,           // operands are read for the place where the nests stand
    output                   first,           // it is the first tap of a sum
    output                   last,            // it is the last tap of a sum
    output                   corner,          // last group of a pixel; weight stationary: last pixel of a group
    output                   finish,          // it is the last place of the layer
    output                   weight_read,     // the weight word changes
    output reg [ADDRESS-1:0] weight_address,
    output reg [ADDRESS-1:0] pixel            // weight stationary: number of the pixel
);

  localparam [6:0] ANSWERS_LAST = PE - 1, CODES_LAST = PE / REQUANTIZERS - 1;
  wire [6:0] leaving_last = last_layer ? ANSWERS_LAST : CODES_LAST;  // of the clocks in which a group's sums leave

  reg running;
  reg waiting;  // everything in this slot has been read; the slot is not over
  reg [6:0] slot;  // clocks since the slot began, at most its length - 1

  assign issue = running & ~waiting;
  assign first = tap_first;
  assign last = tap_last;
  assign finish = issue & tap_last & group_last & pixel_last;

  wire slot_over;  // the last clock of a slot

  always @(posedge clk) begin
    if (rst) begin
      running <= 1'b0;
      waiting <= 1'b0;
      slot <= 7'd0;
    end else if (start) begin
      running <= 1'b1;
      waiting <= 1'b0;
      slot <= 7'd0;
    end else if (running) begin
      if (finish) running <= 1'b0;
      if (step_pixel | step_group | step_tap) waiting <= 1'b0;
      slot <= slot_over ? 7'd0 : slot + {6'd0, ~slot_full};
      if (slot_waits) waiting <= 1'b1;
    end
  end

  wire slot_full;  // the slot is long enough
  wire slot_waits;  // it is not, but there is nothing left to read in it

  generate
    if (WEIGHT_STATIONARY == 0) begin : output_stationary
      assign slot_full = slot == leaving_last;
      assign slot_over = running & slot_full & (waiting | tap_last);
      assign slot_waits = issue & tap_last & ~slot_full;
      assign step_tap = issue;
      assign step_group = slot_over;
      assign step_pixel = slot_over & group_last;
      assign corner = group_last;
      assign weight_read = issue;

      always @(posedge clk) begin
        if (start | step_pixel) weight_address <= weight_base;
        else if (issue) weight_address <= weight_address + {{(ADDRESS - 1) {1'b0}}, 1'b1};
        pixel <= {ADDRESS{1'b0}};
      end
    end else begin : weight_stationary
      localparam [6:0] DISTANCE_LAST = 7'd2;
      reg fresh;  // the weight word of this pass has not been read

      assign slot_full = slot == (tap_last ? leaving_last : DISTANCE_LAST);
      assign slot_over = running & slot_full & (waiting | tap_last | pixel_last);
      assign slot_waits = issue & (tap_last | pixel_last) & ~slot_full;
      assign step_pixel = slot_over | (issue & ~tap_last & ~pixel_last);
      assign step_tap = slot_over & pixel_last;
      assign step_group = step_tap & tap_last;
      assign corner = pixel_last;
      assign weight_read = issue & fresh;

      always @(posedge clk) begin
        fresh <= start | step_tap | (fresh & ~issue);
        if (start) weight_address <= weight_base;
        else if (step_tap) weight_address <= weight_address + {{(ADDRESS - 1) {1'b0}}, 1'b1};
        if (start | step_tap) pixel <= {ADDRESS{1'b0}};
        else if (step_pixel) pixel <= pixel + {{(ADDRESS - 1) {1'b0}}, 1'b1};
      end
    end
  endgenerate

endmodule
