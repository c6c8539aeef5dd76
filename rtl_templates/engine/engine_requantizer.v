// Brings sums to few bits, one a clock, six clocks long: clip((sum * multiplier + bias) >>> shift, low, high).
//
// The parameters of the channel are read in the first of the clocks. For bipolar results the sign decides. In the last
// layer the sum itself goes through, sign-extended.
module engine_requantizer #(
    parameter ACCUMULATOR = 24,
    parameter ACTIVATION_BITS = 2,
    parameter USE_DSP = 0
) (
    input                       clk,
    input                       rst,
    input                       last_layer,
    input                       bipolar,
    input  signed [8:0]         low,
    input  signed [8:0]         high,
    input                       in_valid,
    input  [ACCUMULATOR-1:0]    in_sum,
    input  [3:0]                in_flags,
    input  [61:0]               parameters,   // one clock after in_valid: shift 6, bias 40, multiplier 16
    output reg                  out_valid,
    output reg [31:0]           out_value,
    output reg [3:0]            out_flags
);

  localparam SCALED = ACCUMULATOR + 16;
  localparam BIASED = (SCALED > 40 ? SCALED : 40) + 1;

  reg valid1, valid2, valid3, valid4, valid5;
  reg [3:0] flags1, flags2, flags3, flags4, flags5;
  reg signed [ACCUMULATOR-1:0] early_sum, sum;
  reg signed [15:0] multiplier;
  reg signed [SCALED-1:0] scaled;
  reg signed [BIASED-1:0] biased;
  reg signed [39:0] bias2, bias3, bias4;
  reg [5:0] shift2, shift3, shift4, shift5;

  // Two clocks for the product: a DSP block has a register within and one behind; without it, four products by four
  // bits of the multiplier are formed in the first and added in the second.
  genvar part;
  generate
    if (USE_DSP != 0) begin : block
      (* use_dsp = "yes" *) reg signed [SCALED-1:0] whole;
      always @(posedge clk) begin
        whole <= sum * multiplier;
        scaled <= whole;
      end
    end else begin : shift_and_add
      wire [4*SCALED-1:0] parts;
      for (part = 0; part < 4; part = part + 1) begin : quarter
        wire [SCALED-1:0] wide = {{(16 - 4 * part) {sum[ACCUMULATOR-1]}}, sum, {(4 * part) {1'b0}}};
        wire [3:0] digit = multiplier[4*part+:4];
        wire [SCALED-1:0] top = digit[3] ? wide << 3 : {SCALED{1'b0}};  // the sign, in the last part
        wire [SCALED-1:0] low3 = (digit[0] ? wide : {SCALED{1'b0}}) + (digit[1] ? wide << 1 : {SCALED{1'b0}}) +
            (digit[2] ? wide << 2 : {SCALED{1'b0}});
        reg [SCALED-1:0] held;
        always @(posedge clk) held <= part == 3 ? low3 - top : low3 + top;
        assign parts[part*SCALED+:SCALED] = held;
      end
      always @(posedge clk) begin
        scaled <= (parts[SCALED-1:0] + parts[SCALED+:SCALED]) + (parts[2*SCALED+:SCALED] + parts[3*SCALED+:SCALED]);
      end
    end
  endgenerate

  wire signed [BIASED-1:0] wide_scaled = {{(BIASED - SCALED) {scaled[SCALED-1]}}, scaled};
  wire signed [BIASED-1:0] wide_bias = {{(BIASED - 40) {bias4[39]}}, bias4};
  wire signed [BIASED-1:0] shifted = biased >>> shift5;
  wire signed [BIASED-1:0] wide_low = {{(BIASED - 9) {low[8]}}, low};
  wire signed [BIASED-1:0] wide_high = {{(BIASED - 9) {high[8]}}, high};
  wire [8:0] clipped = shifted < wide_low ? low : shifted > wide_high ? high : shifted[8:0];
  wire [8:0] sign = (ACTIVATION_BITS == 1) ? {8'd0, ~biased[BIASED-1]} : {{8{biased[BIASED-1]}}, 1'b1};

  always @(posedge clk) begin
    valid1 <= in_valid & ~rst;
    valid2 <= valid1 & ~rst;
    valid3 <= valid2 & ~rst;
    valid4 <= valid3 & ~rst;
    valid5 <= valid4 & ~rst;
    out_valid <= valid5 & ~rst;
    flags1 <= in_flags;
    flags2 <= flags1;
    flags3 <= flags2;
    flags4 <= flags3;
    flags5 <= flags4;
    out_flags <= flags5;
    early_sum <= in_sum;
    sum <= early_sum;
    multiplier <= last_layer ? 16'sd1 : parameters[15:0];
    bias2 <= last_layer ? 40'sd0 : parameters[55:16];
    bias3 <= bias2;
    bias4 <= bias3;
    shift2 <= last_layer ? 6'd0 : parameters[61:56];
    shift3 <= shift2;
    shift4 <= shift3;
    shift5 <= shift4;
    biased <= wide_scaled + wide_bias;
    out_value <= last_layer ? shifted[31:0] : {23'd0, bipolar ? sign : clipped};
  end

endmodule
