// Stage l0: 6 table neurons as 9 nodes of at most 6 inputs, 2 deep.
// A node is one look-up table: a constant indexed by its inputs, of which the last is the lowest address bit. Node k that
// neuron j is the first to need is l0_n<j>_w<k>; later neurons may read it too.
// in_data holds 4 signals and out_data 6, signal 0 in the lowest bits of each.
module net_l0_k6 (
    input  [7:0] in_data,
    output [10:0] out_data
);

  // l0_n0 reads signals 0, 1; table address {in_data[3:2], in_data[1:0]}
  localparam [15:0] l0_n0_w0_t = 16'h294a;
  wire l0_n0_w0 = l0_n0_w0_t[in_data[3:0]];
  localparam [15:0] l0_n0_w1_t = 16'h318c;
  wire l0_n0_w1 = l0_n0_w1_t[in_data[3:0]];
  wire [1:0] l0_n0 = {l0_n0_w1, l0_n0_w0};

  // l0_n1 reads signals 2, 0; table address {in_data[1:0], in_data[5:4]}
  localparam [15:0] l0_n1_w0_t = 16'hc03e;
  wire l0_n1_w0 = l0_n1_w0_t[{in_data[5:4], in_data[1:0]}];
  localparam [15:0] l0_n1_w1_t = 16'h9554;
  wire l0_n1_w1 = l0_n1_w1_t[{in_data[5:4], in_data[1:0]}];
  wire [1:0] l0_n1 = {l0_n1_w1, l0_n1_w0};

  // l0_n2 reads no signal: it is constant
  wire [1:0] l0_n2 = 2'b10;

  // l0_n3 reads signal 1; table address in_data[3:2]
  wire [1:0] l0_n3 = {in_data[3], ~in_data[2]};

  // l0_n4 reads signals 0, 1; table address {in_data[3:2], in_data[1:0]}
  wire [1:0] l0_n4 = {l0_n0_w1, l0_n0_w0};

  // l0_n5 reads signals 2, 1, 0, 3; table address {in_data[7:6], in_data[1:0], in_data[3:2], in_data[5:4]}
  localparam [63:0] l0_n5_w0_t = 64'ha8ff88ff00ea00aa;
  wire l0_n5_w0 = l0_n5_w0_t[in_data[5:0]];
  localparam [63:0] l0_n5_w1_t = 64'h80fe00ea00a80088;
  wire l0_n5_w1 = l0_n5_w1_t[in_data[5:0]];
  localparam [63:0] l0_n5_w2_t = 64'heeffeaffa8ff80fe;
  wire l0_n5_w2 = l0_n5_w2_t[in_data[5:0]];
  localparam [63:0] l0_n5_w3_t = 64'haaffa8ff00ee00ea;
  wire l0_n5_w3 = l0_n5_w3_t[in_data[5:0]];
  localparam [63:0] l0_n5_w4_t = 64'hfedcba9876543210;
  wire l0_n5_w4 = l0_n5_w4_t[{l0_n5_w3, l0_n5_w2, l0_n5_w1, l0_n5_w0, in_data[7:6]}];
  wire l0_n5 = l0_n5_w4;

  assign out_data = {
      l0_n5,
      l0_n4,
      l0_n3,
      l0_n2,
      l0_n1,
      l0_n0
  };
endmodule
