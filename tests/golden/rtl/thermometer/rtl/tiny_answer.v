// Stage answer: one bit a value, set where the value is at least 2.
// in_data holds the values, value 0 in the lowest bits.
// Each comparison is written out from the constant's lowest set bit: lower bits cannot matter.
module tiny_answer (
    input  [14:0] in_data,
    output [2:0] out_data
);

  wire answer_n0 = ~in_data[4] & (in_data[3] | in_data[2] | in_data[1]);
  wire answer_n1 = ~in_data[9] & (in_data[8] | in_data[7] | in_data[6]);
  wire answer_n2 = ~in_data[14] & (in_data[13] | in_data[12] | in_data[11]);

  assign out_data = {
      answer_n2,
      answer_n1,
      answer_n0
  };

  wire unused_inputs = &{1'b0, in_data[0], in_data[5], in_data[10]};  // bits that the comparisons do not read
endmodule
