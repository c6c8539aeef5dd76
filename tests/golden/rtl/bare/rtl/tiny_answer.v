// Stage answer: the index of the largest of 3 values, the lowest index on a tie.
// A tree of comparators: level k compares neighbours and decides bit k of the index, lower bits follow the winner.
// in_data holds the values, value 0 in the lowest bits.
module tiny_answer (
    input  [14:0] in_data,
    output [1:0] out_data
);

  wire signed [4:0] answer_v0 = in_data[4:0];
  wire signed [4:0] answer_v1 = in_data[9:5];
  wire signed [4:0] answer_v2 = in_data[14:10];
  wire answer_l0_0_right = answer_v1 > answer_v0;
  wire signed [4:0] answer_l0_0 = answer_l0_0_right ? answer_v1 : answer_v0;
  wire answer_l1_0_right = answer_v2 > answer_l0_0;
  wire answer_l1_0_i0 = answer_l1_0_right ? 1'b0 : answer_l0_0_right;

  assign out_data = {
      answer_l1_0_right,
      answer_l1_0_i0
  };
endmodule
