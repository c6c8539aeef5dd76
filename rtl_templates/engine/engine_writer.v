// Packs results, REQUANTIZERS a clock, into activation words, or takes answers one by one, and gives each its address.
//
// Output stationary: results arrive in the order in which they lie in memory. Weight stationary: a group comes for one
// pixel after the other, `out_words` apart; then the next group, which lies GROUP_WORDS (answers: PE) further on.
module engine_writer #(
    parameter PE = 1,
    parameter SIMD = 1,
    parameter ACTIVATION_BITS = 2,
    parameter REQUANTIZERS = 1,
    parameter WEIGHT_STATIONARY = 0,
    parameter ADDRESS = 20
) (
    input                                 clk,
    input                                 rst,
    input                                 start,       // a layer begins
    input                                 last_layer,
    input  [ADDRESS-1:0]                  out_base,
    input  [15:0]                         out_words,
    input                                 in_valid,
    input  [REQUANTIZERS*ACTIVATION_BITS-1:0] in_codes,
    input  [31:0]                         in_answer,
    input                                 in_kept,     // the answer belongs to a channel
    input                                 in_group_end,
    input                                 in_corner,
    input                                 in_finish,
    output reg                            write,
    output reg [ADDRESS-1:0]              address,
    output reg [SIMD*ACTIVATION_BITS-1:0] word,
    output reg [31:0]                     answer,
    output reg                            done         // with the last write of the layer
);

  localparam WORD = SIMD * ACTIVATION_BITS;
  localparam CODES = REQUANTIZERS * ACTIVATION_BITS;
  localparam [6:0] STEP = REQUANTIZERS, LANES_LAST = SIMD - REQUANTIZERS;
  localparam GROUP_WORDS = PE > SIMD ? PE / SIMD : 1;
  localparam [ADDRESS-1:0] ONE = 1;

  reg [6:0] lane;
  reg [ADDRESS-1:0] next;  // address of the next word or answer

  wire complete = in_valid & (last_layer ? in_kept : lane == LANES_LAST);
  wire [WORD+CODES-1:0] shifted = {in_codes, word};

  generate
    if (WEIGHT_STATIONARY == 0) begin : output_stationary
      always @(posedge clk) begin
        if (start) next <= last_layer ? {ADDRESS{1'b0}} : out_base;
        else if (complete) next <= next + ONE;
      end
      wire unused_inputs = &{1'b0, out_words, in_corner, in_group_end};
    end else begin : weight_stationary
      localparam [ADDRESS-1:0] WORDS_STEP = GROUP_WORDS;
      localparam [ADDRESS-1:0] ANSWERS_STEP = PE;
      reg [ADDRESS-1:0] pixel_start, group_start;
      wire [ADDRESS-1:0] next_pixel = pixel_start + {{(ADDRESS - 16) {1'b0}}, out_words};
      wire [ADDRESS-1:0] next_group = group_start + (last_layer ? ANSWERS_STEP : WORDS_STEP);
      always @(posedge clk) begin
        if (start) begin
          next <= last_layer ? {ADDRESS{1'b0}} : out_base;
          pixel_start <= last_layer ? {ADDRESS{1'b0}} : out_base;
          group_start <= last_layer ? {ADDRESS{1'b0}} : out_base;
        end else if (in_valid & in_group_end) begin
          next <= in_corner ? next_group : next_pixel;
          pixel_start <= in_corner ? next_group : next_pixel;
          if (in_corner) group_start <= next_group;
        end else if (complete) begin
          next <= next + ONE;
        end
      end
    end
  endgenerate

  always @(posedge clk) begin
    if (start) lane <= 7'd0;
    else if (in_valid) lane <= lane == LANES_LAST ? 7'd0 : lane + STEP;
    if (in_valid) word <= shifted[WORD+CODES-1:CODES];
    answer <= in_answer;
    address <= next;
    write <= complete & ~rst;
    done <= in_valid & in_finish & ~rst;
  end

  wire unused_bits = &{1'b0, shifted[CODES-1:0]};

endmodule
