// Stage total: 3 exact sums. Counters of up to six bits reduce each sum, level by level,
// until one adder ends it; a bit that weighs less than nothing is counted inverted, its offset is in the constants.
// in_data holds 6 signals, signal 0 in the lowest bits; out_data one sum after the other, sum 0 lowest.
module tiny_total (
    input  [11:0] in_data,
    output [14:0] out_data
);

  // How many of 6 bits are set.
  function [2:0] count6;
    input [5:0] x;
    reg [63:0] t;
    begin
      t = 64'h6996966996696996;
      count6[0] = t[x];
      t = 64'h8117177e177e7ee8;
      count6[1] = t[x];
      t = 64'hfee8e880e8808000;
      count6[2] = t[x];
    end
  endfunction

  // How many of 6 bits, plus one are set.
  function [2:0] count6_plus1;
    input [5:0] x;
    reg [63:0] t;
    begin
      t = 64'h9669699669969669;
      count6_plus1[0] = t[x];
      t = 64'he88181178117177e;
      count6_plus1[1] = t[x];
      t = 64'hfffefee8fee8e880;
      count6_plus1[2] = t[x];
    end
  endfunction

  // total_n0: 6 terms, bias 3
  wire [2:0] total_n0_c0 = count6_plus1({~in_data[10], in_data[8], in_data[6], ~in_data[4], in_data[2], in_data[0]});
  wire [2:0] total_n0_c1 = count6({in_data[11], ~in_data[9], ~in_data[7], in_data[5], ~in_data[3], ~in_data[1]});
  wire [4:0] total_n0 = {{1'b1, total_n0_c1[2], total_n0_c0[2], total_n0_c0[1]} + {1'b0, 1'b1, total_n0_c1[1], total_n0_c1[0]}, total_n0_c0[0]};

  // total_n1: 6 terms, bias 2
  wire [2:0] total_n1_c0 = count6({~in_data[0], in_data[10], in_data[8], ~in_data[6], in_data[4], in_data[2]});
  wire [2:0] total_n1_c1 = count6({in_data[1], ~in_data[11], ~in_data[9], in_data[7], ~in_data[5], ~in_data[3]});
  wire [4:0] total_n1 = {{1'b1, total_n1_c1[2], total_n1_c0[2], total_n1_c0[1]} + {1'b0, 1'b1, total_n1_c1[1], total_n1_c1[0]}, total_n1_c0[0]};

  // total_n2: 6 terms, bias 1
  wire [2:0] total_n2_c0 = count6_plus1({~in_data[2], in_data[0], in_data[10], ~in_data[8], in_data[6], in_data[4]});
  wire [2:0] total_n2_c1 = count6_plus1({in_data[3], ~in_data[1], ~in_data[11], in_data[9], ~in_data[7], ~in_data[5]});
  wire [4:0] total_n2 = {{1'b1, total_n2_c1[2], total_n2_c0[2], total_n2_c0[1]} + {1'b0, 1'b0, total_n2_c1[1], total_n2_c1[0]} + {1'b0, 1'b0, 1'b1, 1'b0}, total_n2_c0[0]};

  assign out_data = {
      total_n2,
      total_n1,
      total_n0
  };
endmodule
