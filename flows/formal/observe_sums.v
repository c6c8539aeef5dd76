// The law of the accumulators (see observe_images.v for what the outputs are): a running sum is kept one bit wider here
// than in the design, so that it cannot wrap; while every sum fits ACCUMULATOR bits, the design's sums are the same.
//
// Weight stationary: the sums of one pixel are followed, any one: `place` never changes.
module observe_sums #(
    parameter PE = 1,
    parameter ACCUMULATOR = 24,
    parameter WEIGHT_STATIONARY = 0,
    parameter PSUM_DEPTH = 2,
    parameter PSUM_ADDRESS = 1
) (
    input                      clk,
    input                      rst,
    input                      maximum,
    input                      early,
    input [PSUM_ADDRESS-1:0]   early_pixel,
    input                      valid,
    input                      first,
    input                      last,
    input [PE*ACCUMULATOR-1:0] sums,
    input [PE*ACCUMULATOR-1:0] sums_out,
    input [PE*ACCUMULATOR-1:0] previous,
    input                      write,
    input [PSUM_ADDRESS-1:0]   write_pixel,
    output                     assume_sums_fit,
    output                     assume_a_sum_begins_with_its_first_tap,
    output                     assume_partial_sums_are_read_for_their_tap,
    output                     assume_partial_sums_are_read_after_they_are_written,
    output                     claim_no_sum_wraps,
    output                     lemma_the_sum_is_in_its_place,
    output                     lemma_the_sum_is_read,
    output                     lemma_exact_sums_fit,
    output                     lemma_writes_are_due,
    output                     cover_a_third_tap
);

  localparam WIDE = ACCUMULATOR + 1;

  reg [PSUM_ADDRESS-1:0] place, pixel;
  reg open;  // there is a partial sum
  reg known;  // `exact` is what was added up
  reg was_early, due, pending;
  reg [1:0] taps;
  reg [PE*WIDE-1:0] exact;
  reg [PE*ACCUMULATOR-1:0] stored;

  wire here = WEIGHT_STATIONARY == 0 || pixel == place;
  wire step = valid & here & (place < PSUM_DEPTH || WEIGHT_STATIONARY == 0);
  wire [PE*WIDE-1:0] following;
  wire [PE-1:0] fits, same, stored_same, read_same, exact_fits;

  genvar row;
  generate
    for (row = 0; row < PE; row = row + 1) begin : rows
      wire signed [WIDE-1:0] old = exact[row*WIDE+:WIDE];
      wire signed [ACCUMULATOR-1:0] fresh = sums[row*ACCUMULATOR+:ACCUMULATOR];
      wire signed [WIDE-1:0] wide = {fresh[ACCUMULATOR-1], fresh};
      wire signed [WIDE-1:0] sum = old + wide;
      wire signed [WIDE-1:0] next = first ? wide : maximum ? (old > wide ? old : wide) : sum;
      assign following[row*WIDE+:WIDE] = next;
      assign fits[row] = next[WIDE-1] == next[WIDE-2];
      assign exact_fits[row] = old[WIDE-1] == old[WIDE-2];
      assign same[row] = old[ACCUMULATOR-1:0] == sums_out[row*ACCUMULATOR+:ACCUMULATOR];
      assign stored_same[row] = old[ACCUMULATOR-1:0] == stored[row*ACCUMULATOR+:ACCUMULATOR];
      assign read_same[row] = old[ACCUMULATOR-1:0] == previous[row*ACCUMULATOR+:ACCUMULATOR];
    end
  endgenerate

  always @(posedge clk) begin
    place <= place;
    pixel <= early_pixel;
    was_early <= early;
    if (step) exact <= following;
    if (write & (write_pixel == place) & (place < PSUM_DEPTH)) stored <= sums_out;
    if (rst) begin
      due <= 1'b0;
      open <= 1'b0;
      pending <= 1'b0;
      known <= 1'b0;
      taps <= 2'd0;
    end else begin
      due <= step;
      pending <= step & ~last;
      if (step) begin
        open <= ~last | (WEIGHT_STATIONARY == 0);
        known <= known | first;
        taps <= first ? 2'd1 : taps == 2'd3 ? taps : taps + 2'd1;
      end
    end
  end

  wire follows = WEIGHT_STATIONARY != 0;
  assign assume_sums_fit = ~step | &fits;
  assign assume_a_sum_begins_with_its_first_tap = ~step | first | open;
  assign assume_partial_sums_are_read_for_their_tap = ~follows | ~step | first | was_early;
  assign assume_partial_sums_are_read_after_they_are_written = ~follows | ~early | (early_pixel != place) | ~(step | pending);
  assign claim_no_sum_wraps = ~known | (follows & ~due) | (&same);
  assign lemma_the_sum_is_in_its_place = ~follows | ~open | pending | (&stored_same);
  assign lemma_the_sum_is_read = ~follows | ~(was_early & (pixel == place) & open) | (&read_same);
  assign lemma_exact_sums_fit = ~known | (&exact_fits);
  assign lemma_writes_are_due = (~follows | ~(open | pending) | (place < PSUM_DEPTH)) & (~open | known) & (~pending | due) &
      (~follows | place >= PSUM_DEPTH | ((write & (write_pixel == place)) == pending));
  assign cover_a_third_tap = due & (taps == 2'd3) & ~maximum;

endmodule
