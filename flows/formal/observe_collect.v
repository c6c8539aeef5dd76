// The law of the input end of an AXI4-Stream (see observe_images.v for what the outputs are): a sample is the last BEATS
// beats, the first of them lowest, and stays until it is taken; s_last on an earlier beat drops the beats so far.
module observe_collect #(
    parameter WIDTH = 8,
    parameter BEATS = 1,
    parameter BITS = 8,
    parameter COUNT = 1  // bits that hold BEATS - 1, at least 1
) (
    input             clk,
    input             rst,
    input             s_valid,
    input             s_ready,
    input             s_last,
    input [WIDTH-1:0] s_data,
    input             sample_valid,
    input             sample_ready,
    input [BITS-1:0]  sample_data,
    input             frame_error,
    output            claim_each_sample_is_on_offer_once,
    output            claim_samples_hold_their_beats,
    output            claim_samples_stay_until_taken,
    output            claim_beats_are_taken_where_there_is_room,
    output            claim_a_sample_cut_short_is_told,
    output            claim_nothing_on_offer_in_reset,
    output            lemma_beats_are_counted,
    output            cover_a_second_sample_after_a_stall
);

  localparam [COUNT-1:0] LAST = BEATS - 1;
  localparam [COUNT-1:0] ONE = 1;
  localparam HELD = BEATS > 1 ? BEATS * WIDTH : BITS;

  reg whole, told, stalled, was_reset, waited, second;
  reg [COUNT-1:0] beat;
  reg [BITS-1:0] stalled_data;
  reg [HELD-1:0] recent;

  wire taken = s_valid & s_ready;
  wire over = beat == LAST;

  always @(posedge clk) begin
    was_reset <= rst;
    stalled <= sample_valid & ~sample_ready & ~rst;
    stalled_data <= sample_data;
    if (taken) recent <= BEATS == 1 ? s_data : {s_data, recent} >> WIDTH;
    if (rst) begin
      whole <= 1'b0;
      told <= 1'b0;
      beat <= {COUNT{1'b0}};
      waited <= 1'b0;
      second <= 1'b0;
    end else begin
      whole <= (taken & over) | (whole & ~sample_ready);
      told <= taken & s_last & ~over;
      if (taken) beat <= (over | s_last) ? {COUNT{1'b0}} : beat + ONE;
      if (stalled) waited <= 1'b1;
      if (waited & sample_valid & sample_ready) second <= 1'b1;
    end
  end

  assign claim_each_sample_is_on_offer_once = sample_valid == whole;
  assign claim_samples_hold_their_beats = ~whole | (sample_data == recent[BITS-1:0]);
  assign claim_samples_stay_until_taken = ~stalled | (sample_valid & (sample_data == stalled_data));
  assign claim_beats_are_taken_where_there_is_room = s_ready == (~whole | sample_ready);
  assign claim_a_sample_cut_short_is_told = frame_error == told;
  assign claim_nothing_on_offer_in_reset = ~was_reset | ~sample_valid;
  assign lemma_beats_are_counted = beat <= LAST;
  assign cover_a_second_sample_after_a_stall = second & sample_valid;

endmodule
