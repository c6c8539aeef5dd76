// Stage answer: the index of the largest of 5 values, the lowest index on a tie; a part of the tree.
// A tree of comparators: level k compares neighbours and decides bit k of the index, lower bits follow the winner.
// in_data holds value and index bits (so far) of each candidate, candidate 0 in the lowest bits.
module tiny_answer_s2 (
    input  [13:0] in_data,
    output [2:0] out_data
);

  wire signed [4:0] answer_v0 = in_data[4:0];
  wire signed [4:0] answer_v1 = in_data[11:7];
  wire answer_l2_0_right = answer_v1 > answer_v0;
  wire answer_l2_0_i0 = answer_l2_0_right ? in_data[12] : in_data[5];
  wire answer_l2_0_i1 = answer_l2_0_right ? in_data[13] : in_data[6];

  assign out_data = {
      answer_l2_0_right,
      answer_l2_0_i1,
      answer_l2_0_i0
  };
endmodule
