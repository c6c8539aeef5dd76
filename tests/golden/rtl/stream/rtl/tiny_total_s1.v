// Stage total: 3 exact sums, a part of them. Counters of up to six bits reduce each sum, level by level,
// until one adder ends it; a bit that weighs less than nothing is counted inverted, its offset is in the constants.
// in_data holds the counters' bits in the order in which the module before packs them.
module tiny_total_s1 (
    input  [17:0] in_data,
    output [14:0] out_data
);

  // total_n0: 6 terms, bias 3
  wire [4:0] total_n0 = {{1'b1, in_data[5], in_data[3], in_data[1]} + {1'b0, 1'b1, in_data[4], in_data[2]}, in_data[0]};

  // total_n1: 6 terms, bias 2
  wire [4:0] total_n1 = {{1'b1, in_data[11], in_data[9], in_data[7]} + {1'b0, 1'b1, in_data[10], in_data[8]}, in_data[6]};

  // total_n2: 6 terms, bias 1
  wire [4:0] total_n2 = {{1'b1, in_data[17], in_data[15], in_data[13]} + {1'b0, 1'b0, in_data[16], in_data[14]} + {1'b0, 1'b0, 1'b1, 1'b0}, in_data[12]};

  assign out_data = {
      total_n2,
      total_n1,
      total_n0
  };
endmodule
