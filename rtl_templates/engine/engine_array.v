// PE rows of SIMD multipliers and an adder tree each. Registers stand, with growing PIPELINE, behind the operands, the
// products, half of the tree, and the tree; so a sum leaves PIPELINE clocks after its operands came.
module engine_array #(
    parameter PE = 1,
    parameter SIMD = 1,
    parameter LEVELS = 0,
    parameter WEIGHT_BITS = 2,
    parameter ACTIVATION_BITS = 2,
    parameter LANE = 3,
    parameter ACCUMULATOR = 24,
    parameter USE_DSP = 0,
    parameter PIPELINE = 0
) (
    input                             clk,
    input  [SIMD*LANE-1:0]            activations,
    input  [PE*SIMD*WEIGHT_BITS-1:0]  weights,
    output [PE*ACCUMULATOR-1:0]       totals
);

  localparam XNOR = (ACTIVATION_BITS == 1 && WEIGHT_BITS == 1) ? 1 : 0;
  localparam PRODUCT = XNOR != 0 ? 1 : ACTIVATION_BITS + WEIGHT_BITS;
  localparam PAIRS = (USE_DSP != 0 && ACTIVATION_BITS > 1 && WEIGHT_BITS > 1 && ACTIVATION_BITS <= 4 &&
                      WEIGHT_BITS <= 4 && PE % 2 == 0) ? 1 : 0;

  wire [SIMD*LANE-1:0] lanes;
  wire [PE*SIMD*WEIGHT_BITS-1:0] factors;
  wire [PE*SIMD*PRODUCT-1:0] fresh, products;

  genvar row, lane;
  generate
    if (PIPELINE >= 1) begin : operand_registers
      reg [SIMD*LANE-1:0] lanes_held;
      reg [PE*SIMD*WEIGHT_BITS-1:0] factors_held;
      always @(posedge clk) begin
        lanes_held <= activations;
        factors_held <= weights;
      end
      assign lanes = lanes_held;
      assign factors = factors_held;
    end else begin : operands
      assign lanes = activations;
      assign factors = weights;
    end

    for (row = 0; row < PE; row = row + 1 + PAIRS) begin : rows
      for (lane = 0; lane < SIMD; lane = lane + 1) begin : column
        if (PAIRS != 0) begin : pair
          engine_product_pair #(
              .WEIGHT_BITS(WEIGHT_BITS),
              .LANE(LANE),
              .PRODUCT(PRODUCT)
          ) multiply (
              .activation(lanes[lane*LANE+:LANE]),
              .weight0(factors[(row*SIMD+lane)*WEIGHT_BITS+:WEIGHT_BITS]),
              .weight1(factors[((row+1)*SIMD+lane)*WEIGHT_BITS+:WEIGHT_BITS]),
              .product0(fresh[(row*SIMD+lane)*PRODUCT+:PRODUCT]),
              .product1(fresh[((row+1)*SIMD+lane)*PRODUCT+:PRODUCT])
          );
        end else begin : single
          engine_product #(
              .ACTIVATION_BITS(ACTIVATION_BITS),
              .WEIGHT_BITS(WEIGHT_BITS),
              .USE_DSP(USE_DSP),
              .KEEP(ACCUMULATOR < ACTIVATION_BITS + WEIGHT_BITS ? 1 : 0),
              .LANE(LANE),
              .PRODUCT(PRODUCT)
          ) multiply (
              .activation(lanes[lane*LANE+:LANE]),
              .weight(factors[(row*SIMD+lane)*WEIGHT_BITS+:WEIGHT_BITS]),
              .product(fresh[(row*SIMD+lane)*PRODUCT+:PRODUCT])
          );
        end
      end
    end

    if (PIPELINE >= 2) begin : product_registers
      reg [PE*SIMD*PRODUCT-1:0] held;
      always @(posedge clk) held <= fresh;
      assign products = held;
    end else begin : no_product_registers
      assign products = fresh;
    end

    for (row = 0; row < PE; row = row + 1) begin : sums
      engine_tree #(
          .SIMD(SIMD),
          .LEVELS(LEVELS),
          .PRODUCT(PRODUCT),
          .XNOR(XNOR),
          .ACCUMULATOR(ACCUMULATOR),
          .MIDDLE(PIPELINE >= 3 ? 1 : 0),
          .END(PIPELINE >= 4 ? 1 : 0)
      ) tree (
          .clk(clk),
          .products(products[row*SIMD*PRODUCT+:SIMD*PRODUCT]),
          .total(totals[row*ACCUMULATOR+:ACCUMULATOR])
      );
    end
  endgenerate

endmodule
