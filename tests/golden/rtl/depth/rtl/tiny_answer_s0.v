// Stage answer: the index of the largest of 5 values, the lowest index on a tie; a part of the tree.
// A tree of comparators: level k compares neighbours and decides bit k of the index, lower bits follow the winner.
// in_data holds the values, value 0 in the lowest bits.
module tiny_answer_s0 (
    input  [24:0] in_data,
    output [17:0] out_data
);

  wire signed [4:0] answer_v0 = in_data[4:0];
  wire signed [4:0] answer_v1 = in_data[9:5];
  wire signed [4:0] answer_v2 = in_data[14:10];
  wire signed [4:0] answer_v3 = in_data[19:15];
  wire signed [4:0] answer_v4 = in_data[24:20];
  wire answer_l0_0_right = answer_v1 > answer_v0;
  wire signed [4:0] answer_l0_0 = answer_l0_0_right ? answer_v1 : answer_v0;
  wire answer_l0_1_right = answer_v3 > answer_v2;
  wire signed [4:0] answer_l0_1 = answer_l0_1_right ? answer_v3 : answer_v2;

  assign out_data = {
      1'b0,
      answer_v4,
      answer_l0_1_right,
      answer_l0_1,
      answer_l0_0_right,
      answer_l0_0
  };
endmodule
