// Brings one activation word to the array: chooses the bank that was read, puts 0 where the place is padding, and
// extends every lane by a sign bit. Activations of one bit stay one bit (their value is -1 or +1; there is no 0).
module engine_operands #(
    parameter SIMD = 1,
    parameter ACTIVATION_BITS = 2,
    parameter BANKS = 2,
    parameter LANE = 3  // 1 for activations of one bit, else ACTIVATION_BITS + 1
) (
    input  [BANKS*SIMD*ACTIVATION_BITS-1:0] words,
    input  [BANKS-1:0]                      chosen,      // one bank
    input                                   in_map,
    input                                   is_signed,
    output [SIMD*LANE-1:0]                  activations
);

  localparam WORD = SIMD * ACTIVATION_BITS;

  reg [WORD-1:0] word;
  integer bank;
  always @* begin
    word = {WORD{1'b0}};
    for (bank = 0; bank < BANKS; bank = bank + 1) begin
      word = word | (words[bank*WORD+:WORD] & {WORD{chosen[bank]}});
    end
  end

  genvar lane;
  generate
    if (ACTIVATION_BITS == 1) begin : bits
      assign activations = word;
      wire unused_inputs = &{1'b0, in_map, is_signed};
    end else begin : lanes
      for (lane = 0; lane < SIMD; lane = lane + 1) begin : each
        wire [ACTIVATION_BITS-1:0] value = word[lane*ACTIVATION_BITS+:ACTIVATION_BITS] & {ACTIVATION_BITS{in_map}};
        assign activations[lane*LANE+:LANE] = {is_signed & value[ACTIVATION_BITS-1], value};
      end
    end
  endgenerate

endmodule
