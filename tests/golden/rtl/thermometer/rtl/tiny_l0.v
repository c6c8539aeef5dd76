// Stage l0: 4 table neurons, each a case statement over its address (the form of LogicNets).
// in_data holds 9 signals and out_data 4, signal 0 in the lowest bits of each.
module tiny_l0 (
    input  [8:0] in_data,
    output [7:0] out_data
);

  // l0_n0 reads signals 0, 1
  wire [1:0] l0_n0_address = {in_data[1], in_data[0]};
  reg [1:0] l0_n0;
  always @(*) begin
    case (l0_n0_address)
      2'd0: l0_n0 = 2'd1;
      2'd1: l0_n0 = 2'd2;
      2'd2: l0_n0 = 2'd3;
      default: l0_n0 = 2'd3;
    endcase
  end

  // l0_n1 reads signals 1, 2
  wire [1:0] l0_n1_address = {in_data[2], in_data[1]};
  reg [1:0] l0_n1;
  always @(*) begin
    case (l0_n1_address)
      2'd0: l0_n1 = 2'd0;
      2'd1: l0_n1 = 2'd0;
      2'd2: l0_n1 = 2'd3;
      default: l0_n1 = 2'd3;
    endcase
  end

  // l0_n2 reads signals 2, 3
  wire [1:0] l0_n2_address = {in_data[3], in_data[2]};
  reg [1:0] l0_n2;
  always @(*) begin
    case (l0_n2_address)
      2'd0: l0_n2 = 2'd0;
      2'd1: l0_n2 = 2'd1;
      2'd2: l0_n2 = 2'd3;
      default: l0_n2 = 2'd1;
    endcase
  end

  // l0_n3 reads signals 3, 4
  wire [1:0] l0_n3_address = {in_data[4], in_data[3]};
  reg [1:0] l0_n3;
  always @(*) begin
    case (l0_n3_address)
      2'd0: l0_n3 = 2'd1;
      2'd1: l0_n3 = 2'd3;
      2'd2: l0_n3 = 2'd1;
      default: l0_n3 = 2'd1;
    endcase
  end

  assign out_data = {
      l0_n3,
      l0_n2,
      l0_n1,
      l0_n0
  };

  wire unused_inputs = &{1'b0, in_data[8:5]};  // bits that no neuron needs
endmodule
