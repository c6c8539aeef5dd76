// The law of the image stream, clock by clock: what must hold (claim_*), on what assumption (assume_*), and what must be
// able to happen, so that no claim holds for want of a case (cover_*).
//
// An image is `words` words of BEATS beats, asked for by `request`. Its k-th word is the last BEATS beats that were taken,
// the first of them lowest, and is written to address k in the clock after its last beat.
module observe_images #(
    parameter STREAM = 64,
    parameter WORD = 8,
    parameter BEATS = 1,
    parameter ADDRESS = 20,
    parameter LIMIT = 16
) (
    input               clk,
    input               rst,
    input               request,
    input               consume,
    input [ADDRESS:0]   words,
    input               s_valid,
    input               s_ready,
    input               s_last,
    input [STREAM-1:0]  s_data,
    input               full,
    input               early,
    input               late,
    input               waiting,
    input               write,
    input [ADDRESS-1:0] address,
    input [WORD-1:0]    word,
    output              assume_asked_in_turn,
    output              assume_size_is_legal,
    output              assume_size_is_stable,
    output              claim_takes_the_beats_of_the_image_and_no_others,
    output              claim_nothing_is_taken_in_reset,
    output              claim_each_word_is_written_once,
    output              claim_words_are_in_order,
    output              claim_words_hold_their_beats,
    output              claim_full_after_the_last_beat,
    output              claim_tlast_too_soon_is_told,
    output              claim_tlast_too_late_is_told,
    output              claim_waiting_clocks_are_told,
    output              cover_a_second_word_after_a_pause
);

  localparam [15:0] BEAT_LAST = BEATS - 1;
  localparam [ADDRESS:0] ONE = 1;

  reg was_reset;
  reg loading, loaded, due, paused;
  reg [15:0] beat;
  reg [ADDRESS:0] index, size;
  reg [ADDRESS-1:0] due_address;
  reg [BEATS*STREAM-1:0] recent;

  wire taken = s_valid & s_ready;
  wire word_over = beat == BEAT_LAST;
  wire image_over = word_over & (index == words - ONE);

  always @(posedge clk) begin
    was_reset <= rst;
    if (rst) begin
      loading <= 1'b0;
      loaded <= 1'b0;
      due <= 1'b0;
    end else begin
      loading <= request | (loading & ~(taken & image_over));
      loaded <= (taken & image_over) | (loaded & ~consume);
      due <= taken & word_over;
    end
    if (request) begin
      beat <= 16'd0;
      index <= {(ADDRESS + 1) {1'b0}};
      size <= words;
      paused <= 1'b0;
    end else if (taken) begin
      beat <= word_over ? 16'd0 : beat + 16'd1;
      if (word_over) index <= index + ONE;
    end
    if (loading & ~s_valid) paused <= 1'b1;
    due_address <= index[ADDRESS-1:0];
    if (taken) recent <= {s_data, recent} >> STREAM;
  end

  assign assume_asked_in_turn = ~request | ~(loading | (loaded & ~consume));
  assign assume_size_is_legal = ~request | ((words != 0) & (words <= LIMIT));
  assign assume_size_is_stable = ~loading | (words == size);
  assign claim_takes_the_beats_of_the_image_and_no_others = s_ready == loading;
  assign claim_nothing_is_taken_in_reset = ~was_reset | ~s_ready;
  assign claim_each_word_is_written_once = write == due;
  assign claim_words_are_in_order = ~due | (address == due_address);
  assign claim_words_hold_their_beats = ~due | (word == recent[WORD-1:0]);
  assign claim_full_after_the_last_beat = full == loaded;
  assign claim_tlast_too_soon_is_told = early == (taken & s_last & ~image_over);
  assign claim_tlast_too_late_is_told = late == (taken & ~s_last & image_over);
  assign claim_waiting_clocks_are_told = waiting == (loading & ~s_valid);
  assign cover_a_second_word_after_a_pause = due & paused & (due_address == 1);

endmodule
