// Stage encode: the input encoder. Fixed-point words in, the number of thresholds passed out.
// in_data holds one word a feature and out_data 3 signals, the first in the lowest bits of each.
// Each comparison `word >= constant` is written out from the constant's lowest set bit: lower bits cannot matter.
module tiny_encode (
    input  [19:0] in_data,
    output [5:0] out_data
);

  // pixel, in_data[7:0]
  wire f0_t0 = in_data[7] | in_data[6] | in_data[5] | in_data[4];  // >= 16
  wire f0_t1 = in_data[7] | (in_data[6] & in_data[5] & (in_data[4] | in_data[3] | in_data[2]));  // >= 100
  wire f0_t2 = in_data[7];  // >= 128

  // charge | e, in_data[15:8]
  wire f1_t0 = ~in_data[15] | (in_data[14] & in_data[13] & in_data[12] & (in_data[11] | (in_data[10] & in_data[9] & in_data[8])));  // >= -9
  wire f1_t1 = ~in_data[15];  // >= 0
  wire f1_t2 = ~in_data[15] & (in_data[14] | in_data[13] | in_data[12] | (in_data[11] & in_data[10] & in_data[9]));  // >= 14

  // count, in_data[19:16]
  wire f2_t0 = in_data[19] | in_data[18] | in_data[17] | in_data[16];  // >= 1
  wire f2_t1 = in_data[19] | in_data[18] | in_data[17];  // >= 2
  wire f2_t2 = in_data[19];  // >= 8

  wire [1:0] encode_n0 = {f0_t1, (f0_t0 & ~f0_t1) | f0_t2};
  wire [1:0] encode_n1 = {f1_t1, (f1_t0 & ~f1_t1) | f1_t2};
  wire [1:0] encode_n2 = {f2_t1, (f2_t0 & ~f2_t1) | f2_t2};

  assign out_data = {
      encode_n2,
      encode_n1,
      encode_n0
  };

  wire unused_inputs = &{1'b0, in_data[1:0]};  // bits that no threshold reads
endmodule
