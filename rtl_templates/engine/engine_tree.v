// The sum of SIMD products, as a tree of adders that grows by one bit a level, brought to ACCUMULATOR bits.
//
// With XNOR the products are bits that stand for -1 and +1: the sum is twice their count, less SIMD.
// MIDDLE places a register half way down the tree, END one behind it.
module engine_tree #(
    parameter SIMD = 1,
    parameter LEVELS = 0,  // log2 of SIMD
    parameter PRODUCT = 4,
    parameter XNOR = 0,
    parameter ACCUMULATOR = 24,
    parameter MIDDLE = 0,
    parameter END = 0
) (
    input                    clk,
    input  [SIMD*PRODUCT-1:0] products,
    output [ACCUMULATOR-1:0] total
);

  localparam HALF = (LEVELS + 1) / 2;
  localparam TOP = PRODUCT + LEVELS;
  localparam NUMBER = XNOR != 0 ? LEVELS + 2 : TOP;  // bits of the signed sum
  localparam COMMON = NUMBER > ACCUMULATOR ? NUMBER : ACCUMULATOR;

  genvar level, node;
  generate
    for (level = 0; level <= LEVELS; level = level + 1) begin : tree
      localparam NODES = SIMD >> level;
      localparam BITS = PRODUCT + level;
      wire [NODES*BITS-1:0] now;
      if (level == 0) begin : leaves
        assign now = products;
      end else begin : sums
        for (node = 0; node < NODES; node = node + 1) begin : each
          wire [BITS-2:0] left = tree[level-1].value[2*node*(BITS-1)+:BITS-1];
          wire [BITS-2:0] right = tree[level-1].value[(2*node+1)*(BITS-1)+:BITS-1];
          if (XNOR != 0) begin : count
            assign now[node*BITS+:BITS] = {1'b0, left} + {1'b0, right};
          end else begin : add
            assign now[node*BITS+:BITS] = {left[BITS-2], left} + {right[BITS-2], right};
          end
        end
      end
      wire [NODES*BITS-1:0] value;
      if (level == HALF && MIDDLE != 0) begin : registered
        reg [NODES*BITS-1:0] held;
        always @(posedge clk) held <= now;
        assign value = held;
      end else begin : direct
        assign value = now;
      end
    end

    wire [NUMBER-1:0] number;
    if (XNOR != 0) begin : doubled
      assign number = {tree[LEVELS].value, 1'b0} - SIMD[NUMBER-1:0];
    end else begin : plain
      assign number = tree[LEVELS].value;
    end

    wire [COMMON-1:0] wide;
    if (COMMON > NUMBER) begin : extended
      assign wide = {{(COMMON - NUMBER) {number[NUMBER-1]}}, number};
    end else begin : whole
      assign wide = number;
    end
    if (COMMON > ACCUMULATOR) begin : shortened
      wire unused_bits = &{1'b0, wide[COMMON-1:ACCUMULATOR]};
    end

    if (END != 0) begin : registered
      reg [ACCUMULATOR-1:0] held;
      always @(posedge clk) held <= wide[ACCUMULATOR-1:0];
      assign total = held;
    end else begin : direct
      assign total = wide[ACCUMULATOR-1:0];
    end
  endgenerate

  generate
    if (MIDDLE == 0 && END == 0) begin : no_register
      wire unused_clock = &{1'b0, clk};
    end
  endgenerate

endmodule
