// Stage l0: 4 table neurons, each a constant a bit of its code, indexed by the address.
// in_data holds 3 signals and out_data 4, signal 0 in the lowest bits of each.
module tiny_l0 (
    input  [5:0] in_data,
    output [7:0] out_data
);

  // l0_n0 reads signals 0, 1
  wire [3:0] l0_n0_address = {in_data[3:2], in_data[1:0]};
  localparam [15:0] l0_n0_t0 = 16'hfecd;
  localparam [15:0] l0_n0_t1 = 16'h24ce;
  wire [1:0] l0_n0;
  assign l0_n0[0] = l0_n0_t0[l0_n0_address];
  assign l0_n0[1] = l0_n0_t1[l0_n0_address];

  // l0_n1 reads signals 1, 2
  wire [3:0] l0_n1_address = {in_data[5:4], in_data[3:2]};
  localparam [15:0] l0_n1_t0 = 16'haf70;
  localparam [15:0] l0_n1_t1 = 16'h09f3;
  wire [1:0] l0_n1;
  assign l0_n1[0] = l0_n1_t0[l0_n1_address];
  assign l0_n1[1] = l0_n1_t1[l0_n1_address];

  // l0_n2 reads signals 2, 0
  wire [3:0] l0_n2_address = {in_data[1:0], in_data[5:4]};
  localparam [15:0] l0_n2_t0 = 16'hba9d;
  localparam [15:0] l0_n2_t1 = 16'h8251;
  wire [1:0] l0_n2;
  assign l0_n2[0] = l0_n2_t0[l0_n2_address];
  assign l0_n2[1] = l0_n2_t1[l0_n2_address];

  // l0_n3 reads signals 0, 1
  wire [3:0] l0_n3_address = {in_data[3:2], in_data[1:0]};
  localparam [15:0] l0_n3_t0 = 16'h5cd2;
  localparam [15:0] l0_n3_t1 = 16'h296b;
  wire [1:0] l0_n3;
  assign l0_n3[0] = l0_n3_t0[l0_n3_address];
  assign l0_n3[1] = l0_n3_t1[l0_n3_address];

  assign out_data = {
      l0_n3,
      l0_n2,
      l0_n1,
      l0_n0
  };
endmodule
