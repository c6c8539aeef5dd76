// The law of the weight stream (see observe_images.v for what the outputs are).
//
// A load is `parameters` words of PARAMETER_BEATS beats, then `weights` words of WEIGHT_BEATS, asked for by `request`.
// The k-th parameter word is the last PARAMETER_BEATS beats that were taken, and is written to address k in the clock
// after its last beat; each beat of the k-th weight word is written in the clock after it, with its number in the word.
module observe_weights #(
    parameter STREAM = 64,
    parameter PARAMETER_BEATS = 1,
    parameter WEIGHT_BEATS = 1,
    parameter ADDRESS = 20,
    parameter PARAMETER_LIMIT = 16,
    parameter WEIGHT_LIMIT = 16
) (
    input               clk,
    input               rst,
    input               request,
    input               consume,
    input [ADDRESS:0]   parameters,
    input [ADDRESS:0]   weights,
    input               s_valid,
    input               s_ready,
    input               s_last,
    input [STREAM-1:0]  s_data,
    input               full,
    input               early,
    input               late,
    input               waiting,
    input               parameter_write,
    input [61:0]        parameter_word,
    input               weight_write,
    input [15:0]        weight_chunk,
    input [STREAM-1:0]  weight_data,
    input [ADDRESS-1:0] address,
    output              assume_asked_in_turn,
    output              assume_sizes_are_legal,
    output              claim_takes_the_beats_of_the_load_and_no_others,
    output              claim_nothing_is_taken_in_reset,
    output              claim_each_parameter_is_written_once,
    output              claim_each_weight_beat_is_written_once,
    output              claim_words_are_in_order,
    output              claim_weight_beats_are_in_order,
    output              claim_parameters_hold_their_beats,
    output              claim_weights_hold_their_beats,
    output              claim_full_after_the_last_beat,
    output              claim_tlast_too_soon_is_told,
    output              claim_tlast_too_late_is_told,
    output              claim_waiting_clocks_are_told,
    output              cover_a_second_parameter_after_a_pause,
    output              cover_a_weight_after_a_pause
);

  localparam [15:0] PARAMETER_LAST = PARAMETER_BEATS - 1;
  localparam [15:0] WEIGHT_LAST = WEIGHT_BEATS - 1;
  localparam HELD = PARAMETER_BEATS * STREAM;
  localparam [ADDRESS:0] ONE = 1;
  localparam [ADDRESS:0] NONE = 0;

  reg was_reset;
  reg loading, loaded, parameter_due, weight_due, paused;
  reg second;  // the parameters are through
  reg [15:0] beat, due_beat;
  reg [ADDRESS:0] index, first_size, second_size;
  reg [ADDRESS-1:0] due_address;
  reg [HELD-1:0] recent;

  wire taken = s_valid & s_ready;
  wire word_over = beat == (second ? WEIGHT_LAST : PARAMETER_LAST);
  wire part_over = word_over & (index == (second ? second_size : first_size) - ONE);
  wire load_over = part_over & (second | (second_size == NONE));

  always @(posedge clk) begin
    was_reset <= rst;
    if (rst) begin
      loading <= 1'b0;
      loaded <= 1'b0;
      parameter_due <= 1'b0;
      weight_due <= 1'b0;
    end else begin
      loading <= request | (loading & ~(taken & load_over));
      loaded <= (taken & load_over) | (loaded & ~consume);
      parameter_due <= taken & ~second & word_over;
      weight_due <= taken & second;
    end
    if (request) begin
      beat <= 16'd0;
      index <= NONE;
      second <= parameters == NONE;
      first_size <= parameters;
      second_size <= weights;
      paused <= 1'b0;
    end else if (taken) begin
      beat <= word_over ? 16'd0 : beat + 16'd1;
      if (word_over) index <= part_over ? NONE : index + ONE;
      if (part_over) second <= 1'b1;
    end
    if (loading & ~s_valid) paused <= 1'b1;
    due_beat <= beat;
    due_address <= index[ADDRESS-1:0];
    if (taken) recent <= {s_data, recent} >> STREAM;
  end

  assign assume_asked_in_turn = ~request | ~(loading | (loaded & ~consume));
  assign assume_sizes_are_legal = ~request |
      ((parameters <= PARAMETER_LIMIT) & (weights <= WEIGHT_LIMIT) & ((parameters != NONE) | (weights != NONE)));
  assign claim_takes_the_beats_of_the_load_and_no_others = s_ready == loading;
  assign claim_nothing_is_taken_in_reset = ~was_reset | ~s_ready;
  assign claim_each_parameter_is_written_once = parameter_write == parameter_due;
  assign claim_each_weight_beat_is_written_once = weight_write == weight_due;
  assign claim_words_are_in_order = ~(parameter_due | weight_due) | (address == due_address);
  assign claim_weight_beats_are_in_order = ~weight_due | (weight_chunk == due_beat);
  assign claim_parameters_hold_their_beats = ~parameter_due | (parameter_word == recent[61:0]);
  assign claim_weights_hold_their_beats = ~weight_due | (weight_data == recent[HELD-1:HELD-STREAM]);
  assign claim_full_after_the_last_beat = full == loaded;
  assign claim_tlast_too_soon_is_told = early == (taken & s_last & ~load_over);
  assign claim_tlast_too_late_is_told = late == (taken & ~s_last & load_over);
  assign claim_waiting_clocks_are_told = waiting == (loading & ~s_valid);
  assign cover_a_second_parameter_after_a_pause = parameter_due & paused & (due_address == 1);
  assign cover_a_weight_after_a_pause = weight_due & paused & (first_size == NONE);

endmodule
