// The law of a skid buffer (see observe_images.v for what the outputs are): a word that was taken leaves once, in order, in
// the same clock or, where the receiver stops, from the one place in which it is kept meanwhile.
module observe_skid #(
    parameter WIDTH = 1
) (
    input             clk,
    input             rst,
    input             in_valid,
    input             in_ready,
    input [WIDTH-1:0] in_data,
    input             out_valid,
    input             out_ready,
    input [WIDTH-1:0] out_data,
    output            claim_valid_stays_until_ready,
    output            claim_data_are_stable_while_stalled,
    output            claim_a_word_is_taken_where_there_is_room,
    output            claim_each_word_leaves_once_in_order,
    output            cover_a_word_after_one_that_was_kept
);

  reg kept, stalled, was_kept;
  reg [WIDTH-1:0] word, stalled_data;

  always @(posedge clk) begin
    // Taken and not given, or kept and not given.
    kept <= ((in_valid & in_ready) | kept) & ~(out_valid & out_ready) & ~rst;
    if (in_valid & in_ready) word <= in_data;
    stalled <= out_valid & ~out_ready & ~rst;
    stalled_data <= out_data;
    was_kept <= (kept | was_kept) & ~rst;
  end

  assign claim_valid_stays_until_ready = ~stalled | out_valid;
  assign claim_data_are_stable_while_stalled = ~stalled | (out_data == stalled_data);
  assign claim_a_word_is_taken_where_there_is_room = in_ready == ~kept;
  assign claim_each_word_leaves_once_in_order = (out_valid == (kept | in_valid)) &
      (~out_valid | (out_data == (kept ? word : in_data)));
  assign cover_a_word_after_one_that_was_kept = was_kept & ~kept & out_valid & out_ready;

endmodule
