// The law of the answer stream (see observe_images.v for what the outputs are; lemma_* holds as well, and
// only serves the proof).
//
// `request` sends the first `answers` answers, 32 bits each, in order: LANES of them a beat (the first lowest), or each in
// SLICES beats (low bits first). One address of the answer memory is watched, any one: `place` never changes. What was
// last written there, lane by lane, is what every beat of that address must carry.
module observe_answers #(
    parameter STREAM = 64,
    parameter LANES = 2,
    parameter SLICES = 1,
    parameter LANE_BITS = 1,
    parameter DEPTH_BITS = 4,
    parameter WORDS = 16,  // of the memory
    parameter ADDRESS = 20,
    parameter LIMIT = 16
) (
    input               clk,
    input               rst,
    input               power_reset,
    input               write,
    input [ADDRESS-1:0] write_address,
    input [31:0]        write_data,
    input               request,
    input [ADDRESS:0]   answers,
    input               done,
    input               busy,
    input               waiting,
    input               m_valid,
    input               m_ready,
    input               m_last,
    input [STREAM-1:0]  m_data,
    input               reading,
    input               ending,
    input [ADDRESS:0]   next,
    input               word_last,
    input [32*LANES-1:0] word,
    input [5:0]         sender_slice,
    output              assume_asked_in_turn,
    output              assume_size_is_legal,
    output              assume_size_is_stable,
    output              assume_nothing_is_written_while_sending,
    output              assume_writes_lie_in_the_memory,
    output              claim_valid_stays_until_ready,
    output              claim_data_are_stable_while_stalled,
    output              claim_nothing_on_offer_in_reset,
    output              claim_a_beat_is_on_offer_when_due,
    output              claim_tlast_on_the_last_beat_alone,
    output              claim_beats_carry_their_answers,
    output              claim_done_with_the_last_beat,
    output              claim_busy_until_the_last_beat,
    output              claim_stalled_clocks_are_told,
    output              lemma_next_word_is_the_following_one,
    output              lemma_slices_are_counted,
    output              lemma_words_are_left_while_not_the_last,
    output              lemma_last_word_is_known,
    output              lemma_no_word_follows_the_last,
    output              lemma_word_on_offer_is_as_stored,
    output              cover_a_second_beat_after_a_stall,
    output              cover_a_beat_held_through_a_halt
);

  localparam [ADDRESS:0] ONE = 1;
  localparam [ADDRESS:0] LANES_LESS_1 = LANES - 1;
  localparam [5:0] SLICE_LAST = SLICES - 1;

  reg [DEPTH_BITS-1:0] place;
  reg [32*LANES-1:0] stored;

  reg sending;  // beats are due
  reg primed;  // the first beat is due
  reg halted;  // after the beat on offer none is due
  reg stalled, was_reset;
  reg stalled_last;
  reg [STREAM-1:0] stalled_data;
  reg stalled_once;
  reg [ADDRESS:0] index, following;  // number of the word on offer, and one more
  reg [5:0] slice;

  wire [ADDRESS:0] words = (answers + LANES_LESS_1) >> LANE_BITS;
  wire taken = m_valid & m_ready;
  wire slice_over = slice == SLICE_LAST;
  wire last_word = following == words;
  wire over = taken & (halted | (last_word & slice_over));
  wire due = sending & primed;

  genvar lane;
  generate
    for (lane = 0; lane < LANES; lane = lane + 1) begin : lanes
      wire here = write_address[LANE_BITS+:DEPTH_BITS] == place && (write_address & LANES_LESS_1) == lane;
      always @(posedge clk) if (write & here & (place < WORDS)) stored[32*lane+:32] <= write_data;
    end
  endgenerate

  wire [32*LANES-1:0] expected = SLICES == 1 ? stored : stored >> (slice * STREAM);

  reg [ADDRESS:0] size;

  always @(posedge clk) begin
    place <= place;
    was_reset <= power_reset;
    stalled <= m_valid & ~m_ready & ~power_reset;
    stalled_last <= m_last;
    stalled_data <= m_data;
    if (power_reset) begin
      sending <= 1'b0;
      primed <= 1'b0;
      halted <= 1'b0;
    end else if (rst | halted) begin
      sending <= due & ~m_ready;
      primed <= due & ~m_ready;
      halted <= due & ~m_ready;
    end else if (request) begin
      sending <= 1'b1;
      primed <= 1'b0;
    end else begin
      sending <= sending & ~over;
      primed <= sending & ~over;
    end
    if (request) begin
      index <= {(ADDRESS + 1) {1'b0}};
      following <= ONE;
      slice <= 6'd0;
      size <= answers;
      stalled_once <= 1'b0;
    end else if (taken) begin
      slice <= slice_over ? 6'd0 : slice + 6'd1;
      if (slice_over) begin
        index <= following;
        following <= following + ONE;
      end
    end
    if (m_valid & ~m_ready) stalled_once <= 1'b1;
  end

  assign assume_asked_in_turn = ~request | ~sending;
  assign assume_size_is_legal = ~request | ((answers != 0) & (answers <= LIMIT));
  assign assume_size_is_stable = ~sending | (answers == size);
  assign assume_nothing_is_written_while_sending = ~write | ~sending;
  assign assume_writes_lie_in_the_memory = ~write | (write_address < LIMIT);
  assign claim_valid_stays_until_ready = ~stalled | m_valid;
  assign claim_data_are_stable_while_stalled = ~stalled | (m_data == stalled_data && m_last == stalled_last);
  assign claim_nothing_on_offer_in_reset = ~was_reset | ~m_valid;
  assign claim_a_beat_is_on_offer_when_due = m_valid == due;
  assign claim_tlast_on_the_last_beat_alone = ~m_valid | (m_last == (last_word & slice_over));
  assign claim_beats_carry_their_answers = ~m_valid | index != place | m_data == expected[STREAM-1:0];
  assign claim_done_with_the_last_beat = done == (taken & last_word & slice_over & ~halted);
  assign claim_busy_until_the_last_beat = busy == sending;
  assign claim_stalled_clocks_are_told = waiting == (m_valid & ~m_ready);
  // What ties the sender's own registers to the law; with these the claims are inductive.
  assign lemma_next_word_is_the_following_one = (~m_valid | next == following) &
      (~sending | primed | (next == 0 & following == 1 & index == 0 & slice == 0));
  assign lemma_slices_are_counted = (~m_valid | sender_slice == slice) & (~sending | slice <= SLICE_LAST);
  assign lemma_words_are_left_while_not_the_last = (ending == halted) &
      (reading == (sending & ~halted & ~(primed & last_word)));
  assign lemma_last_word_is_known = ~m_valid | word_last == last_word;
  assign lemma_no_word_follows_the_last = ~sending | (following <= words & size != 0 & size <= LIMIT);
  assign lemma_word_on_offer_is_as_stored = ~m_valid | index != place | word == stored;
  assign cover_a_second_beat_after_a_stall = m_valid & stalled_once & (index != 0) & ~halted;
  assign cover_a_beat_held_through_a_halt = m_valid & halted;

endmodule
