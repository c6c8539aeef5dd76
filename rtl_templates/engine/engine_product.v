// The product of one activation and one weight, exact in ACTIVATION_BITS + WEIGHT_BITS bits.
//
// One bit stands for -1 (0) or +1 (1), on either side; for both sides the product is one bit as well, an XNOR.
// USE_DSP leaves the multiplication to a `*`; otherwise it is a sum of shifted activations, which no tool turns into a
// DSP block. KEEP says that the sums are narrower than a product: the product is then kept whole, since synthesis would
// cut some of them to widths for which it takes no DSP block, and not others.
module engine_product #(
    parameter ACTIVATION_BITS = 2,
    parameter WEIGHT_BITS = 2,
    parameter USE_DSP = 0,
    parameter KEEP = 0,
    parameter LANE = 3,
    parameter PRODUCT = 4
) (
    input  [LANE-1:0]        activation,
    input  [WEIGHT_BITS-1:0] weight,
    output [PRODUCT-1:0]     product
);

  generate
    if (ACTIVATION_BITS == 1 && WEIGHT_BITS == 1) begin : xnor_gate
      assign product = ~(activation ^ weight);
    end else if (WEIGHT_BITS == 1) begin : sign_by_weight
      assign product = weight[0] ? activation : -activation;
    end else if (ACTIVATION_BITS == 1) begin : sign_by_activation
      wire [PRODUCT-1:0] wide = {weight[WEIGHT_BITS-1], weight};
      assign product = activation[0] ? wide : -wide;
    end else if (USE_DSP != 0 && KEEP != 0) begin : kept_block
      (* use_dsp = "yes", keep *) wire signed [LANE+WEIGHT_BITS-1:0] whole = $signed(activation) * $signed(weight);
      assign product = whole[PRODUCT-1:0];
      wire unused_bits = &{1'b0, whole[LANE+WEIGHT_BITS-1:PRODUCT]};
    end else if (USE_DSP != 0) begin : block
      (* use_dsp = "yes" *) wire signed [LANE+WEIGHT_BITS-1:0] whole = $signed(activation) * $signed(weight);
      assign product = whole[PRODUCT-1:0];
      wire unused_bits = &{1'b0, whole[LANE+WEIGHT_BITS-1:PRODUCT]};
    end else begin : shift_and_add
      wire [PRODUCT-1:0] wide = {{(PRODUCT - LANE) {activation[LANE-1]}}, activation};
      reg [PRODUCT-1:0] total;
      integer place;
      always @* begin
        total = {PRODUCT{1'b0}};
        for (place = 0; place < WEIGHT_BITS - 1; place = place + 1) begin
          if (weight[place]) total = total + (wide << place);
        end
        if (weight[WEIGHT_BITS-1]) total = total - (wide << (WEIGHT_BITS - 1));
      end
      assign product = total;
    end
  endgenerate

endmodule
