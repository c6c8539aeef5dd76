// Brings sums to few bits, one a clock, four clocks long: clip((sum * multiplier + bias) >>> shift, low, high).
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

  reg valid1, valid2, valid3;
  reg [3:0] flags1, flags2, flags3;
  reg signed [ACCUMULATOR-1:0] sum;
  reg signed [SCALED-1:0] scaled;
  reg signed [BIASED-1:0] biased;
  reg signed [39:0] bias;
  reg [5:0] shift2, shift3;

  wire signed [15:0] multiplier = last_layer ? 16'sd1 : parameters[15:0];
  wire signed [SCALED-1:0] product;

  generate
    if (USE_DSP != 0) begin : block
      (* use_dsp = "yes" *) wire signed [SCALED-1:0] whole = sum * multiplier;
      assign product = whole;
    end else begin : shift_and_add
      wire [SCALED-1:0] wide = {{16{sum[ACCUMULATOR-1]}}, sum};
      reg [SCALED-1:0] total;
      integer place;
      always @* begin
        total = {SCALED{1'b0}};
        for (place = 0; place < 15; place = place + 1) begin
          if (multiplier[place]) total = total + (wide << place);
        end
        if (multiplier[15]) total = total - (wide << 15);
      end
      assign product = total;
    end
  endgenerate

  wire signed [BIASED-1:0] wide_scaled = {{(BIASED - SCALED) {scaled[SCALED-1]}}, scaled};
  wire signed [BIASED-1:0] wide_bias = {{(BIASED - 40) {bias[39]}}, bias};
  wire signed [BIASED-1:0] shifted = biased >>> shift3;
  wire signed [BIASED-1:0] wide_low = {{(BIASED - 9) {low[8]}}, low};
  wire signed [BIASED-1:0] wide_high = {{(BIASED - 9) {high[8]}}, high};
  wire [8:0] clipped = shifted < wide_low ? low : shifted > wide_high ? high : shifted[8:0];
  wire [8:0] sign = (ACTIVATION_BITS == 1) ? {8'd0, ~biased[BIASED-1]} : {{8{biased[BIASED-1]}}, 1'b1};

  always @(posedge clk) begin
    valid1 <= in_valid & ~rst;
    valid2 <= valid1 & ~rst;
    valid3 <= valid2 & ~rst;
    out_valid <= valid3 & ~rst;
    flags1 <= in_flags;
    flags2 <= flags1;
    flags3 <= flags2;
    out_flags <= flags3;
    sum <= in_sum;
    scaled <= product;
    bias <= last_layer ? 40'sd0 : parameters[55:16];
    shift2 <= last_layer ? 6'd0 : parameters[61:56];
    biased <= wide_scaled + wide_bias;
    shift3 <= shift2;
    out_value <= last_layer ? shifted[31:0] : {23'd0, bipolar ? sign : clipped};
  end

endmodule
