// Stage l1: 6 table neurons, each a case statement over its address (the form of LogicNets).
// in_data holds 4 signals and out_data 6, signal 0 in the lowest bits of each.
module tiny_l1 (
    input  [7:0] in_data,
    output [11:0] out_data
);

  // l1_n0 reads signals 0, 1
  wire [3:0] l1_n0_address = {in_data[3:2], in_data[1:0]};
  reg [1:0] l1_n0;
  always @(*) begin
    case (l1_n0_address)
      4'd0: l1_n0 = 2'd2;
      4'd1: l1_n0 = 2'd2;
      4'd2: l1_n0 = 2'd0;
      4'd3: l1_n0 = 2'd0;
      4'd4: l1_n0 = 2'd3;
      4'd5: l1_n0 = 2'd3;
      4'd6: l1_n0 = 2'd3;
      4'd7: l1_n0 = 2'd2;
      4'd8: l1_n0 = 2'd3;
      4'd9: l1_n0 = 2'd1;
      4'd10: l1_n0 = 2'd1;
      4'd11: l1_n0 = 2'd3;
      4'd12: l1_n0 = 2'd0;
      4'd13: l1_n0 = 2'd1;
      4'd14: l1_n0 = 2'd0;
      default: l1_n0 = 2'd1;
    endcase
  end

  // l1_n1 reads signals 1, 2
  wire [3:0] l1_n1_address = {in_data[5:4], in_data[3:2]};
  reg [1:0] l1_n1;
  always @(*) begin
    case (l1_n1_address)
      4'd0: l1_n1 = 2'd3;
      4'd1: l1_n1 = 2'd0;
      4'd2: l1_n1 = 2'd1;
      4'd3: l1_n1 = 2'd1;
      4'd4: l1_n1 = 2'd3;
      4'd5: l1_n1 = 2'd0;
      4'd6: l1_n1 = 2'd2;
      4'd7: l1_n1 = 2'd1;
      4'd8: l1_n1 = 2'd0;
      4'd9: l1_n1 = 2'd3;
      4'd10: l1_n1 = 2'd0;
      4'd11: l1_n1 = 2'd1;
      4'd12: l1_n1 = 2'd1;
      4'd13: l1_n1 = 2'd1;
      4'd14: l1_n1 = 2'd0;
      default: l1_n1 = 2'd3;
    endcase
  end

  // l1_n2 reads signals 2, 3
  wire [3:0] l1_n2_address = {in_data[7:6], in_data[5:4]};
  reg [1:0] l1_n2;
  always @(*) begin
    case (l1_n2_address)
      4'd0: l1_n2 = 2'd2;
      4'd1: l1_n2 = 2'd3;
      4'd2: l1_n2 = 2'd0;
      4'd3: l1_n2 = 2'd2;
      4'd4: l1_n2 = 2'd1;
      4'd5: l1_n2 = 2'd2;
      4'd6: l1_n2 = 2'd3;
      4'd7: l1_n2 = 2'd1;
      4'd8: l1_n2 = 2'd2;
      4'd9: l1_n2 = 2'd0;
      4'd10: l1_n2 = 2'd1;
      4'd11: l1_n2 = 2'd3;
      4'd12: l1_n2 = 2'd1;
      4'd13: l1_n2 = 2'd2;
      4'd14: l1_n2 = 2'd1;
      default: l1_n2 = 2'd0;
    endcase
  end

  // l1_n3 reads signals 3, 0
  wire [3:0] l1_n3_address = {in_data[1:0], in_data[7:6]};
  reg [1:0] l1_n3;
  always @(*) begin
    case (l1_n3_address)
      4'd0: l1_n3 = 2'd1;
      4'd1: l1_n3 = 2'd2;
      4'd2: l1_n3 = 2'd1;
      4'd3: l1_n3 = 2'd3;
      4'd4: l1_n3 = 2'd1;
      4'd5: l1_n3 = 2'd2;
      4'd6: l1_n3 = 2'd3;
      4'd7: l1_n3 = 2'd3;
      4'd8: l1_n3 = 2'd1;
      4'd9: l1_n3 = 2'd0;
      4'd10: l1_n3 = 2'd2;
      4'd11: l1_n3 = 2'd2;
      4'd12: l1_n3 = 2'd3;
      4'd13: l1_n3 = 2'd1;
      4'd14: l1_n3 = 2'd1;
      default: l1_n3 = 2'd0;
    endcase
  end

  // l1_n4 reads signals 0, 1
  wire [3:0] l1_n4_address = {in_data[3:2], in_data[1:0]};
  reg [1:0] l1_n4;
  always @(*) begin
    case (l1_n4_address)
      4'd0: l1_n4 = 2'd1;
      4'd1: l1_n4 = 2'd2;
      4'd2: l1_n4 = 2'd3;
      4'd3: l1_n4 = 2'd3;
      4'd4: l1_n4 = 2'd0;
      4'd5: l1_n4 = 2'd2;
      4'd6: l1_n4 = 2'd3;
      4'd7: l1_n4 = 2'd1;
      4'd8: l1_n4 = 2'd1;
      4'd9: l1_n4 = 2'd3;
      4'd10: l1_n4 = 2'd2;
      4'd11: l1_n4 = 2'd2;
      4'd12: l1_n4 = 2'd2;
      4'd13: l1_n4 = 2'd2;
      4'd14: l1_n4 = 2'd3;
      default: l1_n4 = 2'd3;
    endcase
  end

  // l1_n5 reads signals 1, 2
  wire [3:0] l1_n5_address = {in_data[5:4], in_data[3:2]};
  reg [1:0] l1_n5;
  always @(*) begin
    case (l1_n5_address)
      4'd0: l1_n5 = 2'd0;
      4'd1: l1_n5 = 2'd0;
      4'd2: l1_n5 = 2'd2;
      4'd3: l1_n5 = 2'd3;
      4'd4: l1_n5 = 2'd0;
      4'd5: l1_n5 = 2'd2;
      4'd6: l1_n5 = 2'd3;
      4'd7: l1_n5 = 2'd3;
      4'd8: l1_n5 = 2'd3;
      4'd9: l1_n5 = 2'd0;
      4'd10: l1_n5 = 2'd2;
      4'd11: l1_n5 = 2'd3;
      4'd12: l1_n5 = 2'd1;
      4'd13: l1_n5 = 2'd0;
      4'd14: l1_n5 = 2'd1;
      default: l1_n5 = 2'd0;
    endcase
  end

  assign out_data = {
      l1_n5,
      l1_n4,
      l1_n3,
      l1_n2,
      l1_n1,
      l1_n0
  };
endmodule
