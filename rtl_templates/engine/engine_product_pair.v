// Two products of one activation in one multiplier: the second weight stands PRODUCT bits above the first, so the two
// products stand side by side in the result. A negative lower product has borrowed 1 from the upper one.
module engine_product_pair #(
    parameter WEIGHT_BITS = 4,
    parameter LANE = 5,
    parameter PRODUCT = 8
) (
    input  [LANE-1:0]        activation,
    input  [WEIGHT_BITS-1:0] weight0,
    input  [WEIGHT_BITS-1:0] weight1,
    output [PRODUCT-1:0]     product0,
    output [PRODUCT-1:0]     product1
);

  localparam PACKED = PRODUCT + WEIGHT_BITS + 1;
  localparam WHOLE = PACKED + LANE;

  wire signed [PACKED-1:0] upper = {weight1[WEIGHT_BITS-1], weight1, {PRODUCT{1'b0}}};
  wire signed [PACKED-1:0] lower = {{(PACKED - WEIGHT_BITS) {weight0[WEIGHT_BITS-1]}}, weight0};
  wire signed [PACKED-1:0] both = upper + lower;
  (* use_dsp = "yes" *) wire signed [WHOLE-1:0] whole = $signed(activation) * both;

  assign product0 = whole[PRODUCT-1:0];
  assign product1 = whole[2*PRODUCT-1:PRODUCT] + {{(PRODUCT - 1) {1'b0}}, whole[PRODUCT-1]};

  wire unused_bits = &{1'b0, whole[WHOLE-1:2*PRODUCT]};

endmodule
