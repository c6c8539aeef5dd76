// Stage total: 3 exact sums. Counters of up to six bits reduce each sum, level by level,
// until one adder ends it; a bit that weighs less than nothing is counted inverted, its offset is in the constants.
// in_data holds 6 signals, signal 0 in the lowest bits; out_data one sum after the other, sum 0 lowest.
module tiny_total (
    input  [11:0] in_data,
    output [14:0] out_data
);

  // How many of 3 bits are set.
  function [1:0] count3;
    input [2:0] x;
    reg [7:0] t;
    begin
      t = 8'h96;
      count3[0] = t[x];
      t = 8'he8;
      count3[1] = t[x];
    end
  endfunction

  // How many of 4 bits are set.
  function [2:0] count4;
    input [3:0] x;
    reg [15:0] t;
    begin
      t = 16'h6996;
      count4[0] = t[x];
      t = 16'h7ee8;
      count4[1] = t[x];
      t = 16'h8000;
      count4[2] = t[x];
    end
  endfunction

  // How many of 4 bits, plus one are set.
  function [2:0] count4_plus1;
    input [3:0] x;
    reg [15:0] t;
    begin
      t = 16'h9669;
      count4_plus1[0] = t[x];
      t = 16'h177e;
      count4_plus1[1] = t[x];
      t = 16'he880;
      count4_plus1[2] = t[x];
    end
  endfunction

  // total_n0: 6 terms, bias 3
  wire [2:0] total_n0_c0 = count4_plus1({in_data[6], ~in_data[4], in_data[2], in_data[0]});
  wire [2:0] total_n0_c1 = count4({~in_data[7], in_data[5], ~in_data[3], ~in_data[1]});
  wire [1:0] total_n0_c2 = count3({total_n0_c0[0], ~in_data[10], in_data[8]});
  wire [2:0] total_n0_c3 = count4({total_n0_c1[0], total_n0_c0[1], in_data[11], ~in_data[9]});
  wire [1:0] total_n0_c4 = count3({total_n0_c3[1], total_n0_c1[1], total_n0_c0[2]});
  wire [1:0] total_n0_c5 = count3({total_n0_c4[1], total_n0_c3[2], total_n0_c1[2]});
  wire [4:0] total_n0 = {{total_n0_c5[1], total_n0_c5[0], total_n0_c4[0], total_n0_c2[1]} + {1'b1, 1'b1, 1'b0, total_n0_c3[0]}, total_n0_c2[0]};

  // total_n1: 6 terms, bias 2
  wire [2:0] total_n1_c0 = count4({in_data[8], ~in_data[6], in_data[4], in_data[2]});
  wire [2:0] total_n1_c1 = count4({~in_data[9], in_data[7], ~in_data[5], ~in_data[3]});
  wire [1:0] total_n1_c2 = count3({total_n1_c0[0], ~in_data[0], in_data[10]});
  wire [2:0] total_n1_c3 = count4({total_n1_c1[0], total_n1_c0[1], in_data[1], ~in_data[11]});
  wire [1:0] total_n1_c4 = count3({total_n1_c3[1], total_n1_c1[1], total_n1_c0[2]});
  wire [1:0] total_n1_c5 = count3({total_n1_c4[1], total_n1_c3[2], total_n1_c1[2]});
  wire [4:0] total_n1 = {{total_n1_c5[1], total_n1_c5[0], total_n1_c4[0], total_n1_c2[1]} + {1'b1, 1'b1, 1'b0, total_n1_c3[0]}, total_n1_c2[0]};

  // total_n2: 6 terms, bias 1
  wire [2:0] total_n2_c0 = count4_plus1({in_data[10], ~in_data[8], in_data[6], in_data[4]});
  wire [2:0] total_n2_c1 = count4_plus1({~in_data[11], in_data[9], ~in_data[7], ~in_data[5]});
  wire [1:0] total_n2_c2 = count3({total_n2_c0[0], ~in_data[2], in_data[0]});
  wire [2:0] total_n2_c3 = count4({total_n2_c1[0], total_n2_c0[1], in_data[3], ~in_data[1]});
  wire [1:0] total_n2_c4 = count3({total_n2_c3[1], total_n2_c1[1], total_n2_c0[2]});
  wire [1:0] total_n2_c5 = count3({total_n2_c4[1], total_n2_c3[2], total_n2_c1[2]});
  wire [4:0] total_n2 = {{total_n2_c5[1], total_n2_c5[0], total_n2_c4[0], total_n2_c2[1]} + {1'b1, 1'b0, 1'b1, total_n2_c3[0]}, total_n2_c2[0]};

  assign out_data = {
      total_n2,
      total_n1,
      total_n0
  };
endmodule
