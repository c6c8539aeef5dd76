// Stage l0: 6 table neurons as 24 nodes of at most 4 inputs, 5 deep.
// A node is one look-up table: a constant indexed by its inputs, of which the last is the lowest address bit. Node k that
// neuron j is the first to need is l0_n<j>_w<k>; later neurons may read it too.
// in_data holds 4 signals and out_data 6, signal 0 in the lowest bits of each.
module net_l0_k4 (
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
  localparam [3:0] l0_n5_w0_t = 4'h4;
  wire l0_n5_w0 = l0_n5_w0_t[{in_data[5], in_data[3]}];
  localparam [15:0] l0_n5_w1_t = 16'h4ccc;
  wire l0_n5_w1 = l0_n5_w1_t[in_data[5:2]];
  localparam [15:0] l0_n5_w2_t = 16'h3320;
  wire l0_n5_w2 = l0_n5_w2_t[in_data[5:2]];
  localparam [3:0] l0_n5_w3_t = 4'h2;
  wire l0_n5_w3 = l0_n5_w3_t[{in_data[5], in_data[3]}];
  localparam [15:0] l0_n5_w4_t = 16'h98ba;
  wire l0_n5_w4 = l0_n5_w4_t[{l0_n5_w1, l0_n5_w0, in_data[1:0]}];
  localparam [15:0] l0_n5_w5_t = 16'h5f88;
  wire l0_n5_w5 = l0_n5_w5_t[{l0_n5_w4, l0_n5_w3, l0_n5_w2, in_data[1]}];
  localparam [15:0] l0_n5_w6_t = 16'h2000;
  wire l0_n5_w6 = l0_n5_w6_t[in_data[5:2]];
  localparam [15:0] l0_n5_w7_t = 16'h3200;
  wire l0_n5_w7 = l0_n5_w7_t[in_data[5:2]];
  localparam [15:0] l0_n5_w8_t = 16'hb9a8;
  wire l0_n5_w8 = l0_n5_w8_t[{l0_n5_w6, l0_n5_w2, in_data[1:0]}];
  localparam [15:0] l0_n5_w9_t = 16'h77a0;
  wire l0_n5_w9 = l0_n5_w9_t[{l0_n5_w8, l0_n5_w7, l0_n5_w1, in_data[1]}];
  localparam [15:0] l0_n5_w10_t = 16'h3332;
  wire l0_n5_w10 = l0_n5_w10_t[in_data[5:2]];
  localparam [15:0] l0_n5_w11_t = 16'h004c;
  wire l0_n5_w11 = l0_n5_w11_t[in_data[5:2]];
  localparam [15:0] l0_n5_w12_t = 16'h04cc;
  wire l0_n5_w12 = l0_n5_w12_t[in_data[5:2]];
  localparam [15:0] l0_n5_w13_t = 16'h0004;
  wire l0_n5_w13 = l0_n5_w13_t[in_data[5:2]];
  localparam [15:0] l0_n5_w14_t = 16'h98ba;
  wire l0_n5_w14 = l0_n5_w14_t[{l0_n5_w11, l0_n5_w10, in_data[1:0]}];
  localparam [15:0] l0_n5_w15_t = 16'h5f22;
  wire l0_n5_w15 = l0_n5_w15_t[{l0_n5_w14, l0_n5_w13, l0_n5_w12, in_data[1]}];
  localparam [15:0] l0_n5_w16_t = 16'h98ba;
  wire l0_n5_w16 = l0_n5_w16_t[{l0_n5_w12, l0_n5_w0, in_data[1:0]}];
  localparam [15:0] l0_n5_w17_t = 16'h77a0;
  wire l0_n5_w17 = l0_n5_w17_t[{l0_n5_w16, l0_n5_w10, l0_n5_w3, in_data[1]}];
  localparam [15:0] l0_n5_w18_t = 16'hba98;
  wire l0_n5_w18 = l0_n5_w18_t[{l0_n5_w9, l0_n5_w5, in_data[7:6]}];
  localparam [15:0] l0_n5_w19_t = 16'hf588;
  wire l0_n5_w19 = l0_n5_w19_t[{l0_n5_w18, l0_n5_w17, l0_n5_w15, in_data[7]}];
  wire l0_n5 = l0_n5_w19;

  assign out_data = {
      l0_n5,
      l0_n4,
      l0_n3,
      l0_n2,
      l0_n1,
      l0_n0
  };
endmodule
