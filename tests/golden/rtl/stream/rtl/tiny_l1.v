// Stage l1: 6 table neurons, each a constant a bit of its code, indexed by the address.
// in_data holds 4 signals and out_data 6, signal 0 in the lowest bits of each.
module tiny_l1 (
    input  [7:0] in_data,
    output [11:0] out_data
);

  // l1_n0 reads signals 0, 1
  wire [3:0] l1_n0_address = {in_data[3:2], in_data[1:0]};
  localparam [15:0] l1_n0_t0 = 16'h71dd;
  localparam [15:0] l1_n0_t1 = 16'h1cea;
  wire [1:0] l1_n0;
  assign l1_n0[0] = l1_n0_t0[l1_n0_address];
  assign l1_n0[1] = l1_n0_t1[l1_n0_address];

  // l1_n1 reads signals 1, 2
  wire [3:0] l1_n1_address = {in_data[5:4], in_data[3:2]};
  localparam [15:0] l1_n1_t0 = 16'hc3cd;
  localparam [15:0] l1_n1_t1 = 16'hfe6e;
  wire [1:0] l1_n1;
  assign l1_n1[0] = l1_n1_t0[l1_n1_address];
  assign l1_n1[1] = l1_n1_t1[l1_n1_address];

  // l1_n2 reads signals 2, 3
  wire [3:0] l1_n2_address = {in_data[7:6], in_data[5:4]};
  localparam [15:0] l1_n2_t0 = 16'h59c8;
  localparam [15:0] l1_n2_t1 = 16'h0dec;
  wire [1:0] l1_n2;
  assign l1_n2[0] = l1_n2_t0[l1_n2_address];
  assign l1_n2[1] = l1_n2_t1[l1_n2_address];

  // l1_n3 reads signals 3, 0
  wire [3:0] l1_n3_address = {in_data[1:0], in_data[7:6]};
  localparam [15:0] l1_n3_t0 = 16'h56fa;
  localparam [15:0] l1_n3_t1 = 16'hb53e;
  wire [1:0] l1_n3;
  assign l1_n3[0] = l1_n3_t0[l1_n3_address];
  assign l1_n3[1] = l1_n3_t1[l1_n3_address];

  // l1_n4 reads signals 0, 1
  wire [3:0] l1_n4_address = {in_data[3:2], in_data[1:0]};
  localparam [15:0] l1_n4_t0 = 16'h9f1f;
  localparam [15:0] l1_n4_t1 = 16'h1fc6;
  wire [1:0] l1_n4;
  assign l1_n4[0] = l1_n4_t0[l1_n4_address];
  assign l1_n4[1] = l1_n4_t1[l1_n4_address];

  // l1_n5 reads signals 1, 2
  wire [3:0] l1_n5_address = {in_data[5:4], in_data[3:2]};
  localparam [15:0] l1_n5_t0 = 16'hfd4f;
  localparam [15:0] l1_n5_t1 = 16'hba76;
  wire [1:0] l1_n5;
  assign l1_n5[0] = l1_n5_t0[l1_n5_address];
  assign l1_n5[1] = l1_n5_t1[l1_n5_address];

  assign out_data = {
      l1_n5,
      l1_n4,
      l1_n3,
      l1_n2,
      l1_n1,
      l1_n0
  };
endmodule
