// Stage answer: the index of the largest of 5 values, the lowest index on a tie; a part of the tree.
// A tree of comparators: level k compares neighbours and decides bit k of the index, lower bits follow the winner.
// in_data holds value and index bits (so far) of each candidate, candidate 0 in the lowest bits.
module tiny_answer_s1 (
    input  [17:0] in_data,
    output [13:0] out_data
);

  wire signed [4:0] answer_v0 = in_data[4:0];
  wire signed [4:0] answer_v1 = in_data[10:6];
  wire signed [4:0] answer_v2 = in_data[16:12];
  wire answer_l1_0_right = answer_v1 > answer_v0;
  wire signed [4:0] answer_l1_0 = answer_l1_0_right ? answer_v1 : answer_v0;
  wire answer_l1_0_i0 = answer_l1_0_right ? in_data[11] : in_data[5];

  assign out_data = {
      1'b0,
      in_data[17],
      answer_v2,
      answer_l1_0_right,
      answer_l1_0_i0,
      answer_l1_0
  };
endmodule
