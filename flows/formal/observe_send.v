// The law of the output end of an AXI4-Stream (see observe_images.v for what the outputs are): an answer leaves in BEATS
// beats, low bits first, zeros above it, m_last with the last one alone; the next is taken with that beat at the soonest.
module observe_send #(
    parameter WIDTH = 8,
    parameter BEATS = 2,
    parameter BITS = 16,
    parameter COUNT = 2  // bits that hold BEATS
) (
    input             clk,
    input             rst,
    input             answer_valid,
    input             answer_ready,
    input [BITS-1:0]  answer_data,
    input             m_valid,
    input             m_ready,
    input             m_last,
    input [WIDTH-1:0] m_data,
    input [BITS-1:0]  words,
    input [COUNT-1:0] left,
    output            claim_valid_stays_until_ready,
    output            claim_data_are_stable_while_stalled,
    output            claim_beats_are_sent_once_in_order,
    output            claim_tlast_on_the_last_beat_alone,
    output            claim_answers_are_taken_where_there_is_room,
    output            claim_nothing_on_offer_in_reset,
    output            lemma_the_rest_of_the_answer_is_there,
    output            lemma_beats_left_are_counted,
    output            cover_a_last_beat_after_a_stall
);

  localparam [15:0] LAST = BEATS - 1;

  reg sending, stalled, was_reset, waited;
  reg stalled_last;
  reg [15:0] beat;
  reg [BITS-1:0] answer;
  reg [WIDTH-1:0] stalled_data;

  wire taken = answer_valid & answer_ready;
  wire sent = m_valid & m_ready;
  wire over = beat == LAST;
  wire [BITS+WIDTH-1:0] rest = {{WIDTH{1'b0}}, answer} >> (beat * WIDTH);

  always @(posedge clk) begin
    was_reset <= rst;
    stalled <= m_valid & ~m_ready & ~rst;
    stalled_data <= m_data;
    stalled_last <= m_last;
    if (taken) answer <= answer_data;
    if (taken) beat <= 16'd0;
    else if (sent) beat <= beat + 16'd1;
    if (rst) begin
      sending <= 1'b0;
      waited <= 1'b0;
    end else begin
      sending <= taken | (sending & ~(sent & over));
      if (stalled) waited <= 1'b1;
    end
  end

  assign claim_valid_stays_until_ready = ~stalled | m_valid;
  assign claim_data_are_stable_while_stalled = ~stalled | (m_data == stalled_data && m_last == stalled_last);
  assign claim_beats_are_sent_once_in_order = (m_valid == sending) & (~sending | (m_data == rest[WIDTH-1:0]));
  assign claim_tlast_on_the_last_beat_alone = ~sending | (m_last == over);
  assign claim_answers_are_taken_where_there_is_room = answer_ready == (~sending | (over & m_ready));
  assign claim_nothing_on_offer_in_reset = ~was_reset | ~m_valid;
  assign lemma_the_rest_of_the_answer_is_there = ~sending | ((words == rest[BITS-1:0]) & (beat <= LAST));
  assign lemma_beats_left_are_counted = left == (sending ? BEATS - beat : 0);
  assign cover_a_last_beat_after_a_stall = waited & sent & over;

endmodule
